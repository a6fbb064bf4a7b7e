package verify_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/verify"
)

const (
	stranger = "192.0.2.7:4711"
	gateway  = "10.0.0.1:4711" // bridgetest trusts 10.0.0.0/8
)

// verified asks w about a request from peer and gives the answer and its record.
func verified(t *testing.T, w *bridgetest.World, peer string, header http.Header) (*http.Response, string, record.Record) {
	t.Helper()
	h, err := verify.New(verify.Config{Core: w.Core, Version: "2.10.5"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/auth/verify", nil)
	r.RemoteAddr, r.Header = peer, header
	rec := &record.Record{ID: "the-id"}
	out := httptest.NewRecorder()
	h.ServeHTTP(out, r.WithContext(record.With(r.Context(), rec)))
	return out.Result(), out.Body.String(), *rec
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

// TestVerify: what a gateway names badly is refused, never guessed (C-05, C-30).
func TestVerify(t *testing.T) {
	alice := []string{"Authorization", bridgetest.Basic("alice", "alice")}
	with := func(more ...string) http.Header { return header(append(more, alice...)...) }
	for _, c := range []struct {
		name   string
		peer   string
		header http.Header
		status int
		reason record.Reason
	}{
		{"a stranger is asked for a credential", stranger, with(), 200, ""},
		{"a stranger without one", stranger, header(), 401, record.NoCredential},
		{"a stranger names no other request (C-05)", stranger, header("X-Original-Method", "GET", "X-Original-Uri", "/api/v2/version"), 401, record.NoCredential},
		{"nginx", gateway, with("X-Original-Method", "POST", "X-Original-Uri", "/api/v2/dags?x=1"), 200, ""},
		{"traefik", gateway, with("X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/api/v2/dags"), 200, ""},
		{"both, and they agree", gateway, with("X-Original-Method", "GET", "X-Original-Uri", "/api/v2/dags", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/api/v2/dags"), 200, ""},
		{"both, and they differ", gateway, with("X-Original-Method", "GET", "X-Original-Uri", "/api/v2/dags", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/api/v2/version"), 400, record.BadGatewayHeaders},
		{"missing", gateway, with(), 400, record.BadGatewayHeaders},
		{"half a pair", gateway, with("X-Original-Uri", "/api/v2/dags"), 400, record.BadGatewayHeaders},
		{"doubled", gateway, with("X-Original-Method", "GET", "X-Original-Uri", "/a", "X-Original-Uri", "/b"), 400, record.BadGatewayHeaders},
		{"a target that is no path", gateway, with("X-Original-Method", "GET", "X-Original-Uri", "https://evil/api/v2/version"), 400, record.BadGatewayHeaders},
		{"a method that is none", gateway, with("X-Original-Method", "GET /x", "X-Original-Uri", "/api/v2/version"), 400, record.BadGatewayHeaders},
		{"the path's query is no path", gateway, header("X-Original-Method", "GET", "X-Original-Uri", "/api/v2/dags?/api/v2/version"), 401, record.NoCredential},
		{"a public path", gateway, header("X-Original-Method", "GET", "X-Original-Uri", "/api/v2/version"), 200, ""},
		{"dot segments", gateway, header("X-Original-Method", "GET", "X-Original-Uri", "/static/../api/v2/dags"), 400, record.BadPath},
		{"v1 needs the proxy", gateway, with("X-Original-Method", "GET", "X-Original-Uri", "/api/v1/dags"), 404, record.NeedsProxy},
		{"so do the bridge's own endpoints", gateway, with("X-Original-Method", "POST", "X-Original-Uri", "/auth/token"), 404, record.NeedsProxy},
		{"an alias of a protected header", stranger, with("X_Remote_User", "mallory"), 400, record.ForbiddenHeader},
		{"a protected header", stranger, with("X-Remote-User", "mallory"), 400, record.ForbiddenHeader},
		{"an alias of what gateways set", gateway, with("X-Original-Method", "GET", "X-Original-Uri", "/api/v2/dags", "X_Forwarded_For", "1.1.1.1"), 400, record.ForbiddenHeader},
		{"what gateways set", gateway, with("X-Original-Method", "GET", "X-Original-Uri", "/api/v2/dags", "X-Forwarded-For", "1.1.1.1", "X-Forwarded-Proto", "https"), 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body, rec := verified(t, bridgetest.New(t), c.peer, c.header)
			if res.StatusCode != c.status || rec.Reason != c.reason {
				t.Errorf("%d %q, want %d %q: %s", res.StatusCode, rec.Reason, c.status, c.reason, body)
			}
			if res.StatusCode == 200 && c.header.Get("Authorization") != "" && strings.HasPrefix(res.Header.Get("Authorization"), "Basic") {
				t.Error("the legacy credential is sent on")
			}
		})
	}
}

// TestAnswer: what a 200 carries.
func TestAnswer(t *testing.T) {
	w := bridgetest.New(t)
	dag := []string{"X-Original-Method", "GET", "X-Original-Uri", "/api/v2/dags"}
	res, body, rec := verified(t, w, gateway, header(append(dag, "Authorization", bridgetest.Basic("bob", "bob"), "Cookie", "a=1; _token=x; session=y")...))
	claims, err := w.Key.Verify(strings.TrimPrefix(res.Header.Get("Authorization"), "Bearer "))
	if err != nil || claims.Subject != "2" {
		t.Fatalf("Authorization %q: %+v, %v", res.Header.Get("Authorization"), claims, err)
	}
	if got := res.Header.Get("Cookie"); got != "a=1" {
		t.Errorf("Cookie %q, want a=1", got)
	}
	if res.Header.Get("Deprecation") == "" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", res.Header)
	}
	var who map[string]any
	if err := json.Unmarshal([]byte(body), &who); err != nil {
		t.Fatal(err)
	}
	if who["principal"] != "bob" || who["subject"] != "2" || who["scheme"] != "basic" || who["expires"] != "2026-11-22T12:05:00Z" {
		t.Errorf("body %s", body)
	}
	if res.Header.Get("X-Jetbridge-Principal") != "bob" || rec.Name != "bob" || rec.Subject != "2" {
		t.Errorf("principal %q, record %+v", res.Header.Get("X-Jetbridge-Principal"), rec)
	}

	own := w.Sign(t, "9", time.Hour)
	res, _, _ = verified(t, w, gateway, header(append(dag, "Cookie", "_token="+own)...))
	if res.StatusCode != 200 || res.Header.Get("Authorization") != "" || res.Header.Get("Cookie") != "_token="+own {
		t.Errorf("a client's own cookie: %d %v", res.StatusCode, res.Header)
	}
	// A stranger learns who it is, and is given no token.
	res, body, _ = verified(t, w, stranger, header("Authorization", bridgetest.Basic("bob", "bob"), "Cookie", "a=1"))
	if res.StatusCode != 200 || res.Header.Get("Authorization") != "" || res.Header.Get("Cookie") != "" || !strings.Contains(body, `"principal":"bob"`) {
		t.Errorf("a stranger: %d %v %s", res.StatusCode, res.Header, body)
	}
	if _, err := verify.New(verify.Config{}); err == nil {
		t.Error("a handler without a core")
	}
}
