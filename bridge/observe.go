package bridge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern/gate"
)

// ObserverConfig is what an [Observer] looks with. It must not change after
// [NewObserver].
type ObserverConfig struct {
	// Routes tells a path's class and family. Required.
	Routes interface {
		Match(method, rawPath string) (route.Target, error)
	}
	// TrustedProxies are the peers whose X-Forwarded-For is believed, for the
	// record alone. None by default.
	TrustedProxies []netip.Prefix
	// BasicUser reads the user's name of a Basic header. Required.
	BasicUser func(authorization string) (string, bool)
	// Operation names the operation of Airflow 2's REST API that a path of it asks
	// for, as it came and as the route matched it; empty where it has none. Nil: none
	// is recorded.
	Operation func(method, rawPath, path string) string
	// SessionCookie is the name of Airflow 2's session cookie; default "session".
	SessionCookie string
}

// An Observer stands in the core's place while the bridge only looks on, in front
// of the running Airflow 2: it lets every request through as it came, and notes
// what the request claims to be. It believes nothing, asks nobody, and refuses
// nothing, a path that no route knows included. It is safe for concurrent use.
type Observer struct{ cfg ObserverConfig }

// NewObserver makes an Observer.
func NewObserver(cfg ObserverConfig) (*Observer, error) {
	if cfg.Routes == nil || cfg.BasicUser == nil {
		return nil, errors.New("bridge: Routes and BasicUser are required")
	}
	if cfg.SessionCookie == "" {
		cfg.SessionCookie = sessionCookie
	}
	return &Observer{cfg}, nil
}

// Decide lets r through untouched.
func (o *Observer) Decide(_ context.Context, r Request) Decision {
	d := Decision{Verdict: PassUntouched, Dialect: problem.V2, ClientAddr: r.Peer}
	// What the table would refuse in another mode has no class here, and passes.
	if target, err := o.cfg.Routes.Match(r.Method, r.RawPath); err == nil {
		d.Target, d.Dialect = target, dialectOf(target)
		if target.V1 && o.cfg.Operation != nil {
			d.Operation = o.cfg.Operation(r.Method, r.RawPath, target.Path)
		}
	}
	if client, err := trusted(o.cfg.TrustedProxies).client(r); err == nil {
		d.ClientAddr = client
	}
	d.Scheme, d.Claimed = o.claims(r.Header)
	return d
}

// Words of the record for what only an Observer meets.
const (
	ntlm    Scheme = "ntlm"  // in Negotiate: a Windows client without a ticket
	unnamed Scheme = "other" // a scheme that nobody here has a word for
)

// claims names the scheme of what a request shows first, an Authorization header
// or a cookie, and who it says it is from. Airflow 2 asks its backends in the
// order of its configuration; a client that shows two kinds is rare.
func (o *Observer) claims(h http.Header) (Scheme, string) {
	if values := h["Authorization"]; len(values) > 0 {
		return claimOf(values[0], o.cfg.BasicUser)
	}
	for pair := range cookies(h) {
		if named(pair, o.cfg.SessionCookie) {
			return Scheme(legacy.Session), ""
		}
	}
	if carriesToken(h) {
		return JWT, ""
	}
	return "", ""
}

// claimOf names the scheme of an Authorization header and the name that can be
// read in it, with basicUser for Basic.
func claimOf(authorization string, basicUser func(string) (string, bool)) (Scheme, string) {
	switch scheme := schemeOf(authorization); scheme {
	case Scheme(legacy.Basic):
		user, _ := basicUser(authorization)
		return scheme, user
	case Scheme(legacy.Kerberos):
		// base64 of "NTLMSSP\0" (MS-NLMP section 2.2.1).
		if _, message, _ := strings.Cut(strings.TrimSpace(authorization), " "); strings.HasPrefix(strings.TrimSpace(message), "TlRMTVNTUA") {
			return ntlm, ""
		}
		return scheme, "" // the name is inside the ticket, for the service alone
	case JWT:
		_, token, _ := strings.Cut(authorization, " ")
		return bearer(gate.Trim(token))
	default:
		return unnamed, ""
	}
}

// maxUnverified bounds the token that is looked into, in bytes.
const maxUnverified = 16 << 10

// bearer looks into a token without verifying anything: one that names an issuer
// is an OpenID provider's, for Airflow 2 made none itself.
func bearer(token string) (Scheme, string) {
	parts := strings.Split(token, ".")
	if len(token) > maxUnverified || len(parts) != 3 {
		return JWT, ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return JWT, ""
	}
	var says struct {
		Issuer  string `json:"iss"`
		Email   string `json:"email"`
		Subject string `json:"sub"`
	}
	if json.Unmarshal(payload, &says) != nil {
		return JWT, ""
	}
	who := says.Email
	if who == "" {
		who = says.Subject
	}
	if says.Issuer == "" {
		return JWT, who
	}
	return Scheme(legacy.OpenID), who
}
