package proxy

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// TransportConfig holds the limits of the connections to the upstream.
type TransportConfig struct {
	// IdleTimeout is how long an unused connection is kept; default 4 s. It
	// should be shorter than the upstream's own keep-alive (uvicorn's default is
	// 5 s, Airflow sets [api] worker_timeout, 120 s): a request sent on a
	// connection that is just being closed has to be sent again.
	IdleTimeout time.Duration
	// HeaderTimeout is how long a fully sent request may wait for the
	// beginning of its answer; default 10 min. The body has no limit.
	HeaderTimeout time.Duration
	// TLS is for an https upstream: its authority, a client certificate. Nil:
	// the system's authorities.
	TLS *tls.Config
}

const (
	dialTimeout     = 10 * time.Second
	continueTimeout = time.Second // an upstream that knows no 100-continue gets the body then
	idlePerHost     = 512
	maxHeaderBytes  = 1 << 20 // of the upstream's answer
)

// A Transport carries requests to the upstream. An upstream may close a
// connection that it seemed to keep: uvicorn does after a 500, and does not say
// so before. Whatever was sent there meanwhile is lost. net/http then sends it
// again when that does no harm (RFC 9110 section 9.2.2), so such requests share
// the connections that are kept. Any other has a connection of its own, or what
// one client provokes would lose another's request. An answer on a connection that
// is kept counts only if it came after its request: what an upstream sent beyond
// another's is never handed out. It is safe for concurrent use.
type Transport struct{ kept, own *http.Transport }

// NewTransport makes the transport that [New] uses by itself. It reads no proxy
// settings from the environment, speaks HTTP/1.1, which is all that Airflow's
// servers speak, and leaves compression to client and upstream.
func NewTransport(cfg TransportConfig) *Transport {
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = 4 * time.Second
	}
	if cfg.HeaderTimeout == 0 {
		cfg.HeaderTimeout = 10 * time.Minute
	}
	if cfg.TLS != nil {
		cfg.TLS = cfg.TLS.Clone()
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	kept := &http.Transport{
		DialContext:            watched((&net.Dialer{Timeout: dialTimeout}).DialContext),
		TLSClientConfig:        cfg.TLS,
		TLSHandshakeTimeout:    dialTimeout,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        cfg.IdleTimeout,
		ResponseHeaderTimeout:  cfg.HeaderTimeout,
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		Protocols:              protocols,
	}
	own := kept.Clone()
	own.DisableKeepAlives = true
	return &Transport{kept, own}
}

// RoundTrip sends req.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !repeatable(req) {
		return t.own.RoundTrip(req)
	}
	var w watch
	res, err := t.kept.RoundTrip(w.on(req))
	if w.surplus.Load() {
		if err == nil {
			_ = res.Body.Close()
		}
		return t.own.RoundTrip(req)
	}
	if err == nil {
		res.Request = req
	}
	return res, err
}

// repeatable says whether net/http sends req again by itself.
func repeatable(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return req.Body == nil || req.Body == http.NoBody
	}
	return false
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() { t.kept.CloseIdleConnections() }
