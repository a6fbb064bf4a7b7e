package server

import (
	"net/http"
	"strings"
)

// sideHandler answers on the side listener: /healthz while the process lives,
// /readyz until the drain begins, /metrics. Readiness asks nobody else: without
// the database clients with tokens still come through, and what all replicas
// lack is not mended by taking them all out. What is known to be missing it says.
func (s *Server) sideHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	if s.cfg.Metrics != nil {
		mux.Handle("GET /metrics", s.cfg.Metrics)
	}
	return mux
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		say(w, http.StatusServiceUnavailable, "draining")
		return
	}
	text := "ready"
	if s.cfg.Notes != nil {
		text = strings.Join(append([]string{text}, s.cfg.Notes()...), "\n")
	}
	say(w, http.StatusOK, text)
}

func say(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
