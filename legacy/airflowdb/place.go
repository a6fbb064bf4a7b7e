package airflowdb

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// SamePlace says whether two configurations lead to the same tables, as far as their
// URLs tell: user, driver and options left out, default ports filled in, every way to
// this machine taken for one, and links followed. A pooler or another name in DNS can
// lead to one place under two names all the same. What [Open] refuses is nowhere.
func SamePlace(a, b Config) bool {
	one, ok := placeOf(a)
	other, also := placeOf(b)
	if !ok || !also || one.dialect != other.dialect || one.database != other.database {
		return false
	}
	// No schema is the connection's own, which may be the other's.
	if one.schema != other.schema && one.schema != "" && other.schema != "" {
		return false
	}
	for server := range one.servers {
		if other.servers[server] {
			return true
		}
	}
	return false
}

// A place is where an URL leads.
type place struct {
	dialect          Dialect
	servers          map[string]bool // any of them
	database, schema string
}

func placeOf(cfg Config) (place, bool) {
	loc, err := parse(cfg.URL)
	if err != nil {
		return place{}, false
	}
	p := place{dialect: loc.dialect, servers: map[string]bool{}}
	switch loc.dialect {
	case SQLite:
		_, path, err := sqliteName(loc, cfg.Dir, false)
		if err != nil {
			return place{}, false
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		p.database, p.servers[""] = path, true
	case PostgreSQL:
		c, err := postgresConfig(loc, defaultTimeout)
		if err != nil {
			return place{}, false
		}
		p.database, p.schema = c.Database, cfg.Schema
		p.servers[server(c.Host, strconv.Itoa(int(c.Port)))] = true
		for _, f := range c.Fallbacks {
			p.servers[server(f.Host, strconv.Itoa(int(f.Port)))] = true
		}
	case MySQL:
		set, err := mysqlSettings(loc)
		if err != nil {
			return place{}, false
		}
		p.database = set.database
		if cfg.Schema != "" {
			p.database = cfg.Schema
		}
		if set.socket != "" {
			set.host, set.port = "", "3306"
		}
		p.servers[server(set.host, set.port)] = true
	}
	return p, true
}

// server names one: by its name, or as this machine's.
func server(host, port string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip := net.ParseIP(host)
	switch {
	case host == "", host == "localhost", strings.HasPrefix(host, "/"), strings.HasPrefix(host, "@"), ip.IsLoopback():
		host = "localhost"
	case ip != nil:
		host = ip.String()
	}
	return net.JoinHostPort(host, port)
}
