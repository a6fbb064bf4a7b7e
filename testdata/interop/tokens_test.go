package interop

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// short names of Airflow's answers, as tokens.json has them.
var verdicts = map[string]string{
	`401 {"detail":"Not authenticated"}`:      "NA",
	`401 {"detail":"Token Expired"}`:          "EXP",
	`403 {"detail":"Invalid JWT token"}`:      "BAD",
	`403 {"detail":"Forbidden"}`:              "FORB",
	`500 Internal Server Error`:               "500",
	`431 431 Request Header Fields Too Large`: "431",
}

func (a answer) verdict() string {
	if a.Status == http.StatusOK {
		return "OK"
	}
	name, known := verdicts[fmt.Sprintf("%d %s", a.Status, a.Body)]
	if !known {
		return short(a.text())
	}
	return name
}

// TestTokens: every token gets from the bridge what it gets from Airflow, in the header on /api/v2 and in the cookie
// on /ui, but for the deliberate differences; and Airflow still says what was recorded.
func TestTokens(t *testing.T) {
	for _, f := range databaseFronts() {
		t.Run(f.name, func(t *testing.T) {
			unused, other := differences(), map[string]bool{}
			for _, r := range readRecipes(t) {
				if r.Manager != "" && r.Manager != f.back.Manager {
					other[r.Name] = true
					continue
				}
				token := r.token(f.back)
				if r.CookieAnswer == "" {
					r.CookieAnswer = r.Answer
				}
				want, known := unused[r.Name]
				delete(unused, r.Name)
				for _, c := range []struct {
					request
					answer string
				}{
					{request{"GET", "/api/v2/pools", []string{"Authorization: Bearer " + token}, ""}, r.Answer},
					{request{"GET", "/ui/config", []string{"Cookie: _token=" + token}, ""}, r.CookieAnswer},
				} {
					direct, bridged := send(t, f.back.URL, c.request), send(t, f.url, c.request)
					recorded := c.answer
					if c.Target == "/ui/config" && (recorded == "FORB" || recorded == "500" && r.Claims["role"] != "") {
						recorded = "OK" // /ui/config asks for no role
					}
					if direct.verdict() != recorded {
						t.Errorf("%s: on %s Airflow says %s, recorded is %s", r.Name, c.Target, direct.verdict(), recorded)
					}
					if !known {
						same(t, r.Name+" on "+c.Target, direct, bridged)
					} else if got := bridged.verdict(); got != want || got == direct.verdict() {
						t.Errorf("%s on %s: the bridge says %s, the deliberate difference is %s", r.Name, c.Target, got, want)
					}
				}
			}
			for name := range unused {
				if !other[name] {
					t.Errorf("a difference is listed for %q, which is no token of the table", name)
				}
			}
		})
	}
}

// presentations are ways to show tokens: <good>, <op> (another user's), <expired> and <forged>.
var presentations = []struct {
	name    string
	headers []string
}{
	{"nothing", nil},
	{"empty Authorization", []string{"Authorization:"}},
	{"Bearer alone", []string{"Authorization: Bearer"}},
	{"Bearer and a space", []string{"Authorization: Bearer "}},
	{"scheme in lower case", []string{"Authorization: bearer <good>"}},
	{"scheme in upper case", []string{"Authorization: BEARER <good>"}},
	{"two spaces", []string{"Authorization: Bearer  <good>"}},
	{"tab for the space", []string{"Authorization: Bearer\t<good>"}},
	{"trailing space", []string{"Authorization: Bearer <good> "}},
	{"trailing tab", []string{"Authorization: Bearer <good>\t"}},
	{"spaces before the scheme", []string{"Authorization:    Bearer <good>"}},
	{"two Bearer words", []string{"Authorization: Bearer Bearer <good>"}},
	{"a word behind", []string{"Authorization: Bearer <good> x"}},
	{"comma and another scheme", []string{"Authorization: Bearer <good>, Basic eDp5"}},
	{"no scheme", []string{"Authorization: <good>"}},
	{"scheme Token", []string{"Authorization: Token <good>"}},
	{"scheme JWT", []string{"Authorization: JWT <good>"}},
	{"header name in lower case", []string{"authorization: Bearer <good>"}},
	{"header name with underscore", []string{"X_Authorization: Bearer <good>"}},
	{"no-break space behind", []string{"Authorization: Bearer <good>\u00a0"}},
	{"a byte behind that Python trims", []string{"Authorization: Bearer <good>\xa0"}},
	{"beyond ASCII behind", []string{"Authorization: Bearer <good>é"}},
	{"expired header", []string{"Authorization: Bearer <expired>"}},
	{"forged header", []string{"Authorization: Bearer <forged>"}},
	{"garbage header", []string{"Authorization: Bearer x"}},
	{"good cookie", []string{"Cookie: _token=<good>"}},
	{"expired cookie", []string{"Cookie: _token=<expired>"}},
	{"forged cookie", []string{"Cookie: _token=<forged>"}},
	{"empty cookie", []string{"Cookie: _token="}},
	{"cookie among others", []string{"Cookie: a=b; _token=<good>; c=d"}},
	{"cookie in quotes", []string{`Cookie: _token="<good>"`}},
	{"cookie with spaces", []string{"Cookie: a=b;  _token = <good> ; c=d"}},
	{"cookie name in upper case", []string{"Cookie: _TOKEN=<good>"}},
	{"cookie behind a comma", []string{"Cookie: a=b, _token=<good>"}},
	{"two cookies, first good", []string{"Cookie: _token=<good>; _token=<forged>"}},
	{"two cookies, last good", []string{"Cookie: _token=<forged>; _token=<good>"}},
	{"two cookies of two users", []string{"Cookie: _token=<good>; _token=<op>"}},
	{"two cookie lines of two users", []string{"Cookie: _token=<op>", "Cookie: _token=<good>"}},
	{"two cookies, the last behind a byte that Python trims", []string{"Cookie: _token=<good>; \xa0_token=<op>"}},
	{"two cookies, the last before such a byte", []string{"Cookie: _token=<good>; _token\x85=<op>"}},
	{"two cookies, the last behind what UTF-8 calls a space", []string{"Cookie: _token=<op>; \u00a0_token=<good>"}},
	{"two cookies, last empty", []string{"Cookie: _token=<good>; _token="}},
	{"two cookies, first empty", []string{"Cookie: _token=; _token=<good>"}},
	{"good header, forged cookie", []string{"Authorization: Bearer <good>", "Cookie: _token=<forged>"}},
	{"good header, expired cookie", []string{"Authorization: Bearer <good>", "Cookie: _token=<expired>"}},
	{"forged header, good cookie", []string{"Authorization: Bearer <forged>", "Cookie: _token=<good>"}},
	{"expired header, good cookie", []string{"Authorization: Bearer <expired>", "Cookie: _token=<good>"}},
	{"header and cookie of two users", []string{"Authorization: Bearer <op>", "Cookie: _token=<good>"}},
	{"empty header, good cookie", []string{"Authorization:", "Cookie: _token=<good>"}},
	{"Bearer alone, good cookie", []string{"Authorization: Bearer", "Cookie: _token=<good>"}},
	{"Negotiate, good cookie", []string{"Authorization: Negotiate YII=", "Cookie: _token=<good>"}},
	{"two headers, first good", []string{"Authorization: Bearer <good>", "Authorization: Bearer <forged>"}},
	{"two headers, last good", []string{"Authorization: Bearer <forged>", "Authorization: Bearer <good>"}},
	{"two headers of two users", []string{"Authorization: Bearer <op>", "Authorization: Bearer <good>"}},
	{"two headers, equal", []string{"Authorization: Bearer <good>", "Authorization: Bearer <good>"}},
	{"Negotiate", []string{"Authorization: Negotiate YII="}},
	{"Digest", []string{`Authorization: Digest username="admin"`}},
}

// TestPresentations: where and how a token is shown, and which of several counts, is the same for both.
func TestPresentations(t *testing.T) {
	for _, f := range databaseFronts() {
		t.Run(f.name, func(t *testing.T) {
			bad, past := "wrong", map[string]string{"exp": "<now-60>"}
			fill := strings.NewReplacer(
				"<good>", recipe{}.token(f.back),
				"<op>", tokenOf(t, f.back.URL, "op", "op"),
				"<expired>", recipe{Claims: past}.token(f.back),
				"<forged>", recipe{Secret: &bad}.token(f.back),
			)
			unused := presentationDifferences()
			for _, p := range presentations {
				difference, known := unused[p.name]
				delete(unused, p.name)
				for _, target := range []string{"/api/v2/pools", "/ui/auth/me"} {
					r := request{Method: "GET", Target: target}
					for _, line := range p.headers {
						r.Headers = append(r.Headers, fill.Replace(line))
					}
					direct, bridged := send(t, f.back.URL, r), send(t, f.url, r)
					if !known {
						same(t, p.name+" on "+target, direct, bridged)
					} else if !difference.expect(direct, bridged) {
						t.Errorf("%s on %s is not the difference that is listed (%s)\n--- Airflow itself:\n%s\n--- through the bridge:\n%s",
							p.name, target, difference.reason, direct.text(), bridged.text())
					}
				}
			}
			for name := range unused {
				t.Errorf("a difference is listed for %q, which is no presentation", name)
			}
		})
	}
}

// TestTokensGoBothWays: a token that the bridge gave works at Airflow itself, and one from Airflow through the
// bridge, for every user; both say the same of him. /ui/auth/me says who it is, but before Airflow 3.2 it is the start
// page, which asks for no token; /api/v2/pools always does.
func TestTokensGoBothWays(t *testing.T) {
	eachBridge(t, func(t *testing.T, f front) {
		for _, user := range Users {
			ours := tokenIn(t, send(t, f.url, request{Method: "POST", Target: "/auth/token",
				Headers: []string{basicAuth(user, f.password+user)}}))
			theirs := tokenOf(t, f.back.URL, user, user)
			for _, target := range []string{"/ui/auth/me", "/api/v2/pools"} {
				ask := func(base, token string) answer {
					return send(t, base, request{Method: "GET", Target: target, Headers: []string{"Authorization: Bearer " + token}})
				}
				want := ask(f.back.URL, theirs)
				if want.Status != http.StatusOK {
					t.Fatalf("Airflow refuses its own token on %s: %s", target, want.text())
				}
				what := user + " on " + target
				same(t, what+": the bridge's token at Airflow", want, ask(f.back.URL, ours))
				same(t, what+": Airflow's token through the bridge", want, ask(f.url, theirs))
				same(t, what+": the bridge's token through the bridge", want, ask(f.url, ours))
				if target == "/api/v2/pools" {
					for _, base := range []string{f.back.URL, f.url} {
						if a := ask(base, forged(ours)); a.Status == http.StatusOK {
							t.Errorf("%s: a forged token is let in at %s, so that this path proves nothing", what, base)
						}
					}
				}
			}

			got, expected := claimsOf(t, ours), claimsOf(t, theirs)
			for name, value := range expected {
				if name == "iat" || name == "nbf" || name == "exp" || name == "jti" {
					_, present := got[name]
					if !present {
						t.Errorf("%s: the bridge's token has no %s", user, name)
					}
				} else if !reflect.DeepEqual(got[name], value) {
					t.Errorf("%s: %s is %v in the bridge's token, %v in Airflow's", user, name, got[name], value)
				}
			}
		}
	})
}

// forged is the token with another signature.
func forged(token string) string {
	signed := strings.LastIndex(token, ".") + 1
	return token[:signed] + strings.Repeat("A", len(token)-signed)
}

// databaseFronts are the bridges of both managers that need no answer of Airflow's to know a user.
func databaseFronts() []front {
	var fronts []front
	for _, f := range world.bridges {
		if strings.HasSuffix(f.name, "-database") {
			fronts = append(fronts, f)
		}
	}
	return fronts
}
