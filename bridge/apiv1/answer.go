package apiv1

import (
	"net/http"
	"strconv"

	"github.com/jetbridge/jetbridge/bridge"
)

// maxWhole is how long an answer may be to be sent with its length: what is
// shorter is also still ours to replace when its upstream fails.
const maxWhole = 32 << 10

// An answerWriter holds an answer's beginning back until it is long, so that what
// fails early is answered as a failure, and what fails later is cut.
type answerWriter struct {
	http.ResponseWriter
	client  http.Header // on whatever answer leaves
	status  int
	kind    string
	held    []byte
	started bool // the client has seen some of it
	bare    bool // the answer to HEAD has no body
}

// begin says how the answer will start.
func (w *answerWriter) begin(status int, contentType string) { w.status, w.kind = status, contentType }

func (w *answerWriter) Write(p []byte) (int, error) {
	if w.bare {
		return len(p), nil
	}
	if !w.started {
		if len(w.held)+len(p) <= maxWhole {
			w.held = append(w.held, p...)
			return len(p), nil
		}
		w.start()
		if _, err := w.ResponseWriter.Write(w.held); err != nil {
			return 0, err
		}
	}
	return w.ResponseWriter.Write(p)
}

func (w *answerWriter) start() {
	h := w.Header()
	addClient(h, w.client)
	if w.kind != "" {
		h.Set("Content-Type", w.kind)
	}
	h.Set("Cache-Control", "no-store") // as Airflow 2 from 2.9.2 on says on every answer
	w.started = true
	w.ResponseWriter.WriteHeader(w.status)
}

// end sends what is held.
func (w *answerWriter) end() error {
	if w.started {
		return nil
	}
	if !w.bare && w.status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(w.held)))
	}
	w.start()
	if len(w.held) == 0 {
		return nil
	}
	_, err := w.ResponseWriter.Write(w.held)
	return err
}

// passCookies hands on what the upstream sets for a client that came with a token
// of its own, which Airflow renews in a cookie. A minted one is nobody's to keep.
func (w *answerWriter) passCookies(res *http.Response, d bridge.Decision) {
	if d.Verdict == bridge.PassOwn && len(d.StripSetCookie) == 0 {
		if lines := res.Header["Set-Cookie"]; len(lines) > 0 {
			w.Header()["Set-Cookie"] = lines
		}
	}
}
