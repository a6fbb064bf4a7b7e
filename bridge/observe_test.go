package bridge_test

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/route"
)

// TestObservedRename: a session under the name that the site gave its cookie.
func TestObservedRename(t *testing.T) {
	routes, err := route.New(route.Config{})
	if err != nil {
		t.Fatal(err)
	}
	o, err := bridge.NewObserver(bridge.ObserverConfig{
		Routes: routes, BasicUser: func(string) (string, bool) { return "", false }, SessionCookie: "airflow2",
	})
	if err != nil {
		t.Fatal(err)
	}
	for cookie, want := range map[string]bridge.Scheme{"airflow2=x": "session", "session=x": ""} {
		if d := o.Decide(t.Context(), bridgetest.Ask("GET", dags, "Cookie", cookie)); d.Scheme != want {
			t.Errorf("%s is %q, want %q", cookie, d.Scheme, want)
		}
	}
}

// TestObserver: everything passes as it came, whatever it is, and what it claims
// is noted without being believed.
func TestObserver(t *testing.T) {
	routes, err := route.New(route.Config{})
	if err != nil {
		t.Fatal(err)
	}
	o, err := bridge.NewObserver(bridge.ObserverConfig{
		Routes: routes, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		BasicUser: func(header string) (string, bool) {
			raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Basic "))
			user, _, ok := strings.Cut(string(raw), ":")
			return user, ok && err == nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	token := func(claims string) string {
		return "Bearer e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	tests := []struct {
		name, target string
		headers      []string
		scheme       bridge.Scheme
		claimed      string
		class        route.Class
	}{
		{"nothing", dags, nil, "", "", route.Dual},
		{"basic", dags, []string{"Authorization", bridgetest.Basic("alice", "x")}, "basic", "alice", route.Dual},
		{"basic, unreadable", dags, []string{"Authorization", "Basic ###"}, "basic", "", route.Dual},
		{"negotiate", dags, []string{"Authorization", "negotiate YII="}, "kerberos", "", route.Dual},
		{"ntlm", dags, []string{"Authorization", "Negotiate TlRMTVNTUAABAAAA"}, "ntlm", "", route.Dual},
		{"google", dags, []string{"Authorization", token(`{"iss":"accounts.google.com","email":"a@b.c","sub":"1"}`)}, "openid", "a@b.c", route.Dual},
		{"an issuer without e-mail", dags, []string{"Authorization", token(`{"iss":"https://idp","sub":"svc"}`)}, "openid", "svc", route.Dual},
		{"a token without an issuer", dags, []string{"Authorization", token(`{"sub":"7"}`)}, "jwt", "7", route.Dual},
		{"an opaque token", dags, []string{"Authorization", "Bearer x"}, "jwt", "", route.Dual},
		{"a token too long to look into", dags, []string{"Authorization", token(`{"sub":"` + strings.Repeat("7", 20_000) + `"}`)}, "jwt", "", route.Dual},
		{"session", "/home", []string{"Cookie", "a=1; session=x"}, "session", "", route.Public},
		{"a renamed session", "/home", []string{"Cookie", "airflow2=x"}, "", "", route.Public},
		{"basic beside session", dags, []string{"Authorization", bridgetest.Basic("alice", "x"), "Cookie", "session=x"}, "basic", "alice", route.Dual},
		{"airflow 3's cookie", "/home", []string{"Cookie", "_token=x"}, "jwt", "", route.Public},
		{"a scheme of the site's own", dags, []string{"Authorization", "Hawk id=1"}, "other", "", route.Dual},
		{"two headers", dags, []string{"Authorization", bridgetest.Basic("alice", "x"), "Authorization", "Negotiate YII="}, "basic", "alice", route.Dual},
		{"a path that no mode but this one takes", "/api/v1/../%2e", nil, "", "", ""},
		{"behind a proxy", dags, []string{"X-Forwarded-For", "198.51.100.9"}, "", "", route.Dual},
		{"a forwarding header that cannot be read", dags, []string{"X-Forwarded-For", "nobody"}, "", "", route.Dual},
		{"a target without a path", "", nil, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := o.Decide(t.Context(), bridgetest.Ask("GET", tt.target, tt.headers...))
			if d.Verdict != bridge.PassUntouched || len(d.Remove)+len(d.Set)+len(d.Client)+len(d.StripSetCookie) > 0 {
				t.Errorf("not untouched: %+v", d)
			}
			if d.Scheme != tt.scheme || d.Claimed != tt.claimed || d.Target.Class != tt.class {
				t.Errorf("scheme %q, claimed %q, class %q", d.Scheme, d.Claimed, d.Target.Class)
			}
			client := "192.0.2.7"
			if tt.name == "behind a proxy" {
				client = "198.51.100.9"
			}
			if d.ClientAddr != netip.MustParseAddr(client) || d.Principal.Name != "" || d.Claims.Subject != "" {
				t.Errorf("believed too much: %+v", d)
			}
		})
	}
}
