package session_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// BenchmarkKnown is what a known client costs, of either kind.
func BenchmarkKnown(b *testing.B) {
	w := sqlite(b)
	for _, kind := range []struct {
		name  string
		store store
	}{{"cookie", w.cookies(b)}, {"database", w.rows(b)}} {
		b.Run(kind.name, func(b *testing.B) {
			a, c := w.authenticator(b, kind.store, true), credential(save(b, kind.store, loggedIn(1)).Value)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("refused", func(b *testing.B) {
		a := w.authenticator(b, w.cookies(b), true)
		c := credential("x" + save(b, w.cookies(b), loggedIn(1)).Value)
		for b.Loop() {
			if _, err := a.Authenticate(b.Context(), c); reason(err) != legacy.SessionInvalid {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRow reads one session from the database, among so many. The cost must
// not grow with their number.
func BenchmarkRow(b *testing.B) {
	const recursive = `WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < $1)
		INSERT INTO session (session_id, data, expiry) SELECT lower(hex(randomblob(16))), (SELECT data FROM session), (SELECT expiry FROM session) FROM c`
	const series = `INSERT INTO session (session_id, data, expiry) SELECT gen_random_uuid(), data, expiry FROM session, generate_series(1, $1)`
	const sequence = `INSERT INTO session (session_id, data, expiry)
		SELECT concat(md5(seq)), data, expiry FROM session, seq_1_to_1000000 WHERE seq <= $1`
	rowsAmong(b, "sqlite", fabtest.Config{SQLite: "a file of its own"}, recursive)
	if server := os.Getenv("JETBRIDGE_TEST_POSTGRES"); server != "" {
		rowsAmong(b, "postgresql", fabtest.Config{Postgres: server}, series)
	}
	if server := os.Getenv("JETBRIDGE_TEST_MYSQL"); server != "" {
		rowsAmong(b, "mysql", fabtest.Config{MySQL: server}, sequence)
	}
}

// rowsAmong fills the table with copies of the one session that is there, by a
// query whose argument is their number.
func rowsAmong(b *testing.B, name string, kind fabtest.Config, fill string) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
			if kind.SQLite != "" {
				kind.SQLite = filepath.Join(b.TempDir(), "airflow.db")
			}
			w := newWorld(b, kind)
			s := w.rows(b, func(c *session.DatabaseConfig) { c.Lifetime = 365 * 24 * time.Hour })
			save(b, s, loggedIn(1))
			w.exec(b, fill, n)
			if kind.Postgres != "" {
				w.exec(b, "ANALYZE session")
			}
			if got, err := s.Count(b.Context()); got != n+1 || err != nil {
				b.Fatalf("%d sessions, %v", got, err)
			}
			var values []string // spread over the index, as the ids of all are random
			for range 100 {
				values = append(values, save(b, s, loggedIn(1)).Value)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.pass(5 * time.Second) // or it would be remembered
				if _, err := s.Login(b.Context(), values[i%len(values)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
