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

// serveUpstream answers with 1 KiB, or 100 KiB or 100 Dag runs where the path says so, as fast as net/http can.
func serveUpstream(address string) error {
	small, large, runs := filler(1<<10), filler(100<<10), dagRuns(100)
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := small
		switch {
		case strings.HasSuffix(r.URL.Path, "/large"):
			body = large
		case strings.HasSuffix(r.URL.Path, "/dagRuns"):
			body = runs
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
}

func filler(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }

// dagRuns is a list of n runs as Airflow 3.3 gives it.
func dagRuns(n int) []byte {
	const run = `{"dag_run_id":"scheduled__2026-11-27T02:45:50+00:00","dag_id":"example","logical_date":"2026-11-27T02:00:00Z",` +
		`"queued_at":"2026-11-27T02:45:51.095035Z","start_date":"2026-11-27T02:45:51.402897Z","end_date":"2026-11-27T02:46:16.094125Z","duration":24.69,` +
		`"data_interval_start":"2026-11-27T02:00:00Z","data_interval_end":"2026-11-27T02:30:00Z","run_after":"2026-11-27T02:30:00Z",` +
		`"last_scheduling_decision":"2026-11-27T02:46:16.092222Z","run_type":"scheduled","state":"success","triggered_by":"timetable","triggering_user_name":null,` +
		`"conf":{"upto":2,"name":"a"},"note":null,"dag_versions":[{"id":"01a21ae2-8cce-7385-93d5-466436462f3c","version_number":1,"dag_id":"example",` +
		`"bundle_name":"dags-folder","bundle_version":null,"created_at":"2026-11-27T02:43:04.526633Z","dag_display_name":"example","bundle_url":null}],` +
		`"bundle_version":null,"dag_display_name":"example","partition_key":null,"partition_date":null}`
	return []byte(`{"dag_runs":[` + strings.TrimSuffix(strings.Repeat(run+",", n), ",") + fmt.Sprintf(`],"total_entries":%d}`, n))
}

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
