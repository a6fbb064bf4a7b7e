package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
)

// These run as processes of their own, so that their CPU time is not that of what is measured.

// serveUpstream answers with 1 KiB, or 100 KiB where the path says so, as fast as net/http can.
func serveUpstream(address string) error {
	small, large := filler(1<<10), filler(100<<10)
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := small
		if strings.HasSuffix(r.URL.Path, "/large") {
			body = large
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
}

func filler(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }

// serveBare is what the bridge is held against: httputil.ReverseProxy with a buffer pool and kept connections, no
// log, no compression.
func serveBare(address, upstream string) error {
	to, err := url.Parse(upstream)
	if err != nil {
		return err
	}
	return http.ListenAndServe(address, &httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		Transport:  &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true},
		BufferPool: new(buffers),
		ErrorLog:   log.New(io.Discard, "", 0),
	})
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return p[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }

// serveHandler answers as /auth/verify does, and decides nothing.
func serveHandler(address string) error {
	body := []byte(`{"principal":"user1","subject":"1","scheme":"jwt","class":"dual","expires":"2026-11-26T12:00:00Z"}`)
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Jetbridge-Subject", "1")
		h.Set("X-Jetbridge-Scheme", "jwt")
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		_, _ = w.Write(body)
	}))
}

// role runs what the arguments name, if they name one of the servers.
func role(args []string) (bool, error) {
	switch {
	case len(args) == 2 && args[0] == "upstream":
		return true, serveUpstream(args[1])
	case len(args) == 3 && args[0] == "bare":
		return true, serveBare(args[1], args[2])
	case len(args) == 2 && args[0] == "handler":
		return true, serveHandler(args[1])
	case len(args) > 0:
		return true, fmt.Errorf("usage: %s [upstream ADDRESS | bare ADDRESS UPSTREAM | handler ADDRESS]", os.Args[0])
	}
	return false, nil
}
