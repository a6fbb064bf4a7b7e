package bridge_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/apiv1"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/route"
)

// TestModernThroughV1: what only a token opens, /api/v1 opens to tokens only, whichever
// adapter asks, and says so in Airflow 2's words.
func TestModernThroughV1(t *testing.T) {
	routes, err := route.New(route.Config{Modern: []string{"/auth/fab/v1", "/api/v2/connections", "/api/v2/assets/7"}, Reach: apiv1.Reach()})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		modern bool
	}{
		{"/api/v1/users", true},
		{"/api/v1/roles/Admin", true},
		{"/api/v1/connections", true},
		{"/api/v1/connections/a", true},
		{"/api/v1/datasets/uri", true}, // it may be the seventh
		{"/api/v1/connectionsx", false},
		{"/api/v1/variables", false},
		{"/api/v1/dags/connections", false},
	} {
		w := bridgetest.New(t, func(cfg *bridge.Config) { cfg.Routes = routes })
		req := bridge.Request{Method: http.MethodGet, RawPath: c.path, Host: "bridge", Peer: netip.MustParseAddr("10.0.0.1"),
			Header: http.Header{"Authorization": {"Basic alice:alice"}}}
		d := w.Core.Decide(context.Background(), req)
		if refused := d.Verdict == bridge.Refuse; refused != c.modern || (d.Target.Class == route.Modern) != c.modern || !d.Target.V1 {
			t.Errorf("%s: %s, class %s", c.path, d.Verdict, d.Target.Class)
		}
		for name, through := range map[string]adapter{"proxy": throughProxy, "verify": throughVerify} {
			got := through(t, w, req)
			if refused := got.status == http.StatusUnauthorized; refused != c.modern || c.modern && (got.forwarded || !strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json")) {
				t.Errorf("%s, %s: %d %v, forwarded %t", name, c.path, got.status, got.header, got.forwarded)
			}
		}
	}
}
