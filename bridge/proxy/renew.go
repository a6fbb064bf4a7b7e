package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// replayable is the longest body that is kept to be sent twice: a Dag run's
// configuration, not an upload.
const replayable = 64 << 10

// refusal is how Airflow 3 refuses a token that it cannot read, byte for byte
// (airflow/api_fastapi/core_api/security.py). A 403 with any other body is about
// what the user may do.
const refusal = `{"detail":"Invalid JWT token"}`

// errRefused says that the upstream refused a minted token, and its successor
// if there was one.
var errRefused = errors.New("the upstream refused a token that the bridge minted")

// A renewer sends requests upstream, and once more with another token when a
// minted one is refused.
type renewer struct {
	next      http.RoundTripper
	mintAgain func(bridge.Decision) (bridge.Decision, bool)
	now       func() time.Time
}

// RoundTrip sends req. For a minted request an answer that refuses the token is
// never returned: it is [errRefused], or the answer to the second try.
func (t *renewer) RoundTrip(req *http.Request) (*http.Response, error) {
	d := bridge.DecisionFrom(req.Context())
	if d.Verdict != bridge.PassMinted {
		return t.send(req)
	}
	req, again, err := keep(req)
	if err != nil {
		return nil, err
	}
	res, err := t.send(req)
	if err != nil || !refusesToken(res) {
		return res, err
	}
	discard(res)
	// Asked for also when this request cannot be sent again: the next one of
	// this client then comes with another token.
	renewed, ok := t.mintAgain(d)
	if !ok || renewed.Verdict != bridge.PassMinted || !again {
		return nil, errRefused
	}
	rec := record.From(req.Context())
	rec.Retried, rec.TokenID = true, renewed.TokenID()
	res, err = t.send(withToken(req, renewed))
	if err != nil || !refusesToken(res) {
		return res, err
	}
	discard(res)
	return nil, errRefused
}

// withToken is req once more, with what d sets.
func withToken(req *http.Request, d bridge.Decision) *http.Request {
	second := req.WithContext(req.Context())
	second.Header = req.Header.Clone()
	carry(second.Header, d)
	if req.GetBody != nil {
		second.Body, _ = req.GetBody() // from memory, which does not fail
	}
	return second
}

// send asks the upstream and records how long its first byte took.
func (t *renewer) send(req *http.Request) (*http.Response, error) {
	start := t.now()
	res, err := t.next.RoundTrip(req)
	record.From(req.Context()).Upstream += t.now().Sub(start)
	return res, err
}

// keep gives a request that can be sent twice, with a small body of known
// length in memory, or one of any length that is there already; false for the others, which stream. A client that waits for
// 100 Continue is not asked for its body here: that is the upstream's to do.
func keep(req *http.Request) (*http.Request, bool, error) {
	if req.Body == nil || req.GetBody != nil {
		return req, true, nil
	}
	if req.ContentLength < 0 || req.ContentLength > replayable || req.Header.Get("Expect") != "" {
		return req, false, nil
	}
	body := make([]byte, req.ContentLength)
	if _, err := io.ReadFull(req.Body, body); err != nil {
		return nil, false, err // a bodyError
	}
	kept := req.WithContext(req.Context())
	kept.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	kept.Body, _ = kept.GetBody()
	return kept, true, nil
}

// refusesToken says whether res refuses the token itself. The body of a 403 is
// read only as far as telling that takes, and put back.
func refusesToken(res *http.Response) bool {
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return true
	case res.StatusCode != http.StatusForbidden,
		res.ContentLength >= 0 && res.ContentLength != int64(len(refusal)),
		!strings.HasPrefix(res.Header.Get("Content-Type"), "application/json"):
		return false
	}
	// One byte more than the refusal, so that a longer body is told from it.
	start, err := io.ReadAll(io.LimitReader(res.Body, int64(len(refusal))+1))
	if err == nil && string(start) == refusal {
		return true
	}
	rest := io.Reader(res.Body)
	if err != nil {
		rest = brokenReader{err}
	}
	res.Body = &prefixedBody{io.MultiReader(bytes.NewReader(start), rest), res.Body}
	return false
}

// discard gives up an answer; a short one is read to its end so that its
// connection can be used again.
func discard(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	res.Body.Close()
}

// A prefixedBody is a body whose beginning was read already.
type prefixedBody struct {
	io.Reader
	io.Closer
}

// A brokenReader repeats an error that was met too early to be told.
type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }
