package bridge_test

import (
	"bufio"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/proxy"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/verify"
	"github.com/jetbridge/jetbridge/legacy"
)

// A goodUpstream answers everything with 200 and keeps what it was asked.
type goodUpstream struct{ asked *http.Request }

func (u *goodUpstream) RoundTrip(r *http.Request) (*http.Response, error) {
	u.asked = r
	return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// isProtected says whether Airflow asks for a token there: the path decoded once,
// as its server does.
func isProtected(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	p, err := url.PathUnescape(path)
	if err != nil {
		p = path
	}
	open := []string{
		"/api/v2/version", "/api/v2/monitor/health", "/api/v2/auth/login", "/api/v2/auth/logout",
		"/api/v1/health", "/api/v1/version", "/api/v1/openapi.json", "/api/v1/openapi.yaml",
	}
	closed := strings.HasPrefix(p, "/api/") || strings.HasPrefix(p, "/ui/") || strings.HasPrefix(p, "/auth/fab/v1/")
	return closed && !slices.Contains(open, p)
}

// tokensOf are all that Airflow, or a more lenient reader, could take for a
// token in h.
func tokensOf(h http.Header) (tokens []string) {
	for _, value := range h["Authorization"] {
		_, token, _ := strings.Cut(value, " ")
		tokens = append(tokens, token)
	}
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(pair, "=")
			if strings.Contains(strings.ToLower(name), "_token") {
				tokens = append(tokens, strings.Trim(strings.TrimSpace(value), `"`))
			}
		}
	}
	return tokens
}

// TestNothingWithoutAToken: over the product of credentials, routes and modes,
// methods in turn, no 2xx leaves a route that needs a token unless every token that the
// upstream could find there is verified, and there is one; OPTIONS aside. Nor
// does /auth/verify say 200 without saying which (C-29).
func TestNothingWithoutAToken(t *testing.T) {
	worlds := map[string]*bridgetest.World{
		"dual":     bridgetest.New(t),
		"jwt_only": bridgetest.New(t, bridgetest.JWTOnly(t)),
		"nobody's": bridgetest.New(t, func(cfg *bridge.Config) { cfg.Authenticators = nil }),
		"anonymous": bridgetest.New(t, func(cfg *bridge.Config) {
			cfg.Authenticators = append(cfg.Authenticators, legacy.Anonymous("bob"))
		}),
	}
	good := worlds["dual"].Sign(t, "9", time.Hour)
	head, rest, _ := strings.Cut(good, ".")
	payload, _, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + payload + "."
	authorizations := []string{
		"", bridgetest.Basic("alice", "alice"), bridgetest.Basic("alice", "no"), bridgetest.Basic("carol", "carol"), bridgetest.Basic("down", "x"), bridgetest.Basic("fault", "x"),
		bridgetest.Basic("", ""), bridgetest.Basic("alice\x00", "alice\x00"), bridgetest.Basic("\xff", "\xff"), "Basic", "Basic ", "Basic ====", "bAsIc\t" + bridgetest.Basic("alice", "alice")[6:],
		"Negotiate bob:bob", "Negotiate bob:no", "Negotiate", "Negotiate TlRMTVNTUAABAAAA", "Digest username=alice", "Token " + good, good,
		"Bearer " + good, "bearer  " + good, "Bearer\t" + good, "Bearer " + good + ",x", "Bearer " + worlds["dual"].Sign(t, "9", -1), "Bearer " + none, "Bearer " + head + "." + payload, "Bearer ", "Bearer ..", "Bearer \xff",
		"Bearer " + good + "\r\nAuthorization: Bearer " + good, bridgetest.Basic("alice", "alice") + "\r\nAuthorization: Bearer x", bridgetest.Basic("alice", "alice") + "\r\nAUTHORIZATION: Bearer x",
		bridgetest.Basic("alice", "alice") + "\r\nAuthorization_: x", "Bearer x\r\nX-Forwarded-User: alice", strings.Repeat("A", 20<<10),
	}
	cookies := []string{
		"", "_token=" + good, "_token=" + none, "_token=", "_token=x; _token=" + good, "_token=" + good + "; _token=x", `_token="` + good + `"`,
		"\x85_token=" + good, "_TOKEN=x", "session=s", "session=alice:alice", "_token=x; session=alice:alice", "_token=" + good + "\r\nCookie: _token=x", "_token =" + good, ";;=;_token", "_token=" + good + "; \xa0_token=x",
	}
	targets := []string{
		"/api/v2/dags", "/%61pi/v2/dags", "/API/v2/dags", "//api/v2/dags", "/api//v2/dags", "/api/v2/dags/", "/api/v2/dags;x", "/api%2Fv2/dags", "/api/v2/version/", "/api/v2/version%2f", "/api/v2/%2e%2e/v2/dags", "/api/v2/dags?/api/v2/version",
		"/api/v2/version", "/api/v1/dags", "/api/v1/health/x", "/auth/fab/v1/users", "/ui/config", "/%75i/config", "/static/../ui/config", "/api/", "/api/v9", "/ui/config%00", "/api/v2/auth/login/x", "http://h/api/v2/dags", "/page",
	}
	nowhere := record.Fanout{}
	for mode, w := range worlds {
		up := &goodUpstream{}
		base := &url.URL{Scheme: "http", Host: "upstream"}
		forward, err := proxy.New(proxy.Config{Upstream: base, Transport: up, MintAgain: w.Core.MintAgain, Version: "2.10.5"})
		if err != nil {
			t.Fatal(err)
		}
		h, err := bridge.NewHandler(bridge.HandlerConfig{Decider: w.Core, Forward: forward, Version: "2.10.5", Sink: nowhere})
		if err != nil {
			t.Fatal(err)
		}
		v, err := verify.New(verify.Config{Core: w.Core, Version: "2.10.5"})
		if err != nil {
			t.Fatal(err)
		}
		verified := func(what string, tokens []string) {
			for _, token := range tokens {
				if _, err := w.Key.Verify(strings.TrimSpace(token)); err != nil {
					t.Errorf("%s: a token that is none: %q", what, token)
				}
			}
			if len(tokens) == 0 {
				t.Errorf("%s: 2xx without a token", what)
			}
		}
		passed, n := 0, 0
		for _, target := range targets {
			for _, authorization := range authorizations {
				for _, cookie := range cookies {
					method := []string{"GET", "POST", "HEAD"}[n%3]
					n++
					what := strings.Join([]string{mode, method, target, authorization, cookie}, " ")
					text := method + " " + target + " HTTP/1.1\r\nHost: h\r\n"
					if authorization != "" {
						text += "Authorization: " + authorization + "\r\n"
					}
					if cookie != "" {
						text += "Cookie: " + cookie + "\r\n"
					}
					r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text + "\r\n")))
					if err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					r.RemoteAddr, up.asked = "192.0.2.7:4711", nil
					out := httptest.NewRecorder()
					h.ServeHTTP(out, r)
					protected := isProtected(strings.TrimPrefix(target, "http://h"))
					if success := out.Code < 300; success != (up.asked != nil) {
						t.Errorf("%s: answered %d, upstream asked: %v", what, out.Code, up.asked != nil)
					} else if success && protected {
						passed++
						verified(what, tokensOf(up.asked.Header))
					}
					r.RemoteAddr = "10.0.0.1:4711"
					r.Header["X-Original-Method"], r.Header["X-Original-Uri"] = []string{method}, []string{target}
					out = httptest.NewRecorder()
					v.ServeHTTP(out, r.WithContext(record.With(r.Context(), &record.Record{ID: "id"})))
					if out.Code < 300 && protected {
						verified("/auth/verify: "+what, tokensOf(out.Header()))
					}
				}
			}
		}
		if passed == 0 {
			t.Errorf("%s: nothing passed at all", mode)
		}
		t.Logf("%s: %d requests passed where a token is needed", mode, passed)
	}
}
