// Package apiv1 speaks Airflow 2's REST API, /api/v1, over Airflow 3's, so that a
// client that was written for the one works with the other unchanged.
//
// [Handler] takes a request that the decision core has let through, and asks
// Airflow 3 with the very token that the decision holds: the bridge has no power
// of its own, and what the user may not do there, a client may not do here.
//
// An operation is a declaration, which says what differs and nothing else. What
// follows is so for all of them, and said by none:
//
//   - the path below /api/v1 is the path below /api/v2, its parameters escaped as they came;
//   - query: what the operation does not have is refused; limit is 100 unless said,
//     at most Airflow 2's maximum, and filled from several pages when Airflow 3's is
//     lower; lists may be repeated or parted by commas; times are read leniently;
//     execution_date is logical_date;
//   - a request's body is an object of members that the operation has, each of its
//     kind; what else there is is refused. They keep their order and bytes;
//   - answers have Airflow 2's members, no more and no fewer, in its layout. Times end
//     with +00:00. Values of any size go on byte for byte while they come;
//   - 201 is 200; HEAD is GET without a body;
//   - a refusal is a problem document with Airflow 2's titles and types; 422 is 400.
//
// # To add an operation
//
//  1. Write testdata/corpus/ID.txtar: what a client sends. What Airflow 3 must see and
//     says is recorded from a real one, and with it what the client gets (TestCorpus
//     tells how); look at both.
//  2. Add a declaration to its family's file (dags.go, dagruns.go …), or in a new file
//     a new family, and that to families.
//  3. go test ./bridge/apiv1: TestDeclarations holds it to what both Airflows'
//     descriptions say (testdata/facts.txt): paths, parameters, members, times, nulls.
//
// An operation with more than one call, or that streams text, has a do of its own.
package apiv1

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// Config says whom the handler asks. It must not change after [New].
type Config struct {
	// Upstream is Airflow 3's address, with the path that it is served below.
	// Required.
	Upstream *url.URL
	// Transport carries requests to it; it replaces a minted token that is refused
	// (package proxy's does). Required.
	Transport http.RoundTripper
	// Fail answers for an upstream that cannot be asked or is too slow, and for a
	// client that left. Required.
	Fail func(http.ResponseWriter, *http.Request, error)
	// Version of Airflow 2 that is spoken; refusals point to its documentation.
	Version string
	// AuthManager is Airflow 3's. Users, roles and permissions are spoken of with
	// "fab" alone.
	AuthManager string
	// PageLimit is Airflow 2's [api] maximum_page_limit; default 100.
	PageLimit int
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// Handler speaks /api/v1. It is safe for concurrent use.
type Handler struct {
	upstream  string
	transport http.RoundTripper
	fail      func(http.ResponseWriter, *http.Request, error)
	version   string
	manager   string
	pageLimit int
	now       func() time.Time
	releases  releases
	fab       fabAPI
	templates []*template
	bodies    *semaphore.Weighted        // the bytes of large bodies
	documents func() map[string]document // by path; made when one is asked for
}

// New makes a handler. It asks nobody.
func New(cfg Config) (*Handler, error) {
	if cfg.Upstream == nil || cfg.Transport == nil || cfg.Fail == nil {
		return nil, errors.New("apiv1: Upstream, Transport and Fail are required")
	}
	if cfg.PageLimit < 0 {
		return nil, errors.New("apiv1: PageLimit is negative")
	}
	if cfg.PageLimit == 0 {
		cfg.PageLimit = defaultLimit
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	templates := templatesOf(families())
	return &Handler{
		upstream:  strings.TrimRight(cfg.Upstream.Scheme+"://"+cfg.Upstream.Host+cfg.Upstream.EscapedPath(), "/"),
		transport: cfg.Transport, fail: cfg.Fail, version: cfg.Version, manager: cfg.AuthManager, pageLimit: cfg.PageLimit, now: cfg.Now,
		templates: templates, bodies: semaphore.NewWeighted(maxBodies), documents: sync.OnceValue(func() map[string]document { return documents(templates, cfg.Version) }),
	}, nil
}

// Operations lists the operations of Airflow 2's REST API by their operationIds, and
// "openapi", its description, for whoever counts by them.
func Operations() []string {
	ids := []string{"openapi"}
	for _, op := range families() {
		ids = append(ids, op.id)
	}
	return ids
}

// OperationOf makes a function that names the operation which a path asks for, by
// its operationId, and is empty for a path that has none: rawPath is as it came,
// path what the route made of it. It is safe for concurrent use.
func OperationOf() func(method, rawPath, path string) string {
	h := &Handler{templates: templatesOf(families())}
	return func(method, rawPath, path string) string {
		t, _, err := h.find(method, rawPath, path)
		if err != nil {
			return ""
		}
		return t.id
	}
}

// ServeHTTP answers r as the decision in its context says. Without a decision
// that passes it answers 500 and asks nobody.
//
// It panics with [http.ErrAbortHandler] to cut an answer whose rest the upstream
// withheld.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := bridge.DecisionFrom(r.Context())
	out := &answerWriter{ResponseWriter: w, client: d.Client, status: http.StatusInternalServerError, length: -1, bare: r.Method == http.MethodHead}
	err := h.serve(out, r, d)
	if err == nil {
		out.start()
		return
	}
	rec := record.From(r.Context())
	p := problemOf(r, err)
	switch {
	case out.started:
		if rec.Err == "" {
			rec.Err = "the answer broke off: " + reasonOf(err)
		}
		panic(http.ErrAbortHandler)
	case p == nil:
		h.fail(w, r, err)
	default:
		addClient(w.Header(), d.Client)
		p.write(w, r, h.version)
	}
}

// serve finds the operation and makes its call.
func (h *Handler) serve(w *answerWriter, r *http.Request, d bridge.Decision) error {
	rec := record.From(r.Context())
	switch d.Verdict {
	case bridge.PassMinted, bridge.PassOwn, bridge.PassAsIs:
	default:
		rec.Reason, rec.Err = record.Fault, "apiv1 was given no passing decision"
		return &problemError{status: http.StatusInternalServerError, detail: "The request could not be translated."}
	}
	if doc, ok := h.document(r.Method, d.Target.Path); ok {
		rec.Operation, rec.Origin = "openapi", "bridge"
		w.begin(http.StatusOK, doc.kind)
		w.length = len(doc.text)
		_, err := w.Write(doc.text)
		return err
	}
	facts := bridge.RequestOf(r, "")
	t, params, err := h.find(r.Method, facts.RawPath, d.Target.Path)
	if err != nil {
		rec.Reason = record.BadRequest
		return err
	}
	rec.Operation, rec.Origin = t.id, "upstream"
	c := &call{
		Handler: h, op: t, r: r, d: d, w: w, params: params, query: url.Values{},
		method: t.upstream.method, path: t.upstream.path, answer: t.answer,
	}
	defer func() { h.bodies.Release(c.room) }()
	if err := c.managed(); err != nil {
		return err
	}
	if err := c.read(facts.RawQuery); err != nil {
		rec.Reason = record.BadRequest
		return err
	}
	return c.run()
}

// document is the description of what is spoken here, where that is asked for.
func (h *Handler) document(method, path string) (document, bool) {
	if !strings.HasPrefix(path, v1Prefix+"/openapi.") || method != http.MethodGet && method != http.MethodHead {
		return document{}, false
	}
	doc, ok := h.documents()[path]
	return doc, ok
}

// find fits a path to the declarations. Raw is as it came, below whatever base
// path; matched is what the route made of it.
func (h *Handler) find(method, raw, matched string) (*template, map[string]string, error) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	escaped, decoded := below(raw, matched)
	var methods []string
	for _, t := range h.templates {
		if params, ok := t.match(escaped, decoded); ok {
			if t.method == method {
				return t, params, nil
			}
			methods = append(methods, t.method)
		}
	}
	if len(methods) > 0 {
		return nil, nil, &problemError{status: http.StatusMethodNotAllowed, detail: "The method is not allowed for the requested URL."}
	}
	return nil, nil, notFound("", "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.")
}

// below gives the segments of a path below /api/v1, as they came and decoded.
// Which of two /api/v1 in it is the API's, the matched path knows.
func below(raw, matched string) (escaped, decoded []string) {
	parts := strings.Split(raw, "/")
	for _, p := range parts {
		text, err := url.PathUnescape(p)
		if err != nil {
			return nil, nil // the route lets none through
		}
		decoded = append(decoded, text)
	}
	for i := range len(parts) - 1 {
		if "/"+strings.Join(decoded[i:], "/") == matched && decoded[i] == "api" && decoded[i+1] == "v1" {
			return parts[i+2:], decoded[i+2:]
		}
	}
	return nil, nil
}

// reasonOf tells an error for the record, without the bytes of an answer.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errSyntax), errors.Is(err, errTooLarge):
		return err.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the upstream cut it"
	}
	return "it could not be read or sent"
}

// addClient sets what the decision has for the client, on whatever answer leaves.
func addClient(h, client http.Header) {
	for name, values := range client {
		h[name] = append(h[name], values...)
	}
}
