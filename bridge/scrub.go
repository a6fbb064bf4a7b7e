package bridge

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/jetbridge/jetbridge/bridge/record"
)

// identityHeaders are what servers behind a proxy take an identity, or the
// facts of a connection, from. Names are folded (see fold).
var identityHeaders = map[string]bool{
	"x-email": true, "x-user": true, "x-user-id": true, "x-user-name": true, "x-username": true, "x-userinfo": true,
	"auth-user": true, "auth-type": true, "eppn": true, "x-id-token": true, "x-access-token": true, "x-token-subject": true,
	"x-proxy-user": true, "x-consumer-username": true, "x-credential-username": true, "proxy-authorization": true,
	"x-real-ip": true, "true-client-ip": true, "x-client-ip": true, "forwarded": true, "x-scheme": true, "x-script-name": true,
	"x-http-method": true, "x-http-method-override": true, "x-method-override": true, "x-http-user": true,
}

// identityPrefixes are families of such headers.
var identityPrefixes = []string{
	"remote-", "x-remote-", "http-remote-", "x-forwarded-", "x-original-", "x-rewrite-", "x-auth-", "x-authenticated-", "x-authentik-",
	"x-webauth-", "x-client-cert", "x-client-dn", "x-client-verify", "x-client-subject", "client-cert", "client-dn", "client-verify",
	"x-ssl-", "ssl-client-", "oidc-", "shib-", "x-shib-", "x-okta-", "x-vouch-", "x-pomerium-", "x-goog-authenticated-", "x-goog-iap-",
	"x-amzn-oidc-", "x-ms-client-principal", "x-ms-token-", "cf-access-", "x-envoy-", "x-jetbridge-",
}

// maxHeaderName bounds what fold looks at; a longer name claims nothing that a
// server behind us reads.
const maxHeaderName = 64

// fold writes name as CGI and WSGI servers see it: they cannot tell "-" from
// "_", and some proxies fold "." too, so that every non-alphanumeric is "-".
func fold(buf *[maxHeaderName]byte, name string) []byte {
	n := min(len(name), maxHeaderName)
	for i := range n {
		b := name[i]
		switch {
		case 'A' <= b && b <= 'Z':
			b += 'a' - 'A'
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9':
		default:
			b = '-'
		}
		buf[i] = b
	}
	return buf[:n]
}

// claimsIdentity says whether a header of that name must not go on as the client sent it.
func claimsIdentity(name string) bool {
	var buf [maxHeaderName]byte
	folded := fold(&buf, name)
	if identityHeaders[string(folded)] {
		return true
	}
	for _, p := range identityPrefixes {
		if len(folded) >= len(p) && string(folded[:len(p)]) == p {
			return true
		}
	}
	// A second spelling of what decides here: the canonical one alone is read.
	switch string(folded) {
	case "authorization":
		return name != "Authorization"
	case "cookie":
		return name != "Cookie"
	case "host":
		return true // net/http keeps the real one elsewhere
	}
	return false
}

// scrub starts the decision: what the client must not say goes, and what the
// bridge knows of the connection is said instead, as one hop.
func (c *Core) scrub(r Request) (Decision, *Refusal) {
	d := Decision{Set: make(http.Header, 5), Client: http.Header{}}
	for name := range r.Header {
		if claimsIdentity(name) {
			d.Remove = append(d.Remove, name)
		}
	}
	var err error
	if d.from, err = trusted(c.TrustedProxies).hop(r); err != nil {
		return d, badHop(err)
	}
	d.ClientAddr = d.from.client
	d.Set["X-Forwarded-For"] = []string{d.from.client.String()}
	d.Set["X-Forwarded-Proto"] = []string{d.from.proto}
	d.Set["X-Forwarded-Host"] = []string{d.from.host}
	if id := r.Header["X-Request-Id"]; !wellFormedID(id) {
		if len(id) > 0 {
			d.Remove = append(d.Remove, "X-Request-Id")
		}
		d.Set["X-Request-Id"] = []string{r.ID}
	}
	return d, nil
}

func badHop(err error) *Refusal {
	return NewRefusal(http.StatusBadRequest, record.BadGatewayHeaders, err,
		"The Host, or a forwarding header of the proxy in front, is doubled or unreadable.")
}

// wellFormedID says whether a client's own request id may reach the upstream's
// logs.
func wellFormedID(values []string) bool {
	return len(values) == 1 && values[0] != "" && len(values[0]) <= 64 && strings.Trim(values[0], letters+"0123456789._-") == ""
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// isHost says whether s can be a Host: a name or an address, with or without a
// port. HTTP/1.0 sends none. Who builds links from it must not be misled.
func isHost(s string) bool {
	return len(s) <= 255+6 && strings.Trim(s, letters+"0123456789._-:[]") == ""
}

// A hop is the client's side of the connection as the bridge believes it.
type hop struct {
	client netip.Addr
	proto  string
	host   string
}

// Trusts says whether peer is one of the proxies whose word counts.
func (c *Core) Trusts(peer netip.Addr) bool { return trusted(c.TrustedProxies).trusts(peer) }

// trusted are the proxies whose word counts.
type trusted []netip.Prefix

func (t trusted) trusts(peer netip.Addr) bool {
	for _, p := range t {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

// maxHops bounds the X-Forwarded-For that is read.
const maxHops = 32

// hop reads X-Forwarded-* where the peer may say them. What cannot be read is
// an error, never skipped (C-09).
func (t trusted) hop(r Request) (hop, error) {
	h := hop{client: r.Peer, proto: "http", host: r.Host}
	if r.Secure {
		h.proto = "https"
	}
	if !isHost(h.host) {
		return h, fmt.Errorf("the Host is no name or address")
	}
	if !t.trusts(r.Peer) {
		return h, nil
	}
	if proto, ok, err := single(r.Header, "X-Forwarded-Proto"); err != nil {
		return h, err
	} else if ok {
		if proto != "http" && proto != "https" && proto != "ws" && proto != "wss" {
			return h, fmt.Errorf("X-Forwarded-Proto is not http or https")
		}
		h.proto = strings.Replace(proto, "ws", "http", 1)
	}
	if host, ok, err := single(r.Header, "X-Forwarded-Host"); err != nil {
		return h, err
	} else if ok {
		if !isHost(host) {
			return h, fmt.Errorf("X-Forwarded-Host is no name or address")
		}
		h.host = host
	}
	client, err := t.client(r)
	if err != nil {
		return h, err
	}
	h.client = client
	return h, nil
}

// client walks X-Forwarded-For from the nearest hop to the first that is not
// one of ours.
func (t trusted) client(r Request) (netip.Addr, error) {
	client := r.Peer
	list := strings.Join(r.Header["X-Forwarded-For"], ",")
	for n := 0; list != "" && t.trusts(client); n++ {
		if n == maxHops {
			return client, fmt.Errorf("X-Forwarded-For has more than %d hops", maxHops)
		}
		var last string
		if i := strings.LastIndexByte(list, ','); i >= 0 {
			list, last = list[:i], list[i+1:]
		} else {
			list, last = "", list
		}
		addr, err := parseAddr(strings.TrimSpace(last))
		if err != nil {
			return client, fmt.Errorf("X-Forwarded-For holds what is no address")
		}
		client = addr
	}
	return client, nil
}

// parseAddr takes an address with or without a port.
func parseAddr(s string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), nil
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return addr.Unmap(), err
}

// single reads a header that may be there once, with one value.
func single(h http.Header, name string) (string, bool, error) {
	switch v := h[name]; {
	case len(v) == 0:
		return "", false, nil
	case len(v) > 1 || strings.ContainsAny(v[0], ", \t") || v[0] == "":
		return "", false, fmt.Errorf("%s is doubled or empty", name)
	default:
		return v[0], true, nil
	}
}
