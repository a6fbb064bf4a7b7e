package apiv1

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/jetbridge/jetbridge/bridge"
)

// An answerWriter begins an answer when the first of its body is written, so that
// what fails before is answered as a failure, and what fails later is cut. Who
// writes to it through a buffer decides by that how much is before.
type answerWriter struct {
	http.ResponseWriter
	client  http.Header // on whatever answer leaves
	status  int
	kind    string
	length  int  // of the whole body; -1 where it is not known
	started bool // the client has seen some of it
	bare    bool // the answer to HEAD has no body
	cookies sync.Mutex
}

// begin says how the answer will start.
func (w *answerWriter) begin(status int, contentType string) {
	w.status, w.kind, w.length = status, contentType, -1
}

// flush sends what is buffered at an answer's end, with its length when that is all
// of it.
func (w *answerWriter) flush(b interface {
	Buffered() int
	Flush() error
}) error {
	if !w.started {
		w.length = b.Buffered()
	}
	return b.Flush()
}

func (w *answerWriter) Write(p []byte) (int, error) {
	w.start()
	if w.bare {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// start sends the answer's head, once.
func (w *answerWriter) start() {
	if w.started {
		return
	}
	w.started = true
	h := w.Header()
	addClient(h, w.client)
	if w.kind != "" {
		h.Set("Content-Type", w.kind)
	}
	if w.length >= 0 {
		h.Set("Content-Length", strconv.Itoa(w.length))
	}
	h.Set("Cache-Control", "no-store") // as Airflow 2 from 2.9.2 on says on every answer
	w.ResponseWriter.WriteHeader(w.status)
}

// passCookies hands on what the upstream sets for a client that came with a token
// of its own, which Airflow renews in a cookie. A minted one is nobody's to keep. Until
// the answer starts, several may do so at once.
func (w *answerWriter) passCookies(res *http.Response, d bridge.Decision) {
	if d.Verdict == bridge.PassOwn && len(d.StripSetCookie) == 0 {
		if lines := res.Header["Set-Cookie"]; len(lines) > 0 {
			w.cookies.Lock()
			defer w.cookies.Unlock()
			w.Header()["Set-Cookie"] = lines
		}
	}
}
