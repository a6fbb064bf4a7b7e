package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// statusClientLeft is what the record shows for an answer that nobody was left
// to read (nginx's number).
const statusClientLeft = 499

const clientLeft = "the client left"

// modifyResponse makes the upstream's answer the client's. Headers are added
// here and not before, since passing on a 1xx answer wipes what was set earlier.
func modifyResponse(res *http.Response) error {
	ctx := res.Request.Context()
	d, rec := bridge.DecisionFrom(ctx), record.From(ctx)
	rec.Origin = "upstream"
	stripCookies(res.Header, d.StripSetCookie)
	addClient(res.Header, d.Client)
	if res.StatusCode == http.StatusSwitchingProtocols {
		rec.Status = res.StatusCode // it is written past the ResponseWriter
		return nil
	}
	res.Body = &upstreamBody{res.Body, ctx, rec}
	return nil
}

// An answerWriter keeps net/http from guessing a Content-Type that the upstream
// did not send. The header is looked at last, since a 1xx answer wipes it.
type answerWriter struct{ http.ResponseWriter }

func (w answerWriter) WriteHeader(status int) {
	if h := w.Header(); status >= http.StatusOK && len(h["Content-Type"]) == 0 {
		h["Content-Type"] = nil
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController flush and hijack.
func (w answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// shared are the headers in which the upstream's word stands beside ours; in
// any other ours replaces it.
var shared = map[string]bool{"Link": true, "Set-Cookie": true, "Vary": true, "Www-Authenticate": true}

func addClient(h, client http.Header) {
	for name, values := range client {
		if shared[name] {
			h[name] = append(h[name], values...)
		} else {
			h[name] = slices.Clone(values)
		}
	}
}

// stripCookies removes the Set-Cookie lines for exactly these names (RFC 6265
// section 5.2: the name ends at the first '=' and is trimmed).
func stripCookies(h http.Header, names []string) {
	lines := h["Set-Cookie"]
	if len(lines) == 0 || len(names) == 0 {
		return
	}
	if slices.Contains(names, bridge.EveryCookie) {
		h.Del("Set-Cookie")
		return
	}
	lines = slices.DeleteFunc(lines, func(line string) bool {
		pair, _, _ := strings.Cut(line, ";")
		name, _, ok := strings.Cut(pair, "=")
		return ok && slices.Contains(names, strings.Trim(name, " \t"))
	})
	if len(lines) == 0 {
		h.Del("Set-Cookie")
		return
	}
	h["Set-Cookie"] = lines
}

// An upstreamBody records that the upstream cut its answer. The client sees the
// cut too: ReverseProxy aborts on the error.
type upstreamBody struct {
	io.ReadCloser
	ctx context.Context
	rec *record.Record
}

func (b *upstreamBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.ctx.Err() == nil {
		b.rec.Err = "the upstream cut its answer: " + describe(err)
	}
	return n, err
}

// A failure is an answer of the bridge's own: cause is for the record alone.
type failure struct {
	status int
	reason record.Reason
	cause  string
}

// details are what the client is told.
var details = map[record.Reason]string{
	record.BadPath:              "The request's target cannot be forwarded.",
	record.BadRequest:           "The request's body could not be read.",
	record.Fault:                "The request could not be forwarded.",
	record.UpstreamUnreachable:  "Airflow cannot be reached from the bridge.",
	record.UpstreamTimeout:      "Airflow did not answer the bridge in time.",
	record.UpstreamRefusedToken: "Airflow 3 refused the token that the bridge made for this request. The credential itself was accepted.",
}

// Fail answers for an upstream that did not: 504 for one that was too slow, 502 for
// any other, and what the client did wrong where it was the client. Err is what the
// transport said.
func (p *Proxy) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		rec := record.From(r.Context())
		rec.Err, rec.Origin = clientLeft, "bridge"
		w.WriteHeader(statusClientLeft)
		return
	}
	p.refuse(w, r, bridge.DecisionFrom(r.Context()), failureOf(err))
}

func failureOf(err error) failure {
	var body *bodyError
	switch {
	case errors.As(err, &body) && isTimeout(body.err):
		return failure{http.StatusRequestTimeout, record.BadRequest, "the client's body stalled"}
	case body != nil:
		return failure{http.StatusBadRequest, record.BadRequest, "the client's body: " + describe(body.err)}
	case errors.Is(err, errRefused):
		return failure{http.StatusBadGateway, record.UpstreamRefusedToken, err.Error()}
	case isTimeout(err):
		return failure{http.StatusGatewayTimeout, record.UpstreamTimeout, describe(err)}
	default:
		return failure{http.StatusBadGateway, record.UpstreamUnreachable, describe(err)}
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// refuse writes f as the answer, with the headers that the decision has for any
// answer, and says that a 5xx is not the upstream's.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, d bridge.Decision, f failure) {
	rec := record.From(r.Context())
	rec.Reason, rec.Err, rec.Origin = f.reason, f.cause, "bridge"
	h := w.Header()
	addClient(h, d.Client)
	if f.status >= http.StatusInternalServerError {
		h.Set(problem.ErrorHeader, string(f.reason))
	}
	problem.Write(w, r.Method, d.Dialect, p.version, problem.Problem{
		Status: f.status, Detail: details[f.reason], RequestID: rec.ID,
	})
}

// maxCause bounds what the record keeps of an error.
const maxCause = 200

// describe tells an error of the transport without the bytes of the upstream's
// answer, which net/http quotes when it cannot read them and which may be secret.
func describe(err error) string {
	var header textproto.ProtocolError
	var op *net.OpError
	var text string
	switch {
	case errors.As(err, &header):
		return "malformed header in the answer"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed too early"
	case errors.As(err, &op):
		text = op.Error()
	default:
		text, _, _ = strings.Cut(err.Error(), `"`)
	}
	return text[:min(len(text), maxCause)]
}
