package server

import (
	"context"
	"net/http"
	"time"
)

// A Check is one thing that must work for the server to be ready. Ready is
// called by concurrent requests, each under a limit of its own; what its error
// says is shown to nobody.
type Check struct {
	Name  string
	Ready func(context.Context) error
}

// checkTimeout is how long all checks of one question may take together.
const checkTimeout = 3 * time.Second

// sideHandler answers on the side listener: /healthz while the process lives,
// /readyz while it takes requests and its checks succeed, /metrics.
func (s *Server) sideHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	if s.cfg.Metrics != nil {
		mux.Handle("GET /metrics", s.cfg.Metrics)
	}
	return mux
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		say(w, http.StatusServiceUnavailable, "draining")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	for _, c := range s.cfg.Checks {
		if err := c.Ready(ctx); err != nil {
			say(w, http.StatusServiceUnavailable, "not ready: "+c.Name)
			return
		}
	}
	say(w, http.StatusOK, "ready")
}

func say(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
