package fab_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
)

// BenchmarkLookup reads one user from the database, among so many. The cost must
// not grow with their number.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ctx := context.Background()
			db, err := fabtest.New(ctx, fabtest.Config{SQLite: filepath.Join(b.TempDir(), "airflow.db")}, fabtest.User{Name: "alice", Hash: fabtest.HashOfSecret, Roles: []string{"Op"}})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close(ctx)
			if err := db.Exec(ctx, `WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < $1)
				INSERT INTO ab_user (username, email, first_name, last_name, active) SELECT 'user' || i, 'user' || i, '', '', TRUE FROM c`, n); err != nil {
				b.Fatal(err)
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
			for b.Loop() {
				now = now.Add(5 * time.Second)
				if _, err := users.Lookup(ctx, "ALICE"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
