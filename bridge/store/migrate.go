package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// migrations are the steps from an empty file to today's, in order; step n
// leads to version n. A step that was released is never changed.
func migrations() []string {
	return []string{
		`CREATE TABLE refusal (
			seq     INTEGER PRIMARY KEY AUTOINCREMENT,
			id      TEXT NOT NULL,
			time    INTEGER NOT NULL, -- microseconds since 1970, UTC
			method  TEXT NOT NULL,
			path    TEXT NOT NULL,
			class   TEXT NOT NULL,
			scheme  TEXT NOT NULL,
			claimed TEXT NOT NULL,
			name    TEXT NOT NULL,
			client  TEXT NOT NULL,
			reason  TEXT NOT NULL,
			status  INTEGER NOT NULL,
			err     TEXT NOT NULL
		);
		CREATE INDEX refusal_id ON refusal (id);`,
	}
}

// version tells how far a file has come; 0 for an empty one.
func version(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (int, error) {
	var tables, n int
	if err := q.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'`).Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	err := q.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&n)
	return n, err
}

// migrate brings a file up to date, in one transaction, so that two processes
// that start at once do not meet.
func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after Commit
	have, err := version(ctx, tx)
	if err != nil {
		return err
	}
	steps := migrations()
	if have > len(steps) {
		return newer(have, len(steps))
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY)`); err != nil {
		return err
	}
	for n := have + 1; n <= len(steps); n++ {
		if _, err := tx.ExecContext(ctx, steps[n-1]); err != nil {
			return fmt.Errorf("migration %d: %w", n, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO schema_version (version) VALUES (?)`, n); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// isCurrent refuses to read what it would not understand.
func isCurrent(ctx context.Context, db *sql.DB) error {
	have, err := version(ctx, db)
	if err != nil {
		return err
	}
	switch want := len(migrations()); {
	case have > want:
		return newer(have, want)
	case have < want:
		return errors.New("not brought up to date yet: start jetbridge serve once")
	}
	return nil
}

func newer(have, want int) error {
	return fmt.Errorf("schema version %d was made by a newer jetbridge; this one knows up to %d", have, want)
}
