package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
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

// TestFlow: what flows has no limit, however long it takes: at the least rate,
// with half a stall timeout in hand.
func TestFlow(t *testing.T) {
	const limit, steps, size = 7 * time.Second, 20, 6
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
	inBubble(t, server.Config{Handler: h, ReadHeaderTimeout: limit, StallTimeout: limit, IdleTimeout: limit, MinBodyRate: 1}, func(b *bubble) {
		c := b.public.dial()
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", steps*size)
		for range steps {
			<-time.After(limit - time.Second)
			io.WriteString(c, strings.Repeat("x", size))
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

// TestDrip: who sends a byte before each limit passes is waited for no longer
// than who sends nothing, but for the time that the bytes are worth.
func TestDrip(t *testing.T) {
	const limit, rate = 7 * time.Second, 2
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %v", n, err != nil)
	})
	const post = " HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"
	tests := []struct {
		name, send, drip string
		every            time.Duration
		want             string
		after            time.Duration
	}{
		{"a header", "GET / HTTP/1.1\r\nHost: h\r\nA: ", "x", 1100 * time.Millisecond, "", limit},
		{"many headers", "GET / HTTP/1.1\r\nHost: h\r\n", "a: b\r\n", 1100 * time.Millisecond, "", limit},
		// A byte is worth half a second.
		{"a body", "POST /" + post, "x", 1100 * time.Millisecond, "10 true", 12 * time.Second},
		{"a slower body", "POST /" + post, "x", limit - time.Second, "1 true", 7500 * time.Millisecond},
		{"a chunked body", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 1100 * time.Millisecond, "10 true", 12 * time.Second},
		{"a body that nobody reads", "POST /refuse" + post, "x", 1100 * time.Millisecond, "HTTP/1.1 401 ", limit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := server.Config{Handler: h, ReadHeaderTimeout: limit, StallTimeout: limit, IdleTimeout: limit, MinBodyRate: rate}
			inBubble(t, cfg, func(b *bubble) {
				start := time.Now()
				c := b.public.dial()
				var drips sync.WaitGroup
				drips.Go(func() {
					_, err := io.WriteString(c, tt.send)
					for n := 0; err == nil && n < 100; n++ {
						<-time.After(tt.every)
						_, err = io.WriteString(c, tt.drip)
					}
				})
				defer drips.Wait()
				defer c.Close()
				answer, err := io.ReadAll(c)
				if err != nil || !strings.Contains(string(answer), tt.want) || tt.want == "" && len(answer) > 0 {
					t.Errorf("answered %q, %v", answer, err)
				}
				// net/http leaves half a second for the answer to be read.
				if took := time.Since(start); took < tt.after || took > tt.after+time.Second {
					t.Errorf("the connection was closed after %v", took)
				}
			})
		})
	}
	// Who reads an answer byte by byte is let go too.
	t.Run("reading", func(t *testing.T) {
		endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		})
		inBubble(t, server.Config{Handler: endless, StallTimeout: limit}, func(b *bubble) {
			c := b.public.dial()
			defer c.Close()
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			start, err := time.Now(), error(nil)
			for n := 0; err == nil && n < 100; n++ {
				<-time.After(limit - time.Second)
				_, err = c.Read(make([]byte, 1))
			}
			if took := time.Since(start); took > 3*limit {
				t.Errorf("read for %v, %v", took, err)
			}
		})
	})
}

// TestSlowReader: that somebody does not want to read a body yet is not the client's fault.
func TestSlowReader(t *testing.T) {
	const limit = 7 * time.Second
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for p := make([]byte, 4096); ; { // more than net/http reads ahead
			if _, err := r.Body.Read(p); err != nil {
				fmt.Fprint(w, err)
				return
			}
			<-time.After(limit)
		}
	})
	inBubble(t, server.Config{Handler: h, StallTimeout: limit, MinBodyRate: 10_000}, func(b *bubble) {
		c := b.public.dial()
		var client sync.WaitGroup
		defer client.Wait()
		defer c.Close()
		client.Go(func() {
			_, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 40000\r\n\r\n")
			for n := 0; err == nil && n < 10; n++ {
				_, err = io.WriteString(c, strings.Repeat("x", 4000))
				<-time.After(limit + time.Second/2)
			}
		})
		answer, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		got := string(answer)
		if !strings.HasSuffix(got, "EOF") {
			t.Errorf("answered %q", got)
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
