// Package fabtest makes user databases in the shape of Airflow's, for tests and
// for the demo: the tables that Airflow 3.3 with the FAB provider 3.9 makes (or
// those of Airflow 2, without groups), and the users that the caller wants in
// them. It is the only code of ours that writes such tables.
package fabtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	_ "github.com/jetbridge/jetbridge/legacy/airflowdb" // the drivers "sqlite" and "pgx"
)

// Hashes as Werkzeug writes them, of the passwords "secret" and "other". They are
// cheap: a test that compares many passwords need not wait for real ones.
const (
	HashOfSecret = "pbkdf2:sha256:1000$saltsalt$86047d1ecaad2aea56c699eff32f7d4eb3c36a34d3ffd3dc49394d69fa5d2d74"
	HashOfOther  = "scrypt:128:8:1$saltsalt$c59e692d61c057149005207b182e669392140539ee36b08824f555faf7a9c87ed5414b73b479858f1302cf23fa9f1be83f44c7c8e2c79803243dcc542a0c4dee"
)

// A User is a row to be made.
type User struct {
	ID    int64 // zero: the database's choice
	Name  string
	Email string // empty: NAME@example.com
	// Hash is the stored password as Werkzeug writes it; empty: null.
	Hash string
	// Inactive makes the user inactive, NullActive leaves that open.
	Inactive, NullActive bool
	// Roles and Groups are made when they are new. A group has the role that
	// bears its name with "Role" behind it.
	Roles, Groups []string
}

// Config says what kind of database to make.
type Config struct {
	// SQLite is the path of the file to make. Empty: MySQL or PostgreSQL is used.
	SQLite string
	// MySQL is the SQLAlchemy URL (user:password@host:port, no parameters) of a
	// server, in which a new database is made; it goes with [Database.Close].
	// Empty: PostgreSQL is used.
	MySQL string
	// Collation is the new database's of MySQL. Empty: utf8mb4_unicode_ci.
	Collation string
	// Postgres is the URL of a server's admin database, in which a new database
	// is made; it goes with [Database.Close].
	Postgres string
	// Airflow2 makes the tables of Airflow 2: no groups, and on SQLite no NOCASE.
	Airflow2 bool
}

// A Database is one that may be changed. Its methods are not for concurrent use
// with one another.
type Database struct {
	// URL opens it with airflowdb.Open.
	URL string

	sql      *sql.DB
	drop     func(context.Context) error
	airflow2 bool
	dialect  dialect
}

// A dialect is how one kind of database wants the same said.
type dialect struct {
	key, username, time, bytes string // the types of columns
	insert, ignore             string // around the insertion of what may be there
	numbered                   bool   // whether arguments are $1, $2 …, or question marks
}

var (
	sqlite2  = dialect{key: "INTEGER PRIMARY KEY", username: "VARCHAR(512)", time: "TIMESTAMP", bytes: "BLOB", insert: "INSERT", ignore: " ON CONFLICT DO NOTHING", numbered: true}
	sqlite3  = dialect{key: "INTEGER PRIMARY KEY", username: `VARCHAR(512) COLLATE "NOCASE"`, time: "TIMESTAMP", bytes: "BLOB", insert: "INSERT", ignore: " ON CONFLICT DO NOTHING", numbered: true}
	postgres = dialect{key: "SERIAL PRIMARY KEY", username: "VARCHAR(512)", time: "TIMESTAMP", bytes: "BYTEA", insert: "INSERT", ignore: " ON CONFLICT DO NOTHING", numbered: true}
	mariadb  = dialect{key: "INTEGER PRIMARY KEY AUTO_INCREMENT", username: "VARCHAR(512)", time: "DATETIME", bytes: "BLOB", insert: "INSERT IGNORE"}
)

// New makes a database with those users.
func New(ctx context.Context, cfg Config, users ...User) (*Database, error) {
	db := &Database{airflow2: cfg.Airflow2}
	var err error
	switch {
	case cfg.SQLite != "":
		db.dialect = map[bool]dialect{true: sqlite2, false: sqlite3}[cfg.Airflow2]
		err = db.sqlite(cfg.SQLite)
	case cfg.MySQL != "":
		db.dialect = mariadb
		err = db.mysql(ctx, cfg.MySQL, cfg.Collation)
	default:
		db.dialect = postgres
		err = db.postgres(ctx, cfg.Postgres)
	}
	if err != nil {
		return nil, fmt.Errorf("fabtest: %w", err)
	}
	tables := tables2
	if !cfg.Airflow2 {
		tables += tables3
	}
	tables = strings.NewReplacer("KEY", db.dialect.key, "USERNAME", db.dialect.username, "TIMESTAMP", db.dialect.time, "BYTES", db.dialect.bytes).Replace(tables)
	for statement := range strings.SplitSeq(tables, ";") {
		if strings.TrimSpace(statement) != "" {
			err = errors.Join(err, db.Exec(ctx, statement))
		}
	}
	if err = errors.Join(err, db.Add(ctx, users...)); err != nil {
		return nil, errors.Join(err, db.Close(ctx))
	}
	return db, nil
}

// The tables, in the order of their dependence; KEY, USERNAME, BYTES and TIMESTAMP differ.
const (
	tables2 = `
CREATE TABLE ab_user (id KEY, first_name VARCHAR(256) NOT NULL, last_name VARCHAR(256) NOT NULL,
	username USERNAME NOT NULL UNIQUE, password VARCHAR(256), active BOOLEAN, email VARCHAR(512) NOT NULL UNIQUE,
	last_login TIMESTAMP, login_count INTEGER, fail_login_count INTEGER, created_on TIMESTAMP, changed_on TIMESTAMP,
	created_by_fk INTEGER REFERENCES ab_user (id), changed_by_fk INTEGER REFERENCES ab_user (id));
CREATE TABLE ab_role (id KEY, name VARCHAR(64) NOT NULL UNIQUE);
CREATE TABLE ab_user_role (id KEY, user_id INTEGER REFERENCES ab_user (id) ON DELETE CASCADE,
	role_id INTEGER REFERENCES ab_role (id) ON DELETE CASCADE, UNIQUE (user_id, role_id));
CREATE TABLE session (id KEY, session_id VARCHAR(255) UNIQUE, data BYTES, expiry TIMESTAMP);`
	tables3 = `
CREATE TABLE ab_group (id KEY, name VARCHAR(100) NOT NULL UNIQUE, label VARCHAR(150), description VARCHAR(512));
CREATE TABLE ab_user_group (id KEY, user_id INTEGER REFERENCES ab_user (id) ON DELETE CASCADE,
	group_id INTEGER REFERENCES ab_group (id) ON DELETE CASCADE, UNIQUE (user_id, group_id));
CREATE TABLE ab_group_role (id KEY, group_id INTEGER REFERENCES ab_group (id) ON DELETE CASCADE,
	role_id INTEGER REFERENCES ab_role (id) ON DELETE CASCADE, UNIQUE (group_id, role_id));`
)

func (db *Database) sqlite(path string) (err error) {
	name := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"}
	db.URL = "sqlite:///" + path
	db.drop = func(context.Context) error { return nil }
	db.sql, err = sql.Open("sqlite", name.String())
	return err
}

func (db *Database) postgres(ctx context.Context, admin string) error {
	u, err := url.Parse(admin)
	if err != nil || u.Host == "" {
		return errors.New("no URL of a PostgreSQL server")
	}
	server, err := sql.Open("pgx", admin)
	if err != nil {
		return err
	}
	name := "fabtest_" + strings.ToLower(rand.Text())
	if _, err := server.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return errors.Join(err, server.Close())
	}
	db.drop = func(ctx context.Context) error {
		_, err := server.ExecContext(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		return errors.Join(err, server.Close())
	}
	u.Path = "/" + name
	db.URL = u.String()
	if db.sql, err = sql.Open("pgx", db.URL); err != nil {
		return errors.Join(err, db.drop(ctx))
	}
	return nil
}

func (db *Database) mysql(ctx context.Context, admin, collation string) error {
	u, err := url.Parse(admin)
	if err != nil || u.Host == "" {
		return errors.New("no URL of a MySQL server")
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User = "tcp", u.Host, u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	server, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		return err
	}
	if collation == "" {
		collation = "utf8mb4_unicode_ci"
	}
	cfg.DBName = "fabtest_" + strings.ToLower(rand.Text())
	if _, err := server.ExecContext(ctx, "CREATE DATABASE "+cfg.DBName+" COLLATE "+collation); err != nil {
		return errors.Join(err, server.Close())
	}
	db.drop = func(ctx context.Context) error {
		_, err := server.ExecContext(ctx, "DROP DATABASE "+cfg.DBName)
		return errors.Join(err, server.Close())
	}
	u.Path = "/" + cfg.DBName
	db.URL = u.String()
	if db.sql, err = sql.Open("mysql", cfg.FormatDSN()); err != nil {
		return errors.Join(err, db.drop(ctx))
	}
	return nil
}

// Add makes users.
func (db *Database) Add(ctx context.Context, users ...User) error {
	for _, u := range users {
		if err := db.add(ctx, u); err != nil {
			return fmt.Errorf("fabtest: user %q: %w", u.Name, err)
		}
	}
	return nil
}

func (db *Database) add(ctx context.Context, u User) error {
	if u.Email == "" {
		u.Email = u.Name + "@example.com"
	}
	active := sql.NullBool{Bool: !u.Inactive, Valid: !u.NullActive}
	columns, marks := "username, email, first_name, last_name, password, active", "$1, $2, '', '', $3, $4"
	args := []any{u.Name, u.Email, sql.NullString{String: u.Hash, Valid: u.Hash != ""}, active}
	if u.ID != 0 {
		columns, marks = columns+", id", marks+", "+strconv.FormatInt(u.ID, 10)
	}
	if err := db.Exec(ctx, "INSERT INTO ab_user ("+columns+") VALUES ("+marks+")", args...); err != nil {
		return err
	}
	for _, role := range u.Roles {
		if err := db.link(ctx, "ab_role", role, "INSERT INTO ab_user_role (user_id, role_id) SELECT u.id, t.id FROM ab_user u, ab_role t WHERE u.email = $1 AND t.name = $2", u.Email); err != nil {
			return err
		}
	}
	for _, group := range u.Groups {
		if err := db.link(ctx, "ab_group", group, "INSERT INTO ab_user_group (user_id, group_id) SELECT u.id, t.id FROM ab_user u, ab_group t WHERE u.email = $1 AND t.name = $2", u.Email); err != nil {
			return err
		}
		if err := db.link(ctx, "ab_role", group+"Role", db.dialect.insert+" INTO ab_group_role (group_id, role_id) SELECT g.id, t.id FROM ab_group g, ab_role t WHERE g.name = $1 AND t.name = $2"+db.dialect.ignore, group); err != nil {
			return err
		}
	}
	return nil
}

// link makes a role or group of that name unless it is there, and ties it to whom.
func (db *Database) link(ctx context.Context, table, name, query, whom string) error {
	return errors.Join(
		db.Exec(ctx, db.dialect.insert+" INTO "+table+" (name) VALUES ($1)"+db.dialect.ignore, name),
		db.Exec(ctx, query, whom, name))
}

// Exec changes the database at will; arguments are $1, $2 and so on, each once
// and in this order.
func (db *Database) Exec(ctx context.Context, query string, args ...any) error {
	if !db.dialect.numbered {
		for i := range args {
			query = strings.Replace(query, "$"+strconv.Itoa(i+1), "?", 1)
		}
	}
	_, err := db.sql.ExecContext(ctx, query, args...)
	return err
}

// Close ends the use of the database; a server's is dropped, even while somebody
// else is connected.
func (db *Database) Close(ctx context.Context) error {
	return errors.Join(db.sql.Close(), db.drop(ctx))
}
