// Package metrics counts what the records say, for Prometheus. It is beside
// package record so that whoever fills a record need not reach Prometheus.
package metrics

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jetbridge/jetbridge/bridge/record"
)

// Config names what is counted elsewhere and only shown here. Each is
// asked when the metrics are read; nil leaves its metric out.
type Config struct {
	LogDropped      func() uint64 // lines that the logs lost
	RefusalsDropped func() uint64 // refusals that the store lost
	HashesRunning   func() int    // passwords being checked
	HashesWaiting   func() int    // and waiting for it
	// Families are the routes' families by which what is only observed is counted.
	Families []string
	// Operations are those of Airflow 2's REST API that can be asked for.
	Operations []string
	// LockedAccounts and LockedAddresses had too many failures.
	LockedAccounts, LockedAddresses func() int
	Replays                         func() int // Kerberos authenticators that are remembered
	IssuersFailing                  func() int // OpenID issuers whose keys could not be fetched
}

// Metrics counts for Prometheus. Every label's values are a closed set: what is
// not in it is counted as "other", so that no client can make new series.
type Metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	observed   *prometheus.CounterVec
	operations *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	upstream   *prometheus.HistogramVec
	inFlight   prometheus.Gauge
	minted     prometheus.Counter
	generation prometheus.Gauge
	failures   prometheus.Counter
	reasons    []record.Reason
	families   []string
	known      []string // operations
}

// New makes the metrics in a registry of their own.
func New(cfg Config) *Metrics {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jetbridge_requests_total", Help: "Requests answered.",
		}, []string{"class", "scheme", "verdict", "status"}),
		observed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jetbridge_observed_total", Help: "Requests that passed untouched in mode observe, by what they claimed to be.",
		}, []string{"family", "scheme"}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jetbridge_api_v1_requests_total", Help: "Requests to Airflow 2's REST API, by what was asked for and by what credential.",
		}, []string{"operation", "scheme", "status"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jetbridge_refusals_total", Help: "Requests refused, by reason; jetbridge why explains one.",
		}, []string{"reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jetbridge_request_seconds", Help: "Time from a request's head to the end of its answer.", Buckets: buckets,
		}, []string{"class"}),
		upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jetbridge_upstream_seconds", Help: "Time to the upstream's first byte.", Buckets: buckets,
		}, []string{"class"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jetbridge_requests_in_flight", Help: "Requests being answered.",
		}),
		minted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jetbridge_tokens_minted_total", Help: "Tokens signed.",
		}),
		generation: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jetbridge_config_generation", Help: "How many configurations have been in force since the start.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jetbridge_config_reload_failures_total", Help: "New configurations that were refused; the old one stayed in force.",
		}),
		reasons:  record.Reasons(),
		families: slices.Clone(cfg.Families),
		known:    slices.Clone(cfg.Operations),
	}
	m.registry.MustRegister(m.requests, m.observed, m.operations, m.refusals, m.seconds, m.upstream, m.inFlight, m.minted, m.generation, m.failures,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, r := range m.reasons {
		m.refusals.WithLabelValues(string(r)) // so that a first refusal is a rise from zero
	}
	m.elsewhere(cfg)
	return m
}

// elsewhere shows what others count.
func (m *Metrics) elsewhere(cfg Config) {
	counter := func(name, help string, value func() uint64) {
		if value != nil {
			m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
				func() float64 { return float64(value()) }))
		}
	}
	gauge := func(name, help string, value func() int) {
		if value != nil {
			m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
				func() float64 { return float64(value()) }))
		}
	}
	counter("jetbridge_log_dropped_total", "Lines that the logs lost, of requests and of the program.", cfg.LogDropped)
	counter("jetbridge_refusals_dropped_total", "Refusals that jetbridge why will not find.", cfg.RefusalsDropped)
	gauge("jetbridge_hashes_running", "Passwords being checked.", cfg.HashesRunning)
	gauge("jetbridge_hashes_waiting", "Passwords waiting to be checked.", cfg.HashesWaiting)
	gauge("jetbridge_locked_accounts", "Accounts of which too many attempts have failed.", cfg.LockedAccounts)
	gauge("jetbridge_locked_addresses", "Addresses from which too many attempts have failed.", cfg.LockedAddresses)
	gauge("jetbridge_kerberos_replays", "Kerberos authenticators that are remembered, so that none counts twice.", cfg.Replays)
	gauge("jetbridge_openid_issuers_failing", "OpenID issuers whose keys could not be fetched when that was last tried.", cfg.IssuersFailing)
}

// Record implements [record.Sink].
func (m *Metrics) Record(r *record.Record) {
	class := among(r.Class, "public", "foreign", "bridge", "dual", "modern")
	scheme := among(r.Scheme, "basic", "session", "kerberos", "openid", "jwt", "ntlm")
	m.requests.WithLabelValues(class, scheme,
		among(r.Verdict, "pass_minted", "pass_own", "pass_as_is", "pass_untouched", "answer", "refuse"),
		statusClass(r.Status)).Inc()
	if r.Verdict == "pass_untouched" {
		m.observed.WithLabelValues(among(r.Family, m.families...), scheme).Inc()
	}
	if r.Operation != "" {
		m.operations.WithLabelValues(among(r.Operation, m.known...), scheme, statusClass(r.Status)).Inc()
	}
	if r.Reason != "" {
		why := "other"
		if slices.Contains(m.reasons, r.Reason) {
			why = string(r.Reason)
		}
		m.refusals.WithLabelValues(why).Inc()
	}
	m.seconds.WithLabelValues(class).Observe(r.Duration.Seconds())
	if r.Upstream > 0 {
		m.upstream.WithLabelValues(class).Observe(r.Upstream.Seconds())
	}
}

// among bounds a label to its closed set.
func among(value string, set ...string) string {
	switch {
	case value == "":
		return "none"
	case slices.Contains(set, value):
		return value
	}
	return "other"
}

// statusClass is "2xx" and the like; "none" for an answer that never began.
func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}

// InFlight counts the requests that next is answering.
func (m *Metrics) InFlight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.inFlight.Inc()
		defer m.inFlight.Dec()
		next.ServeHTTP(w, r)
	})
}

// Minted counts a token that was signed.
func (m *Metrics) Minted() { m.minted.Inc() }

// Loaded counts a configuration, the first or a new one, that came into force.
func (m *Metrics) Loaded() { m.generation.Inc() }

// LoadFailed counts a new configuration that was refused.
func (m *Metrics) LoadFailed() { m.failures.Inc() }

// Handler shows the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
