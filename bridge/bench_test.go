package bridge_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/openid"
	"github.com/jetbridge/jetbridge/legacy/openid/openidtest"
)

// BenchmarkDecide is what one decision costs, for clients that are known; with
// issuers configured, every Bearer is asked whose it is.
func BenchmarkDecide(b *testing.B) {
	w := bridgetest.New(b)
	token := w.Sign(b, "9", time.Hour)
	withOpenID, idToken := openIDWorld(b)
	for _, bb := range []struct {
		name   string
		world  *bridgetest.World
		header http.Header
	}{
		{"basic", w, http.Header{"Authorization": {bridgetest.Basic("alice", "alice")}}},
		{"bearer", w, http.Header{"Authorization": {"Bearer " + token}}},
		{"bearer, three issuers configured", withOpenID, http.Header{"Authorization": {"Bearer " + token}}},
		{"ID token", withOpenID, http.Header{"Authorization": {"Bearer " + idToken}}},
		{"cookie", w, http.Header{"Cookie": {"theme=dark; _token=" + token}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			req := bridgetest.Ask("GET", dags)
			req.Header = bb.header.Clone()
			for _, more := range []string{"Accept", "User-Agent", "Accept-Encoding", "Content-Type"} {
				req.Header.Set(more, "x")
			}
			b.ReportAllocs()
			for b.Loop() {
				if d := bb.world.Core.Decide(context.Background(), req); d.Verdict == bridge.Refuse {
					b.Fatal(d.Cause)
				}
			}
		})
	}
}

// openIDWorld believes three issuers; alice has an ID token of one of them.
func openIDWorld(b *testing.B) (w *bridgetest.World, idToken string) {
	issuer := openidtest.New(b)
	cfg := openid.Config{Now: func() time.Time { return bridgetest.Now }}
	for _, url := range []string{openid.Google, "https://idp.example.com/realms/data", issuer.URL} {
		cfg.Issuers = append(cfg.Issuers, openid.Issuer{URL: url, Audience: []string{openidtest.Audience}, Name: "name"})
	}
	a, err := openid.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	w = bridgetest.New(b, func(c *bridge.Config) {
		c.Authenticators, c.IDTokens = []legacy.Authenticator{a}, a.Claims
	})
	now := bridgetest.Now.Unix()
	return w, issuer.Token(map[string]any{"name": "alice", "iat": now, "exp": now + 600})
}
