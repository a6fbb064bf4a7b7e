package demo

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// A User is one of the stand-in's, whose password is its name.
type User struct {
	ID   int // the row in ab_user
	Name string
	Role string // of Airflow: "Admin", "Op" or "Viewer"
	Hash string // of the password, as Werkzeug writes it
}

func (u User) email() string   { return u.Name + "@example.com" }
func (u User) subject() string { return strconv.Itoa(u.ID) }

// Users are the stand-in's users. Their hashes were made by `airflow users create`.
func Users() []User {
	return []User{
		{1, "admin", "Admin", "scrypt:32768:8:1$e2dLOMvOLHJ5ogsb$ba309b5b698b14cbba45dffaa6c2ab3699acf243cf9a11a4225baebfab31925ea51958d4268d58e8f5d75f43a552190e12e127ead5f21aee9f4658d5b489e7ee"},
		{2, "op", "Op", "scrypt:32768:8:1$VCJXuD7wqnmqQrRT$32f102efd5d0fd869f5023e2ed572eb5463fbf6a0c773d973d4c60fa76e11badd5b737a57386e8418314aeea4cddc7cd166245f09b2cb4e83596894758e80dd1"},
		{3, "viewer", "Viewer", "scrypt:32768:8:1$DpCbqZoaz1xyeY7p$b51a43e057fdc5eb776a0f1b0b969d14282d3875b14e669f7811950f175efa6f99908b9c41ec3971d5d8864c2f821e037adc6abd8d36dcc75d6696d1fd0f08c1"},
	}
}

// roles are Airflow's own, by their rows in ab_role.
func roles() []string { return []string{"Admin", "Public", "Viewer", "User", "Op"} }

// schema are FAB's tables as `airflow db migrate` of 3.3.2 makes them.
//
//go:embed schema.sql
var schema string

// WriteDatabase makes a SQLite file (mode 0600) with Airflow's user tables and
// the stand-in's users. A file that is there is left alone: [os.ErrExist].
func WriteDatabase(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := fill(ctx, path); err != nil {
		return fmt.Errorf("demo: %s: %w", path, err)
	}
	return nil
}

func fill(ctx context.Context, path string) (err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return err
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: path}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after Commit
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	for i, name := range roles() {
		if _, err := tx.ExecContext(ctx, `INSERT INTO ab_role (id, name) VALUES (?, ?)`, i+1, name); err != nil {
			return err
		}
	}
	for _, u := range Users() {
		if _, err := tx.ExecContext(ctx, `INSERT INTO ab_user (id, first_name, last_name, username, password, active, email)
			VALUES (?, ?, 'Demo', ?, ?, 1, ?)`, u.ID, u.Name, u.Name, u.Hash, u.email()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO ab_user_role (user_id, role_id) SELECT ?, id FROM ab_role WHERE name = ?`, u.ID, u.Role); err != nil {
			return err
		}
	}
	return tx.Commit()
}
