package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/store"
)

func open(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func refused(id string) *record.Record {
	return &record.Record{
		ID: id, Start: time.Date(2026, 11, 22, 3, 4, 5, 123456789, time.UTC), Method: "POST", Path: "/api/v2/dags/a/b", Class: "dual",
		Scheme: "basic", Verdict: "refuse", Reason: record.NoUpstreamUser, Claimed: "mallory", Name: "alice", Status: 401,
		Client: netip.MustParseAddr("fe80::1%eth0"), Err: "no such user",
	}
}

var address = cmpopts.EquateComparable(netip.Addr{})

func TestFindFromAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	writer := open(t, store.Config{Dir: dir})
	writer.Record(refused("r1"))
	passed := refused("r2")
	passed.Reason = ""
	writer.Record(passed)
	bare := &record.Record{ID: "r3", Reason: record.BadPath, Path: "/x\x9b" + strings.Repeat("y", 5000)}
	writer.Record(bare)

	reader := open(t, store.Config{Dir: dir, ReadOnly: true}) // while the writer runs
	got := eventually(t, reader, "r1")
	want := store.Refusal{
		ID: "r1", Time: time.Date(2026, 11, 22, 3, 4, 5, 123456000, time.UTC), Method: "POST", Path: "/api/v2/dags/a/b", Class: "dual",
		Scheme: "basic", Claimed: "mallory", Name: "alice", Client: netip.MustParseAddr("fe80::1%eth0"),
		Reason: record.NoUpstreamUser, Status: 401, Err: "no such user",
	}
	if diff := cmp.Diff(want, got, address); diff != "" {
		t.Error(diff)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	after := open(t, store.Config{Dir: dir, ReadOnly: true}) // when it has ended
	if got, err := after.Find(t.Context(), "r3"); err != nil || got.Client.IsValid() || len(got.Path) != 256 || !strings.HasPrefix(got.Path, "/x\ufffd") {
		t.Errorf("the bare one: %+v, %v", got, err)
	}
	for _, id := range []string{"r2", "", "' OR 1=1 --", "r1%"} {
		if got, err := after.Find(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %+v, %v", id, got, err)
		}
	}
	if writer.Dropped() != 0 {
		t.Errorf("%d dropped", writer.Dropped())
	}
}

// eventually asks until the refusal is there; the test's own time limit ends it.
func eventually(t *testing.T, s *store.Store, id string) store.Refusal {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if got, err := s.Find(t.Context(), id); err == nil {
			return got
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	panic("unreachable")
}

func TestRingIsBounded(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		s := open(t, store.Config{Dir: dir, Keep: 50})
		for i := range 40 {
			s.Record(refused(fmt.Sprintf("%d-%d", round, i)))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, store.Config{Dir: dir, ReadOnly: true})
	var kept []string
	for round := range 3 {
		for i := range 40 {
			id := fmt.Sprintf("%d-%d", round, i)
			if _, err := s.Find(t.Context(), id); err == nil {
				kept = append(kept, id)
			}
		}
	}
	if len(kept) != 50 || kept[0] != "1-30" || kept[49] != "2-39" {
		t.Errorf("%d kept: %v", len(kept), kept)
	}
}

func TestAFloodIsDroppedAndCounted(t *testing.T) {
	s := open(t, store.Config{Dir: t.TempDir()})
	const flood = 20_000
	for i := range flood {
		s.Record(refused(fmt.Sprint(i)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := s.Dropped(); n == 0 || n >= flood {
		t.Errorf("%d of %d dropped", n, flood)
	}
	before := s.Dropped()
	s.Record(refused("late"))
	if s.Dropped() != before+1 || s.Close() != nil {
		t.Error("what comes after the end is not counted")
	}
}

// A file that cannot be written costs refusals, never requests.
func TestAFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	other, err := sql.Open("sqlite", filepath.Join(dir, "jetbridge.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.ExecContext(t.Context(), `DROP TABLE refusal`); err != nil {
		t.Fatal(err)
	}
	s.Record(refused("r1"))
	if err := s.Close(); err == nil || s.Dropped() != 1 {
		t.Errorf("%v, %d dropped", err, s.Dropped())
	}
}

func TestModeAndPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "odd %20 name.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*store.Store{
		open(t, store.Config{Dir: dir, DSN: "sqlite:///odd %20 name.db"}),
		open(t, store.Config{Dir: "/nowhere", DSN: "sqlite:///" + filepath.Join(dir, "absolute.db")}),
	} {
		s.Record(refused("r1"))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 6 { // each with its -wal and -shm
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []store.Config{
		{DSN: "postgresql://localhost/x"}, {DSN: "sqlite://x.db"}, {DSN: "sqlite:///"}, {DSN: "sqlite:///:memory:"}, {DSN: "sqlite:///x.db?mode=memory"},
		{DSN: "x.db"}, {Dir: dir, Keep: -1}, {Dir: filepath.Join(dir, "missing")}, {DSN: "sqlite:///garbage.db", Dir: dir},
		{DSN: "sqlite:///empty.db", Dir: dir, ReadOnly: true},
	} {
		if s, err := store.Open(t.Context(), cfg); err == nil || s != nil {
			t.Errorf("%+v: opened", cfg)
		}
	}
	if _, err := store.Open(t.Context(), store.Config{Dir: dir, ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store that is not there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "jetbridge.db")); !errors.Is(err, os.ErrNotExist) {
		t.Error("reading made a file")
	}
}

func TestANewerStoreIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, store.Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "jetbridge.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), `INSERT INTO schema_version VALUES (99)`); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		if _, err := store.Open(t.Context(), store.Config{Dir: dir, ReadOnly: readOnly}); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("read-only %v: %v", readOnly, err)
		}
	}
}

func TestTheReaderWritesNothing(t *testing.T) {
	dir := t.TempDir()
	writer := open(t, store.Config{Dir: dir})
	reader := open(t, store.Config{Dir: dir, ReadOnly: true})
	for range 2000 {
		reader.Record(refused("r1")) // never blocks, even if nobody takes it
	}
	if err := errors.Join(reader.Close(), writer.Close()); err != nil {
		t.Fatal(err)
	}
	again := open(t, store.Config{Dir: dir, ReadOnly: true})
	if _, err := again.Find(context.Background(), "r1"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func BenchmarkRecord(b *testing.B) {
	s, err := store.Open(b.Context(), store.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	r := refused("r1")
	b.ReportAllocs()
	for b.Loop() {
		s.Record(r)
	}
}
