package bridge_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/legacy"
)

// TestCORS: the bridge's own answers say what either Airflow would.
func TestCORS(t *testing.T) {
	w := bridgetest.New(t, func(cfg *bridge.Config) {
		cfg.CORS2 = bridge.CORS{Origins: []string{"https://one.example", "https://two.example"}, Methods: "GET, POST", Headers: "authorization"}
		cfg.CORS3 = bridge.CORS{Origins: []string{"https://three.example"}, Methods: "GET", Headers: "*"}
	})
	core := w.Core
	for _, c := range []struct {
		name, method, target, origin string
		want                         http.Header
	}{
		{"v1, listed", "GET", "/api/v1/dags", "https://two.example", http.Header{
			"Access-Control-Allow-Origin": {"https://two.example"}, "Access-Control-Allow-Methods": {"GET, POST"}, "Access-Control-Allow-Headers": {"authorization"}}},
		{"v1, no origin: the first", "GET", "/api/v1/dags", "", http.Header{
			"Access-Control-Allow-Origin": {"https://one.example"}, "Access-Control-Allow-Methods": {"GET, POST"}, "Access-Control-Allow-Headers": {"authorization"}}},
		{"v1, not listed", "GET", "/api/v1/dags", "https://evil.example", http.Header{
			"Access-Control-Allow-Methods": {"GET, POST"}, "Access-Control-Allow-Headers": {"authorization"}}},
		{"v1, preflight", "OPTIONS", "/api/v1/dags", "https://one.example", http.Header{"Allow": {"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
			"Access-Control-Allow-Origin": {"https://one.example"}, "Access-Control-Allow-Methods": {"GET, POST"}, "Access-Control-Allow-Headers": {"authorization"}}},
		{"v2, listed", "GET", dags, "https://three.example", http.Header{
			"Access-Control-Allow-Origin": {"https://three.example"}, "Access-Control-Allow-Credentials": {"true"}, "Vary": {"Origin"}}},
		{"v2, not listed", "GET", dags, "https://one.example", http.Header{"Access-Control-Allow-Credentials": {"true"}}},
		{"v2, no origin", "GET", dags, "", http.Header{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.origin != "" {
				headers = []string{"Origin", c.origin}
			}
			agree(t, w, bridgetest.Ask(c.method, c.target, headers...))
			d := core.Decide(context.Background(), bridgetest.Ask(c.method, c.target, headers...))
			d.Client.Del("Www-Authenticate")
			if diff := cmp.Diff(c.want, d.Client); diff != "" {
				t.Errorf("headers for the client (-want +got):\n%s", diff)
			}
		})
	}
	// Whoever answers on /api/v1, it is not Airflow 2, which would have said this.
	passed := core.Decide(context.Background(), bridgetest.Ask("GET", "/api/v1/dags", "Authorization", bridgetest.Basic("alice", "alice"), "Origin", "https://two.example"))
	if got := passed.Client.Get("Access-Control-Allow-Origin"); passed.Verdict != bridge.PassMinted || got != "https://two.example" {
		t.Errorf("%v, allowed %q", passed.Verdict, got)
	}
	// An origin that may read with credentials may act with them.
	d := core.Decide(context.Background(), bridgetest.Ask("POST", dags, "Authorization", bridgetest.Basic("alice", "alice"), "Origin", "https://three.example"))
	if d.Verdict != bridge.PassMinted {
		t.Errorf("a listed origin: %v %s", d.Verdict, d.Reason)
	}
	if core := bridgetest.New(t).Core; len(core.Decide(context.Background(), bridgetest.Ask("GET", dags, "Origin", "https://x.example")).Client["Access-Control-Allow-Credentials"]) != 0 {
		t.Error("CORS headers though nothing is configured")
	}
}

// TestChallengesAndReplies: what the client is owed stands on any answer.
func TestChallengesAndReplies(t *testing.T) {
	w := bridgetest.New(t)
	core := w.Core
	for _, who := range []string{"bob:bob", "mallory:mallory", "bob:no"} {
		agree(t, w, bridgetest.Ask("GET", dags, "Authorization", "Negotiate "+who))
	}
	d := core.Decide(context.Background(), bridgetest.Ask("GET", dags, "Authorization", "Negotiate bob:bob"))
	if d.Verdict != bridge.PassMinted || d.Client.Get("Www-Authenticate") != "Negotiate AP-REP" || d.Client.Get("Deprecation") != "@1745280000" {
		t.Errorf("%v, headers %v", d.Verdict, d.Client)
	}
	if len(d.StripSetCookie) != 1 || d.StripSetCookie[0] != bridge.EveryCookie {
		t.Errorf("beside Negotiate the upstream may set cookies: only %q are taken", d.StripSetCookie)
	}
	d = core.Decide(context.Background(), bridgetest.Ask("GET", dags, "Authorization", "Negotiate mallory:mallory"))
	if d.Verdict != bridge.Refuse || d.Client.Get("Www-Authenticate") != "Negotiate AP-REP" {
		t.Errorf("the reply of a refused user: %v, headers %v", d.Verdict, d.Client)
	}
	own := bridgetest.New(t)
	d = own.Core.Decide(context.Background(), bridgetest.Ask("GET", dags, "Authorization", "Bearer "+own.Sign(t, "1", 1e10)))
	if d.Verdict != bridge.PassOwn || d.Client.Get("Deprecation") != "" {
		t.Errorf("a token is told that it is deprecated: %v", d.Client)
	}
}

// TestBadCookieIsDeleted: in Airflow's own words, or a browser would come with
// it for ever.
func TestBadCookieIsDeleted(t *testing.T) {
	for path, want := range map[string][]string{
		"":      {`_token=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax`},
		"/sub/": {`_token=""; HttpOnly; Max-Age=0; Path=/sub/; SameSite=lax`, `_token=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax`},
	} {
		w := bridgetest.New(t, func(cfg *bridge.Config) { cfg.CookiePath = path })
		agree(t, w, bridgetest.Ask("GET", "/ui/config", "Cookie", "_token=bad"))
		d := w.Core.Decide(context.Background(), bridgetest.Ask("GET", "/ui/config", "Cookie", "_token=bad"))
		if diff := cmp.Diff(want, d.Client["Set-Cookie"]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	d := bridgetest.New(t).Core.Decide(context.Background(), bridgetest.Ask("GET", "/ui/config", "Authorization", "Bearer bad"))
	if d.Client["Set-Cookie"] != nil {
		t.Error("a bad Bearer deletes a cookie")
	}
}

// TestAnonymous: Airflow's "default" backend, where the operator named who
// everybody is.
func TestAnonymous(t *testing.T) {
	open := func(cfg *bridge.Config) { cfg.Authenticators = append(cfg.Authenticators, legacy.Anonymous("bob")) }
	for _, c := range []struct {
		name, target string
		headers      []string
		change       []func(*bridge.Config)
		subject      string
	}{
		{"nothing shown", dags, nil, []func(*bridge.Config){open}, "2"},
		{"a credential that fails is not forgotten", dags, []string{"Authorization", bridgetest.Basic("alice", "no")}, []func(*bridge.Config){open}, ""},
		{"nor is a bearer without a token", dags, []string{"Authorization", "Bearer "}, []func(*bridge.Config){open}, ""},
		{"nor an empty cookie", dags, []string{"Cookie", "_token="}, []func(*bridge.Config){open}, ""},
		{"nor is a token", dags, []string{"Authorization", "Bearer x"}, []func(*bridge.Config){open}, ""},
		{"modern routes stay closed", "/ui/config", nil, []func(*bridge.Config){open}, ""},
		{"jwt_only ends it", dags, nil, []func(*bridge.Config){open, bridgetest.JWTOnly(t)}, ""},
		{"nobody asked for it", dags, nil, nil, ""},
	} {
		w := bridgetest.New(t, c.change...)
		agree(t, w, bridgetest.Ask("GET", c.target, c.headers...))
		d := w.Core.Decide(context.Background(), bridgetest.Ask("GET", c.target, c.headers...))
		if d.Claims.Subject != c.subject || (d.Verdict == bridge.PassMinted) != (c.subject != "") {
			t.Errorf("%s: %v as %q, want %q", c.name, d.Verdict, d.Claims.Subject, c.subject)
		}
	}
}
