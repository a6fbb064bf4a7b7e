package bridge_test

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// TestScrub: whatever a server behind us could take for an identity goes, in
// every spelling (C-01, C-02, C-04, C-07, C-08, C-10).
func TestScrub(t *testing.T) {
	w := bridgetest.New(t)
	core := w.Core
	spellings := []func(string) string{
		func(s string) string { return s },
		strings.ToLower,
		strings.ToUpper,
		func(s string) string { return strings.ReplaceAll(s, "-", "_") },
		func(s string) string { return strings.ReplaceAll(s, "-", ".") },
		func(s string) string { return strings.Replace(s, "-", "_", 1) },
		func(s string) string { return strings.ReplaceAll(s, "-", "~") },
	}
	names := []string{
		"Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Anything", "Forwarded", "X-Real-IP", "X-Original-URL", "X-Original-URI", "X-Envoy-Original-Path", "X-Auth-Request-User",
		"X-Authenticated-User", "X-Authenticated-User-Name", "OIDC-Claim-Email", "Shib-User", "X-Client-Verify", "X-Ssl-Cert", "X-Goog-Authenticated-User-Email", "X-Amzn-Oidc-Data", "Cf-Access-Jwt-Assertion", "X-Jetbridge-Principal",
	}
	for _, target := range []string{"/", dags, "/ui/config", "/execution/x", "/api/v2/version"} {
		for _, name := range names {
			for _, spell := range spellings {
				header := spell(name)
				req := bridgetest.Ask("GET", target, "Authorization", "Bearer "+bridgetest.New(t).Sign(t, "9", 1e9*60))
				req.Header[header] = []string{"mallory"} // as a server keeps what it cannot canonicalise
				d := core.Decide(context.Background(), req)
				if d.Verdict == bridge.Refuse {
					t.Fatalf("%s %s: %v", target, header, d.Cause)
				}
				if !slices.Contains(d.Remove, header) {
					t.Errorf("%s: %q goes upstream", target, header)
				}
			}
		}
	}
	for _, harmless := range []string{"X-User-Agent", "X-Client-Version", "X-Request-Id", "Accept", "User-Agent", "X-Requested-With", "Content-Type", "X-My-Forwarded", "Authorization", "Cookie"} {
		req := bridgetest.Ask("GET", "/", harmless, "x")
		if d := core.Decide(context.Background(), req); slices.Contains(d.Remove, harmless) {
			t.Errorf("%q does not go upstream", harmless)
		}
	}
	for _, spell := range spellings {
		for _, name := range names {
			req := bridgetest.Ask("GET", dags, "Authorization", bridgetest.Basic("alice", "alice"))
			req.Header[http.CanonicalHeaderKey(spell(name))] = []string{"mallory"}
			agree(t, w, req)
		}
	}
	// A second spelling of what decides is no header of ours.
	req := bridgetest.Ask("GET", "/")
	req.Header["AUTHORIZATION"] = []string{"Bearer x"}
	if d := core.Decide(context.Background(), req); !slices.Contains(d.Remove, "AUTHORIZATION") {
		t.Error("a header that is Authorization to others goes upstream unjudged")
	}
}

// TestOneHop: the connection's facts are rebuilt, and believed from a trusted
// proxy alone (C-05, C-06, C-09).
func TestOneHop(t *testing.T) {
	w := bridgetest.New(t)
	core := w.Core
	for _, c := range []struct {
		name, peer string
		headers    []string
		client     string
		proto      string
		host       string
		refused    bool
	}{
		{name: "straight", peer: "192.0.2.7", client: "192.0.2.7", proto: "http", host: "airflow.example"},
		{name: "a stranger's word does not count", peer: "192.0.2.7", headers: []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil"},
			client: "192.0.2.7", proto: "http", host: "airflow.example"},
		{name: "a proxy's does", peer: "10.0.0.1", headers: []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "public.example"},
			client: "203.0.113.9", proto: "https", host: "public.example"},
		{name: "the nearest stranger is the client", peer: "10.0.0.1", headers: []string{"X-Forwarded-For", "1.1.1.1, 203.0.113.9, 10.0.0.2"},
			client: "203.0.113.9", proto: "http", host: "airflow.example"},
		{name: "two lines are one list", peer: "10.0.0.1", headers: []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "203.0.113.9:5555"},
			client: "203.0.113.9", proto: "http", host: "airflow.example"},
		{name: "an address with a port, version 6", peer: "10.0.0.1", headers: []string{"X-Forwarded-For", "[2001:db8::1]:80"},
			client: "2001:db8::1", proto: "http", host: "airflow.example"},
		{name: "a host that is a path refuses", peer: "10.0.0.1", headers: []string{"X-Forwarded-Host", "h/../x?y#z"}, refused: true},
		{name: "garbage refuses", peer: "10.0.0.1", headers: []string{"X-Forwarded-For", "a"}, refused: true},
		{name: "an empty hop refuses", peer: "10.0.0.1", headers: []string{"X-Forwarded-For", "1.1.1.1,"}, refused: true},
		{name: "another scheme refuses", peer: "10.0.0.1", headers: []string{"X-Forwarded-Proto", "gopher"}, refused: true},
		{name: "a doubled scheme refuses", peer: "10.0.0.1", headers: []string{"X-Forwarded-Proto", "http", "X-Forwarded-Proto", "https"}, refused: true},
		{name: "a list of schemes refuses", peer: "10.0.0.1", headers: []string{"X-Forwarded-Proto", "https,http"}, refused: true},
		{name: "too many hops refuse", peer: "10.0.0.1", headers: []string{"X-Forwarded-For", strings.Repeat("10.0.0.2,", 40) + "10.0.0.2"}, refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := bridgetest.Ask("GET", "/", c.headers...)
			req.Peer = netip.MustParseAddr(c.peer)
			agree(t, w, req)
			d := core.Decide(context.Background(), req)
			if c.refused {
				if d.Verdict != bridge.Refuse || d.Problem.Status != http.StatusBadRequest || d.Reason != record.BadGatewayHeaders {
					t.Fatalf("%v %d %s", d.Verdict, d.Problem.Status, d.Reason)
				}
				return
			}
			if got := d.ClientAddr.String(); got != c.client || d.Set.Get("X-Forwarded-For") != c.client {
				t.Errorf("client %q and %q, want %q", got, d.Set.Get("X-Forwarded-For"), c.client)
			}
			if got := d.Set.Get("X-Forwarded-Proto"); got != c.proto {
				t.Errorf("proto %q, want %q", got, c.proto)
			}
			if got := d.Set.Get("X-Forwarded-Host"); got != c.host {
				t.Errorf("host %q, want %q", got, c.host)
			}
		})
	}
}

// TestRequestID: a client's own id goes on if it is one, ours otherwise.
func TestRequestID(t *testing.T) {
	core := bridgetest.New(t).Core
	for id, want := range map[string]string{
		"":                       "id-of-the-request",
		"4f2c-99.a_b":            "4f2c-99.a_b",
		"a b":                    "id-of-the-request",
		strings.Repeat("x", 100): "id-of-the-request",
	} {
		req := bridgetest.Ask("GET", "/")
		if id != "" {
			req.Header.Set("X-Request-Id", id)
		}
		d := core.Decide(context.Background(), req)
		if got := strings.Join(d.Upstream(req.Header, "X-Request-Id"), "|"); got != want {
			t.Errorf("%q goes on as %q, want %q", id, got, want)
		}
	}
	req := bridgetest.Ask("GET", "/")
	req.Host = "h/../x?y#z"
	if d := core.Decide(context.Background(), req); d.Verdict != bridge.Refuse || d.Problem.Status != http.StatusBadRequest {
		t.Errorf("an impossible Host: %v", d.Verdict)
	}
}
