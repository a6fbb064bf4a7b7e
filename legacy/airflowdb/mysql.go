package airflowdb

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlConfig makes the driver's configuration of loc.
func mysqlConfig(loc location, timeout time.Duration, writable bool) (*mysql.Config, error) {
	set, err := mysqlSettings(loc)
	if err != nil {
		return nil, err
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = set.user, set.password, set.database
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(set.host, set.port)
	if set.socket != "" {
		cfg.Net, cfg.Addr = "unix", set.socket
	}
	if cfg.TLS, err = set.tls.config(set.host); err != nil {
		return nil, err
	}
	cfg.AllowFallbackToPlaintext = set.tls.level == tlsPreferred
	if set.socket != "" && set.tls.level == tlsPreferred {
		cfg.TLS = nil // nobody listens in on a socket
	}
	cfg.Timeout = timeout
	if set.connect > 0 {
		cfg.Timeout = min(timeout, set.connect)
	}
	// The context ends a read before that; what has none, as the rollback behind
	// it, ends here.
	cfg.ReadTimeout, cfg.WriteTimeout = timeout+time.Second, timeout+time.Second
	cfg.ParseTime = true
	cfg.ConnectionAttributes = "program_name:jetbridge"
	cfg.Logger = &mysql.NopLogger{} // every error is returned too
	// Whatever the server is configured for: Airflow's time zone; transactions that
	// are read-only by default unless somebody may write, since MariaDB lets CREATE
	// TABLE end one that is so by its own word alone; and an end of statements whose
	// client is gone. MariaDB and MySQL have their own variables, and their own
	// comments to name them in.
	limit, readOnly := max(timeout.Milliseconds(), 1), 1
	if writable {
		readOnly = 0
	}
	cfg.Params = map[string]string{"time_zone": fmt.Sprintf("'+00:00'"+
		" /*M!100101 , tx_read_only=%d, max_statement_time=%d.%03d */"+
		" /*!50720 , transaction_read_only=%[1]d, max_execution_time=%[4]d */", readOnly, limit/1000, limit%1000, limit)}
	return cfg, cfg.Apply(mysql.Charset("utf8mb4", ""))
}

// A mysqlURL is what the URL says.
type mysqlURL struct {
	user, password string
	host, port     string
	socket         string // empty: host and port
	database       string
	connect        time.Duration
	tls            mysqlTLS
}

// mysqlSettings reads loc as SQLAlchemy hands it to mysqlclient, PyMySQL and
// MySQL Connector (create_connect_args in sqlalchemy/dialects/mysql). A parameter
// that would tighten the connection and cannot be honoured is an error, never
// passed over.
func mysqlSettings(loc location) (mysqlURL, error) {
	set := mysqlURL{user: loc.user, password: loc.password, host: loc.host, port: loc.port, database: loc.database}
	params := tlsParams{pymysql: loc.driver == "pymysql"}
	for key, values := range loc.query {
		var err error
		switch value := values[len(values)-1]; key {
		case "user", "username":
			set.user = value
		case "passwd", "password":
			set.password = value
		case "host":
			set.host = value
		case "port":
			set.port = value
		case "db", "database":
			set.database = value
		case "unix_socket":
			set.socket = value
		case "connect_timeout", "connection_timeout":
			set.connect, err = seconds(value)
		case "auth_plugin": // where to begin; the server decides
			if value != "mysql_native_password" && value != "caching_sha2_password" {
				err = fmt.Errorf("is supported for mysql_native_password and caching_sha2_password alone")
			}
		case "charset", "collation", "use_unicode", "binary_prefix", "compress", "local_infile", "allow_local_infile",
			"autocommit", "read_timeout", "write_timeout", "use_pure", "buffered", "raise_on_warnings", "get_warnings", "program_name":
			// How Python sends and keeps its data; nothing that is agreed with the
			// server for its safety. Text is utf8mb4 whatever they say.
		default:
			if !strings.HasPrefix(key, "ssl") {
				return mysqlURL{}, fmt.Errorf("the parameter %q of the URL is not supported", key)
			}
			err = params.set(key, value)
		}
		if err != nil {
			return mysqlURL{}, fmt.Errorf("the parameter %q of the URL %w", key, err)
		}
	}
	if set.host == "" {
		set.host = "localhost"
	}
	if set.port == "" {
		set.port = "3306"
	}
	if n, err := strconv.ParseUint(set.port, 10, 16); err != nil || n == 0 {
		return mysqlURL{}, fmt.Errorf("the port is not a number from 1 to 65535")
	}
	var err error
	set.tls, err = params.resolve()
	return set, err
}

func seconds(value string) (time.Duration, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("is not a number of seconds")
	}
	return time.Duration(n) * time.Second, nil
}
