package proxy_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/proxy"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/modern"
)

func minted(token string) bridge.Decision {
	return bridge.Decision{
		Verdict: bridge.PassMinted,
		Remove:  []string{"Authorization"},
		Set:     http.Header{"Authorization": {"Bearer " + token}},
		Claims:  modern.Claims{ID: "jti-" + token},
	}
}

const (
	invalid   = `{"detail":"Invalid JWT token"}`
	forbidden = `{"detail":"Forbidden"}`
)

func TestRenewal(t *testing.T) {
	type answer struct {
		status int
		body   string
		typ    string // application/json when empty
		chunks bool
	}
	ok := answer{200, "ok", "", false}
	small, big := strings.Repeat("s", 64<<10), strings.Repeat("b", 64<<10+1)
	tests := []struct {
		name    string
		d       bridge.Decision
		method  string
		body    string
		unknown bool // the body's length
		expect  bool // 100-continue
		refuse  bool // there is no other token
		answers []answer

		status int
		sees   string // the client, in the body
		tokens string // that the upstream saw
		asked  int    // how often for another token
	}{
		{name: "401 once", d: minted("1"), answers: []answer{{401, `{"detail":"Not authenticated"}`, "", false}, ok}, status: 200, sees: "ok", tokens: "1 2", asked: 1},
		{name: "403 invalid once", d: minted("1"), answers: []answer{{403, invalid, "", false}, ok}, status: 200, sees: "ok", tokens: "1 2", asked: 1},
		{name: "403 invalid of unknown length", d: minted("1"), answers: []answer{{403, invalid, "", true}, ok}, status: 200, sees: "ok", tokens: "1 2", asked: 1},
		{name: "403 forbidden passes", d: minted("1"), answers: []answer{{403, forbidden, "", false}}, status: 403, sees: forbidden, tokens: "1"},
		{name: "403 forbidden of unknown length passes", d: minted("1"), answers: []answer{{403, forbidden, "", true}}, status: 403, sees: forbidden, tokens: "1"},
		{name: "403 of that length passes", d: minted("1"), answers: []answer{{403, `{"detail":"Invalid JWT tokem"}`, "", false}}, status: 403, sees: `{"detail":"Invalid JWT tokem"}`, tokens: "1"},
		{name: "403 that goes on passes whole", d: minted("1"), answers: []answer{{403, invalid + "\n" + big, "", true}}, status: 403, sees: invalid + "\n" + big, tokens: "1"},
		{name: "403 in another type passes", d: minted("1"), answers: []answer{{403, invalid, "text/plain", false}}, status: 403, sees: invalid, tokens: "1"},
		{name: "refused again", d: minted("1"), answers: []answer{{401, "", "", false}, {403, invalid, "", false}}, status: 502, tokens: "1 2", asked: 1},
		{name: "no other token now", d: minted("1"), refuse: true, answers: []answer{{401, "", "", false}}, status: 502, tokens: "1", asked: 1},
		{name: "the second answer passes", d: minted("1"), answers: []answer{{401, "", "", false}, {403, forbidden, "", false}}, status: 403, sees: forbidden, tokens: "1 2", asked: 1},
		{name: "a small body is sent again", d: minted("1"), method: "POST", body: small, answers: []answer{{401, "", "", false}, ok}, status: 200, sees: "ok", tokens: "1 2", asked: 1},
		{name: "a big body is not", d: minted("1"), method: "POST", body: big, answers: []answer{{401, "", "", false}}, status: 502, tokens: "1", asked: 1},
		{name: "a body of unknown length is not", d: minted("1"), method: "POST", body: "s", unknown: true, answers: []answer{{401, "", "", false}}, status: 502, tokens: "1", asked: 1},
		{name: "a body that waits for 100 is not", d: minted("1"), method: "POST", body: "s", expect: true, answers: []answer{{401, "", "", false}}, status: 502, tokens: "1", asked: 1},
		{name: "a small body is sent", d: minted("1"), method: "PATCH", body: "s", answers: []answer{ok}, status: 200, sees: "ok", tokens: "1"},
		{name: "a client's own token", d: bridge.Decision{Verdict: bridge.PassOwn}, answers: []answer{{401, "own", "", false}}, status: 401, sees: "own", tokens: "own"},
		{name: "a public path", d: bridge.Decision{Verdict: bridge.PassAsIs}, answers: []answer{{403, invalid, "", false}}, status: 403, sees: invalid, tokens: "own"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var tokens []string
			peers := map[string]bool{}
			up := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != tt.body {
					t.Errorf("try %d brought a body of %d bytes, %v", len(tokens), len(body), err)
				}
				peers[r.RemoteAddr] = true
				a := tt.answers[len(tokens)]
				tokens = append(tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
				if a.typ == "" {
					a.typ = "application/json"
				}
				w.Header().Set("Content-Type", a.typ)
				w.WriteHeader(a.status)
				io.WriteString(w, a.body)
				if a.chunks {
					w.(http.Flusher).Flush()
				}
			})
			asked := 0
			tt.d.Client = http.Header{"Deprecation": {"@1"}}
			f := newFront(t, up, tt.d, proxy.Config{MintAgain: func(d bridge.Decision) (bridge.Decision, bool) {
				asked++
				if d.TokenID() != "jti-1" {
					t.Errorf("another token was asked for %q", d.TokenID())
				}
				return minted("2"), !tt.refuse
			}})
			var body io.Reader
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			if tt.unknown {
				body = io.MultiReader(body)
			}
			req := newRequest(t, tt.method, f.URL, body)
			req.Header.Set("Authorization", "Bearer own")
			if tt.expect {
				req.Header.Set("Expect", "100-continue")
			}
			res, sees := do(t, req)
			rec := <-f.records

			if res.StatusCode != tt.status || asked != tt.asked || strings.Join(tokens, " ") != tt.tokens {
				t.Errorf("answered %d, asked %d times, tokens %v", res.StatusCode, asked, tokens)
			}
			if res.Header.Get("Deprecation") != "@1" {
				t.Errorf("header %v", res.Header)
			}
			if tt.status == http.StatusBadGateway {
				if rec.Reason != record.UpstreamRefusedToken || rec.Origin != "bridge" || rec.Err != "the upstream refused a token that the bridge minted" ||
					res.Header.Get("X-Jetbridge-Error") != "upstream_refused_token" {
					t.Errorf("header %v, recorded %q from %q: %q", res.Header, rec.Reason, rec.Origin, rec.Err)
				}
			} else if sees != tt.sees || rec.Reason != "" || rec.Err != "" || res.Header.Get("X-Jetbridge-Error") != "" {
				t.Errorf("the client sees %.60q, recorded %q, %q", sees, rec.Reason, rec.Err)
			}
			conns := 1
			if tt.method == "POST" {
				conns = len(tokens)
			}
			if second := len(tokens) == 2; rec.Retried != second || second && rec.TokenID != "jti-2" || len(peers) != conns {
				t.Errorf("retried %v with %q over %d connections", rec.Retried, rec.TokenID, len(peers))
			}
		})
	}
}

// TestRenewalOfHeldBody: a body that is in memory is sent again, whatever its length.
func TestRenewalOfHeldBody(t *testing.T) {
	big := strings.Repeat("b", 64<<10+1)
	var tokens []string
	up := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != big {
			t.Errorf("try %d brought a body of %d bytes, %v", len(tokens), len(body), err)
		}
		tokens = append(tokens, r.Header.Get("Authorization"))
		if len(tokens) == 1 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	u, err := url.Parse(up)
	if err != nil {
		t.Fatal(err)
	}
	next := proxy.NewTransport(proxy.TransportConfig{})
	t.Cleanup(next.CloseIdleConnections)
	p, err := proxy.New(proxy.Config{Upstream: u, Transport: next, MintAgain: func(bridge.Decision) (bridge.Decision, bool) { return minted("2"), true }})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(bridge.WithDecision(t.Context(), minted("1")), http.MethodPost, up, strings.NewReader(big))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer 1")
	res, err := p.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := strings.Join(tokens, ", "); res.StatusCode != http.StatusOK || got != "Bearer 1, Bearer 2" {
		t.Errorf("answered %d after %s", res.StatusCode, got)
	}
}
