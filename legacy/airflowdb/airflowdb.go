// Package airflowdb opens the databases of Airflow, by the URLs that Airflow
// has for them ([database] sql_alchemy_conn), for reading, and for nothing else
// unless [Config.Writable] says so.
//
// [Open] refuses an URL that it cannot honour, but it does not connect: a
// database that is down when the bridge starts is asked again by the next
// reader. [DB.Read] runs a function inside one short read-only transaction,
// which sees one state of the database; it and [DB.Write] are the only ways to
// its tables.
// No error and no String of this package holds a password.
package airflowdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Dialect is the kind of a database.
type Dialect int

// The dialects that this build reads.
const (
	SQLite Dialect = iota
	PostgreSQL
	MySQL // and MariaDB
)

func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case PostgreSQL:
		return "postgresql"
	case MySQL:
		return "mysql"
	}
	return "dialect " + strconv.Itoa(int(d))
}

// What a zero field of Config means.
const (
	defaultTimeout     = 4 * time.Second
	defaultConnections = 4
	idleTime           = time.Minute
)

// A connection is opened anew after this time: the name may lead to another
// server by now. A file may have been moved away, or another been put in its
// place, and whoever has it open would read the old one for ever.
const (
	serverLifetime = 10 * time.Minute
	fileLifetime   = time.Second
)

// Config says which database. It is copied.
type Config struct {
	// URL is a SQLAlchemy URL as Airflow writes it: postgresql+psycopg2://…,
	// mysql+mysqldb://…, sqlite:////absolute/path, … It has no default.
	URL string
	// Schema is Airflow's [database] sql_alchemy_schema: the PostgreSQL schema
	// that holds its tables, or MySQL's database. Empty: the connection's search
	// path, or the database of the URL.
	Schema string
	// Dir is the folder that a relative SQLite path starts from. Empty: the
	// working directory.
	Dir string
	// Timeout bounds each [DB.Read], connecting included. Zero: 4 s.
	Timeout time.Duration
	// Connections bounds those open at a time. Zero: 4.
	Connections int
	// Writable lets [DB.Write] write. One thing of ours does: the login page, into
	// Airflow 2's table of sessions.
	Writable bool
}

// A DB is one of Airflow's databases. It is safe for concurrent use.
type DB struct {
	sql     *sql.DB
	dialect Dialect
	schema  string
	name    string
	timeout time.Duration
	// writable is [Config.Writable].
	writable bool
}

// Open prepares the database for reading. An error is about the configuration.
// The caller closes the DB.
func Open(cfg Config) (*DB, error) {
	db, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("airflowdb: %w", err)
	}
	return db, nil
}

func open(cfg Config) (*DB, error) {
	if cfg.Timeout < 0 || cfg.Connections < 0 {
		return nil, errors.New("a negative time or number")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Connections == 0 {
		cfg.Connections = defaultConnections
	}
	loc, err := parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	if strings.ContainsRune(cfg.Schema, 0) {
		return nil, errors.New("a NUL in the schema's name")
	}
	db := &DB{dialect: loc.dialect, schema: cfg.Schema, timeout: cfg.Timeout, writable: cfg.Writable}
	switch loc.dialect {
	case SQLite:
		err = db.openSQLite(loc, cfg)
	case PostgreSQL:
		err = db.openPostgres(loc)
	case MySQL:
		err = db.openMySQL(loc)
	}
	if err != nil {
		return nil, err
	}
	db.sql.SetMaxOpenConns(cfg.Connections)
	db.sql.SetMaxIdleConns(cfg.Connections)
	db.sql.SetConnMaxIdleTime(idleTime)
	db.sql.SetConnMaxLifetime(serverLifetime)
	if loc.dialect == SQLite {
		db.sql.SetConnMaxLifetime(fileLifetime)
	}
	return db, nil
}

func (db *DB) openSQLite(loc location, cfg Config) error {
	if cfg.Schema != "" {
		return errors.New("SQLite has no schema")
	}
	name, path, err := sqliteName(loc, cfg.Dir, cfg.Writable)
	if err != nil {
		return err
	}
	db.name = "sqlite:///" + path
	db.sql, err = sql.Open("sqlite", name)
	return err
}

func (db *DB) openPostgres(loc location) error {
	cfg, err := postgresConfig(loc, db.timeout)
	if err != nil {
		return err
	}
	db.name = fmt.Sprintf("postgresql://%s@%s:%d/%s", cfg.User, cfg.Host, cfg.Port, cfg.Database)
	db.sql = stdlib.OpenDB(*cfg)
	return nil
}

func (db *DB) openMySQL(loc location) error {
	cfg, err := mysqlConfig(loc, db.timeout, db.writable)
	if err != nil {
		return err
	}
	if cfg.DBName == "" && db.schema == "" {
		return errors.New("the URL names no database")
	}
	where, socket := cfg.Addr, ""
	if cfg.Net == "unix" {
		where, socket = "", "?unix_socket="+cfg.Addr
	}
	db.name = fmt.Sprintf("mysql://%s@%s/%s%s", cfg.User, where, cfg.DBName, socket)
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return errors.New("the parameters of the URL are not what MySQL's driver takes")
	}
	db.sql = sql.OpenDB(connector)
	return nil
}

// Dialect says how to write a query.
func (db *DB) Dialect() Dialect { return db.dialect }

// String names the database without its password.
func (db *DB) String() string { return db.name }

// Schema is the one that the DB was opened with, which may be empty.
func (db *DB) Schema() string { return db.schema }

// Table gives the name of one of Airflow's tables, quoted, with its schema.
func (db *DB) Table(name string) string {
	mark := `"`
	if db.dialect == MySQL {
		mark = "`"
	}
	quote := func(name string) string { return mark + strings.ReplaceAll(name, mark, mark+mark) + mark }
	if db.schema == "" {
		return quote(name)
	}
	return quote(db.schema) + "." + quote(name)
}

// A Tx is a transaction, read-only in [DB.Read]. It belongs to the function that
// it was given to. Queries have a question mark for each argument, and no other.
type Tx struct {
	sql     *sql.Tx
	dialect Dialect
}

// Query runs a query that gives rows.
func (tx Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return tx.sql.QueryContext(ctx, tx.bind(query), args...)
}

// QueryRow runs a query that gives one row.
func (tx Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return tx.sql.QueryRowContext(ctx, tx.bind(query), args...)
}

// Exec runs a statement that gives no rows.
func (tx Tx) Exec(ctx context.Context, query string, args ...any) error {
	_, err := tx.sql.ExecContext(ctx, tx.bind(query), args...)
	return err
}

// bind numbers the arguments for PostgreSQL.
func (tx Tx) bind(query string) string {
	if tx.dialect != PostgreSQL {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// Read runs f in a read-only transaction that sees one state of the database,
// and gives f's error. ctx and the configured timeout bound it.
func (db *DB) Read(ctx context.Context, f func(context.Context, Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, db.timeout)
	defer cancel()
	opts := &sql.TxOptions{ReadOnly: true}
	if db.dialect != SQLite {
		opts.Isolation = sql.LevelRepeatableRead
	}
	tx, err := db.sql.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("%s: %w", db.name, err)
	}
	// There is nothing to commit; a rollback ends the transaction on every way out.
	defer tx.Rollback()
	return f(ctx, Tx{tx, db.dialect})
}

// Write runs f in a transaction that may write, and keeps what it did if f gives
// no error. ctx and the configured timeout bound it.
func (db *DB) Write(ctx context.Context, f func(context.Context, Tx) error) error {
	if !db.writable {
		return errors.New("airflowdb: opened for reading alone")
	}
	ctx, cancel := context.WithTimeout(ctx, db.timeout)
	defer cancel()
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // of nothing, once it is committed
	if err := f(ctx, Tx{tx, db.dialect}); err != nil {
		return err
	}
	return tx.Commit()
}

// Ping says whether the database can be reached now.
func (db *DB) Ping(ctx context.Context) error {
	return db.Read(ctx, func(ctx context.Context, tx Tx) error {
		var one int
		return tx.QueryRow(ctx, "SELECT 1").Scan(&one)
	})
}

// Close closes the connections, after the reads that run.
func (db *DB) Close() error { return db.sql.Close() }
