package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge/server"
)

// A running server and how to stop it.
type running struct {
	*server.Server
	url, side string
	stop      context.CancelFunc // begins draining
	done      chan error         // what Serve returned
}

// run serves on free ports until the test ends. h is the first handler.
func run(t testing.TB, cfg server.Config) *running {
	t.Helper()
	if cfg.Public == (server.Listen{}) {
		cfg.Public.Addr = "127.0.0.1:0"
	}
	cfg.Side.Addr = "127.0.0.1:0"
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{s, "http://" + s.Addr().String(), "http://" + s.SideAddr().String(), stop, make(chan error, 1)}
	go func() { r.done <- s.Serve(ctx) }()
	t.Cleanup(stop)
	return r
}

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	res, err := fetch(url)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.body
}

type response struct {
	*http.Response
	body string
}

// fetch asks over a connection of its own.
func fetch(url string) (response, error) {
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(mustRequest(url))
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return response{res, string(body)}, err
}

func mustRequest(url string) *http.Request {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		panic(err)
	}
	return req
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
}

func TestSide(t *testing.T) {
	r := run(t, server.Config{Handler: says("public"), Metrics: says("metrics"), Notes: func() []string { return []string{"a part is missing"} }})
	tests := []struct {
		url    string
		status int
		body   string
	}{
		{r.url + "/healthz", 200, "public"},
		{r.side + "/healthz", 200, "ok\n"},
		{r.side + "/readyz", 200, "ready\na part is missing\n"},
		{r.side + "/metrics", 200, "metrics"},
		{r.side + "/", 404, "404 page not found\n"},
	}
	for _, tt := range tests {
		if status, body := get(t, tt.url); status != tt.status || body != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.url, status, body, tt.status, tt.body)
		}
	}
}

// TestGeneralOptions: "OPTIONS *" is the handler's to answer.
func TestGeneralOptions(t *testing.T) {
	inBubble(t, server.Config{Handler: status(400, "no")}, func(b *bubble) {
		got := b.public.ask(t, "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("answered %q", got)
		}
	})
}

func TestListenerFails(t *testing.T) {
	inBubble(t, server.Config{Handler: says("ok")}, func(b *bubble) {
		b.public.Close()
		if err := <-b.done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestHeaderTooLarge(t *testing.T) {
	r := run(t, server.Config{Handler: says("ok"), MaxHeaderBytes: 64 << 10})
	for size, want := range map[int]string{60 << 10: "HTTP/1.1 200 OK\r\n", 80 << 10: "HTTP/1.1 431 Request Header Fields Too Large\r\n"} {
		c, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Negotiate %s\r\n\r\n", strings.Repeat("A", size))
		if line, _ := bufio.NewReader(c).ReadString('\n'); line != want {
			t.Errorf("a header of %d bytes: %q", size, line)
		}
		c.Close()
	}
}

// TestHandlerPanics: a cut answer is cut, and the next request is served.
func TestHandlerPanics(t *testing.T) {
	released := make(chan bool)
	r := run(t, server.Config{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}), Release: func() { close(released) }})
	if _, err := fetch(r.url); err == nil {
		t.Error("a cut answer came whole")
	}
	r.SetHandler(says("next"), nil)
	<-released
	if _, body := get(t, r.url); body != "next" {
		t.Errorf("answered %q", body)
	}
}

func TestNewRefuses(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := server.Listen{Addr: "127.0.0.1:0"}
	for name, cfg := range map[string]server.Config{
		"no handler":        {Public: free, Log: log},
		"no log":            {Public: free, Handler: says("")},
		"no address":        {Handler: says(""), Log: log},
		"an address in use": {Public: server.Listen{Addr: taken.Addr().String()}, Handler: says(""), Log: log},
		"a side in use":     {Public: free, Side: server.Listen{Addr: taken.Addr().String()}, Handler: says(""), Log: log},
		"a negative limit":  {Public: free, Handler: says(""), Log: log, StallTimeout: -1},
	} {
		if _, err := server.New(cfg); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
