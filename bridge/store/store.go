// Package store keeps jetbridge's own data in one SQLite file: so far the ring
// of the last refusals, for `jetbridge why`.
//
// The serving process opens it with [Open] and hands it records as a
// [record.Sink]; they are written behind the requests' back, in batches, and
// dropped and counted rather than waited for. Another process may read at the
// same time, with [Config.ReadOnly]. It keeps nothing by which anybody could
// act: no token, no cookie, no password.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/jetbridge/jetbridge/bridge/record"
)

// ErrNotFound says that no refusal of that id is kept (any more).
var ErrNotFound = errors.New("store: no such refusal")

// Config says where the store is.
type Config struct {
	// DSN names the file: "sqlite:///relative.db" or "sqlite:////absolute.db".
	// Empty: "sqlite:///jetbridge.db".
	DSN string
	// Dir is where a relative file is; empty for the working directory.
	Dir string
	// Keep is how many refusals are kept; 0 for 10,000.
	Keep int
	// ReadOnly opens a store that is there, beside the process that writes it.
	ReadOnly bool
}

// A Refusal is what is kept of a refused request. Its texts are clipped
// ([record.Clip]).
type Refusal struct {
	ID      string
	Time    time.Time // when the request began, UTC, to the microsecond
	Method  string
	Path    string // decoded, without the query
	Class   string
	Scheme  string
	Claimed string // the name that the credential claimed
	Name    string // the name that it proved
	Client  netip.Addr
	Reason  record.Reason
	Status  int
	Err     string
}

const (
	maxQueued  = 1024                   // refusals that wait to be written
	writeEvery = 250 * time.Millisecond // so that at most 4,096 a second are
)

// A Store is an open store. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	keep    int
	queue   chan Refusal
	dropped atomic.Uint64
	end     sync.Once
	stop    chan struct{}
	stopped chan struct{}
	err     error // the last batch's, after stopped
}

// Open opens the store, and makes it (mode 0600) or brings it up to date unless
// it is read-only, where a missing file is [os.ErrNotExist]. It is to be ended
// by [Store.Close].
func Open(ctx context.Context, cfg Config) (*Store, error) {
	path, err := file(cfg.DSN, cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cfg.Keep < 0 {
		return nil, fmt.Errorf("store: cannot keep %d refusals", cfg.Keep)
	}
	if cfg.Keep == 0 {
		cfg.Keep = 10_000
	}
	s := &Store{
		keep: cfg.Keep, queue: make(chan Refusal, maxQueued), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if cfg.ReadOnly {
		err = s.openReader(ctx, path)
	} else {
		err = s.openWriter(ctx, path)
	}
	if err != nil {
		if s.db != nil {
			_ = s.db.Close()
		}
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	return s, nil
}

// file finds the file that a DSN names.
func file(dsn, dir string) (string, error) {
	if dsn == "" {
		dsn = "sqlite:///jetbridge.db"
	}
	path, ok := strings.CutPrefix(dsn, "sqlite:///")
	if !ok || path == "" || strings.ContainsAny(path, "?#") || strings.HasPrefix(path, ":") {
		return "", errors.New("store: dsn must be sqlite:///file.db or sqlite:////absolute/file.db")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Abs(path)
}

// connect opens path with the driver's parameters.
func (s *Store) connect(path string, parameters ...string) error {
	u := url.URL{Scheme: "file", OmitHost: true, Path: path}
	var err error
	s.db, err = sql.Open("sqlite", u.String()+"?_pragma=busy_timeout(5000)&"+strings.Join(parameters, "&"))
	return err
}

func (s *Store) openReader(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	if err := s.connect(path, "mode=ro", "_pragma=query_only(1)"); err != nil {
		return err
	}
	close(s.stopped) // nobody writes
	return isCurrent(ctx, s.db)
}

func (s *Store) openWriter(ctx context.Context, path string) error {
	// SQLite gives its -wal and -shm the mode of the file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return err
	}
	if err := s.connect(path, "_pragma=journal_mode(WAL)", "_pragma=synchronous(NORMAL)", "_txlock=immediate"); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(2)
	if err := migrate(ctx, s.db); err != nil {
		return err
	}
	go s.run()
	return nil
}

// Record implements [record.Sink]: it keeps what was refused.
func (s *Store) Record(r *record.Record) {
	if r.Reason == "" {
		return
	}
	refusal := Refusal{
		ID: record.Clip(r.ID), Time: r.Start, Method: record.Clip(r.Method), Path: record.Clip(r.Path), Class: r.Class,
		Scheme: r.Scheme, Claimed: record.Clip(r.Claimed), Name: record.Clip(r.Name), Client: r.Client, Reason: r.Reason,
		Status: r.Status, Err: record.Clip(r.Err),
	}
	select {
	case <-s.stop:
		s.dropped.Add(1)
		return
	default:
	}
	select {
	case s.queue <- refusal:
	default: // a flood: what waits already tells as much
		s.dropped.Add(1)
	}
}

// Dropped counts the refusals that were not kept: under a flood, or since the
// file could not be written.
func (s *Store) Dropped() uint64 { return s.dropped.Load() }

// run writes what waits, a batch at a time.
func (s *Store) run() {
	defer close(s.stopped)
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.flush()
		case <-s.stop:
			s.flush()
			return
		}
	}
}

// writeTimeout bounds one batch, a locked file included.
const writeTimeout = 10 * time.Second

// flush writes what is in the queue.
func (s *Store) flush() {
	batch := make([]Refusal, len(s.queue))
	if len(batch) == 0 {
		return
	}
	for i := range batch {
		batch[i] = <-s.queue
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if s.err = s.insert(ctx, batch); s.err != nil {
		s.dropped.Add(uint64(len(batch)))
	}
}

func (s *Store) insert(ctx context.Context, batch []Refusal) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after Commit
	insert, err := tx.PrepareContext(ctx, `INSERT INTO refusal
		(id, time, method, path, class, scheme, claimed, name, client, reason, status, err)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	for _, r := range batch {
		client, _ := r.Client.MarshalText() // has no error; empty for no address
		if _, err := insert.ExecContext(ctx, r.ID, r.Time.UnixMicro(), r.Method, r.Path, r.Class, r.Scheme, r.Claimed, r.Name,
			string(client), string(r.Reason), r.Status, r.Err); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM refusal WHERE seq <= (SELECT max(seq) FROM refusal) - ?`, s.keep); err != nil {
		return err
	}
	return tx.Commit()
}

// Find gives the refusal of a request id, or [ErrNotFound].
func (s *Store) Find(ctx context.Context, id string) (Refusal, error) {
	r := Refusal{ID: id}
	var micros int64
	var client string
	err := s.db.QueryRowContext(ctx, `SELECT time, method, path, class, scheme, claimed, name, client, reason, status, err
		FROM refusal WHERE id = ? ORDER BY seq DESC LIMIT 1`, id).
		Scan(&micros, &r.Method, &r.Path, &r.Class, &r.Scheme, &r.Claimed, &r.Name, &client, &r.Reason, &r.Status, &r.Err)
	if errors.Is(err, sql.ErrNoRows) {
		return Refusal{}, ErrNotFound
	}
	if err != nil {
		return Refusal{}, fmt.Errorf("store: %w", err)
	}
	r.Time = time.UnixMicro(micros).UTC()
	if err := r.Client.UnmarshalText([]byte(client)); err != nil {
		return Refusal{}, fmt.Errorf("store: client of %s: %w", id, err)
	}
	return r, nil
}

// Close writes what waits and closes the file. Refusals that come later are
// dropped. Its error is that of the last batch, or of the closing.
func (s *Store) Close() error {
	var err error
	s.end.Do(func() {
		close(s.stop)
		<-s.stopped
		err = errors.Join(s.err, s.db.Close())
	})
	return err
}
