// Package proxy carries out a finished [bridge.Decision] with
// [httputil.ReverseProxy]: the request goes to Airflow 3, or to the Airflow 2 that
// is observed, its answer to the client, and nothing here decides who may do what.
//
// It promises that path and query go on byte for byte, that headers are removed
// and set after the client's Connection header was obeyed, that bodies of any
// size stream both ways in constant memory, that an answer which the upstream
// cuts stays cut, and that headers for the client are on whatever final answer
// leaves. A minted token that the upstream refuses is replaced once.
//
// Use [New] with the upstream's address; put the decision on the request's way
// with [bridge.WithDecision] and call [Proxy.ServeHTTP].
//
// It refuses to forward a request without a passing decision. Of the protocols
// that a client may switch to it passes on WebSocket alone, since a tunnel that
// speaks HTTP again (h2c) would carry requests past the core, and it forwards no
// trailers of requests, which some servers take for headers.
package proxy

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// Config says where requests go. It must not change after [New].
type Config struct {
	// Upstream is Airflow's address: http or https, a host, and a path when
	// it is served below one, which is put before the client's. No user, query
	// or fragment. Required.
	Upstream *url.URL
	// Host is the Host header that the upstream sees. Empty: the client's own,
	// from which Airflow makes its redirects.
	Host string
	// Transport carries requests to the upstream; nil for one by [NewTransport]
	// with its defaults.
	Transport http.RoundTripper
	// MintAgain gives a decision with another token for one whose token the
	// upstream refused, or false. Nil: never.
	MintAgain func(bridge.Decision) (bridge.Decision, bool)
	// Version of Airflow 2 that refusals on /api/v1 speak as.
	Version string
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// A Proxy forwards what was decided. It is safe for concurrent use.
type Proxy struct {
	upstream url.URL
	base     string // the upstream's path, escaped, without a slash at its end
	host     string
	version  string
	reverse  httputil.ReverseProxy
}

// New makes a proxy. It opens no connection.
func New(cfg Config) (*Proxy, error) {
	u := cfg.Upstream
	if u == nil {
		return nil, errors.New("proxy: Upstream is required")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "" {
		return nil, errors.New("proxy: Upstream is not an http or https URL with a host")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("proxy: Upstream has a user, a query or a fragment")
	}
	if cfg.Transport == nil {
		cfg.Transport = NewTransport(TransportConfig{})
	}
	if cfg.MintAgain == nil {
		cfg.MintAgain = func(d bridge.Decision) (bridge.Decision, bool) { return d, false }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Proxy{
		upstream: url.URL{Scheme: u.Scheme, Host: u.Host},
		base:     strings.TrimRight(u.EscapedPath(), "/"),
		host:     cfg.Host,
		version:  cfg.Version,
	}
	p.reverse = httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      &renewer{next: cfg.Transport, mintAgain: cfg.MintAgain, now: cfg.Now},
		ModifyResponse: modifyResponse,
		ErrorHandler:   p.Fail,
		BufferPool:     new(bufferPool),
		// Each fault is in its request's record.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return p, nil
}

// Transport is what carries this proxy's requests to the upstream, for whoever asks
// the same upstream otherwise: it replaces a minted token that is refused, by the
// decision in the request's context.
func (p *Proxy) Transport() http.RoundTripper { return p.reverse.Transport }

// ServeHTTP forwards r as the decision in its context says. Without a decision
// that passes it answers 500 and sends nothing upstream.
//
// Like ReverseProxy it panics with [http.ErrAbortHandler] to cut an answer
// whose rest the upstream withheld.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := bridge.DecisionFrom(r.Context())
	switch d.Verdict {
	case bridge.PassMinted, bridge.PassOwn, bridge.PassAsIs, bridge.PassUntouched:
	default:
		p.refuse(w, r, d, failure{http.StatusInternalServerError, record.Fault, "the proxy was given no passing decision"})
		return
	}
	facts := bridge.RequestOf(r, "")
	if !strings.HasPrefix(facts.RawPath, "/") {
		p.refuse(w, r, d, failure{http.StatusBadRequest, record.BadPath, "the request's target has no path"})
		return
	}
	if !p.aim(new(url.URL), facts.RawPath, facts.RawQuery) {
		p.refuse(w, r, d, failure{http.StatusBadRequest, record.BadPath, "the request's path would not go on as it came"})
		return
	}
	if r.ContentLength < 0 && r.ProtoMajor == 1 {
		// A body of unknown length may wait for the answer to its first half,
		// which net/http holds back until the body is read. A writer that
		// cannot do it goes on as before.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	complete := false
	defer func() {
		// An answer that breaks off while the upstream delivers has lost its reader.
		if rec := record.From(r.Context()); !complete && rec.Err == "" {
			rec.Err = clientLeft
		}
	}()
	p.reverse.ServeHTTP(answerWriter{w}, r)
	complete = true
}

// rewrite makes the upstream's request. It runs after the headers that the
// client's Connection names are gone, so that naming ours there removes nothing (C-03).
func (p *Proxy) rewrite(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	facts := bridge.RequestOf(in, "")
	p.aim(out.URL, facts.RawPath, facts.RawQuery)
	if p.host != "" {
		out.Host = p.host
	}
	d := bridge.DecisionFrom(in.Context())
	carry(out.Header, d)
	if d.Verdict == bridge.PassUntouched {
		for _, name := range forwarding {
			if values, ok := in.Header[name]; ok {
				out.Header[name] = values
			}
		}
	}
	if up := out.Header.Get("Upgrade"); up != "" && !strings.EqualFold(up, "websocket") {
		out.Header.Del("Upgrade")
		out.Header.Del("Connection")
	}
	out.Trailer = nil
	if out.Body != nil {
		out.Body = &clientBody{out.Body}
	}
}

// forwarding are the headers that ReverseProxy takes away before Rewrite.
var forwarding = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// aim points u at the upstream with the client's path and query as they came,
// and says whether it could.
func (p *Proxy) aim(u *url.URL, path, query string) bool {
	// A raw '#' is not allowed in a target (RFC 9112 section 3.2); servers differ in whether a
	// fragment starts there, so it goes on as what it was judged as: a byte of the path.
	path = p.base + strings.ReplaceAll(path, "#", "%23")
	u.Scheme, u.Host, u.User = p.upstream.Scheme, p.upstream.Host, nil
	u.RawQuery = query
	if !strings.HasPrefix(path, "//") {
		u.Opaque = path
		return true
	}
	// Opaque would be taken for an address. RawPath counts only when it holds
	// nothing but what RFC 3986 allows in a path; else all of Path is escaped
	// anew, which makes a slash of "%2F".
	u.Opaque, u.RawPath = "", path
	u.Path, _ = url.PathUnescape(path)
	return u.EscapedPath() == path
}

// carry removes what the upstream must not see and sets what it must.
func carry(h http.Header, d bridge.Decision) {
	for _, name := range d.Remove {
		delete(h, name) // not Del: the name is the map's own
	}
	for name, values := range d.Set {
		h[name] = values
	}
}

// bufferSize is how much of a body is in memory at a time.
const bufferSize = 32 << 10

// bufferPool lends the buffers through which answers flow.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b[:]
	}
	return make([]byte, bufferSize)
}

func (p *bufferPool) Put(b []byte) { p.pool.Put((*[bufferSize]byte)(b)) }

// clientBody tells a body that the client does not deliver from an upstream
// that fails.
type clientBody struct{ io.ReadCloser }

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &bodyError{err}
	}
	return n, err
}

// A bodyError is the client's fault.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return fmt.Sprintf("reading the client's body: %v", e.err) }
func (e *bodyError) Unwrap() error { return e.err }
