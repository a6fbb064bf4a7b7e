package bridge_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge/bridgetest"
)

// wsgi reads a header's name as the loosest server would: nothing but letters
// and digits is told apart, and no case.
func wsgi(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// respell writes name with other separators and in another case, which changes
// nothing for such a server. pick says how.
func respell(name string, pick uint64) string {
	const separators = "-_.~!#$%&'*+^`|"
	b := []byte(name)
	for i, c := range b {
		bits := int(pick >> (i % 59))
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			b[i] ^= byte(bits&1) << 5
		case '0' <= c && c <= '9':
		default:
			b[i] = separators[bits&15%len(separators)]
		}
	}
	return string(b)
}

// FuzzScrub: whatever spelling of a header a server could take for one that says
// who somebody is goes, each spelling or none, and what the upstream is left with
// of such headers is the bridge's own (C-01, C-02, C-04).
func FuzzScrub(f *testing.F) {
	protected := []string{
		"x_forwarded_", "x_original_", "x_rewrite_", "x_envoy_", "remote_user", "x_remote_user", "forwarded", "x_real_ip", "x_auth_request_",
		"x_webauth_", "x_jetbridge_", "x_http_method_override", "proxy_authorization", "host",
	}
	for i, name := range append(protected, "X-Forwarded-User", "X.Authenticated.User", "Authorization", "AUTHORIZATION", "cookie", "Cookie", "Accept", "X-Request-Id",
		"X-"+strings.Repeat("a", 70), "x_forwarded_"+strings.Repeat("b", 70), "Remote-\u212Aser", "ho\xffst") {
		f.Add(name, uint64(i)*0x9e3779b97f4a7c15)
	}
	core := bridgetest.New(f).Core
	goes := func(t *testing.T, name string) bool {
		req := bridgetest.Ask("GET", "/")
		req.Header = http.Header{name: {"mallory"}}
		d := core.Decide(t.Context(), req)
		return slices.Contains(d.Remove, name)
	}
	f.Fuzz(func(t *testing.T, name string, pick uint64) {
		folded, other := wsgi(name), respell(name, pick)
		gone := goes(t, name)
		for _, p := range protected {
			if strings.HasPrefix(folded, p) && (folded == p || strings.HasSuffix(p, "_")) && !gone {
				t.Errorf("%q goes upstream, which may read it as %q", name, folded)
			}
		}
		switch folded {
		case "authorization", "cookie": // in one spelling these decide
			if canonical := name == "Authorization" || name == "Cookie"; gone == canonical {
				t.Errorf("%q removed: %v", name, gone)
			}
		case "x_request_id": // judged by its value
		default:
			if goes(t, other) != gone {
				t.Errorf("%q removed: %v, but %q: %v", name, gone, other, !gone)
			}
		}
	})
}
