package apiv1_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge/apiv1"
	"github.com/jetbridge/jetbridge/bridge/record"
)

const healthy = `{"metadatabase":{"status":"healthy"},"scheduler":{"status":null},"dag_processor":null}`

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		name, method string
		upstream     http.HandlerFunc // nil for one that is down
		status       int
		body         string
		reason       record.Reason
	}{
		{"as airflow 3 says it", "GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, healthy) }, 200, `"status": "healthy"`, ""},
		{"without a body", "HEAD", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, healthy) }, 200, "", ""},
		{"down", "GET", nil, 502, "cannot be asked", record.UpstreamUnreachable},
		{"refused", "GET", http.NotFound, 502, "cannot be asked", record.UpstreamUnreachable},
		{"no json", "GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, 502, "cannot be asked", record.UpstreamUnreachable},
		{"beyond the bound", "GET", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `"`+strings.Repeat("x", 100<<10)+`"`)
		}, 502, "cannot be asked", record.UpstreamUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := ""
			upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Header.Get("Authorization") + r.Header.Get("Cookie")
				c.upstream(w, r)
			}))
			defer upstream.Close()
			if c.upstream == nil {
				upstream.Close()
			}
			rec := &record.Record{ID: "the-id"}
			r := httptest.NewRequest(c.method, "/health", nil)
			r.Header.Set("Authorization", "Basic secret")
			out := httptest.NewRecorder()
			apiv1.Health(http.DefaultTransport, upstream.URL+"/api/v2/monitor/health").ServeHTTP(out, r.WithContext(record.With(r.Context(), rec)))
			if out.Code != c.status || !strings.Contains(out.Body.String(), c.body) || c.body == "" && out.Body.Len() > 0 || rec.Reason != c.reason {
				t.Errorf("%d %q %s, want %d %q", out.Code, rec.Reason, out.Body, c.status, c.body)
			}
			if asked != "" {
				t.Errorf("the upstream was shown %q", asked)
			}
		})
	}
}
