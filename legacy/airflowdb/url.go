package airflowdb

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// sqlalchemyURL takes an URL apart as SQLAlchemy does (_parse_url in
// sqlalchemy/engine/url.py): the password ends at the first "@", and neither
// host nor database are percent-decoded.
var sqlalchemyURL = regexp.MustCompile(
	`^([\w+]+)://(?:([^:/]*)(?::([^@]*))?@)?(?:\[([^/?]+)\]|([^/:?]+))?(?::([^/?]*))?(?:/([^?]*))?(?:\?(.*))?$`)

var parameterName = regexp.MustCompile(`^\w{1,64}$`)

// A location is a parsed SQLAlchemy URL.
type location struct {
	dialect        Dialect
	driver         string // Python's: what stands behind the plus sign
	user, password string
	host, port     string
	database       string
	query          url.Values
}

// parse takes a SQLAlchemy URL apart. No error of it quotes the URL, since any
// part of a malformed one may be the password.
func parse(text string) (location, error) {
	m := sqlalchemyURL.FindStringSubmatch(text)
	if m == nil {
		return location{}, errors.New("not an URL of the form dialect+driver://user:password@host:port/database")
	}
	loc := location{host: m[4] + m[5], port: m[6], database: m[7]}
	var err error
	if loc.dialect, loc.driver, err = dialectOf(m[1]); err != nil {
		return location{}, err
	}
	if loc.user, err = unquote(m[2]); err != nil {
		return location{}, fmt.Errorf("user name: %w", err)
	}
	if loc.password, err = unquote(m[3]); err != nil {
		return location{}, fmt.Errorf("password: %w", err)
	}
	if loc.query, err = url.ParseQuery(m[8]); err != nil {
		return location{}, errors.New("the part behind the question mark is not a query")
	}
	for key := range loc.query {
		// Else a later error that names it might quote a password.
		if !parameterName.MatchString(key) {
			return location{}, errors.New("behind the question mark stands what is no name of a parameter (is there a ? in the password that is not percent-encoded?)")
		}
	}
	if loc.dialect != SQLite && strings.ContainsAny(loc.host+loc.database, "@/") {
		return location{}, errors.New("an @ or / in the host or the database (in the password it must be percent-encoded: %40, %2F)")
	}
	if loc.port != "" {
		if _, err := strconv.ParseUint(loc.port, 10, 16); err != nil {
			return location{}, errors.New("the port is not a number (is there an @, / or : in the password that is not percent-encoded?)")
		}
	}
	return loc, nil
}

// Files are those that a SQLAlchemy URL names for TLS, the absolute names. They are read when the
// database is opened, so that one is to be opened anew when they change.
func Files(text string) []string {
	loc, err := parse(text)
	if err != nil {
		return nil
	}
	var names []string
	for _, key := range []string{"ssl_ca", "ssl_cert", "ssl_key", "sslrootcert", "sslcert", "sslkey"} {
		if values := loc.query[key]; len(values) > 0 && filepath.IsAbs(values[len(values)-1]) {
			names = append(names, values[len(values)-1])
		}
	}
	return names
}

// dialectOf knows the names that Airflow and SQLAlchemy use. The driver behind
// the plus sign says how Python connects.
func dialectOf(name string) (dialect Dialect, driver string, err error) {
	name, driver, _ = strings.Cut(name, "+")
	switch name {
	case "sqlite":
		return SQLite, driver, nil
	case "postgresql", "postgres":
		return PostgreSQL, driver, nil
	case "mysql", "mariadb":
		return MySQL, driver, nil
	}
	return 0, "", fmt.Errorf("unknown dialect %q: jetbridge reads sqlite, postgresql and mysql (or mariadb)", name)
}

// unquote decodes percent signs as Python's urllib.parse.unquote does: a plus
// sign stays, and so does what is no escape.
func unquote(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	if strings.ContainsRune(b.String(), 0) {
		return "", errors.New("a NUL")
	}
	return b.String(), nil
}

// sqliteName gives the name under which SQLite opens loc's file, for reading
// unless it shall be writable, and its path. The name never says immutable:
// Airflow writes to the file meanwhile.
func sqliteName(loc location, dir string, writable bool) (dsn, path string, err error) {
	switch {
	case loc.user != "" || loc.password != "" || loc.host != "" || loc.port != "":
		return "", "", errors.New("a SQLite URL has three slashes before a relative path and four before an absolute one")
	case loc.database == "" || loc.database == ":memory:":
		return "", "", errors.New("a SQLite database in memory cannot be read from here")
	case strings.HasPrefix(loc.database, "file:") || loc.query.Get("uri") != "":
		return "", "", errors.New("a SQLite URL with file: and uri=true is not supported: give the path")
	}
	path = loc.database
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", "", err
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_pragma=busy_timeout(2000)&_pragma=query_only(1)"}
	if writable {
		name.RawQuery = "mode=rw&_pragma=busy_timeout(2000)"
	}
	return name.String(), path, nil
}
