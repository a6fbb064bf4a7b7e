package apiv1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// Bounds on asking Airflow 3 for its health.
const (
	healthTimeout = 10 * time.Second
	healthSize    = 64 << 10
)

// Health answers GET and HEAD /health, gone in Airflow 3, with what Airflow 3
// says at url, its own /api/v2/monitor/health, in Airflow 2's words. An upstream
// that cannot be asked is a 502.
func Health(upstream http.RoundTripper, url string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		body, err := fetch(ctx, upstream, url)
		if err != nil {
			rec := record.From(r.Context())
			rec.Reason, rec.Err = record.UpstreamUnreachable, err.Error()
			w.Header().Set(problem.ErrorHeader, string(record.UpstreamUnreachable))
			problem.Write(w, r.Method, problem.V2, "", problem.Problem{
				Status: http.StatusBadGateway, Detail: "Airflow 3 cannot be asked for its health.", RequestID: rec.ID,
			})
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) // the client's going away is nobody's error
		}
	})
}

func fetch(ctx context.Context, upstream http.RoundTripper, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := upstream.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, errNoHealth
	}
	var body bytes.Buffer
	s, o := newScanner(io.LimitReader(res.Body, healthSize)), newOut(&body)
	if err := health().rewrite(s, o); err != nil {
		return nil, err
	}
	_ = o.Flush() // a buffer takes everything
	return body.Bytes(), s.done()
}

var errNoHealth = errors.New("the upstream's answer is not its health")
