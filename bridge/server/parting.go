package server

import "net/http"

// parting has answers that begin while the server drains close their
// connections, and say so: a client that keeps one would lose the request that
// it sends just when [http.Server.Shutdown] closes it. Of HTTP/2 net/http makes
// a GOAWAY.
//
// So do answers to requests that came in chunks. Where chunks are malformed in a
// body whose answer has begun (full duplex) net/http goes on reading behind them,
// as if a request began there; and beside chunks it overlooks a Content-Length,
// which another server may have gone by (RFC 9112 section 6.1 has the connection
// closed). Clients send chunks rarely enough to pay for a connection each time.
func (s *Server) parting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &partingWriter{w, s, r.ProtoMajor == 1 && r.ContentLength < 0}
		h.ServeHTTP(p, r)
		p.part() // an answer that nobody began begins now
	})
}

// A partingWriter speaks when the header is written, not before: the drain may
// begin under the request, and passing on a 1xx answer wipes what was set earlier.
type partingWriter struct {
	http.ResponseWriter
	server *Server
	chunks bool // of the request
}

func (w *partingWriter) part() {
	if w.chunks || w.server.draining.Load() {
		w.Header().Set("Connection", "close")
	}
}

func (w *partingWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.part()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *partingWriter) Write(b []byte) (int, error) {
	w.part()
	return w.ResponseWriter.Write(b)
}

// FlushError is what [http.ResponseController] flushes by.
func (w *partingWriter) FlushError() error {
	w.part()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets [http.ResponseController] do the rest.
func (w *partingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
