package session

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
)

// tableRecheck is how old the word on whose table it is, and in which form its rows
// are, may be: an Airflow may be upgraded under a bridge that serves.
const tableRecheck = time.Minute

// A table is what has to be known of the table before it is written to.
type table struct {
	json bool // Airflow 2 keeps its rows in tagged JSON
}

// ErrAirflow3 says that the table belongs to an Airflow 3, for whose sessions rows of
// Airflow 2's are none. It comes as a [legacy.ErrUnavailable].
var ErrAirflow3 = errors.New("session: this is the database of an Airflow 3, and nothing is written there")

// look finds out about the table, at most once in a [tableRecheck].
func (s *DatabaseStore) look(ctx context.Context) (table, error) {
	return s.tables.Get(ctx, "", func(ctx context.Context) (t table, err error) {
		var newer bool
		err = s.cfg.DB.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
			if newer, err = s.besideAirflow3(ctx, tx); err != nil || newer {
				return err
			}
			t, newer, err = s.newest(ctx, tx)
			return err
		})
		switch {
		case err != nil:
			return t, refusal(err)
		case newer:
			return t, legacy.Unavailable(legacy.SourceUnavailable, ErrAirflow3, 0)
		}
		return t, nil
	})
}

// besideAirflow3 looks for a table that every Airflow 3 has, and no Airflow 2. MySQL
// shows it to those alone who may read it.
func (s *DatabaseStore) besideAirflow3(ctx context.Context, tx airflowdb.Tx) (bool, error) {
	const name = "dag_bundle"
	query, args := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", []any{name}
	switch s.cfg.DB.Dialect() {
	case airflowdb.PostgreSQL:
		query, args = "SELECT num_nonnulls(to_regclass(?))", []any{s.cfg.DB.Table(name)}
	case airflowdb.MySQL:
		query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND table_name = ?"
		args = []any{s.cfg.DB.Schema(), name}
	}
	var n int
	err := tx.QueryRow(ctx, query, args...).Scan(&n)
	return n > 0, err
}

// newest looks at the newest rows: the first that did not begin here tells who keeps
// sessions in this table, and how.
func (s *DatabaseStore) newest(ctx context.Context, tx airflowdb.Tx) (t table, airflow3 bool, err error) {
	t.json = s.cfg.JSON
	rows, err := tx.Query(ctx, "SELECT data FROM "+s.table()+" WHERE data IS NOT NULL AND expiry IS NOT NULL ORDER BY expiry DESC LIMIT 64")
	if err != nil {
		return t, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var raw sql.RawBytes
		if err := rows.Scan(&raw); err != nil {
			return t, false, err
		}
		switch {
		case len(raw) < 2 || bytes.Contains(raw, []byte(keyPassword)):
			continue
		case raw[0] == opProto || raw[0] == '{':
			t.json = raw[0] == '{'
			return t, false, nil
		case isMsgpack(raw[0]):
			return t, true, nil
		}
	}
	return t, false, rows.Err()
}

// isMsgpack tells the first byte of a map with something in it.
func isMsgpack(first byte) bool {
	return 0x81 <= first && first <= 0x8f || first == 0xde || first == 0xdf
}

// Count counts the sessions that have not run out, for whoever wants to know
// whether the table can be read.
func (s *DatabaseStore) Count(ctx context.Context) (n int, err error) {
	err = s.cfg.DB.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		query := "SELECT count(*) FROM " + s.table() + " WHERE session_id IS NOT NULL AND data IS NOT NULL AND expiry > " + s.time()
		return tx.QueryRow(ctx, query, naive(s.cfg.Now())).Scan(&n)
	})
	return n, err
}

// TryWrite finds out whether the table can be written to, as a login would:
// [ErrAirflow3] where that would be the wrong one. It leaves nothing there.
func (s *DatabaseStore) TryWrite(ctx context.Context) error {
	if _, err := s.look(ctx); err != nil {
		return err
	}
	done := errors.New("tried")
	err := s.cfg.DB.Write(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		id := newID()
		if err := s.upsert(ctx, tx, id, nil, s.cfg.Now()); err != nil {
			return err
		}
		if err := s.delete(ctx, tx, id); err != nil {
			return err
		}
		return done // which undoes it
	})
	if errors.Is(err, done) {
		return nil
	}
	return err
}

func (s *DatabaseStore) table() string { return s.cfg.DB.Table("session") }

// upsert writes a row in one statement: MySQL has two that delete what is not
// there, and insert then, wait for each other.
func (s *DatabaseStore) upsert(ctx context.Context, tx airflowdb.Tx, id string, data []byte, expiry time.Time) error {
	replace := " ON CONFLICT (session_id) DO UPDATE SET data = excluded.data, expiry = excluded.expiry"
	if s.cfg.DB.Dialect() == airflowdb.MySQL {
		replace = " ON DUPLICATE KEY UPDATE data = VALUES(data), expiry = VALUES(expiry)"
	}
	return tx.Exec(ctx, "INSERT INTO "+s.table()+" (session_id, data, expiry) VALUES (?, ?, "+s.time()+")"+replace, id, data, naive(expiry))
}

func (s *DatabaseStore) delete(ctx context.Context, tx airflowdb.Tx, id string) error {
	return tx.Exec(ctx, "DELETE FROM "+s.table()+" WHERE session_id = ?", id)
}
