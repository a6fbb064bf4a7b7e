package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jetbridge/jetbridge/bridge/server"
)

// TestSetHandler: no request is lost or sees two handlers, and a handler is
// released once, when its last request has ended.
func TestSetHandler(t *testing.T) {
	const swaps, clients = 100, 4
	type state struct {
		under    atomic.Int64
		released atomic.Int64
	}
	states := make([]*state, swaps+1)
	handler := func(n int) (http.Handler, func()) {
		s := new(state)
		states[n] = s
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				s.under.Add(1)
				defer s.under.Add(-1)
				if s.released.Load() != 0 {
					t.Error("a released handler serves")
				}
				fmt.Fprint(w, n)
			}), func() {
				if s.under.Load() != 0 {
					t.Error("a handler was released under a request")
				}
				s.released.Add(1)
			}
	}
	h, release := handler(0)
	r := run(t, server.Config{Handler: h, Release: release})
	stop := make(chan bool)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := tr.RoundTrip(mustRequest(r.url))
				if err != nil {
					t.Errorf("a request was lost: %v", err)
					return
				}
				if res.StatusCode != 200 {
					t.Errorf("answered %d", res.StatusCode)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	for n := 1; n <= swaps; n++ {
		r.SetHandler(handler(n))
		if _, body := get(t, r.url); body != fmt.Sprint(n) {
			t.Errorf("after change %d the handler is %s", n, body)
		}
	}
	close(stop)
	wg.Wait()
	r.stop()
	if err := <-r.done; err != nil {
		t.Error(err)
	}
	for n, s := range states {
		if got := s.released.Load(); got != 1 {
			t.Errorf("handler %d was released %d times", n, got)
		}
	}
}

// TestRelease: a handler is not released under a request, and Serve waits for it.
func TestRelease(t *testing.T) {
	var released atomic.Int64
	release := func() {
		<-time.After(time.Second)
		released.Add(1)
	}
	finish := new(chan bool) // made in the bubble, as what waits there must be
	first := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-*finish })
	inBubble(t, server.Config{Handler: first, Release: release}, func(b *bubble) {
		*finish = make(chan bool)
		c := b.public.dial()
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		synctest.Wait()
		b.SetHandler(says("second"), release)
		if got := b.public.ask(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(got, "second") {
			t.Errorf("answered %q", got)
		}
		<-time.After(time.Minute)
		if released.Load() != 0 {
			t.Error("a handler was released under a request")
		}
		close(*finish)
		<-time.After(2 * time.Second)
		if released.Load() != 1 {
			t.Error("the handler was not released after its last request")
		}
		b.stop()
		<-b.done
		if released.Load() != 2 {
			t.Error("Serve returned before the last handler was released")
		}
	})
}
