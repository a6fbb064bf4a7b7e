package fab_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
)

// BenchmarkLookup reads one user from the database, by name and by id, among so
// many. The cost must not grow with their number.
func BenchmarkLookup(b *testing.B) {
	const recursive = `WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < $1)
		INSERT INTO ab_user (username, email, first_name, last_name, active) SELECT 'user' || i, 'user' || i, '', '', TRUE FROM c`
	const sequence = `INSERT INTO ab_user (username, email, first_name, last_name, active)
		SELECT concat('user', seq), concat('user', seq), '', '', TRUE FROM seq_1_to_1000000 WHERE seq <= $1`
	lookups(b, "sqlite", fabtest.Config{SQLite: "a file of its own"}, recursive)
	const series = `INSERT INTO ab_user (username, email, first_name, last_name, active)
		SELECT 'user' || i, 'user' || i, '', '', TRUE FROM generate_series(1, $1) i`
	if server := os.Getenv("JETBRIDGE_TEST_POSTGRES"); server != "" {
		lookups(b, "postgresql", fabtest.Config{Postgres: server}, series)
	}
	if server := os.Getenv("JETBRIDGE_TEST_MYSQL"); server != "" {
		lookups(b, "mysql", fabtest.Config{MySQL: server}, sequence)
		lookups(b, "mysql_bin", fabtest.Config{MySQL: server, Collation: "utf8mb4_bin"}, sequence) // the one that grows
	}
}

// lookups fills the tables by a query whose argument is their number.
func lookups(b *testing.B, name string, kind fabtest.Config, fill string) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
			ctx := context.Background()
			kind := kind
			if kind.SQLite != "" {
				kind.SQLite = filepath.Join(b.TempDir(), "airflow.db")
			}
			db, err := fabtest.New(ctx, kind, fabtest.User{Name: "alice", Hash: fabtest.HashOfSecret, Roles: []string{"Op"}})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close(ctx)
			if err := db.Exec(ctx, fill, n); err != nil {
				b.Fatal(err)
			}
			if kind.Postgres != "" { // as Airflow's own tables have it (models/__init__.py of the FAB provider)
				for _, statement := range []string{"CREATE UNIQUE INDEX idx_ab_user_username ON ab_user (lower(username))", "ANALYZE ab_user"} {
					if err := db.Exec(ctx, statement); err != nil {
						b.Fatal(err)
					}
				}
			}
			now := time.Unix(1_000_000, 0)
			cfg := fab.Config{Now: func() time.Time { return now }}
			if cfg.DB, err = airflowdb.Open(airflowdb.Config{URL: db.URL}); err != nil {
				b.Fatal(err)
			}
			defer cfg.DB.Close()
			users, err := fab.New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			alice, err := users.Account(ctx, 1)
			if err != nil || alice.Name != "alice" {
				b.Fatalf("%+v, %v", alice, err)
			}
			for _, by := range []struct {
				what string
				read func() error
			}{
				{"name", func() error { _, err := users.Lookup(ctx, "ALICE"); return err }},
				{"id", func() error { _, err := users.Account(ctx, 1); return err }},
			} {
				b.Run(by.what, func(b *testing.B) {
					for b.Loop() {
						now = now.Add(5 * time.Second)
						if err := by.read(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}
