// Package legacy holds the old ways of proving who you are: what Airflow 2
// called its auth backends. It defines the words that those ways share; each
// way lives in a package of its own below and knows none of the others.
//
// A legacy [Authenticator] turns one [Credential] into a [Principal]: a name,
// and how it was proven. It does not know what becomes of that name. Nothing
// here ever sees a JWT of Airflow 3.
package legacy

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
)

// Scheme names one way of proving who you are. It is a closed set, used as is
// in configuration, records and metrics.
type Scheme string

// The legacy schemes, by the names that the whole program uses.
const (
	Basic    Scheme = "basic"
	Session  Scheme = "session"
	Kerberos Scheme = "kerberos"
	OpenID   Scheme = "openid"
)

// Schemes lists every legacy scheme, in the order in which they are documented.
func Schemes() []Scheme { return []Scheme{Basic, Session, Kerberos, OpenID} }

// A Principal is somebody who proved a name the old way.
type Principal struct {
	// Name is the whole name, compared as a whole: a Kerberos principal keeps
	// its realm. It is what Airflow 3's own directory is asked for; the id of a
	// row in Airflow 2's database never leaves that database.
	Name string
	// Scheme is how the name was proven.
	Scheme Scheme
	// Roles, Groups and Teams are what the proof itself carried; nil for a proof
	// that carries none.
	Roles, Groups, Teams []string
	// Subject is set only when Airflow 3 itself judged the credential at its
	// token API: the user that its answer named. It is already an id of Airflow
	// 3's and is looked up nowhere.
	Subject string
}

// A Credential is the one thing of a request that counts as its proof.
type Credential struct {
	Scheme Scheme
	// Authorization is the header's value as it came; empty for a cookie.
	Authorization string
	// Cookie is the cookie's value as it came; empty for a header.
	Cookie string
}

// PasswordCredential is a user and password as the Basic credential that they
// amount to (RFC 7617 section 2); false for a name that it cannot carry.
func PasswordCredential(username, password string) (Credential, bool) {
	if strings.ContainsRune(username, ':') {
		return Credential{}, false
	}
	pair := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	return Credential{Scheme: Basic, Authorization: "Basic " + pair}, true
}

type clientKey struct{}

// WithClient puts the address that a credential came from on its way, for who
// counts failures. It proves nothing.
func WithClient(ctx context.Context, from netip.Addr) context.Context {
	return context.WithValue(ctx, clientKey{}, from)
}

// ClientFrom gives that address; the zero Addr when nobody said.
func ClientFrom(ctx context.Context) netip.Addr {
	from, _ := ctx.Value(clientKey{}).(netip.Addr)
	return from
}

// Network is what counts as one address where addresses are counted: an IPv6 host
// has a whole /64. All who have no address are one.
func Network(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap(); a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// A Proof is what an [Authenticator] found.
type Proof struct {
	Principal Principal
	// Reply are headers for the client, on whatever answer leaves in the end:
	// Kerberos' AP-REP. Nil for a scheme that answers nothing.
	Reply http.Header
}

// An Authenticator judges credentials of one scheme. It is safe for concurrent use.
type Authenticator interface {
	Scheme() Scheme
	// Challenge is the WWW-Authenticate value that asks for this scheme, or
	// empty for a scheme that cannot be asked for.
	Challenge() string
	// Authenticate judges c, which is of this scheme. Its error is
	// [ErrRejected] ("mine, and no"), [ErrUnavailable] ("cannot tell now") or
	// [ErrLockedOut] ("not now"); any other error is a fault and refuses too.
	Authenticate(ctx context.Context, c Credential) (Proof, error)
}

// A PasswordVerifier judges a name and a password. The principal that it
// returns carries the name as the user's own row spells it. Errors as
// [Authenticator.Authenticate]. Safe for concurrent use.
type PasswordVerifier interface {
	VerifyPassword(ctx context.Context, username, password string) (Principal, error)
}

// A User is one row of a directory.
type User struct {
	// ID identifies the user inside that directory alone: the decimal row id
	// in FAB, the name itself in Airflow 3's simple auth manager.
	ID     string
	Name   string
	Email  string
	Active bool
	// Roles are the names of the user's roles, those of its groups included, sorted.
	Roles []string
	// Teams are those that Airflow 3's simple auth manager lists; nil elsewhere.
	Teams []string
}

// A Directory knows users by name. Safe for concurrent use.
type Directory interface {
	// Lookup finds the user of that name, active or not. A name that is absent
	// or stands there twice is [ErrRejected] with [UnknownUser] or
	// [AmbiguousUser]; a directory that cannot be asked is [ErrUnavailable].
	Lookup(ctx context.Context, name string) (User, error)
}
