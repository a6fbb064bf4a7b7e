package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/server"
)

// TestStalledPeers: nobody is waited for without a limit.
func TestStalledPeers(t *testing.T) {
	const limit = 7 * time.Second
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refuse":
			w.WriteHeader(http.StatusUnauthorized)
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		default:
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "%d %v", n, err != nil)
		}
	})
	tests := []struct {
		name, send string
		want       string // in the answer
	}{
		{"in the header", "GET / HTTP/1.1\r\nHost:", ""},
		{"in the body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123", "3 true"},
		{"in a chunked body", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n", "3 true"},
		{"in a body that nobody reads", "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123", "HTTP/1.1 401 "},
		{"after a request", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "0 false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := server.Config{Handler: h, ReadHeaderTimeout: limit, StallTimeout: limit, IdleTimeout: limit}
			inBubble(t, cfg, func(b *bubble) {
				start := time.Now()
				if got := b.public.ask(t, tt.send); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
					t.Errorf("answered %q", got)
				}
				if took := time.Since(start); took < limit || took > limit+time.Second {
					t.Errorf("the connection was closed after %v", took)
				}
			})
		})
	}
	t.Run("reading nothing", func(t *testing.T) {
		inBubble(t, server.Config{Handler: h, StallTimeout: limit}, func(b *bubble) {
			c := b.public.dial()
			io.WriteString(c, "GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
			<-time.After(limit + time.Second)
			if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
				t.Errorf("%d bytes were still to come, %v", len(rest), err)
			}
		})
	})
}

// TestFlow: what flows has no limit, however long it takes.
func TestFlow(t *testing.T) {
	const limit, steps = 7 * time.Second, 20
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Errorf("after %d bytes: %v", n, err)
		}
		r.Body.Read(make([]byte, 1)) // as http.Transport does, to learn of a longer body
		for range steps {
			<-time.After(2 * limit) // an upstream may take its time, and the client waits
			if r.Context().Err() != nil {
				t.Error("a client that waits was taken for one that left")
			}
			io.WriteString(w, "x")
			http.NewResponseController(w).Flush()
		}
	})
	inBubble(t, server.Config{Handler: h, ReadHeaderTimeout: limit, StallTimeout: limit, IdleTimeout: limit}, func(b *bubble) {
		c := b.public.dial()
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", steps)
		for range steps {
			<-time.After(limit - time.Second)
			io.WriteString(c, "x")
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); len(body) != steps || err != nil {
			t.Errorf("read %d bytes, %v", len(body), err)
		}
	})
}

// TestUnwantedBody: a client that asks first is told no, and not to send.
func TestUnwantedBody(t *testing.T) {
	inBubble(t, server.Config{Handler: status(401, "no")}, func(b *bubble) {
		c := b.public.dial()
		defer c.Close()
		go io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
		start := time.Now()
		line, err := bufio.NewReader(c).ReadString('\n')
		if line != "HTTP/1.1 401 Unauthorized\r\n" || time.Since(start) > 0 {
			t.Errorf("answered %q, %v after %v", line, err, time.Since(start))
		}
	})
}
