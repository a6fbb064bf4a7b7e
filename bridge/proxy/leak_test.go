package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/proxy"
)

// TestNothingIsLeft: whatever an upstream does, a client keeps its connection
// wherever it got a whole answer, no connection to the upstream stays open, and
// no goroutine stays behind.
func TestNothingIsLeft(t *testing.T) {
	const times = 20
	for name, test := range map[string]struct {
		upstream func(c net.Conn, r *bufio.Reader)
		client   int64 // connections that a client needs
	}{
		"closes at once": {func(net.Conn, *bufio.Reader) {}, 1},
		"not HTTP":       {func(c net.Conn, r *bufio.Reader) { io.WriteString(c, "garbage\r\n\r\n"); r.ReadByte() }, 1},
		"endless header": {func(c net.Conn, r *bufio.Reader) {
			for err := error(nil); err == nil; { // as long as somebody reads
				_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X-Filler: filler\r\n", 1000))
			}
		}, 1},
		"no answer in time": {func(c net.Conn, r *bufio.Reader) { r.ReadByte() }, 1},
		"cut half-way": {func(c net.Conn, _ *bufio.Reader) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
		}, times},
		"bad chunks, and stays": {func(c net.Conn, r *bufio.Reader) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n")
			r.ReadByte()
		}, times},
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			var open atomic.Int64
			up := serveRaw(t, func(c net.Conn, r *bufio.Reader, _ string) {
				open.Add(1)
				defer open.Add(-1)
				test.upstream(c, r)
			})
			var cfg proxy.TransportConfig
			if name == "no answer in time" {
				cfg.HeaderTimeout = 20 * time.Millisecond
			}
			tr := proxy.NewTransport(cfg)
			f := newFront(t, up, asIs(), proxy.Config{Transport: tr})
			var clients atomic.Int64
			client := &http.Client{Transport: &http.Transport{DialContext: dialCounted(&clients)}}
			for i := range times {
				method := http.MethodGet
				if i%2 > 0 {
					method = http.MethodPost // on a connection of its own
				}
				if res, err := client.Do(newRequest(t, method, f.URL, nil)); err == nil {
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				<-f.records
			}
			if n := clients.Load(); n != test.client {
				t.Errorf("a client needed %d connections, want %d", n, test.client)
			}
			client.CloseIdleConnections()
			tr.CloseIdleConnections()
			f.Close()
			for deadline := time.Now().Add(20 * time.Second); open.Load() > 0 || runtime.NumGoroutine() > before+1; { // the upstream listens
				if time.Now().After(deadline) {
					stacks := make([]byte, 1<<16)
					t.Fatalf("%d connections to the upstream and %d goroutines are left, of %d\n%s",
						open.Load(), runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
				}
				runtime.Gosched()
			}
		})
	}
}

func dialCounted(n *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}
