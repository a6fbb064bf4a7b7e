package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// sessionKey is Airflow 2's secret key.
const sessionKey = "the secret key of the benchmark's web server"

// withSessions is the section legacy of who speaks sessions of that backend and nothing else.
func withSessions(backend string) string {
	return fmt.Sprintf("auth_backends: [session], session: {backend: %s, secret_key: %q}", backend, sessionKey)
}

// cookies begins a session of either kind for each of the principals, and gives the headers that show them. The rows
// go into db.
func (d data) cookies(ctx context.Context, db *sql.DB) (signed, rows []string, err error) {
	cfg := session.Config{SecretKeys: []string{sessionKey}}
	store, err := session.NewCookieStore(cfg)
	if err != nil {
		return nil, nil, err
	}
	if signed, err = begin(ctx, store); err != nil {
		return nil, nil, err
	}
	rows, err = d.rows(ctx, cfg, db)
	return signed, rows, err
}

// rows has a store write into a database in memory, since on a disk each session would wait for it, and copies from there.
func (d data) rows(ctx context.Context, cfg session.Config, db *sql.DB) (headers []string, err error) {
	dir, err := os.MkdirTemp("/dev/shm", "jetbridge-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "airflow2.db")
	made, err := fabtest.New(ctx, fabtest.Config{SQLite: path, Airflow2: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, made.Close(ctx)) }()
	open, err := airflowdb.Open(airflowdb.Config{URL: made.URL, Writable: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	store, err := session.NewDatabaseStore(session.DatabaseConfig{Config: cfg, DB: open})
	if err != nil {
		return nil, err
	}
	if headers, err = begin(ctx, store); err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx) // what is attached is so to one connection
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `ATTACH ? AS airflow2`, path); err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, `INSERT INTO main.session (session_id, data, expiry) SELECT session_id, data, expiry FROM airflow2.session`); err != nil {
		return nil, err
	}
	_, err = conn.ExecContext(ctx, `DETACH airflow2`)
	return headers, err
}

// begin has the store begin the session of each principal, and gives their cookies as headers.
func begin(ctx context.Context, store session.Store) ([]string, error) {
	headers := make([]string, principals)
	for i := range headers {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/login/", nil)
		made, err := store.New(r, "session")
		if err != nil {
			return nil, err
		}
		for name, value := range session.LoggedIn(int64(1000+i), "", "192.0.2.1", "curl/8.5.0") {
			made.Values[name] = value
		}
		w := httptest.NewRecorder()
		if err := store.Save(r, w, made); err != nil {
			return nil, err
		}
		headers[i] = "Cookie: session=" + w.Result().Cookies()[0].Value
	}
	return headers, nil
}
