package route_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge/route"
)

// starlette routes a raw path as the upstream does: decoded once by Python's
// rules, freed of the base path when it is there, matched as text.
func starlette(raw, base string) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '%' && i+2 < len(raw) {
			if c, err := url.PathUnescape(raw[i : i+3]); err == nil {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(raw[i])
	}
	p := b.String()
	if rest, ok := strings.CutPrefix(p, base); ok && (rest == "" || rest[0] == '/') {
		p = rest
	}
	return p
}

// reencode percent-encodes the letters that pick says, which changes no path.
func reencode(raw string, pick uint64) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '%' && i+2 < len(raw):
			b.WriteString(raw[i : i+3])
			i += 2
		case ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') && pick>>(i%64)&1 == 1:
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

var publicAPI = map[string]bool{
	"/api/v2/version": true, "/api/v2/monitor/health": true, "/api/v2/auth/login": true, "/api/v2/auth/logout": true,
	"/api/v1/health": true, "/api/v1/version": true, "/api/v1/openapi.json": true, "/api/v1/openapi.yaml": true,
}

func FuzzMatch(f *testing.F) {
	for _, p := range []string{
		"/api/v2/dags", "/api/v2/version", "/API/v2/dags", "//api/v2/dags", "/api%2Fv2/dags", "/air/api/v2/dags/a%2Fb", "/ui/config",
		"/x/%2e%2e/api/v2/dags", "/%61pi/v2/dags%0a", "/air%2Fui/config", "/auth/fab/v1/users", "/auth/token", "/execution/x", "/%252e%252e/ui",
		"/air/air/api/v2/dags", "/static/A%20b.js", "/api/v2/monitor%2Fhealth", "/%", "/x;y/..;/z", "/air", "/AIR/ui/x",
		"/login/", "/air/logout", "/%6cogin", "/LOGIN/", "/login%2Fapi",
	} {
		f.Add(p, uint64(0x5555))
	}
	const base = "/air"
	tab, err := route.New(route.Config{BasePath: base, Login: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string, pick uint64) {
		got, err := tab.Match("POST", raw)
		if err != nil {
			if got.Class != "" {
				t.Fatalf("%q: a class beside the error: %+v", raw, got)
			}
			return
		}
		for _, p := range []string{starlette(raw, base), starlette(raw, "")} {
			closed := strings.HasPrefix(p, "/api/") || strings.HasPrefix(p, "/ui/") || strings.HasPrefix(p, "/auth/fab/v1/")
			if closed && !publicAPI[p] && got.Class != route.Dual && got.Class != route.Modern {
				t.Errorf("%q reaches %q and is %s", raw, p, got.Class)
			}
		}
		for _, token := range []string{"/execution/", "/edge_worker/"} {
			if strings.HasPrefix(starlette(raw, base), token) && got.Class == route.Public {
				t.Errorf("%q is %s", raw, got.Class)
			}
		}
		if again, err := tab.Match("POST", reencode(raw, pick)); len(raw) < 1000 && (err != nil || again != got) {
			t.Errorf("%q: %+v, re-encoded %q: %+v, %v", raw, got, reencode(raw, pick), again, err)
		}
	})
}
