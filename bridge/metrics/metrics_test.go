package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/metrics"
	"github.com/jetbridge/jetbridge/bridge/record"
)

func full() *record.Record {
	return &record.Record{
		ID: "0123456789abcdef01234567", Start: time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC), Method: "GET", Path: "/api/v2/dags/hello",
		Class: "dual", Client: netip.MustParseAddr("192.0.2.7"), Scheme: "basic", Verdict: "pass_minted", Status: 200,
		Upstream: 1500 * time.Microsecond, Duration: 2 * time.Millisecond,
	}
}

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	m := metrics.New(metrics.Config{
		LogDropped: func() uint64 { return 7 }, RefusalsDropped: func() uint64 { return 8 },
		HashesRunning: func() int { return 1 }, HashesWaiting: func() int { return 2 },
		Families: []string{"/api/v1/dags"}, Operations: []string{"get_dags"},
	})
	m.Record(full())
	refused := full()
	refused.Verdict, refused.Reason, refused.Status, refused.Upstream = "refuse", record.WrongPassword, 401, 0
	m.Record(refused)
	m.Record(&record.Record{Class: "mallory", Scheme: "mallory", Verdict: "mallory", Reason: "mallory", Status: 12345})
	m.Record(&record.Record{})
	m.Record(&record.Record{Class: "dual", Family: "/api/v1/dags", Scheme: "session", Verdict: "pass_untouched", Status: 200})
	m.Record(&record.Record{Class: "dual", Family: "mallory", Scheme: "mallory", Verdict: "pass_untouched", Status: 200})
	m.Record(&record.Record{Operation: "get_dags", Scheme: "kerberos", Status: 200})
	m.Record(&record.Record{Operation: "mallory", Status: 200})
	m.Minted()
	m.Loaded()
	m.LoadFailed()
	var during string
	m.InFlight(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { during = scrape(t, m) })).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))

	got := scrape(t, m)
	for _, want := range []string{
		`jetbridge_requests_total{class="dual",scheme="basic",status="2xx",verdict="pass_minted"} 1`,
		`jetbridge_requests_total{class="dual",scheme="basic",status="4xx",verdict="refuse"} 1`,
		`jetbridge_requests_total{class="other",scheme="other",status="none",verdict="other"} 1`,
		`jetbridge_requests_total{class="none",scheme="none",status="none",verdict="none"} 1`,
		`jetbridge_observed_total{family="/api/v1/dags",scheme="session"} 1`,
		`jetbridge_observed_total{family="other",scheme="other"} 1`,
		`jetbridge_api_v1_requests_total{operation="get_dags",scheme="kerberos",status="2xx"} 1`,
		`jetbridge_api_v1_requests_total{operation="other",scheme="none",status="2xx"} 1`,
		`jetbridge_refusals_total{reason="wrong_password"} 1`,
		`jetbridge_refusals_total{reason="other"} 1`,
		`jetbridge_refusals_total{reason="token_expired"} 0`,
		`jetbridge_request_seconds_count{class="dual"} 4`,
		`jetbridge_upstream_seconds_count{class="dual"} 1`,
		"jetbridge_requests_in_flight 0", "jetbridge_tokens_minted_total 1", "jetbridge_config_generation 1",
		"jetbridge_config_reload_failures_total 1", "jetbridge_log_dropped_total 7", "jetbridge_refusals_dropped_total 8",
		"jetbridge_hashes_running 1", "jetbridge_hashes_waiting 2", "go_goroutines ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(got, "mallory") {
		t.Error("a client made a series")
	}
	if !strings.Contains(during, "jetbridge_requests_in_flight 1") {
		t.Error("no request was in flight")
	}
	if got := scrape(t, metrics.New(metrics.Config{})); strings.Contains(got, "dropped") || strings.Contains(got, "hashes") {
		t.Error("shows what nobody counts")
	}
}

func BenchmarkMetrics(b *testing.B) {
	m, r := metrics.New(metrics.Config{}), full()
	b.ReportAllocs()
	for b.Loop() {
		m.Record(r)
	}
}
