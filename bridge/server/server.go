// Package server holds the listeners and their limits: the public one, which
// serves one exchangeable handler, and a side one for health and metrics. It
// also makes the gin engine ([NewEngine]) for what the bridge answers itself;
// gin lives nowhere else.
//
// It promises that a request is served from its beginning to its end by the
// handler that was in force when it came, that a handler put out of force is
// released once, after its last request, that nothing waits for a peer without
// a limit while a body that flows has none (one that drips does), and that [Server.Serve] drains:
// readiness turns first and clients are told to go elsewhere, then no more
// connections, then what is under way ends.
//
// Use [New], which opens the listeners, then Serve; [Server.SetHandler] changes
// the handler at any time. It refuses TLS below 1.2 and, in [LoadPair],
// certificates that do not match their key; a bad new certificate leaves the old
// one in force.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Config says what to serve and where. It must not change after [New].
type Config struct {
	// Public is where the clients come. Required.
	Public Listen
	// Side is where health and metrics are; zero for nowhere.
	Side Listen
	// Handler is the first handler of the public listener, Release what is
	// called when it is out of force and its last request has ended; see
	// [Server.SetHandler]. Handler is required, Release may be nil.
	Handler http.Handler
	Release func()
	// Notes are lines that /readyz adds to its answer, such as what is missing
	// that does not keep this process from being ready. Asked each time, by many
	// at once. Nil: none.
	Notes func() []string
	// Metrics answers /metrics on the side listener; nil for 404.
	Metrics http.Handler
	// Log takes the errors of connections (handshakes, panics). Required.
	Log *slog.Logger

	// ReadHeaderTimeout is how long a request's header, and a TLS handshake,
	// may take; default 10 s.
	ReadHeaderTimeout time.Duration
	// MaxHeaderBytes bounds a request's header, which may hold a Kerberos
	// ticket; default 128 KiB. Above it is 431.
	MaxHeaderBytes int
	// IdleTimeout is how long a connection may wait for its next request;
	// default 2 min.
	IdleTimeout time.Duration
	// StallTimeout is how long a body may stand still in either direction;
	// default 1 min. A body that flows has no limit.
	StallTimeout time.Duration
	// MinBodyRate is how many bytes a second a request's body must bring, on
	// average over the time that was spent waiting for it, beyond a first
	// StallTimeout; default 100. Time in which nobody wanted to read does not
	// count, nor do answers and upgraded connections.
	MinBodyRate int
	// DrainDelay is how long requests are still taken after readiness turned,
	// for load balancers to see it and for clients to leave: each answer closes
	// its connection; default none.
	DrainDelay time.Duration
	// DrainTimeout is how long requests under way may then take; default 30 s.
	DrainTimeout time.Duration
}

// Listen is one address to listen on.
type Listen struct {
	// Addr is HOST:PORT; port 0 for any that is free.
	Addr string
	// Listener is used instead of Addr when set.
	Listener net.Listener
	// Pair turns TLS on; nil for none.
	Pair *Pair
}

// ErrCut says that requests under way were cut when the drain timeout passed.
var ErrCut = errors.New("server: requests were cut by the drain timeout")

// A Server serves until its context ends. It is safe for concurrent use.
type Server struct {
	cfg          Config
	public, side *http.Server
	publicL      *listener
	sideL        *listener // nil without a side listener
	current      slot
	draining     atomic.Bool
}

// New opens the listeners. A connection that comes before [Server.Serve] waits.
func New(cfg Config) (*Server, error) {
	if cfg.Handler == nil || cfg.Log == nil {
		return nil, errors.New("server: Handler and Log are required")
	}
	setDefault(&cfg.ReadHeaderTimeout, 10*time.Second)
	setDefault(&cfg.MaxHeaderBytes, 128<<10)
	setDefault(&cfg.IdleTimeout, 2*time.Minute)
	setDefault(&cfg.StallTimeout, time.Minute)
	setDefault(&cfg.MinBodyRate, 100)
	setDefault(&cfg.DrainTimeout, 30*time.Second)
	if min(cfg.ReadHeaderTimeout, cfg.IdleTimeout, cfg.StallTimeout, cfg.DrainTimeout) < 0 || min(cfg.MaxHeaderBytes, cfg.MinBodyRate) < 0 || cfg.DrainDelay < 0 {
		return nil, errors.New("server: a limit is negative")
	}
	s := &Server{cfg: cfg}
	var err error
	if s.public, s.publicL, err = s.open(cfg.Public, s.parting(&s.current)); err != nil {
		return nil, fmt.Errorf("server: public listener: %w", err)
	}
	if cfg.Side.Addr != "" || cfg.Side.Listener != nil {
		if s.side, s.sideL, err = s.open(cfg.Side, s.sideHandler()); err != nil {
			s.publicL.Close()
			return nil, fmt.Errorf("server: metrics listener: %w", err)
		}
	}
	s.current.set(cfg.Handler, cfg.Release)
	return s, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// open makes the server of one listener.
func (s *Server) open(l Listen, h http.Handler) (*http.Server, *listener, error) {
	var config *tls.Config
	if l.Pair != nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: l.Pair.certificate}
	}
	inner := l.Listener
	if inner == nil {
		if l.Addr == "" { // which net.Listen takes for a free port of every interface
			return nil, nil, errors.New("no address")
		}
		var err error
		if inner, err = net.Listen("tcp", l.Addr); err != nil {
			return nil, nil, err
		}
	}
	return &http.Server{
		Handler:           boundBodies(h, s.cfg.StallTimeout, s.cfg.MinBodyRate),
		TLSConfig:         config,
		ReadHeaderTimeout: s.cfg.ReadHeaderTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    s.cfg.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn),
		// Else "OPTIONS *" is answered before the handler, and recorded by nobody.
		DisableGeneralOptionsHandler: true,
	}, newListener(inner, s.cfg.StallTimeout), nil
}

// Addr is where clients reach the public listener.
func (s *Server) Addr() net.Addr { return s.publicL.Addr() }

// SideAddr is where health and metrics are; nil when nowhere.
func (s *Server) SideAddr() net.Addr {
	if s.sideL == nil {
		return nil
	}
	return s.sideL.Addr()
}

// SetHandler has h serve every request that comes from now on. The handler
// before it serves those that it has begun; when the last of them has ended its
// release is called, once, in a goroutine of its own. After Serve has returned h
// is released at once.
func (s *Server) SetHandler(h http.Handler, release func()) { s.current.set(h, release) }

// Serve serves until ctx ends, then drains, and returns nil, [ErrCut], or why a
// listener failed. Readiness turns first, and from then on each answer closes its
// connection; DrainDelay later no more connections are taken, and those that are
// left idle are closed a second after that; requests under way
// have DrainTimeout to end, and upgraded connections, which have no end of their
// own, are closed after them. The side listener closes last. Serve waits for every handler's release. Once only.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 2)
	go serve(s.public, s.publicL, failed)
	if s.side != nil {
		go serve(s.side, s.sideL, failed)
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		s.draining.Store(true)
		err = s.wait(failed)
	}
	s.draining.Store(true)
	err = errors.Join(err, s.drain())
	if s.side != nil {
		s.side.Close()
	}
	return err
}

// wait lets the drain delay pass.
func (s *Server) wait(failed <-chan error) error {
	delay := time.NewTimer(s.cfg.DrainDelay)
	defer delay.Stop()
	select {
	case err := <-failed:
		return err
	case <-delay.C:
		return nil
	}
}

// afterCut is how long handlers have to notice that their connections are gone.
const afterCut = 5 * time.Second

// partingTime is how long connections that clients keep are still heard after the
// last new one: a request may be on its way on one of them, and what cannot be
// sent twice would be lost if it were closed now. An active client needs no more
// than one answer to let go of it.
const partingTime = time.Second

func (s *Server) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.DrainTimeout)
	defer cancel()
	s.publicL.Close()
	select {
	case <-s.publicL.left:
	case <-time.After(partingTime):
	case <-ctx.Done():
	}
	err := s.public.Shutdown(ctx)
	if err != nil {
		err = ErrCut
	}
	s.publicL.closeConns()
	select {
	case <-s.current.end():
	case <-time.After(afterCut):
		err = ErrCut
	}
	return err
}

func serve(srv *http.Server, l net.Listener, failed chan<- error) {
	var err error
	if srv.TLSConfig != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		failed <- fmt.Errorf("server: %w", err)
	}
}
