// Package route says which class a path belongs to, as the upstream's own
// server would route it: on the path decoded once, with case and doubled
// slashes as they are.
//
// Make a [Table] of one configuration and ask it with [Table.Match]. What is
// not clearly public is closed, and a path that some server on the way could
// take for another one is [ErrBadPath]: dot segments under any encoding,
// backslashes, control characters, a fragment, an encoded slash where the class
// is decided, a closed path in other case or with doubled slashes. Whatever it
// lets through may be forwarded byte for byte.
package route

// Class decides which credentials count on a path and what becomes of it.
type Class string

// The classes, from the most open to the most closed.
const (
	Public  Class = "public"  // forwarded as it came, nothing minted
	Foreign Class = "foreign" // another service's tokens: forwarded untouched
	Bridge  Class = "bridge"  // the bridge answers
	Dual    Class = "dual"    // a JWT or a legacy credential
	Modern  Class = "modern"  // a JWT only
)

// Endpoint names what the bridge answers itself; empty elsewhere.
type Endpoint string

// The bridge's own endpoints.
const (
	Token    Endpoint = "token"     // POST /auth/token
	TokenCLI Endpoint = "token_cli" // POST /auth/token/cli
	Verify   Endpoint = "verify"    // GET /auth/verify
	Health   Endpoint = "health"    // /health
	Login    Endpoint = "login"     // /login/, where [Config.Login] says so
	Logout   Endpoint = "logout"    // /logout/, likewise
)

// A Target is a path as it was matched.
type Target struct {
	Class    Class
	Endpoint Endpoint
	// Path is decoded once and freed of the base path; it is for matching and
	// for people, never for forwarding.
	Path string
	// Family is the path's bounded name for metrics and inventory, such as
	// "/api/v2/dags" or "/ui": at most a few hundred of them exist.
	Family string
	// V1 says that the path belongs to Airflow 2's REST API, /api/v1.
	V1 bool
}
