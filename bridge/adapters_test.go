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
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/proxy"
	"github.com/jetbridge/jetbridge/bridge/record"
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
	}))
	defer upstream.Close()
	var logged bytes.Buffer
	log, err := record.NewLog(record.LogConfig{Out: &logged})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(newHandler(t, w, upstream.URL, log))
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
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), 4711).String()
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
