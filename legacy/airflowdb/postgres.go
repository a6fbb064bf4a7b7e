package airflowdb

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// cancelPatience is how long a cancelled statement may take to end before its
// connection is cut.
const cancelPatience = time.Second

// postgresConfig makes pgx's configuration of loc. What the URL leaves out is
// filled as libpq fills it for Airflow: from PGPASSWORD and its like, ~/.pgpass
// and the service file.
func postgresConfig(loc location, connect time.Duration) (*pgx.ConnConfig, error) {
	settings, err := postgresSettings(loc)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for key, value := range settings {
		fmt.Fprintf(&b, "%s='%s' ", key, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
	}
	cfg, err := pgx.ParseConfig(b.String())
	if err != nil {
		// pgx's own words quote the settings; a certificate that cannot be read
		// is what an operator must be told.
		var file *fs.PathError
		if errors.As(err, &file) {
			return nil, fmt.Errorf("a file that the URL names: %w", file)
		}
		return nil, errors.New("the parameters of the URL are not what PostgreSQL's driver takes")
	}
	if cfg.ConnectTimeout == 0 || cfg.ConnectTimeout > connect {
		cfg.ConnectTimeout = connect
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "jetbridge"
	}
	// Airflow's own chart puts PgBouncer in between, pooling transactions: a
	// prepared statement or a setting that outlives its transaction would end
	// up with another client, and a start-up parameter that PgBouncer does not
	// know is refused. Hence unnamed statements, and transactions that are
	// read-only each for itself.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.StatementCacheCapacity, cfg.DescriptionCacheCapacity = 0, 0
	// A statement whose context ends is cancelled on the server too.
	cfg.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelPatience}
	}
	return cfg, nil
}

// postgresSettings gives loc in libpq's words (create_connect_args in
// sqlalchemy/dialects/postgresql/_psycopg_common.py). A parameter that would
// tighten the connection and cannot be honoured is an error, never passed over.
func postgresSettings(loc location) (map[string]string, error) {
	settings := map[string]string{
		"user": loc.user, "password": loc.password, "dbname": loc.database, "host": loc.host, "port": loc.port,
	}
	for key, values := range loc.query {
		value := values[len(values)-1]
		switch key {
		case "host", "port":
		case "user", "password", "dbname", "sslmode", "sslkey", "sslcert", "sslrootcert", "sslpassword", "sslsni",
			"sslnegotiation", "sslcertmode", "target_session_attrs", "passfile", "service", "servicefile", "krbspn",
			"krbsrvname", "connect_timeout", "application_name", "options", "channel_binding", "require_auth":
			settings[key] = value
		case "ssl": // asyncpg's name
			settings["sslmode"] = value
		case "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
			"client_encoding", "fallback_application_name", "sslcompression", "async_fallback",
			"prepared_statement_cache_size", "prepare_threshold":
			// How Python keeps its connections; nothing that is agreed with the server.
		case "gssencmode":
			if value == "require" {
				return nil, errors.New("gssencmode=require is not supported")
			}
		default:
			return nil, fmt.Errorf("the parameter %q of the URL is not supported", key)
		}
	}
	if err := setHosts(settings, loc.query); err != nil {
		return nil, err
	}
	for key, value := range settings {
		if value == "" {
			delete(settings, key)
		}
	}
	return settings, nil
}

// setHosts reads hosts and ports from the query, in either of SQLAlchemy's two
// forms: host=h1:p1&host=h2:p2 or host=h1,h2&port=p1,p2.
func setHosts(settings map[string]string, query url.Values) error {
	hosts, ports := query["host"], query["port"]
	if len(hosts) > 1 || len(hosts) == 1 && len(ports) == 0 && isHostPort(hosts[0]) {
		if len(ports) > 0 {
			return errors.New("either host=h1:p1&host=h2:p2 or host=h1,h2&port=p1,p2, not both")
		}
		names, numbers := make([]string, len(hosts)), make([]string, len(hosts))
		for i, h := range hosts {
			names[i], numbers[i], _ = strings.Cut(h, ":")
		}
		hosts, ports = names, numbers
	}
	if len(hosts) > 0 {
		settings["host"] = strings.Join(hosts, ",")
	}
	if joined := strings.Join(ports, ","); strings.Trim(joined, ",") != "" {
		settings["port"] = joined
	}
	return nil
}

// isHostPort tells h1:5432 from a socket's folder and an IPv6 address.
func isHostPort(s string) bool {
	host, port, ok := strings.Cut(s, ":")
	_, err := strconv.ParseUint(port, 10, 16)
	return ok && err == nil && !strings.ContainsAny(host, "/,")
}
