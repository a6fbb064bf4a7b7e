package server_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jetbridge/jetbridge/bridge/server"
)

// TestDrain follows the order: readiness, no more connections, what is under
// way ends, upgraded connections, the side listener, release.
func TestDrain(t *testing.T) {
	begun, finish, released := make(chan bool), make(chan bool), make(chan bool)
	hijacked := make(chan bool, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/upgrade" {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			hijacked <- true
			io.Copy(io.Discard, c) // until somebody closes it
			return
		}
		begun <- true
		<-finish
		io.WriteString(w, "whole")
	})
	r := run(t, server.Config{Handler: h, Release: func() { close(released) }})
	upgraded, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer upgraded.Close()
	io.WriteString(upgraded, "GET /upgrade HTTP/1.1\r\nHost: h\r\n\r\n")
	<-hijacked

	answer := make(chan string)
	go func() {
		res, err := fetch(r.url)
		answer <- fmt.Sprint(res.body, err)
	}()
	<-begun
	r.stop()

	for fetchStatus(r.side+"/readyz") != 503 {
	}
	for {
		c, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			break // refused
		}
		c.Close()
	}
	if status, body := get(t, r.side+"/readyz"); status != 503 || body != "draining\n" {
		t.Errorf("readiness while draining: %d %q", status, body)
	}
	if status, _ := get(t, r.side+"/healthz"); status != 200 {
		t.Errorf("health while draining: %d", status)
	}
	select {
	case err := <-r.done:
		t.Fatalf("Serve returned while a request was under way: %v", err)
	default:
	}
	close(finish)
	if got := <-answer; got != "whole<nil>" {
		t.Errorf("the request under way saw %q", got)
	}
	if err := <-r.done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	select {
	case <-released:
	default:
		t.Error("Serve returned before the handler was released")
	}
	if rest, err := io.ReadAll(upgraded); err != nil || !strings.Contains(string(rest), "101") {
		t.Errorf("the upgraded connection: %q, %v", rest, err)
	}
	if _, err := fetch(r.side + "/healthz"); err == nil {
		t.Error("the side listener still answers")
	}
	late := make(chan bool)
	r.SetHandler(says("late"), func() { close(late) })
	<-late
}

func fetchStatus(url string) int {
	res, err := fetch(url)
	if err != nil {
		return 0
	}
	return res.StatusCode
}

// TestDrainDelay: requests are taken after readiness turned.
func TestDrainDelay(t *testing.T) {
	inBubble(t, server.Config{Handler: says("ok"), DrainDelay: 10 * time.Second}, func(b *bubble) {
		b.stop()
		synctest.Wait()
		if got := b.side.ask(t, "GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 503 ") {
			t.Errorf("readiness: %q", got)
		}
		<-time.After(10*time.Second - 1)
		if got := b.public.ask(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
			t.Errorf("a late request: %q", got)
		}
		if err := <-b.done; err != nil {
			t.Error(err)
		}
	})
}

// TestDrainTimeout: what does not end is cut, and that is said.
func TestDrainTimeout(t *testing.T) {
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	inBubble(t, server.Config{Handler: h, DrainTimeout: 20 * time.Second}, func(b *bubble) {
		c := b.public.dial()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		synctest.Wait()
		start := time.Now()
		b.stop()
		if err := <-b.done; !errors.Is(err, server.ErrCut) {
			t.Errorf("Serve returned %v", err)
		}
		if took := time.Since(start); took < 20*time.Second || took > 21*time.Second {
			t.Errorf("draining took %v", took)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection: %v", err)
		}
	})
}
