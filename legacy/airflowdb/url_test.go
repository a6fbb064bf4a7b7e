package airflowdb

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPostgresURLs: the URLs that Airflow's documentation and charts have, and
// what its own driver would be told.
func TestPostgresURLs(t *testing.T) {
	for url, want := range map[string]map[string]string{
		"postgresql+psycopg2://u:p%40s%2Fs%25+x@h:5433/db?sslmode=require": {
			"user": "u", "password": "p@s/s%+x", "host": "h", "port": "5433", "dbname": "db", "sslmode": "require"},
		"postgres://u:p@h/db":                           {"user": "u", "password": "p", "host": "h", "dbname": "db"},
		"postgresql+asyncpg://u:p@h/db?ssl=verify-full": {"user": "u", "password": "p", "host": "h", "dbname": "db", "sslmode": "verify-full"},
		"postgresql+psycopg://u:a/b?c#d@h/db":           {"user": "u", "password": "a/b?c#d", "host": "h", "dbname": "db"},
		"postgresql://u:%zz%4@h/db":                     {"user": "u", "password": "%zz%4", "host": "h", "dbname": "db"},
		"postgresql://u:p@[::1]:5432/db":                {"user": "u", "password": "p", "host": "::1", "port": "5432", "dbname": "db"},
		"postgresql://u:p@h/d%41b":                      {"user": "u", "password": "p", "host": "h", "dbname": "d%41b"},
		"postgresql+psycopg2:///db?host=/var/run/pg":    {"host": "/var/run/pg", "dbname": "db"},
		"postgresql://u@/db?host=/sock&port=6432":       {"user": "u", "host": "/sock", "port": "6432", "dbname": "db"},
		"postgresql://u:p@/db?host=a:1&host=b:2":        {"user": "u", "password": "p", "host": "a,b", "port": "1,2", "dbname": "db"},
		"postgresql://u:p@/db?host=a:1":                 {"user": "u", "password": "p", "host": "a", "port": "1", "dbname": "db"},
		"postgresql://u:p@/db?host=a,b&port=1,2":        {"user": "u", "password": "p", "host": "a,b", "port": "1,2", "dbname": "db"},
		"postgresql://u:p@/db?host=a&host=b":            {"user": "u", "password": "p", "host": "a,b", "dbname": "db"},
		"postgresql://h/db?user=u&password=p%26&keepalives=1&application_name=": {
			"user": "u", "password": "p&", "host": "h", "dbname": "db"},
		"postgresql://u:it's\\@h/db": {"user": "u", "password": `it's\`, "host": "h", "dbname": "db"},
	} {
		t.Run(url, func(t *testing.T) {
			loc, err := parse(url)
			if err != nil {
				t.Fatal(err)
			}
			got, err := postgresSettings(loc)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			cfg, err := postgresConfig(loc, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Password != want["password"] || cfg.Database != want["dbname"] {
				t.Errorf("pgx was told password %q, database %q", cfg.Password, cfg.Database)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"sqlite:////a", "postgresql+psycopg2://u:p%40@h:5/db?x=y&x=z", "postgresql://u@[::1]/d", "mysql://", "mysql+pymysql://u:p@[::1]:1/d?ssl_mode=required&unix_socket=/s", "a:b@c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		if db, err := Open(Config{URL: url}); err == nil {
			db.Close()
		}
	})
}

// TestFiles: what is to be read again when it changes.
func TestFiles(t *testing.T) {
	for url, want := range map[string][]string{
		"mysql+mysqldb://u:x@h/db?ssl_ca=/a.pem&ssl_key=/k.pem&ssl_cert=/c.pem": {"/a.pem", "/c.pem", "/k.pem"},
		"postgresql://u:x@h/db?sslrootcert=/a.pem&sslcert=&sslmode=verify-full": {"/a.pem"},
		"postgresql://u:x@h/db?sslrootcert=system":                              nil,
		"sqlite:////a.db": nil,
		"no URL":          nil,
	} {
		if got := Files(url); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", url, got, want)
		}
	}
}
