package apiv1

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
)

// TestAtOnce: of requests that are made at once, each may set cookies and is written
// down, by the transport as package proxy's does it; with -race, none beside another.
func TestAtOnce(t *testing.T) {
	var together sync.WaitGroup
	together.Add(maxAtOnce)
	meet := make(chan struct{}, maxAtOnce)
	h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
		rec := record.From(r.Context())
		if strings.HasSuffix(r.URL.Path, "/dagStats") {
			rec.Upstream += time.Second
			return response(r, "200\n\n"+`{"dags":[],"total_entries":0}`)
		}
		select {
		case meet <- struct{}{}: // the first ones wait for each other
			together.Done()
			together.Wait()
		default:
		}
		rec.Upstream += time.Second
		rec.Retried, rec.TokenID = true, "renewed"
		res, err := response(r, "200\n\n{}")
		res.Header.Set("Set-Cookie", "_token=renewed")
		return res, err
	}))
	rec := &record.Record{TokenID: "first"}
	r := httptest.NewRequest("GET", "/api/v1/dagStats?dag_ids=a,b,c,d,e,f,g,h", nil)
	d := bridge.Decision{Verdict: bridge.PassOwn, Dialect: problem.V1, Target: route.Target{Class: route.Dual, Path: "/api/v1/dagStats", V1: true}}
	out := httptest.NewRecorder()
	h.ServeHTTP(out, r.WithContext(bridge.WithDecision(record.With(r.Context(), rec), d)))
	if out.Code != 200 || out.Header().Get("Set-Cookie") != "_token=renewed" {
		t.Errorf("%d %v", out.Code, out.Header())
	}
	if rec.Upstream != 9*time.Second || !rec.Retried || rec.TokenID != "renewed" {
		t.Errorf("recorded %v, retried %v, token %s", rec.Upstream, rec.Retried, rec.TokenID)
	}
}
