package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/proxy"
)

// TestNoRequestIsLost: an upstream that answers 500, keeps the connection, and
// closes it when the next request is under way on it (uvicorn, when the two
// cross) takes no request of another client along, and sees none
// twice that does more than ask.
func TestNoRequestIsLost(t *testing.T) {
	var taken atomic.Int64
	take := func(r *bufio.Reader, head string) {
		if strings.Contains(head, "Content-Length: 4\r\n") {
			r.Discard(4)
		}
		if strings.Contains(head, " /counted ") {
			taken.Add(1)
		}
	}
	up := serveRaw(t, func(c net.Conn, r *bufio.Reader, head string) {
		take(r, head)
		io.WriteString(c, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
		if next := readHead(r); next != "" {
			take(r, next)
		}
	})
	for _, verdict := range []bridge.Verdict{bridge.PassAsIs, bridge.PassMinted} {
		f := newFront(t, up, bridge.Decision{Verdict: verdict}, proxy.Config{})
		for _, tt := range []struct {
			method, body, key string
			sent              int64
		}{
			{"POST", "body", "", 1}, {"POST", "", "", 1}, {"POST", "body", "key", 1}, {"PUT", "body", "", 1}, {"PATCH", "body", "", 1},
			{"DELETE", "", "", 1}, {"GET", "body", "", 1}, {"GET", "", "", 2}, {"HEAD", "", "", 2}, {"OPTIONS", "", "", 2},
		} {
			do(t, newRequest(t, "GET", f.URL, nil)) // its connection is kept
			<-f.records
			taken.Store(0)
			var body io.Reader
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			req := newRequest(t, tt.method, f.URL+"/counted", body)
			if tt.key != "" {
				req.Header.Set("Idempotency-Key", tt.key)
			}
			res, _ := do(t, req)
			if rec := <-f.records; res.StatusCode != 500 || rec.Origin != "upstream" {
				t.Errorf("%v, %+v: answered %d by %s: %s", verdict, tt, res.StatusCode, rec.Origin, rec.Err)
			}
			if n := taken.Load(); n != tt.sent {
				t.Errorf("%v, %+v: sent %d times", verdict, tt, n)
			}
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	for method, want := range map[string]int{"GET": 1, "POST": 10} {
		peers := map[string]bool{}
		up := serve(t, func(_ http.ResponseWriter, r *http.Request) { peers[r.RemoteAddr] = true })
		f := newFront(t, up, asIs(), proxy.Config{})
		for range 10 {
			do(t, newRequest(t, method, f.URL, nil))
		}
		if len(peers) != want {
			t.Errorf("10 %s requests took %d connections, want %d", method, len(peers), want)
		}
	}
}

// TestAnswersCountOnce: nothing that belongs to a connection, such as TLS's own
// messages, is taken for an answer that came too early: each request is sent once.
func TestAnswersCountOnce(t *testing.T) {
	var asked, opened atomic.Int64
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		io.WriteString(w, strings.Repeat("a", 10_000))
	}))
	up.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	up.StartTLS()
	defer up.Close()
	tr := proxy.NewTransport(proxy.TransportConfig{TLS: up.Client().Transport.(*http.Transport).TLSClientConfig})
	defer tr.CloseIdleConnections()
	for range 50 {
		res, err := tr.RoundTrip(newRequest(t, "GET", up.URL, nil))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || len(body) != 10_000 {
			t.Fatalf("%d bytes: %v", len(body), err)
		}
		res.Body.Close()
	}
	if asked.Load() != 50 || opened.Load() != 1 {
		t.Errorf("50 requests were sent %d times, on %d connections", asked.Load(), opened.Load())
	}
}

// TestIdleConnections: none is used that an upstream with uvicorn's default
// keep-alive of 5 s may be closing.
func TestIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conns := make(chan net.Conn)
		up := &http.Server{
			IdleTimeout: 5 * time.Second,
			Handler:     http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		}
		go up.Serve(pipes(conns))
		dialed := 0
		tr := proxy.NewTransport(proxy.TransportConfig{})
		tr.DialBy(func(context.Context, string, string) (net.Conn, error) {
			dialed++
			ours, theirs := net.Pipe()
			conns <- theirs
			return ours, nil
		})
		// The third comes just when the upstream may be closing.
		for i, pause := range []time.Duration{0, 3 * time.Second, 5*time.Second - 1, 5 * time.Second} {
			<-time.After(pause)
			req, _ := http.NewRequest("GET", "http://upstream.example/", nil)
			res, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
			res.Body.Close()
			if want := []int{1, 1, 2, 3}[i]; dialed != want {
				t.Errorf("request %d: %d connections, want %d", i, dialed, want)
			}
		}
		tr.CloseIdleConnections()
		up.Close()
		synctest.Wait()
	})
}

// pipes is a listener whose connections come from a channel.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }
