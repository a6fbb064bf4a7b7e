package apiv1

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/jetbridge/jetbridge/bridge"
)

// A call is one request of a client's under way.
type call struct {
	*Handler
	op *template
	r  *http.Request
	d  bridge.Decision
	w  *answerWriter

	// params are the path's parameters, escaped as they came.
	params map[string]string
	// query is the upstream's; rows is how many the client asked for, where the
	// operation has a limit, and inBody says that it stands in the body.
	query        url.Values
	rows, offset int
	inBody       bool
	// sent is the client's body, body the upstream's; nil where the operation has none.
	sent, body body
	room       int64 // that the client's body takes of what all may
	// fields are those that the client asked for, where it did.
	fields []string
	// path is the upstream's, with its parameters still to be filled in.
	method, path string
	// answer is as it was declared, unless a call has another.
	answer shape
}

// read reads what the client sent.
func (c *call) read(query string) error {
	if err := c.translate(query); err != nil {
		return err
	}
	if !c.op.takesBody() {
		return nil
	}
	var err error
	if c.sent, err = c.readBody(); err != nil {
		return err
	}
	c.body, err = c.sent.translate(c.op.body)
	return err
}

// run makes the call that was declared.
func (c *call) run() error {
	if c.op.do != nil {
		return c.op.do(c)
	}
	if c.op.prepare != nil {
		if err := c.op.prepare(c); err != nil {
			return err
		}
	}
	answer, err := c.projected()
	if err != nil {
		return err
	}
	if p, ok := answer.(page); ok {
		return c.pages(p)
	}
	res, err := c.ask(c.request())
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return c.reply(res, answer)
}

// A request is one to the upstream.
type request struct {
	method, path string // the path escaped, below the upstream's own
	query        url.Values
	body         []byte // nil for none
	accept       string // empty for JSON
}

// request is the upstream's as it was declared and prepared.
func (c *call) request() request {
	r := request{method: c.method, path: fill(c.path, c.params), query: c.query}
	if c.body != nil {
		r.body = c.body.bytes()
	}
	return r
}

// send makes a request with the client's own token. Whatever the answer's status,
// its body is the caller's to close.
func (c *call) send(ctx context.Context, ask request) (*http.Response, error) {
	var content io.Reader
	if ask.body != nil {
		content = bytes.NewReader(ask.body)
	}
	target := c.upstream + ask.path
	if query := ask.query.Encode(); query != "" {
		target += "?" + query
	}
	req, err := http.NewRequestWithContext(ctx, ask.method, target, content)
	if err != nil {
		return nil, awayError{fmt.Errorf("the upstream's request: %w", err)}
	}
	c.carry(req.Header)
	req.Header.Set("Accept", "application/json")
	if ask.accept != "" {
		req.Header.Set("Accept", ask.accept)
	}
	if ask.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, awayError{err}
	}
	return res, nil
}

// carry sets what the upstream must know of the client. On a public path that is
// not who it is: nobody asks there.
func (c *call) carry(h http.Header) {
	for _, name := range []string{"User-Agent", "Traceparent", "Tracestate", "X-Request-Id"} {
		if values := c.d.Upstream(c.r.Header, name); len(values) > 0 {
			h[name] = values
		}
	}
	for name, values := range c.d.Set {
		h[name] = values
	}
	if c.d.Verdict == bridge.PassAsIs {
		h.Del("Authorization")
		h.Del("Cookie")
		return
	}
	for _, name := range []string{"Authorization", "Cookie"} {
		if values := c.d.Upstream(c.r.Header, name); len(values) > 0 {
			h[name] = values
		}
	}
}

// ask sends a request whose refusal is the client's answer.
func (c *call) ask(r request) (*http.Response, error) { return c.askIn(c.r.Context(), r) }

func (c *call) askIn(ctx context.Context, r request) (*http.Response, error) {
	res, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	c.w.passCookies(res, c.d)
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	return nil, c.refused(res)
}

// refused reads an answer that refuses, and ends it.
func (c *call) refused(res *http.Response) error {
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil {
		return err
	}
	e := refusalOf(res.StatusCode, text)
	e.retryAfter = res.Header["Retry-After"]
	if e.status == http.StatusNotFound {
		e.title = c.titled(c.op.missing)
	}
	return e
}

// titled is a title with the path's parameters in the places of their names.
func (c *call) titled(title string) string {
	decoded := map[string]string{}
	for name := range c.params {
		decoded[name] = c.param(name)
	}
	return fill(title, decoded)
}

// reply writes an answer of the upstream's in the shape that was declared.
func (c *call) reply(res *http.Response, as shape) error {
	status := res.StatusCode
	if status == http.StatusCreated {
		status = http.StatusOK
	}
	if as == nil || status == http.StatusNoContent {
		c.w.begin(http.StatusNoContent, "")
		return nil
	}
	return c.write(status, func(o *out) error {
		s := newScanner(res.Body)
		if err := as.rewrite(s, o); err != nil {
			return err
		}
		return s.done()
	})
}

// write answers with JSON.
func (c *call) write(status int, by func(*out) error) error {
	c.w.begin(status, "application/json")
	o := newOut(c.w)
	if err := by(o); err != nil {
		return err
	}
	o.text("\n")
	return c.w.flush(o)
}

// pages answers with a list, of as many pages as it takes.
func (c *call) pages(p page) error {
	return c.write(http.StatusOK, func(o *out) error {
		w := pageWriter{page: p, o: o}
		for range maxPages {
			more, err := c.addPage(&w)
			if err != nil {
				return err
			}
			if !more {
				break
			}
		}
		w.end(c.offset)
		return nil
	})
}

// addPage fetches what is missing after the rows that are there, and says whether
// more is.
func (c *call) addPage(w *pageWriter) (more bool, err error) {
	c.turn(c.offset+w.n, c.rows-w.n)
	res, err := c.ask(c.request())
	if c.op.empty && w.n == 0 && isStatus(err, http.StatusNotFound) {
		w.begin()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if w.n == 0 {
		w.begin()
	}
	before := w.n
	s := newScanner(res.Body)
	if err = w.add(s); err == nil {
		err = s.done()
	}
	total, counted := w.entries()
	return counted && w.n > before && w.n < c.rows && c.offset+w.n < total, err
}

// turn asks for rows from an offset, where the operation has paging.
func (c *call) turn(offset, rows int) {
	switch {
	case c.rows == 0:
	case c.inBody:
		c.body.set("page_offset", strconv.Itoa(offset))
		c.body.set("page_limit", strconv.Itoa(rows))
	default:
		c.query.Set("limit", strconv.Itoa(rows))
		if offset > 0 {
			c.query.Set("offset", strconv.Itoa(offset))
		}
	}
}

// bodyPaging reads the paging that stands in the body. Airflow 2 held it to no
// maximum.
func (c *call) bodyPaging() error {
	read := func(name string, least, otherwise int) (int, error) {
		raw := c.body.get(name)
		if raw == nil {
			return otherwise, nil
		}
		n, err := strconv.Atoi(string(raw))
		if err != nil || n < least {
			return 0, badRequest("", "{'"+name+"': ['Must be an integer of at least "+strconv.Itoa(least)+".']}")
		}
		return n, nil
	}
	var err error
	if c.rows, err = read("page_limit", 1, defaultLimit); err != nil {
		return err
	}
	c.rows = min(c.rows, maxPages*defaultLimit)
	c.inBody = true
	c.offset, err = read("page_offset", 0, 0)
	return err
}

// projected is the declared answer, or what of it the client asked for by fields.
func (c *call) projected() (shape, error) {
	if len(c.fields) == 0 {
		return c.answer, nil
	}
	of := c.answer
	p, paged := of.(page)
	if paged {
		of = p.of
	}
	whole, ok := of.(*object)
	if !ok {
		return of, nil // a declaration without members has nothing to leave out
	}
	ob, unknown := whole.only(c.fields)
	if unknown != "" {
		return nil, badRequest("", "Invalid fields: "+unknown)
	}
	if paged {
		p.of = ob
		return p, nil
	}
	return ob, nil
}
