package proxy_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/proxy"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// TestFailures: what the bridge itself answers for an upstream that does not.
func TestFailures(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	raw := func(answer string) string {
		return serveRaw(t, func(c net.Conn, _ *bufio.Reader, _ string) { io.WriteString(c, answer) })
	}
	hanging := serveRaw(t, func(_ net.Conn, r *bufio.Reader, _ string) { r.ReadByte() })
	otherCA := httptest.NewUnstartedServer(nil)
	otherCA.Config.ErrorLog = log.New(io.Discard, "", 0)
	otherCA.StartTLS()
	t.Cleanup(otherCA.Close)

	const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	tests := []struct {
		name     string
		upstream string
		send     string
		status   int
		reason   record.Reason
		err      string // its beginning
	}{
		{"refused", gone.URL, get, 502, record.UpstreamUnreachable, "dial tcp 127.0.0.1:"},
		{"closed at once", raw(""), get, 502, record.UpstreamUnreachable, "the connection was closed too early"},
		{"cut in the header", raw("HTTP/1.1 200 OK\r\nSet-Cookie: s3cret"), get, 502, record.UpstreamUnreachable, "the connection was closed too early"},
		{"not HTTP", raw("s3cret s3cret s3cret\r\n\r\n"), get, 502, record.UpstreamUnreachable, "net/http: HTTP/1.x transport connection broken: malformed HTTP"},
		{"no header", raw("HTTP/1.1 200 OK\r\ns3cret\r\n\r\n"), get, 502, record.UpstreamUnreachable, "malformed header in the answer"},
		{"endless header", raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Filler: s3cret\r\n", 80_000)), get, 502, record.UpstreamUnreachable, "net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded"},
		{"two lengths", raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), get, 502, record.UpstreamUnreachable, "net/http: HTTP/1.x transport connection broken: http: message cannot contain multiple Content-Length headers"},
		{"a certificate of nobody", otherCA.URL, get, 502, record.UpstreamUnreachable, "tls: failed to verify certificate"},
		{"no answer in time", hanging, get, 504, record.UpstreamTimeout, "net/http: timeout awaiting response headers"},
		{"the client's body is no body", hanging, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\ns3cret\r\n", 400, record.BadRequest, "the client's body: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := proxy.TransportConfig{TLS: &tls.Config{}}
			if tt.reason == record.UpstreamTimeout {
				cfg.HeaderTimeout = 50 * time.Millisecond
			}
			tr := proxy.NewTransport(cfg)
			defer tr.CloseIdleConnections()
			d := bridge.Decision{Verdict: bridge.PassAsIs, Client: http.Header{"Deprecation": {"@1"}}}
			f := newFront(t, tt.upstream, d, proxy.Config{Transport: tr})
			_, r := sendRaw(t, f, tt.send)
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			rec := <-f.records
			if res.StatusCode != tt.status || res.Header.Get("Deprecation") != "@1" || res.Header.Get("X-Request-Id") != "id-1" {
				t.Errorf("answered %d, %v", res.StatusCode, res.Header)
			}
			if own := res.Header.Get("X-Jetbridge-Error"); (own == string(tt.reason)) != (tt.status >= 500) {
				t.Errorf("X-Jetbridge-Error is %q", own)
			}
			if !strings.Contains(string(body), "id-1") || !strings.HasPrefix(string(body), `{"detail":`) {
				t.Errorf("answered %s", body)
			}
			if rec.Reason != tt.reason || rec.Origin != "bridge" || !strings.HasPrefix(rec.Err, tt.err) || strings.Contains(rec.Err, "s3cret") {
				t.Errorf("recorded %q from %q: %q", rec.Reason, rec.Origin, rec.Err)
			}
		})
	}
}

// TestEveryCookie: beside Negotiate no cookie of the upstream's gets through.
func TestEveryCookie(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "session=a; Path=/")
		w.Header().Add("Set-Cookie", "_token=b")
		w.Header().Add("Set-Cookie", "without a name")
	}))
	defer upstream.Close()
	d := bridge.Decision{Verdict: bridge.PassAsIs, StripSetCookie: []string{bridge.EveryCookie}, Client: http.Header{"Www-Authenticate": {"Negotiate x"}}}
	f := newFront(t, upstream.URL, d, proxy.Config{})
	_, r := sendRaw(t, f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Header.Get("Www-Authenticate") != "Negotiate x" || len(answer.Header["Set-Cookie"]) != 0 {
		t.Errorf("%v", answer.Header)
	}
}

// TestFailureOnV1: a failure has the shape of the API that was asked.
func TestFailureOnV1(t *testing.T) {
	f := newFront(t, "http://127.0.0.1:1", bridge.Decision{Verdict: bridge.PassAsIs, Dialect: problem.V1}, proxy.Config{Version: "2.10.5"})
	_, r := sendRaw(t, f, "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n")
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != 400 || res.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(body), "/2.10.5/") {
		t.Errorf("answered %d, %v: %s", res.StatusCode, res.Header, body)
	}
}

// TestStalledBody: the listener's limit on a body that stands still is told from
// an upstream's.
func TestStalledBody(t *testing.T) {
	up := serve(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	for _, verdict := range []bridge.Verdict{bridge.PassAsIs, bridge.PassMinted} {
		u, _ := url.Parse(up)
		p, err := proxy.New(proxy.Config{Upstream: u})
		if err != nil {
			t.Fatal(err)
		}
		var rec record.Record
		ctx := record.With(t.Context(), &rec)
		r := httptest.NewRequestWithContext(bridge.WithDecision(ctx, bridge.Decision{Verdict: verdict}), "POST", "/", stalled{})
		r.ContentLength = 10
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != http.StatusRequestTimeout || rec.Reason != record.BadRequest || rec.Err != "the client's body stalled" {
			t.Errorf("%v: answered %d, recorded %q, %q", verdict, w.Code, rec.Reason, rec.Err)
		}
	}
}

type stalled struct{}

func (stalled) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// TestUpstreamsOwnFailures pass unchanged and are told from the bridge's.
func TestUpstreamsOwnFailures(t *testing.T) {
	for _, status := range []int{401, 403, 404, 422, 500, 502, 503, 504} {
		up := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, "the upstream's")
		})
		f := newFront(t, up, bridge.Decision{Verdict: bridge.PassOwn}, proxy.Config{})
		res, body := do(t, newRequest(t, "GET", f.URL, nil))
		rec := <-f.records
		if res.StatusCode != status || body != "the upstream's" || res.Header.Get("X-Jetbridge-Error") != "" || rec.Origin != "upstream" || rec.Reason != "" {
			t.Errorf("%d: answered %d %v %q, recorded %+v", status, res.StatusCode, res.Header, body, rec)
		}
	}
}
