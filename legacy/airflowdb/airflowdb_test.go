package airflowdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/legacytest"
)

const password = "hunter2-p@ss"

// withRow makes a SQLite file with one row, in the journal mode given.
func withRow(t *testing.T, path, journal string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, q := range []string{"PRAGMA journal_mode=" + journal, "CREATE TABLE t (name TEXT)", "INSERT INTO t VALUES ('alice')"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// name reads the one row of t whose name is like the argument's.
func name(ctx context.Context, db *airflowdb.DB, like string) (got string, err error) {
	err = db.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		return tx.QueryRow(ctx, "SELECT name FROM "+db.Table("t")+" WHERE name = ? AND name <> ?", like, "nobody").Scan(&got)
	})
	return got, err
}

func open(t *testing.T, cfg airflowdb.Config) *airflowdb.DB {
	t.Helper()
	db, err := airflowdb.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestSQLite(t *testing.T) {
	for _, journal := range []string{"DELETE", "WAL"} {
		t.Run(journal, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "odd%41 #näme.db")
			withRow(t, "file:"+strings.NewReplacer("%", "%25", "#", "%23").Replace(path), journal)
			for _, cfg := range []airflowdb.Config{
				{URL: "sqlite:///" + path},
				{URL: "sqlite+pysqlite:///" + path + "?check_same_thread=false"},
				{URL: "sqlite:///odd%41 #näme.db", Dir: dir},
			} {
				db := open(t, cfg)
				if got, err := name(t.Context(), db, "alice"); got != "alice" || err != nil {
					t.Errorf("%s: %q, %v", cfg.URL, got, err)
				}
				if db.Dialect() != airflowdb.SQLite || db.String() != "sqlite:///"+path {
					t.Errorf("%s is called %s, %s", cfg.URL, db.Dialect(), db)
				}
			}
		})
	}
}

// A writer that works on meanwhile is seen, and not kept from writing.
func TestSQLiteBesideAWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	writer := withRow(t, path, "WAL")
	db := open(t, airflowdb.Config{URL: "sqlite:///" + path})
	err := db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
		var before, after int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM t").Scan(&before); err != nil {
			return err
		}
		if _, err := writer.Exec("INSERT INTO t VALUES ('bob')"); err != nil {
			return fmt.Errorf("the writer: %w", err)
		}
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM t").Scan(&after); err != nil {
			return err
		}
		if before != after {
			t.Errorf("one read saw %d rows and then %d", before, after)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := name(t.Context(), db, "bob"); got != "bob" || err != nil {
		t.Errorf("the next read: %q, %v", got, err)
	}
}

// A file that another takes the place of is read no longer, nor is one that is gone.
func TestSQLiteReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "airflow.db")
	old := withRow(t, path, "DELETE")
	db := open(t, airflowdb.Config{URL: "sqlite:///" + path})
	until := func(what, row string, ok func(got string, err error) bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			got, err := name(t.Context(), db, row)
			if ok(got, err) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %q, %v", what, got, err)
			}
		}
	}
	found := func(got string, err error) bool { return got != "" && err == nil }
	until("at first", "alice", found)
	other := withRow(t, path+".new", "DELETE")
	if _, err := other.Exec("UPDATE t SET name = 'bob'"); err != nil {
		t.Fatal(err)
	}
	other.Close()
	old.Close()
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	until("another in its place", "bob", found)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	until("gone", "bob", func(_ string, err error) bool { return err != nil })
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	until("back", "bob", found)
}

func TestWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	withRow(t, path, "DELETE")
	for _, db := range []*airflowdb.DB{open(t, airflowdb.Config{URL: "sqlite:///" + path}), open(t, airflowdb.Config{URL: postgres(t)})} {
		for _, query := range []string{"CREATE TABLE jetbridge_wrote (n INTEGER)", "CREATE TEMP TABLE x (n INTEGER)"} {
			err := db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
				rows, err := tx.Query(ctx, query)
				if err != nil {
					return err
				}
				defer rows.Close()
				rows.Next()
				return rows.Err()
			})
			// A temporary table of PostgreSQL's is gone with its transaction.
			if err == nil && !strings.Contains(query, "TEMP") {
				t.Errorf("%s accepted %q", db.Dialect(), query)
			}
		}
	}
}

// A database that is down is no error of Open.
func TestDownAtStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later.db")
	db := open(t, airflowdb.Config{URL: "sqlite:///" + path})
	if err := db.Ping(t.Context()); err == nil {
		t.Error("a file that is not there answers")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file was made: %v", err)
	}
	withRow(t, path, "DELETE")
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("once it is there: %v", err)
	}
}

func TestRefused(t *testing.T) {
	for _, url := range []string{
		"",
		"alice:" + password,
		"sqlite://",
		"sqlite:///:memory:",
		"sqlite:///file:a.db?mode=ro&uri=true",
		"sqlite://relative/a.db",
		"oracle://u:" + password + "@h/db",
		"postgresql://u:x@" + password + ":" + password + "/db",
		"postgresql://u:a@" + password + "/x@h/db",
		"postgresql://u:a/" + password + "@x@h/db",
		"mysql://u:a@h?" + password + "@h/db",
		"postgresql://u:a@h/db?" + password + "/@=1",
		"mysql://u:a@h/" + password + "@h/db",
		"postgresql://u:x@h/db?sslcrl=" + password,
		"postgresql://u:x@h/db?gssencmode=require",
		"postgresql://u:" + password + "@h/db?sslmode=bogus",
		"postgresql://u:x@/db?host=a:1&host=b:2&port=3",
		"postgresql://u:x@/db?host=a,b,c&port=3,4",
		"postgresql://u:%00@h/db",
		"postgresql://u:hunter2%zz@h:hunter2/db",
		"postgresql://u:x@h/db?connect_timeout=hunter2",
		"mysql://u:hunter2@h",
		"mysql://u:hunter2@h/?charset=utf8mb4",
		"mysql+mysqldb://u:x@" + password + ":" + password + "/db",
		"mysql://u:%00@h/db",
		"mysql://u:x@h/db?port=hunter2",
		"mysql://u:x@h/db?connect_timeout=hunter2",
		"mysql://u:x@h/db?read_default_file=/etc/my.cnf",
		"mysql://u:x@h/db?init_command=hunter2",
		"mysql://u:x@h/db?client_flag=2048",
		"mysql://u:x@h/db?auth_plugin=mysql_clear_password",
		"mysql://u:x@h/db?ssl_cipher=hunter2",
		"mysql://u:x@h/db?ssl_capath=/etc/ssl/certs",
		"mysql://u:x@h/db?ssl_mode=hunter2",
		"mysql://u:x@h/db?ssl_mode=DISABLED&ssl_verify_identity=true",
		"mysql+mysqlconnector://u:x@h/db?ssl_disabled=true&ssl_mode=REQUIRED",
		"mysql+pymysql://u:x@h/db?ssl={'ca':'/ca.pem'}",
		"mysql+pymysql://u:x@h/db?ssl_check_hostname=hunter2",
		"mysql+pymysql://u:x@h/db?ssl_ca=/nowhere/ca.pem",
		"mysql+pymysql://u:x@h/db?ssl_cert=/nowhere/client.pem",
		"mysql+pymysql://u:x@h/db?ssl_cert=/nowhere/client.pem&ssl_key=/nowhere/client.key",
	} {
		t.Run(url, func(t *testing.T) {
			db, err := airflowdb.Open(airflowdb.Config{URL: url})
			if err == nil {
				db.Close()
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells: %v", err)
			}
		})
	}
	if _, err := airflowdb.Open(airflowdb.Config{URL: "sqlite:///a.db", Schema: "x"}); err == nil {
		t.Error("a schema of SQLite's was accepted")
	}
	if _, err := airflowdb.Open(airflowdb.Config{URL: "sqlite:///a.db", Timeout: -1}); err == nil {
		t.Error("a negative timeout was accepted")
	}
}

// No error on the way to a database tells the password.
func TestPasswordStaysSecret(t *testing.T) {
	closed := closedPort(t)
	escaped := strings.ReplaceAll(password, "@", "%40")
	real := strings.Replace(postgres(t), "postgres@", "nobody:"+escaped+"@", 1)
	for _, url := range []string{
		"postgresql+psycopg2://u:" + escaped + "@127.0.0.1:" + closed + "/db",
		"postgresql://u:" + escaped + "@127.0.0.1:" + closed + "/db?sslmode=verify-full",
		"postgresql://u@127.0.0.1:" + closed + "/db?password=" + escaped,
		real,
		"mysql+pymysql://u:" + escaped + "@127.0.0.1:" + closed + "/db",
		"mysql://u@127.0.0.1:" + closed + "/db?ssl_mode=VERIFY_IDENTITY&passwd=" + escaped,
		strings.Replace(mysqlServer(t), "tester:tester@", "tester:"+escaped+"@", 1),
	} {
		db := open(t, airflowdb.Config{URL: url})
		err := db.Ping(t.Context())
		if err == nil {
			t.Fatalf("%s answers", db)
		}
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), db.String()} {
			if strings.Contains(text, "hunter2") {
				t.Errorf("told: %s", text)
			}
		}
	}
}

func TestTimeout(t *testing.T) {
	for url, query := range map[string]struct{ sleep, running string }{
		postgres(t):    {"SELECT pg_sleep(30)::text", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%'"},
		mysqlServer(t): {"SELECT SLEEP(30)", "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(30)%'"},
	} {
		db := open(t, airflowdb.Config{URL: url, Timeout: 300 * time.Millisecond})
		err := db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
			var s string
			return tx.QueryRow(ctx, query.sleep).Scan(&s)
		})
		if err == nil {
			t.Errorf("%s: a statement outlived the timeout", db.Dialect())
		}
		// The server was told too, or the statement would go on there.
		watch := open(t, airflowdb.Config{URL: url})
		n := 1
		for deadline := time.Now().Add(10 * time.Second); n > 0; {
			if err := watch.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
				return tx.QueryRow(ctx, query.running).Scan(&n)
			}); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the statement still runs", db.Dialect())
			}
		}
	}
}

// A caller that goes need not wait for the statement, which would end well.
func TestCancelled(t *testing.T) {
	for url, sleep := range map[string]string{postgres(t): "SELECT pg_sleep(29)::text", mysqlServer(t): "SELECT SLEEP(29)"} {
		db := open(t, airflowdb.Config{URL: url, Timeout: time.Minute})
		if err := db.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := db.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
			var s string
			return tx.QueryRow(ctx, sleep).Scan(&s)
		})
		if err == nil {
			t.Errorf("%s: the statement was waited for", db.Dialect())
		}
	}
}

func TestPostgresSchema(t *testing.T) {
	url := postgres(t)
	writer, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	for _, q := range []string{`DROP SCHEMA IF EXISTS "Odd ""one" CASCADE`, `CREATE SCHEMA "Odd ""one"`, `CREATE TABLE "Odd ""one".t (name TEXT)`, `INSERT INTO "Odd ""one".t VALUES ('alice')`} {
		if _, err := writer.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if db, err := sql.Open("pgx", url); err == nil {
			defer db.Close()
			db.Exec(`DROP SCHEMA "Odd ""one" CASCADE`)
		}
	})
	db := open(t, airflowdb.Config{URL: strings.Replace(url, "postgresql://", "postgresql+psycopg2://", 1), Schema: `Odd "one`})
	if got, err := name(t.Context(), db, "alice"); got != "alice" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// postgres is the URL of the server that the tests were started with.
func postgres(t *testing.T) string {
	t.Helper()
	return legacytest.Server(t, "JETBRIDGE_TEST_POSTGRES")
}

// mysqlServer is the URL of the server that the tests were started with.
func mysqlServer(t *testing.T) string {
	t.Helper()
	return legacytest.Server(t, "JETBRIDGE_TEST_MYSQL")
}

// closedPort is a port that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
