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
	// must be shorter than the upstream's own keep-alive (uvicorn's default is
	// 5 s, Airflow sets [api] worker_timeout, 120 s): a request sent on a
	// connection that is just being closed is lost unless it may be repeated.
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

// NewTransport makes the transport that [New] uses by itself. It reads no proxy
// settings from the environment, speaks HTTP/1.1, which is all that Airflow's
// servers speak, and leaves compression to client and upstream.
func NewTransport(cfg TransportConfig) *http.Transport {
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
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
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
}
