package bridge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/legacy"
)

// HandlerConfig is who decides about a request, and what becomes of it then. All
// required but V1, Own and Now.
type HandlerConfig struct {
	// Decider is the [Core], or the [Observer] in its place.
	Decider interface {
		Decide(context.Context, Request) Decision
	}
	// Forward carries out the passing verdicts (package proxy).
	Forward http.Handler
	// V1 carries out the passing verdicts on /api/v1 in Forward's place (package
	// apiv1); nil: they are forwarded like any other.
	V1 http.Handler
	// Own answers the bridge's own endpoints; nil where there are none.
	Own http.Handler
	// Version of Airflow 2 that /api/v1 refusals speak as.
	Version string
	// Sink takes each request's record when its answer is done.
	Sink record.Sink
	Now  func() time.Time // nil for time.Now
}

// A Handler is one snapshot of the configuration at work: it takes a request
// from accept to record. Who changes the configuration makes another.
type Handler struct{ HandlerConfig }

// NewHandler makes the handler of one configuration.
func NewHandler(cfg HandlerConfig) (*Handler, error) {
	if cfg.Decider == nil || cfg.Forward == nil || cfg.Sink == nil {
		return nil, errors.New("bridge: Decider, Forward and Sink are required")
	}
	if cfg.Own == nil {
		cfg.Own = http.NotFoundHandler()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Handler{cfg}, nil
}

type decisionKey struct{}

// WithDecision puts d on the request's way to whoever carries it out.
func WithDecision(ctx context.Context, d Decision) context.Context {
	return context.WithValue(ctx, decisionKey{}, &d)
}

// DecisionFrom gives the decision of the request under way; the zero Decision,
// which refuses, when there is none.
func DecisionFrom(ctx context.Context) Decision {
	if d, ok := ctx.Value(decisionKey{}).(*Decision); ok {
		return *d
	}
	return Decision{}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &record.Record{
		ID: requestID(), Start: h.Now(), Method: r.Method, Host: r.Host, Agent: r.UserAgent(),
	}
	out := &writer{ResponseWriter: w}
	// The record is written even for an answer that breaks off: ReverseProxy
	// panics with http.ErrAbortHandler to cut the client's stream.
	defer func() {
		if out.status != 0 { // a switch of protocols goes past the writer
			rec.Status = out.status
		}
		rec.Sent, rec.Duration = out.sent, h.Now().Sub(rec.Start)
		h.Sink.Record(rec)
	}()

	ctx := record.With(r.Context(), rec)
	req := RequestOf(r, rec.ID)
	d := h.Decider.Decide(ctx, req)
	Note(rec, req, d)
	ctx = WithDecision(ctx, d)

	switch d.Verdict {
	case PassMinted, PassOwn, PassAsIs, PassUntouched:
		h.forward(d).ServeHTTP(out, r.WithContext(ctx))
	case Answer:
		rec.Origin = "bridge"
		h.answer(out, r.WithContext(ctx), d)
	default:
		rec.Origin = "bridge"
		WriteRefusal(out, r.Method, h.Version, d)
	}
}

// forward is who carries d out.
func (h *Handler) forward(d Decision) http.Handler {
	if d.Target.V1 && h.V1 != nil {
		return h.V1
	}
	return h.Forward
}

// answer lets the bridge's own endpoint answer, or nobody where the decision
// says all there is to say. The endpoint is found by the very path that was
// matched, whatever base path it came below.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, d Decision) {
	addAll(w.Header(), d.Client)
	w.Header().Set("X-Request-Id", record.From(r.Context()).ID)
	if d.Status != 0 {
		w.WriteHeader(d.Status)
		return
	}
	matched := *r.URL
	matched.Path, matched.RawPath = d.Target.Path, ""
	r.URL = &matched // r is a copy
	h.Own.ServeHTTP(w, r)
}

// WriteRefusal writes the answer of a decision that refuses. Version is that of
// the Airflow 2 which /api/v1 speaks as.
func WriteRefusal(w http.ResponseWriter, method, version string, d Decision) {
	addAll(w.Header(), d.Client)
	problem.Write(w, method, d.Dialect, version, d.Problem)
}

// Note puts what was decided into the record.
func Note(rec *record.Record, r Request, d Decision) {
	rec.Path, rec.Family, rec.Class = d.Target.Path, d.Target.Family, string(d.Target.Class)
	if rec.Path == "" {
		rec.Path = r.RawPath
	}
	rec.Client, rec.Scheme, rec.Verdict = d.ClientAddr, string(d.Scheme), d.Verdict.String()
	rec.Name, rec.Subject, rec.TokenID = d.Principal.Name, d.Claims.Subject, d.Claims.ID
	rec.Claimed, rec.Reason, rec.Operation = d.Claimed, d.Reason, d.Operation
	if d.Cause != nil {
		rec.Err = d.Cause.Error()
		if refused := (*legacy.Refusal)(nil); errors.As(d.Cause, &refused) {
			rec.Claimed = refused.Claimed
		}
	}
}

// requestID names a request: 96 random bits, so that nobody can guess another's.
func requestID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// writer remembers what became of an answer.
type writer struct {
	http.ResponseWriter
	status int
	sent   int64
}

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 || status == http.StatusSwitchingProtocols {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.sent += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController flush and hijack.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
