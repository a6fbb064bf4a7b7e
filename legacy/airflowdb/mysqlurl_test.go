package airflowdb

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMySQLURLs: the URLs that Airflow's documentation has, and those of the three
// Python drivers.
func TestMySQLURLs(t *testing.T) {
	base := func(change func(*mysqlURL)) mysqlURL {
		u := mysqlURL{user: "u", password: "p", host: "h", port: "3306", database: "db"}
		change(&u)
		return u
	}
	level := func(l tlsLevel) func(*mysqlURL) { return func(u *mysqlURL) { u.tls.level = l } }
	same := func(*mysqlURL) {}
	for url, want := range map[string]mysqlURL{
		"mysql://u:p@h/db": base(same),
		"mysql+mysqldb://u:p@h:3307/db?charset=utf8mb4":                base(func(u *mysqlURL) { u.port = "3307" }),
		"mysql+mysqlconnector://u:p@h/db?use_pure=true":                base(same),
		"mysql+pymysql://u:p@h/db?charset=utf8mb4&local_infile=1":      base(same),
		"mariadb+mariadbconnector://u:p@h/db":                          base(same),
		"mariadb+mysqldb://u:p@h/db?auth_plugin=mysql_native_password": base(same),
		"mysql://u:p%40s%2Fs%25+x@h/db":                                base(func(u *mysqlURL) { u.password = "p@s/s%+x" }),
		"mysql://u:a/b?c#d@h/db":                                       base(func(u *mysqlURL) { u.password = "a/b?c#d" }),
		"mysql://u:p@[::1]:3307/db":                                    base(func(u *mysqlURL) { u.host, u.port = "::1", "3307" }),
		"mysql://u:p@/db":                                              base(func(u *mysqlURL) { u.host = "localhost" }),
		"mysql://u:p@h/d%41b":                                          base(func(u *mysqlURL) { u.database = "d%41b" }),
		"mysql://x:y@z:1/a?user=u&passwd=p&host=h&port=3306&db=db":     base(same),
		"mysql://h/?username=u&password=p&database=db":                 base(same),
		"mysql://u:p@h/db?connect_timeout=2":                           base(func(u *mysqlURL) { u.connect = 2 * time.Second }),
		"mysql+mysqlconnector://u:p@h/db?connection_timeout=2":         base(func(u *mysqlURL) { u.connect = 2 * time.Second }),
		"mysql://u:p@localhost/db?unix_socket=/run/mysqld/mysqld.sock": base(func(u *mysqlURL) {
			u.host, u.socket = "localhost", "/run/mysqld/mysqld.sock"
		}),
		"mysql+mysqldb://u:p@h/db?ssl_mode=DISABLED":                  base(level(tlsDisabled)),
		"mysql+mysqlconnector://u:p@h/db?ssl_disabled=True":           base(level(tlsDisabled)),
		"mysql+mysqlconnector://u:p@h/db?ssl_disabled=false":          base(same),
		"mysql+mysqldb://u:p@h/db?ssl_mode=preferred":                 base(same),
		"mysql+mysqldb://u:p@h/db?ssl_mode=REQUIRED":                  base(level(tlsRequired)),
		"mysql+pymysql://u:p@h/db?ssl=true":                           base(level(tlsRequired)),
		"mysql+pymysql://u:p@h/db?ssl=true&ssl_mode=PREFERRED":        base(level(tlsRequired)),
		"mysql+mysqldb://u:p@h/db?ssl_mode=VERIFY_CA":                 base(level(tlsChain)),
		"mysql+mysqldb://u:p@h/db?ssl_mode=VERIFY_IDENTITY":           base(level(tlsIdentity)),
		"mysql+mysqlconnector://u:p@h/db?ssl_verify_cert=true":        base(level(tlsChain)),
		"mysql+mysqlconnector://u:p@h/db?ssl_verify_identity=true":    base(level(tlsIdentity)),
		"mysql+mysqldb://u:p@h/db?ssl_ca=/ca.pem":                     base(func(u *mysqlURL) { u.tls = mysqlTLS{level: tlsChain, ca: "/ca.pem"} }),
		"mysql+mysqldb://u:p@h/db?ssl_ca=/ca.pem&ssl_mode=REQUIRED":   base(func(u *mysqlURL) { u.tls = mysqlTLS{level: tlsChain, ca: "/ca.pem"} }),
		"mysql+mysqldb://u:p@h/db?ssl_ca=/c&ssl_check_hostname=true":  base(func(u *mysqlURL) { u.tls = mysqlTLS{level: tlsIdentity, ca: "/c"} }),
		"mysql+pymysql://u:p@h/db?ssl_ca=/ca.pem":                     base(func(u *mysqlURL) { u.tls = mysqlTLS{level: tlsIdentity, ca: "/ca.pem"} }),
		"mysql+pymysql://u:p@h/db?ssl_ca=/c&ssl_check_hostname=false": base(func(u *mysqlURL) { u.tls = mysqlTLS{level: tlsChain, ca: "/c"} }),
		"mysql+pymysql://u:p@h/db?ssl_cert=/c&ssl_key=/k": base(func(u *mysqlURL) {
			u.tls = mysqlTLS{level: tlsRequired, cert: "/c", key: "/k"}
		}),
	} {
		t.Run(url, func(t *testing.T) {
			loc, err := parse(url)
			if err != nil {
				t.Fatal(err)
			}
			got, err := mysqlSettings(loc)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(mysqlURL{}, mysqlTLS{})); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMySQLAddress: what the driver is told.
func TestMySQLAddress(t *testing.T) {
	for url, want := range map[string]struct {
		net, addr, name string
		encrypts, falls bool
	}{
		"mysql://u:x@[::1]/db":                                           {"tcp", "[::1]:3306", "mysql://u@[::1]:3306/db", true, true},
		"mysql://u:x@h/db":                                               {"tcp", "h:3306", "mysql://u@h:3306/db", true, true},
		"mysql://u:x@h/db?ssl_mode=REQUIRED":                             {"tcp", "h:3306", "mysql://u@h:3306/db", true, false},
		"mysql://u:x@h/db?ssl_mode=DISABLED":                             {"tcp", "h:3306", "mysql://u@h:3306/db", false, false},
		"mysql://u:x@/db?unix_socket=/s.sock":                            {"unix", "/s.sock", "mysql://u@/db?unix_socket=/s.sock", false, true},
		"mysql://u:x@/db?unix_socket=/s.sock&ssl_mode=VERIFY_CA":         {"unix", "/s.sock", "mysql://u@/db?unix_socket=/s.sock", true, false},
		"mysql+pymysql://u:x@h/db?unix_socket=/s.sock&ssl_mode=DISABLED": {"unix", "/s.sock", "mysql://u@/db?unix_socket=/s.sock", false, false},
	} {
		loc, err := parse(url)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := mysqlConfig(loc, time.Second, false)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Net != want.net || cfg.Addr != want.addr || (cfg.TLS != nil) != want.encrypts || cfg.AllowFallbackToPlaintext != want.falls {
			t.Errorf("%s: %s %s, TLS %t, fallback %t", url, cfg.Net, cfg.Addr, cfg.TLS != nil, cfg.AllowFallbackToPlaintext)
		}
		db, err := Open(Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if db.String() != want.name {
			t.Errorf("%s is called %s, want %s", url, db, want.name)
		}
	}
}
