package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/jetbridge/jetbridge/bridge/apiv1"
	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/metrics"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/bridge/server"
	"github.com/jetbridge/jetbridge/bridge/store"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/kerberos"
)

func (p *Program) serveCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Stand in front of Airflow",
		Long: `Serves until SIGINT or SIGTERM, then drains: readiness turns first, requests
under way end, then the process does.

The configuration is read again when its file changes, or one that it names, and
at SIGHUP. A new one that is faulty is refused, loudly, and the old one stays in
force. No request is lost either way.

In mode observe it stands in front of Airflow 2 and only looks on; in dual and
jwt_only in front of Airflow 3.

Every key can be overridden in the environment: JETBRIDGE__MIGRATION__MODE=jwt_only.
Requests are logged to standard output, everything else to standard error.`,
		Example: "  jetbridge serve --config jetbridge.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, seen, err := p.read(path)
			if err != nil {
				return misused(err)
			}
			return p.serve(cmd.Context(), cfg, serving{path: path, seen: seen})
		},
	}
	configFlag(cmd, &path)
	return cmd
}

// load reads the configuration that a command was given.
func (p *Program) load(path string) (*config.Config, error) {
	cfg, _, err := p.read(path)
	return cfg, err
}

// read reads the configuration, and says what state its files were in at least:
// one that changes meanwhile is found to have changed.
func (p *Program) read(path string) (*config.Config, stamps, error) {
	if path == "" {
		return nil, nil, errors.New("--config FILE is missing; jetbridge.example.yaml is one to start from")
	}
	seen := stamps{}
	cfg, err := config.Load(config.Source{Path: path, Environ: p.Environ, ReadFile: func(name string) ([]byte, error) {
		seen.look(name)
		return config.ReadFile(name)
	}})
	if err == nil {
		for _, name := range authorities(cfg) { // read when the snapshot is made
			seen.look(name)
		}
	}
	return cfg, seen, err
}

// serving is what differs between serve and demo.
type serving struct {
	path string // the configuration file, watched; empty for none
	seen stamps // of its files, when they were read
	// public and side are listeners opened already; nil for those that the
	// configuration names.
	public, side net.Listener
	ready        func(s *server.Server) // called once it serves
}

// An assembler makes snapshots. It holds what all of them share.
type assembler struct {
	shelf  shelf
	hasher *fab.Hasher
	// replays outlives every configuration: what was shown stays shown.
	replays *kerberos.Memory
	// pair is the certificate of the public listener; nil without TLS. It too
	// outlives every configuration: the listener does.
	pair    *server.Pair
	metrics *metrics.Metrics
	sink    record.Sink
	log     *slog.Logger
	level   *slog.LevelVar // of log; nil where it stays
	now     func() time.Time
	serving bool                     // else it is asked once, and keeps nothing fresh in the background
	inForce atomic.Pointer[identity] // of the snapshot in force, for metrics and readiness
}

// assembler makes one for a command that asks, and serves nobody.
func (p *Program) assembler(log *slog.Logger) (*assembler, error) {
	hasher, err := fab.NewHasher(fab.HasherConfig{})
	if err != nil {
		return nil, err
	}
	return &assembler{
		hasher: hasher, replays: kerberos.NewMemory(0, nil), metrics: metrics.New(metrics.Config{}), sink: record.Fanout{}, log: log, now: time.Now,
	}, nil
}

// serve serves cfg, and what becomes of it, until ctx ends.
func (p *Program) serve(ctx context.Context, cfg *config.Config, with serving) error {
	level := new(slog.LevelVar)
	level.Set(cfg.Log.Level)
	a, err := p.assembler(p.logger(cfg.Log.Format, level))
	if err != nil {
		return failed(err)
	}
	kept, err := store.Open(ctx, store.Config{DSN: cfg.Store.DSN.Reveal(), Dir: filepath.Dir(with.path)})
	if err != nil {
		return failed(err)
	}
	lines, err := record.NewLog(record.LogConfig{Out: p.Stdout, Format: cfg.Log.Format})
	if err != nil {
		return failed(errors.Join(err, kept.Close()))
	}
	a.level, a.serving = level, true
	a.metrics = metrics.New(metrics.Config{
		Families: route.Families(), Operations: apiv1.Operations(),
		LogDropped: func() uint64 { return lines.Dropped() + p.dropped() }, RefusalsDropped: kept.Dropped, HashesRunning: a.hasher.Running, HashesWaiting: a.hasher.Waiting,
		Replays:         a.replays.Len,
		LockedAccounts:  func() int { return a.identified().guard.LockedAccounts() },
		LockedAddresses: func() int { return a.identified().guard.LockedAddresses() },
		IssuersFailing:  func() int { return len(a.identified().issuersFailing()) },
	})
	a.sink = record.Fanout{lines, a.metrics, kept}
	pacing, end := context.WithCancel(ctx)
	defer end()
	go paceGC(pacing, p.Environ)
	err = a.run(ctx, p, cfg, with)
	return failed(errors.Join(err, lines.Close(), kept.Close()))
}

// identified is who is asked about users by the configuration in force; nobody
// before the first one.
func (a *assembler) identified() *identity {
	if id := a.inForce.Load(); id != nil {
		return id
	}
	return &identity{}
}

// openTLS reads the certificate that cfg names, if any: once, for the listener
// and for the acceptor of tickets that are bound to it.
func (a *assembler) openTLS(cfg *config.Config) (err error) {
	if cfg.TLS.Cert == "" {
		return nil
	}
	if a.pair, err = server.LoadPair(cfg.TLS.Cert, cfg.TLS.Key, a.now, a.log); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	return nil
}

// run serves until ctx ends.
func (a *assembler) run(ctx context.Context, p *Program, cfg *config.Config, with serving) error {
	if err := a.openTLS(cfg); err != nil {
		return err
	}
	first, err := a.snapshot(cfg)
	if err != nil {
		return err
	}
	a.warn(first)
	a.inForce.Store(&first.identity)
	a.metrics.Loaded()
	srv, err := server.New(server.Config{
		Public:  server.Listen{Addr: cfg.Listen, Listener: with.public, Pair: a.pair},
		Side:    server.Listen{Addr: cfg.Metrics.Listen, Listener: with.side},
		Handler: a.metrics.InFlight(first.handler), Release: first.release,
		Metrics: a.metrics.Handler(), Notes: func() []string { return a.identified().issuersFailing() }, Log: a.log,
		ReadHeaderTimeout: cfg.Server.ReadHeaderTimeout, MaxHeaderBytes: cfg.Server.MaxHeaderBytes, IdleTimeout: cfg.Server.IdleTimeout,
		StallTimeout: cfg.Server.StallTimeout, MinBodyRate: cfg.Server.MinBodyRate, DrainDelay: cfg.Server.DrainDelay, DrainTimeout: cfg.Server.DrainTimeout,
	})
	if err != nil {
		first.release()
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%w: choose another address (listen, metrics.listen; --listen of the demo), or stop what listens there", err)
		}
		return err
	}
	a.log.Info("serving", "address", srv.Addr().String(), "side", fmt.Sprint(srv.SideAddr()), "mode", cfg.Migration.Mode,
		"upstream", upstreamOf(cfg), "auth_manager", cfg.Airflow3.AuthManager)
	if with.path != "" {
		r := &reloader{program: p, assembler: a, server: srv, path: with.path, cfg: cfg, seen: with.seen}
		end, err := r.watch(ctx)
		if err != nil {
			return err
		}
		defer end()
	}
	if with.ready != nil {
		with.ready(srv)
	}
	err = srv.Serve(ctx)
	a.log.Info("stopped")
	return err
}

// warn says what the operator should hear about a configuration.
func (a *assembler) warn(s *snapshot) {
	for _, w := range append(s.cfg.Warnings, s.warnings...) {
		a.log.Warn(w)
	}
}
