package bridge_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/proxy"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/bridge/verify"
)

// An adapter puts a row's request to the bridge and tells what came of it: the
// answer's status, and what the upstream sees, or would if the gateway does as
// it is told.
type adapter func(t *testing.T, w *bridgetest.World, req bridge.Request) outcome

type outcome struct {
	status                int
	body                  string
	header                http.Header
	authorization, cookie string
	forwarded             bool
	upstream              http.Header // all that it sees, of the proxy's
}

// TestAdaptersAgree sends every row of the core's table through the proxy and
// through /auth/verify: they must give the core's own verdict (C-15).
func TestAdaptersAgree(t *testing.T) {
	for name, through := range map[string]adapter{"proxy": throughProxy, "verify": throughVerify} {
		t.Run(name, func(t *testing.T) {
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) {
					w, req, tokens := r.prepare(t)
					d := w.Core.Decide(context.Background(), req)
					got := through(t, w, req)
					switch {
					case name == "verify" && (d.Target.V1 || d.Verdict == bridge.Answer):
						// What only the proxy can do is refused, good or bad.
						if want := max(r.status, http.StatusNotFound); r.verdict != bridge.Refuse && got.status != want {
							t.Errorf("status %d, want %d", got.status, want)
						}
					case r.verdict == bridge.Refuse:
						if got.status != r.status || got.forwarded {
							t.Errorf("status %d, forwarded %v; want %d, not forwarded\n%s", got.status, got.forwarded, r.status, got.body)
						}
						if strings.Join(got.header["Www-Authenticate"], "|") != strings.Join(r.challenge, "|") {
							t.Errorf("challenges %q, want %q", got.header["Www-Authenticate"], r.challenge)
						}
						if !strings.Contains(got.body, r.detail) || got.header.Get("X-Request-Id") == "" {
							t.Errorf("answer %q, id %q", got.body, got.header.Get("X-Request-Id"))
						}
					case r.verdict != bridge.Answer:
						if got.status != http.StatusOK || !got.forwarded {
							t.Fatalf("status %d, forwarded %v; want 200\n%s", got.status, got.forwarded, got.body)
						}
						r.check(t, w, tokens, got.authorization, got.cookie)
					}
				})
			}
		})
	}
}

// agree puts what the core decided to both adapters, for the tables that are not
// made of rows (C-15).
func agree(t *testing.T, w *bridgetest.World, req bridge.Request) {
	t.Helper()
	d := w.Core.Decide(context.Background(), req)
	passes := d.Verdict != bridge.Refuse && d.Verdict != bridge.Answer

	got := throughProxy(t, w, req)
	want := http.StatusOK
	switch d.Verdict {
	case bridge.Refuse:
		want = d.Problem.Status
	case bridge.Answer:
		if want = d.Status; want == 0 {
			want = http.StatusNotFound // the test's handler has no endpoints
		}
	}
	got.holds(t, "the proxy", want, passes, d)
	if passes {
		for _, name := range []string{"Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
			if diff := cmp.Diff(d.Upstream(req.Header, name), got.upstream[name], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the proxy's %s (-decided +seen):\n%s", name, diff)
			}
		}
		for _, name := range d.Remove {
			if _, kept := got.upstream[http.CanonicalHeaderKey(name)]; kept && d.Set[http.CanonicalHeaderKey(name)] == nil {
				t.Errorf("%s goes upstream", name)
			}
		}
	}

	got = throughVerify(t, w, req)
	switch {
	case d.Verdict == bridge.Answer, passes && d.Target.V1 && d.Target.Class != route.Public:
		want, passes = http.StatusNotFound, false // what only the proxy can do
	case passes && slices.ContainsFunc(d.Remove, forGatewaysToRemove):
		want, passes = http.StatusBadRequest, false
	}
	if got.status != want || got.forwarded != passes {
		t.Errorf("/auth/verify: status %d, want %d\n%s", got.status, want, got.body)
	}
	if d.Verdict == bridge.Refuse || passes {
		got.holds(t, "/auth/verify", want, passes, d)
	}
	if passes {
		for name, value := range map[string]string{"Authorization": got.authorization, "Cookie": got.cookie} {
			if decided := strings.Join(d.Upstream(req.Header, name), "; "); value != decided {
				t.Errorf("/auth/verify says %s %q, want %q", name, value, decided)
			}
		}
	}
}

// forGatewaysToRemove says whether a header is none that the gateway sets itself.
func forGatewaysToRemove(name string) bool {
	switch name {
	case "Authorization", "Cookie", "X-Request-Id", "Forwarded", "X-Real-Ip", "X-Original-Uri", "X-Original-Url":
		return false
	case "X-Forwarded-User", "X-Forwarded-Anything":
		return true
	}
	return !strings.HasPrefix(name, "X-Forwarded-")
}

// holds compares an answer with the decision.
func (o outcome) holds(t *testing.T, who string, status int, forwarded bool, d bridge.Decision) {
	t.Helper()
	if o.status != status || o.forwarded != forwarded {
		t.Errorf("%s: status %d, forwarded %v; want %d, %v\n%s", who, o.status, o.forwarded, status, forwarded, o.body)
	}
	for name, values := range d.Client {
		if diff := cmp.Diff(values, o.header[name]); diff != "" && len(values) > 0 {
			t.Errorf("%s: %s (-decided +answered):\n%s", who, name, diff)
		}
	}
}

// discreet checks that nothing of a credential is in what was logged about a
// request.
func discreet(t *testing.T, logged string, credentials ...string) {
	t.Helper()
	if !strings.Contains(logged, "verdict") {
		t.Errorf("no record was logged: %q", logged)
	}
	for _, value := range credentials {
		for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(" ;=|", r) }) {
			if len(word) >= 8 && strings.Contains(logged, word) {
				t.Errorf("the log holds %q: %s", word, logged)
			}
		}
	}
}

// throughProxy sends the request over a real connection to a handler in front
// of a real upstream.
func throughProxy(t *testing.T, w *bridgetest.World, req bridge.Request) outcome {
	t.Helper()
	var got outcome
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got.forwarded = true
		got.authorization = strings.Join(r.Header["Authorization"], "|")
		got.cookie = strings.Join(r.Header["Cookie"], "; ")
		got.upstream = r.Header
	}))
	defer upstream.Close()
	var logged bytes.Buffer
	log, err := record.NewLog(record.LogConfig{Out: &logged})
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(t, w, upstream.URL, log)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = netip.AddrPortFrom(req.Peer, 4711).String()
		h.ServeHTTP(w, r)
	}))
	got.exchange(t, front.Listener.Addr().String(), req)
	front.Close()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	discreet(t, logged.String(), append(req.Header["Authorization"], strings.Join(req.Header["Cookie"], ";"), got.authorization)...)
	return got
}

// throughVerify asks /auth/verify as a trusted gateway would.
func throughVerify(t *testing.T, w *bridgetest.World, req bridge.Request) outcome {
	t.Helper()
	v, err := verify.New(verify.Config{Core: w.Core, Version: "2.10.5"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/auth/verify", nil)
	r.Header = req.Header.Clone()
	r.Host = req.Host
	peer := req.Peer
	if !w.Core.Trusts(peer) { // the gateway stands between, and says so
		r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"] = []string{peer.String()}, []string{"http"}
		r.Header["X-Forwarded-Host"] = []string{req.Host}
		peer = netip.MustParseAddr("10.0.0.1")
	}
	r.RemoteAddr = netip.AddrPortFrom(peer, 4711).String()
	target := req.RawPath
	if req.RawQuery != "" {
		target += "?" + req.RawQuery
	}
	r.Header["X-Original-Method"], r.Header["X-Original-Uri"] = []string{req.Method}, []string{target}
	rec := httptest.NewRecorder()
	ctx := record.With(r.Context(), &record.Record{ID: "id"})
	v.ServeHTTP(rec, r.WithContext(ctx))
	return outcome{
		status: rec.Code, body: rec.Body.String(), header: rec.Header(), forwarded: rec.Code == http.StatusOK,
		authorization: rec.Header().Get("Authorization"), cookie: rec.Header().Get("Cookie"),
	}
}

func newHandler(t *testing.T, w *bridgetest.World, upstream string, sink record.Sink) http.Handler {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	forward, err := proxy.New(proxy.Config{Upstream: u, MintAgain: w.Core.MintAgain, Version: "2.10.5"})
	if err != nil {
		t.Fatal(err)
	}
	h, err := bridge.NewHandler(bridge.HandlerConfig{
		Decider: w.Core, Forward: forward, Own: http.NotFoundHandler(), Version: "2.10.5", Sink: sink,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// exchange writes the request as it is: net/http's client would clean the path.
func (o *outcome) exchange(t *testing.T, addr string, req bridge.Request) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	target := req.RawPath
	if req.RawQuery != "" {
		target += "?" + req.RawQuery
	}
	var b strings.Builder
	b.WriteString(req.Method + " " + target + " HTTP/1.1\r\nHost: " + req.Host + "\r\nConnection: close\r\n")
	for name, values := range req.Header {
		for _, v := range values {
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	if _, err := io.WriteString(conn, b.String()+"\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: req.Method})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	o.status, o.body, o.header = res.StatusCode, string(body), res.Header
}
