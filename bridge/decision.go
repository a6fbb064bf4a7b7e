package bridge

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern"
)

// A Request is what the decision core knows of a request: facts, nothing that
// can be read or written. Header is not changed by the core.
type Request struct {
	Method string
	// RawPath and RawQuery are the target's parts byte for byte as they came;
	// empty for a target that has no path (CONNECT, "OPTIONS *").
	RawPath, RawQuery string
	// Host is the Host header or :authority.
	Host   string
	Header http.Header
	// Peer is the address that the connection came from; Secure says whether
	// the bridge itself terminated TLS on it.
	Peer   netip.Addr
	Secure bool
	// ID is the request id, for refusals to name.
	ID string
}

// RequestOf reads the facts of r, which keeps its header.
func RequestOf(r *http.Request, id string) Request {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	path, query := targetOf(r)
	return Request{
		Method: r.Method, RawPath: path, RawQuery: query, Host: r.Host, Header: r.Header,
		Peer: peer.Addr().Unmap(), Secure: r.TLS != nil, ID: id,
	}
}

// Verdict is what becomes of a request. The zero value refuses.
type Verdict int

// The six verdicts.
const (
	Refuse        Verdict = iota
	PassMinted            // forward with a token that the bridge minted
	PassOwn               // forward with the JWT that the client brought
	PassAsIs              // forward as it came, scrubbed
	PassUntouched         // forward as it came, to the last header: an [Observer]'s
	Answer                // the bridge itself answers
)

func (v Verdict) String() string {
	switch v {
	case PassMinted:
		return "pass_minted"
	case PassOwn:
		return "pass_own"
	case PassAsIs:
		return "pass_as_is"
	case PassUntouched:
		return "pass_untouched"
	case Answer:
		return "answer"
	}
	return "refuse"
}

// A Decision is all that the bridge decides about one request: a plain value.
// Proxy, /auth/verify and the gateways carry it out; none of them decides.
type Decision struct {
	Verdict Verdict
	Target  route.Target    // the path's class, and the path as it was matched
	Dialect problem.Dialect // the shape of the bridge's own answers here

	// Remove names the headers, as they came, that the upstream must not see;
	// Set are those that it must see instead. Remove comes first.
	Remove []string
	Set    http.Header
	// Client are headers for the client, on whatever answer leaves.
	Client http.Header
	// StripSetCookie names the cookies that the upstream's answer must not set;
	// EveryCookie stands for all of them.
	StripSetCookie []string

	// Status is the whole answer when Verdict is Answer and it is set; zero
	// leaves the answer to the endpoint.
	Status int
	// Problem is the answer when Verdict is Refuse, Reason why, Cause for the
	// operator's log.
	Problem problem.Problem
	Reason  record.Reason
	Cause   error

	// Who it is: Principal for a legacy scheme, Claims for every request that
	// passed the gate. Scheme is "jwt" for a client's own token, empty when no
	// credential counted.
	Principal legacy.Principal
	Claims    modern.Claims
	Scheme    Scheme
	// Claimed is the name that was read in a request which an [Observer] let by, or
	// whose scheme is switched off. Nobody has proven it.
	Claimed string
	// Operation is what an [Observer] found to be asked for of Airflow 2's REST API.
	Operation string
	// ClientAddr is the client as the bridge believes it.
	ClientAddr netip.Addr

	from hop // the client's, as the bridge believes it

	// Again, for PassMinted alone, is what [Core.MintAgain] needs.
	Again *Renewal
}

// EveryCookie in [Decision.StripSetCookie] lets no cookie through.
const EveryCookie = "*"

// Scheme is a legacy scheme or JWT.
type Scheme string

// JWT is the scheme of the new world.
const JWT Scheme = "jwt"

// TokenID is the jti of the token that the upstream will see; empty without one.
func (d Decision) TokenID() string { return d.Claims.ID }

// Upstream gives a header as the upstream must see it, of a request that came
// with h.
func (d Decision) Upstream(h http.Header, name string) []string {
	if values, ok := d.Set[name]; ok {
		return values
	}
	if slices.Contains(d.Remove, name) {
		return nil
	}
	return h[name]
}

// targetOf splits the request's target where it was split by nobody yet. Of the
// absolute form (RFC 9112 section 3.2.2) scheme and authority are cut off; not
// by r.URL, which keeps not every byte of a path.
func targetOf(r *http.Request) (rawPath, rawQuery string) {
	if strings.HasPrefix(r.RequestURI, "/") {
		rawPath, rawQuery, _ = strings.Cut(r.RequestURI, "?")
		return rawPath, rawQuery
	}
	_, rest, ok := strings.Cut(r.RequestURI, "://")
	if !ok || r.URL.Scheme == "" || r.URL.Host == "" {
		return "", ""
	}
	rest, rawQuery, _ = strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path, rawQuery
}
