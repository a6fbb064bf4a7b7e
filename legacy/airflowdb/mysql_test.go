package airflowdb_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/legacytest"
)

// mysqlURL is the server's URL with another database, and more parameters.
func mysqlURL(t *testing.T, change func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(mysqlServer(t))
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

// files is the folder of the server's socket and certificates.
func files(t *testing.T) string {
	t.Helper()
	return legacytest.Server(t, "JETBRIDGE_TEST_MYSQL_FILES")
}

// writer is a connection that may do everything.
func writer(t *testing.T) *sql.DB {
	t.Helper()
	u, err := url.Parse(mysqlServer(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User = "tcp", u.Host, u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, queries ...string) {
	t.Helper()
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// withDatabase makes a database with one row in its table t.
func withDatabase(t *testing.T, name string) *sql.DB {
	t.Helper()
	db := writer(t)
	quoted := "`" + strings.ReplaceAll(name, "`", "``") + "`"
	exec(t, db, "DROP DATABASE IF EXISTS "+quoted, "CREATE DATABASE "+quoted+" CHARACTER SET utf8mb4",
		"CREATE TABLE "+quoted+".t (name VARCHAR(20), flag BOOLEAN, data BLOB, at DATETIME(6), raw VARBINARY(20))",
		"INSERT INTO "+quoted+".t VALUES ('alice', TRUE, X'00FF27', '2026-01-02 03:04:05.678901', 'x')")
	t.Cleanup(func() {
		if _, err := db.Exec("DROP DATABASE " + quoted); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Names are quoted MySQL's way, and a schema is a database.
func TestMySQLSchema(t *testing.T) {
	const odd = "Odd `one\" %41"
	withDatabase(t, odd)
	for _, cfg := range []airflowdb.Config{
		{URL: mysqlServer(t), Schema: odd},
		{URL: mysqlURL(t, func(u *url.URL) { u.Path = "" }), Schema: odd},
		{URL: strings.TrimSuffix(mysqlServer(t), "mysql") + odd},
	} {
		db := open(t, cfg)
		if got, err := name(t.Context(), db, "alice"); got != "alice" || err != nil || db.Dialect() != airflowdb.MySQL {
			t.Errorf("%s: %q, %v", db, got, err)
		}
	}
}

func TestMySQLTypes(t *testing.T) {
	withDatabase(t, "jetbridge_types")
	db := open(t, airflowdb.Config{URL: mysqlServer(t), Schema: "jetbridge_types"})
	var flag sql.NullBool
	var data []byte
	var at time.Time
	var raw string
	err := db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
		return tx.QueryRow(ctx, "SELECT flag, data, at, raw FROM "+db.Table("t")+" WHERE at > ?", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)).Scan(&flag, &data, &at, &raw)
	})
	if want := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC); err != nil || !flag.Bool || string(data) != "\x00\xff'" || !at.Equal(want) || raw != "x" {
		t.Errorf("%v, %q, %v, %q, %v", flag, data, at, raw, err)
	}
}

// One read sees one state, while somebody writes and is not kept from it.
func TestMySQLBesideAWriter(t *testing.T) {
	write := withDatabase(t, "jetbridge_writer")
	db := open(t, airflowdb.Config{URL: mysqlServer(t), Schema: "jetbridge_writer"})
	count := func(ctx context.Context, tx airflowdb.Tx) (n int) {
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+db.Table("t")).Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	read := func(f func(context.Context, airflowdb.Tx)) {
		t.Helper()
		if err := db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error { f(ctx, tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	read(func(ctx context.Context, tx airflowdb.Tx) {
		before := count(ctx, tx)
		exec(t, write, "INSERT INTO jetbridge_writer.t (name) VALUES ('bob')")
		if after := count(ctx, tx); before != 1 || after != before {
			t.Errorf("one read saw %d rows and then %d", before, after)
		}
	})
	read(func(ctx context.Context, tx airflowdb.Tx) {
		if n := count(ctx, tx); n != 2 {
			t.Errorf("the next read saw %d rows", n)
		}
	})
}

func TestMySQLWritesNothing(t *testing.T) {
	withDatabase(t, "jetbridge_readonly")
	db := open(t, airflowdb.Config{URL: mysqlServer(t), Schema: "jetbridge_readonly"})
	table := db.Table("t")
	for _, query := range []string{
		"INSERT INTO " + table + " (name) VALUES ('eve')", "UPDATE " + table + " SET name = 'eve'", "DELETE FROM " + table, "TRUNCATE " + table,
		"DROP TABLE " + table, "ALTER TABLE " + table + " ADD x INT", "CREATE TABLE " + db.Table("x") + " (n INT)", "SELECT 1; DROP TABLE " + table,
	} {
		err := db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
			rows, err := tx.Query(ctx, query)
			if err != nil {
				return err
			}
			return rows.Close()
		})
		if err == nil {
			t.Errorf("accepted: %s", query)
		}
	}
	if got, err := name(t.Context(), db, "alice"); got != "alice" || err != nil {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

// TestMySQLConnections: each form of connection that an URL can ask for, and what
// the server then says of it.
func TestMySQLConnections(t *testing.T) {
	dir := files(t)
	write := writer(t)
	exec(t, write, "DROP USER IF EXISTS 'jb_x509'@'localhost', 'jb_ssl'@'localhost', 'jb'@'localhost'",
		"CREATE USER 'jb_x509'@'localhost' IDENTIFIED BY 'p@s/s:%' REQUIRE X509",
		"CREATE USER 'jb_ssl'@'localhost' IDENTIFIED BY 'p@s/s:%' REQUIRE SSL",
		"CREATE USER 'jb'@'localhost' IDENTIFIED BY 'p@s/s:%'")
	t.Cleanup(func() { exec(t, writer(t), "DROP USER 'jb_x509'@'localhost', 'jb_ssl'@'localhost', 'jb'@'localhost'") })
	u, err := url.Parse(mysqlServer(t))
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "client.pem") // a certificate that signed nothing
	ca, pair := "ssl_ca="+dir+"/ca.pem", "&ssl_cert="+dir+"/client.pem&ssl_key="+dir+"/client.key"
	socket := "unix_socket=" + dir + "/server.sock"
	const password = ":p%40s%2Fs%3A%25@"
	for _, test := range []struct {
		start, host, query string
		encrypted, fails   bool
	}{
		{"mysql://jb", "127.0.0.1", "", true, false}, // since the server can
		{"mysql://jb", "127.0.0.1", "ssl_mode=DISABLED", false, false},
		{"mysql+mysqlconnector://jb", "127.0.0.1", "ssl_disabled=True", false, false},
		{"mysql+mysqldb://jb", "127.0.0.1", "ssl_mode=REQUIRED", true, false},
		{"mysql+mysqldb://jb_ssl", "127.0.0.1", "charset=utf8mb4", true, false},
		{"mysql+mysqldb://jb_ssl", "127.0.0.1", "ssl_mode=DISABLED", false, true},
		{"mysql+mysqldb://jb", "127.0.0.1", ca, true, false},
		{"mysql+mysqldb://jb", "127.0.0.1", ca + "&ssl_mode=VERIFY_IDENTITY", false, true}, // it is localhost's
		{"mysql+mysqldb://jb", "localhost", ca + "&ssl_mode=VERIFY_IDENTITY", true, false},
		{"mysql+pymysql://jb", "127.0.0.1", ca, false, true},
		{"mysql+pymysql://jb", "localhost", ca, true, false},
		{"mysql+pymysql://jb", "127.0.0.1", ca + "&ssl_check_hostname=false", true, false},
		{"mysql+mysqldb://jb", "localhost", "ssl_ca=" + other, false, true},
		{"mysql+mysqldb://jb", "localhost", "ssl_mode=VERIFY_CA", false, true}, // no authority of the system's
		{"mysql+mysqldb://jb", "localhost", "ssl_mode=VERIFY_IDENTITY", false, true},
		{"mysql+mysqldb://jb_x509", "127.0.0.1", ca + pair, true, false},
		{"mysql+mysqldb://jb_x509", "127.0.0.1", ca, false, true},
		{"mysql+mysqldb://jb", "", socket, false, false},
		{"mysql+pymysql://jb", "localhost", socket, false, false},
		{"mysql+pymysql://jb", "localhost", socket + "&" + ca, true, false},
		{"mysql+mysqldb://jb", "", socket + "&ssl_mode=REQUIRED", true, false},
		{"mysql+mysqldb://jb", "", socket + "x", false, true},
	} {
		at := test.start + "@" + test.host + "?" + test.query
		host := test.host
		if host != "" {
			host += ":" + u.Port()
		}
		db := open(t, airflowdb.Config{URL: fmt.Sprintf("%s%s%s/information_schema?%s", test.start, password, host, test.query)})
		var variable, cipher string
		err := db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
			return tx.QueryRow(ctx, "SHOW SESSION STATUS LIKE 'Ssl_cipher'").Scan(&variable, &cipher)
		})
		if (err != nil) != test.fails || (cipher != "") != test.encrypted {
			t.Errorf("%s: cipher %q, %v", at, cipher, err)
		}
		if err != nil && strings.Contains(err.Error(), "p@s/s") {
			t.Errorf("%s: the error tells the password: %v", at, err)
		}
	}
}

// A server that has no TLS, or somebody between who says so, is told nothing when
// TLS was asked for.
func TestMySQLDowngrade(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	told := make(chan int)
	go func() {
		defer close(told)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// The first packet of protocol 10, whose capabilities lack CLIENT_SSL.
			greeting := "\n5.7.0\x00\x01\x00\x00\x00saltsalt\x00\x0f\xa2\x21\x02\x00\x08\x00\x15" + strings.Repeat("\x00", 10) + "saltsaltsalt\x00mysql_native_password\x00"
			fmt.Fprintf(conn, "%c\x00\x00\x00%s", len(greeting), greeting)
			conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			n, _ := conn.Read(make([]byte, 4096))
			conn.Close()
			told <- n
		}
	}()
	for query, tells := range map[string]bool{"": true, "ssl_mode=PREFERRED": true, "ssl_mode=REQUIRED": false, "ssl=true": false, "ssl_verify_cert=true": false, "ssl_verify_identity=true": false} {
		db := open(t, airflowdb.Config{URL: "mysql://u:p@" + l.Addr().String() + "/db?" + query})
		failed := make(chan error, 1)
		go func() { failed <- db.Ping(t.Context()) }()
		n := <-told
		if err := <-failed; err == nil {
			t.Fatalf("%q: it answers", query)
		}
		if (n > 0) != tells {
			t.Errorf("%q: the server was sent %d bytes", query, n)
		}
	}
}

// TestMySQLSession: what holds in each session, however the server is set up.
func TestMySQLSession(t *testing.T) {
	db := open(t, airflowdb.Config{URL: mysqlServer(t), Timeout: 2500 * time.Millisecond})
	var zone, client, isolation string
	var limit float64
	var readOnly bool
	err := db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
		return tx.QueryRow(ctx, "SELECT @@time_zone, @@character_set_client, @@tx_isolation, @@max_statement_time, @@tx_read_only").Scan(&zone, &client, &isolation, &limit, &readOnly)
	})
	if err != nil || zone != "+00:00" || client != "utf8mb4" || isolation != "REPEATABLE-READ" || limit != 2.5 || !readOnly {
		t.Errorf("%s, %s, %s, %v, %t, %v", zone, client, isolation, limit, readOnly, err)
	}
}
