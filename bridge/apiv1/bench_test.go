package apiv1

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const benchedRun = `{"dag_run_id":"manual__2026-11-27T02:45:50.927840+00:00","dag_id":"squares","logical_date":"2026-11-27T02:00:00Z","queued_at":"2026-11-27T02:45:51.095035Z","start_date":"2026-11-27T02:45:51.402897Z","end_date":"2026-11-27T02:46:16.094125Z","duration":24.7,"data_interval_start":"2026-11-27T02:00:00Z","data_interval_end":"2026-11-27T02:00:00Z","run_after":"2026-11-27T02:45:50.927840Z","last_scheduling_decision":"2026-11-27T02:46:16.092222Z","run_type":"manual","state":"success","triggered_by":"rest_api","triggering_user_name":"admin","conf":{"upto":2,"z":1.0,"a":"<é>"},"note":null,"dag_versions":[{"id":"01a21ae2-8cce-7385-93d5-466436462f3c","version_number":1,"dag_id":"squares","bundle_name":"dags-folder","bundle_version":null,"created_at":"2026-11-27T02:43:04.526633Z","dag_display_name":"squares","bundle_url":null}],"bundle_version":null,"dag_display_name":"squares","partition_key":null,"partition_date":null}`

// BenchmarkList is a list of 100 runs, the upstream's connection left out.
func BenchmarkList(b *testing.B) {
	list := `{"dag_runs":[` + strings.Repeat(benchedRun+",", 99) + benchedRun + `],"total_entries":100,"next_cursor":null}`
	h, err := New(Config{
		Upstream: httptest.NewRequest("GET", "http://airflow3/", nil).URL,
		Transport: asked(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(list)), Request: r}, nil
		}),
		Fail: func(_ http.ResponseWriter, _ *http.Request, err error) { b.Error(err) },
	})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/api/v1/dags/squares/dagRuns", nil)
	r = r.WithContext(decided(r))
	b.SetBytes(int64(len(list)))
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&sink{head: http.Header{}}, r)
	}
}

// BenchmarkObject is one run's JSON alone.
func BenchmarkObject(b *testing.B) {
	shape, in := dagRun(), bytes.NewReader(nil)
	s, o := newScanner(in), newOut(io.Discard)
	b.SetBytes(int64(len(benchedRun)))
	b.ReportAllocs()
	for b.Loop() {
		in.Reset([]byte(benchedRun))
		s.at, s.end = 0, 0
		if err := shape.rewrite(s, o); err != nil {
			b.Fatal(err)
		}
	}
}
