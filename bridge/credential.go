package bridge

import (
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern/gate"
)

// tokenCookie is the cookie in which Airflow 3 keeps a browser's JWT
// (airflow/api_fastapi/auth/managers/base_auth_manager.py).
const tokenCookie = gate.DefaultCookie

// A credential is the one thing of a request that counts.
type credential struct {
	scheme Scheme
	header string // a legacy Authorization, as it came
	value  string // of the session cookie, as it came
	token  string // a JWT
	cookie bool   // whether the JWT came in tokenCookie
}

func (c credential) legacy() legacy.Credential {
	return legacy.Credential{Scheme: legacy.Scheme(c.scheme), Authorization: c.header, Cookie: c.value}
}

// credential picks what counts: an Authorization in a scheme that is spoken
// here today, else the _token cookie, else the session cookie where sessions
// are spoken. A scheme that is not spoken is passed over beside such a cookie,
// since browsers send a remembered Basic unasked, and refused when alone.
func (c *Core) credential(r Request, d *Decision) (credential, *Refusal) {
	token, from, err := gate.Credential(r.Header, tokenCookie)
	if err != nil {
		return credential{}, doubled()
	}
	header, shown := authorization(r.Header)
	scheme := schemeOf(header)
	if from == gate.Bearer {
		if !c.IDTokens(token) {
			return credential{scheme: JWT, token: token}, nil
		}
		scheme = Scheme(legacy.OpenID) // beside which there may be a cookie
		token, from, _ = gate.Credential(http.Header{"Cookie": r.Header["Cookie"]}, tokenCookie)
	}
	why := record.NoCredential
	if shown {
		d.Scheme = scheme
		if why = c.spoken(d.Scheme, d.Target.Class); why == "" {
			return credential{scheme: d.Scheme, header: header}, nil
		}
		if why == record.SchemeSwitchedOff { // nobody will judge it: so who is left behind?
			_, d.Claimed = claimOf(header, c.BasicUser)
		}
	}
	if from == gate.Cookie {
		return credential{scheme: JWT, token: token, cookie: true}, nil
	}
	if value, there := c.session(r.Header); there {
		switch no := c.spoken(session, d.Target.Class); {
		case no == "":
			return credential{scheme: session, value: value}, nil
		case !shown && no == record.SchemeSwitchedOff:
			d.Scheme, why = session, no
		}
	}
	if !shown && !carriesToken(r.Header) && c.spoken(anonymous, d.Target.Class) == "" {
		return credential{scheme: anonymous}, nil
	}
	return credential{}, unauthenticated(why)
}

const session = Scheme(legacy.Session)

// anonymous is the scheme of those who show nothing, where the operator has
// named the user that they are.
const anonymous = Scheme(legacy.AnonymousScheme)

// spoken says why a scheme does not count on this class of route today; empty
// when it does. A Bearer that comes here carried no token.
func (c *Core) spoken(scheme Scheme, class route.Class) record.Reason {
	switch {
	case scheme == JWT:
		return record.NoCredential
	case class != route.Dual || c.schemes[scheme] == nil:
		return record.SchemeNotSpoken
	case !c.Policy.Allows(string(scheme)):
		return record.SchemeSwitchedOff
	}
	return ""
}

// authorization is the request's only Authorization header.
func authorization(h http.Header) (string, bool) {
	if values := h["Authorization"]; len(values) == 1 {
		return values[0], true
	}
	return "", false
}

// schemeOf names the scheme of an Authorization header; empty when it is none
// that the bridge has a word for (RFC 9110 section 11.1: case does not matter).
func schemeOf(header string) Scheme {
	word, _, _ := strings.Cut(strings.TrimLeft(header, " \t"), " ")
	word, _, _ = strings.Cut(word, "\t")
	switch {
	case strings.EqualFold(word, "Bearer"):
		return JWT
	case strings.EqualFold(word, "Basic"):
		return Scheme(legacy.Basic)
	case strings.EqualFold(word, "Negotiate"):
		return Scheme(legacy.Kerberos)
	}
	return ""
}

// schemeOf names the scheme of an Authorization header here: a Bearer may be an
// ID token.
func (c *Core) schemeOf(header string) Scheme {
	scheme := schemeOf(header)
	if scheme == JWT {
		if token, from, err := gate.Credential(http.Header{"Authorization": {header}}, tokenCookie); err == nil && from == gate.Bearer && c.IDTokens(token) {
			return Scheme(legacy.OpenID)
		}
	}
	return scheme
}

// CarriesJWT says whether h has a JWT in Authorization that the gate would judge.
func (c *Core) CarriesJWT(h http.Header) bool {
	token, from, err := gate.Credential(h, tokenCookie)
	return err == nil && from == gate.Bearer && !c.IDTokens(token)
}

// carriesToken says whether a _token cookie is there, good for something or not.
func carriesToken(h http.Header) bool {
	for pair := range cookies(h) {
		if named(pair, tokenCookie) {
			return true
		}
	}
	return false
}

// sessionCookie is FAB's, and Airflow 2's unless somebody renamed it.
const sessionCookie = "session"

// session gives the value of Airflow 2's session cookie: of several the first,
// as Werkzeug reads them. One that is empty is none.
func (c *Core) session(h http.Header) (string, bool) {
	for pair := range cookies(h) {
		if name, value, ok := strings.Cut(pair, "="); ok && gate.Trim(name) == c.SessionCookie {
			value = gate.Trim(value)
			return value, value != ""
		}
	}
	return "", false
}

// authCookies are the cookies that say who somebody is: Airflow 3's own, those
// of its Keycloak manager, FAB's session and Airflow 2's.
func (c *Core) authCookies() []string {
	return []string{tokenCookie, "_access_token", "_refresh_token", sessionCookie, c.SessionCookie}
}

// deletedCookies are the Set-Cookie lines by which Airflow 3 takes a _token
// that does not count from a browser, which would come with it for ever
// (airflow/api_fastapi/auth/middlewares/refresh_token.py): at its own path, and
// at the root where older ones put it.
func (c *Core) deletedCookies(secure bool) []string {
	end := "; SameSite=lax"
	if secure {
		end += "; Secure"
	}
	lines := []string{tokenCookie + `=""; HttpOnly; Max-Age=0; Path=` + c.CookiePath + end}
	if c.CookiePath != "/" {
		lines = append(lines, tokenCookie+`=""; HttpOnly; Max-Age=0; Path=/`+end)
	}
	return lines
}

// oneToken makes sure that the token which was judged is the only one that the
// upstream can find, however it reads cookies.
func (d *Decision) oneToken(h http.Header, token string) {
	n := 0
	for pair := range cookies(h) {
		if named(pair, tokenCookie) {
			n++
		}
	}
	if n == 1 {
		return // goes on byte for byte
	}
	d.setCookies(h, tokenCookie)
	kept := append(d.Set["Cookie"], tokenCookie+"="+token)
	d.Set["Cookie"] = []string{strings.Join(kept, "; ")}
}

// setCookies makes the upstream see the client's cookies without those of the
// given names, the others byte for byte.
func (d *Decision) setCookies(h http.Header, without ...string) {
	var kept []string
	found := false
	for pair := range cookies(h) {
		if named(pair, without...) {
			found = true
			continue
		}
		kept = append(kept, pair)
	}
	if !found {
		return
	}
	d.Remove = append(d.Remove, "Cookie")
	if len(kept) > 0 {
		d.Set["Cookie"] = []string{strings.Join(kept, "; ")}
	}
}

// cookies gives the name=value pairs of a request.
func cookies(h http.Header) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				if pair = gate.Trim(pair); pair != "" && !yield(pair) {
					return
				}
			}
		}
	}
}

// named compares as the most lenient reader would: a server that trims whatever
// is no letter, or folds case, must not find a credential that we left.
func named(pair string, names ...string) bool {
	name, _, _ := strings.Cut(pair, "=")
	name = strings.TrimFunc(name, func(r rune) bool { return r <= ' ' || r == '"' || r >= 0x7f })
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(name, n) })
}
