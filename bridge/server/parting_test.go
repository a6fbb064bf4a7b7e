package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jetbridge/jetbridge/bridge/server"
)

// TestParting: however an answer begins, it closes its connection once the
// server drains, and none does before.
func TestParting(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"a body":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") },
		"a status": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(http.StatusNotFound)
		},
		"a flush": func(w http.ResponseWriter, _ *http.Request) { http.NewResponseController(w).Flush() },
		"an early hint": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			clear(w.Header())
			w.WriteHeader(http.StatusNoContent)
		},
		"a drain meanwhile": func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/2" {
				<-time.After(2 * time.Second)
			}
		},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, server.Config{Handler: h, DrainDelay: 10 * time.Second}, func(b *bubble) {
				c := b.public.dial()
				defer c.Close()
				r := bufio.NewReader(c)
				ask(t, c, r, "/1", false)
				time.AfterFunc(time.Second, b.stop)
				if name != "a drain meanwhile" {
					<-time.After(2 * time.Second)
				}
				ask(t, c, r, "/2", true)
				if _, err := r.ReadByte(); err != io.EOF {
					t.Errorf("the connection stayed open: %v", err)
				}
			})
		})
	}
}

// TestChunksClose: nothing is read behind a body in chunks, good or bad, however
// its answer begins, and wherever the handler stops reading.
func TestChunksClose(t *testing.T) {
	const behind = "GET /behind HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, body := range map[string]string{
		"good chunks":          "2\r\nok\r\n0\r\n\r\n",
		"no size":              "zz\r\n",
		"a size with a sign":   "+2\r\n",
		"a bad second chunk":   "2\r\nok\r\nzz\r\n",
		"a chunk that goes on": "2\r\nokay\r\n",
	} {
		for _, early := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/behind" {
						t.Error("a request was read behind the body")
					}
					c := http.NewResponseController(w)
					if r.ContentLength < 0 && c.EnableFullDuplex() != nil {
						t.Error("no full duplex")
					}
					if early {
						w.WriteHeader(http.StatusEarlyHints)
						clear(w.Header())
						c.Flush()
					}
					io.Copy(io.Discard, r.Body)
				})
				inBubble(t, server.Config{Handler: h}, func(b *bubble) {
					got := b.public.ask(t, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"+body+behind)
					if strings.Count(got, "HTTP/1.1 ") != strings.Count(got, "HTTP/1.1 103")+1 || !strings.Contains(got, "Connection: close\r\n") {
						t.Errorf("answered %q", got)
					}
				})
			})
		}
	}
}

// ask sends one request over c; its answer must say whether c is closed then.
func ask(t *testing.T, c net.Conn, r *bufio.Reader, path string, closes bool) {
	t.Helper()
	go io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		early := res.StatusCode < 200
		if res.Close != (closes && !early) {
			t.Errorf("%s: answered %d, closes %v", path, res.StatusCode, res.Close)
		}
		if !early {
			return
		}
	}
}

// TestNothingIsLostInDrain: clients that go on asking are all served, and keep
// no connection that the end of the drain delay could cut.
func TestNothingIsLostInDrain(t *testing.T) {
	for name, public := range map[string]server.Listen{"HTTP/1": {}, "HTTP/2": {Pair: newKeyPair(t).load(nil, nil)}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, server.Config{Public: public, Handler: says("ok"), DrainDelay: 10 * time.Second}, func(b *bubble) {
				scheme, dialed := "http", 0
				if public.Pair != nil {
					scheme = "https"
				}
				tr := client(0)
				tr.DisableKeepAlives = false
				tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
					dialed++
					return b.public.dial(), nil
				}
				defer tr.CloseIdleConnections()
				// The drain begins after the third.
				for i, want := range []int{1, 1, 1, 1, 2, 3, 4} {
					req, _ := http.NewRequest("POST", scheme+"://h/", io.MultiReader(strings.NewReader("x"))) // which cannot be sent twice
					req.ContentLength = 1
					res, err := tr.RoundTrip(req)
					if err != nil {
						t.Fatalf("request %d was lost: %v", i, err)
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if dialed != want {
						t.Errorf("request %d: %d connections, want %d", i, dialed, want)
					}
					if i == 2 {
						b.stop()
					}
					<-time.After(time.Second)
					synctest.Wait()
				}
			})
		})
	}
}
