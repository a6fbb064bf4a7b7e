package apiv1

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// cutBody is an answer that the upstream cuts.
type cutBody struct{ io.Reader }

func (b cutBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (cutBody) Close() error { return nil }

// late is the error of a connection that gave nothing in time.
type late struct{ error }

func (late) Timeout() bool   { return true }
func (late) Temporary() bool { return true }

// TestUnreadable: who answered was reached, and may have done what was asked for; who
// gave no answer is the transport's to tell of.
func TestUnreadable(t *testing.T) {
	const triggered = `{"dag_id":"d","dag_run_id":"r"`
	for name, c := range map[string]struct {
		method, target, body string
		answer               io.Reader
		err                  error
		reason               record.Reason // empty: Fail answers
		detail               string
	}{
		"a run that was made":  {"POST", "/api/v1/dags/d/dagRuns", "{}", strings.NewReader(triggered), nil, record.UpstreamUnreadable, "may have been done"},
		"cut":                  {"POST", "/api/v1/dags/d/dagRuns", "{}", cutBody{strings.NewReader(triggered)}, nil, record.UpstreamUnreadable, "may have been done"},
		"a state that was set": {"PATCH", "/api/v1/dags/d/dagRuns/r/taskInstances/t", `{"new_state":"failed","dry_run":false}`, strings.NewReader("<html>"), nil, record.UpstreamUnreadable, "may have been done"},
		"a list":               {"GET", "/api/v1/dags", "", strings.NewReader("<html>"), nil, record.UpstreamUnreadable, "could not read its answer."},
		"nobody there":         {"POST", "/api/v1/dags/d/dagRuns", "{}", nil, errors.New("refused"), "", "failed"},
		"cut before its head":  {"POST", "/api/v1/dags/d/dagRuns", "{}", nil, io.ErrUnexpectedEOF, "", "failed"},
		"too slow":             {"POST", "/api/v1/dags/d/dagRuns", "{}", io.MultiReader(strings.NewReader(triggered), faulty{late{errors.New("slow")}}), nil, "", "failed"},
	} {
		h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
			if c.err != nil {
				return nil, c.err
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(c.answer), Request: r}, nil
		}))
		r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		rec, out := &record.Record{ID: "id"}, httptest.NewRecorder()
		r = r.WithContext(record.With(r.Context(), rec))
		h.ServeHTTP(out, r.WithContext(decided(r)))
		if out.Code != 502 || rec.Reason != c.reason || out.Header().Get(problem.ErrorHeader) != string(c.reason) || !strings.Contains(out.Body.String(), c.detail) {
			t.Errorf("%s: %d %v %s, recorded %q: %s", name, out.Code, out.Header(), out.Body, rec.Reason, rec.Err)
		}
		if c.method == "GET" && strings.Contains(out.Body.String(), "may have") {
			t.Errorf("%s: %s", name, out.Body)
		}
		if c.reason != "" && rec.Err == "" {
			t.Errorf("%s: the record does not say why", name)
		}
	}
}

// faulty is a reader that only fails.
type faulty struct{ error }

func (f faulty) Read([]byte) (int, error) { return 0, f.error }

// TestLeftWhileRead: for a client that left meanwhile nobody looks for a fault.
func TestLeftWhileRead(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
		leave()
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(faulty{context.Canceled}), Request: r}, nil
	}))
	r := httptest.NewRequest("GET", "/api/v1/dags", nil).WithContext(ctx)
	rec, out := new(record.Record), httptest.NewRecorder()
	r = r.WithContext(record.With(r.Context(), rec))
	h.ServeHTTP(out, r.WithContext(decided(r)))
	if rec.Reason != "" || out.Header().Get(problem.ErrorHeader) != "" {
		t.Errorf("%v, recorded %q", out.Header(), rec.Reason)
	}
}

// TestRetryAfter: a client is told when to come again by an upstream that says so, in
// whichever of an operation's requests.
func TestRetryAfter(t *testing.T) {
	for _, status := range []int{429, 503} {
		for _, target := range []string{"/api/v1/dags", "/api/v1/dagStats?dag_ids=a,b", "/api/v1/datasets/uri"} {
			out := get(t, asked(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"17"}}, Body: http.NoBody, Request: r}, nil
			}), target)
			if got := out.Header()["Retry-After"]; out.Code != status || len(got) != 1 || got[0] != "17" {
				t.Errorf("%s: %d %q", target, out.Code, got)
			}
		}
	}
}
