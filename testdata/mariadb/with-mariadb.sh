#!/bin/sh
# Runs a command with a MariaDB of its own:
#
#     testdata/mariadb/with-mariadb.sh go test ./...
#
# The server listens on a free port of the loopback address and on a socket,
# speaks TLS to who asks for it, keeps its data in a temporary folder, never
# syncs, and is gone when the command ends. The command finds
#
#     JETBRIDGE_TEST_MYSQL        the URL of an account that may do everything
#     JETBRIDGE_TEST_MYSQL_FILES  a folder with server.sock, ca.pem (the server's
#                                 certificate is for "localhost" alone) and, for
#                                 clients, client.pem and client.key
#
# When the first is set already, the command runs with the server that is there.
set -eu

if [ "$#" -eq 0 ]; then
	echo "usage: $0 COMMAND..." >&2
	exit 2
fi
if [ -n "${JETBRIDGE_TEST_MYSQL:-}" ]; then
	exec "$@"
fi

PATH=$PATH:/usr/sbin
have_all() { command -v mariadbd && command -v mariadb-install-db && command -v openssl; } >/dev/null 2>&1
if ! have_all && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing MariaDB from Debian's packages" >&2
	# The core package has the programs without the service, which would be started.
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
		mariadb-server-core mariadb-client-core openssl; } >&2
fi
if ! have_all; then
	echo "$0: no MariaDB here: install the packages mariadb-server-core and openssl, or set JETBRIDGE_TEST_MYSQL" >&2
	exit 1
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/jetbridge-mariadb.XXXXXX")
# as_owner becomes the command, so that a process id of it is the command's own.
as_owner() { exec "$@"; }
if [ "$(id -u)" -eq 0 ]; then # MariaDB refuses to run as root
	chown nobody "$dir"
	as_owner() { exec setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups -- "$@"; }
fi

quickly=TERM
. "$(dirname "$0")/../server.sh"

# quiet runs a command in the folder, whose words matter only if it fails.
quiet() {
	(cd "$dir" && "$@") >"$dir/setup.log" 2>&1 || {
		cat "$dir/setup.log" >&2
		exit 1
	}
}

# make_certificates: an authority, and what it signed for either side.
make_certificates() {
	new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
	signed="-CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE"
	quiet as_owner $new -subj "/CN=test authority" -keyout ca.key -out ca.pem
	quiet as_owner $new $signed -addext subjectAltName=DNS:localhost -subj "/CN=test server" -keyout server.key -out server.pem
	quiet as_owner $new $signed -subj "/CN=test client" -keyout client.key -out client.pem
}
make_certificates

cat >"$dir/init.sql" <<'SQL'
CREATE USER IF NOT EXISTS tester@localhost IDENTIFIED BY 'tester';
GRANT ALL ON *.* TO tester@localhost WITH GRANT OPTION;
SQL
quiet as_owner mariadb-install-db --no-defaults --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db

launch() {
	cd "$dir" && as_owner mariadbd --no-defaults --datadir="$dir/data" --socket="$dir/server.sock" --pid-file="$dir/server.pid" \
		--bind-address=127.0.0.1 --port="$1" --init-file="$dir/init.sql" --max-connections=200 \
		--ssl-ca="$dir/ca.pem" --ssl-cert="$dir/server.pem" --ssl-key="$dir/server.key" \
		--innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync --skip-innodb-doublewrite
}
on_a_port $((30000 + $$ % 2000)) 'ready for connections'

chmod 755 "$dir"
JETBRIDGE_TEST_MYSQL="mysql+mysqldb://tester:tester@127.0.0.1:$port/mysql"
JETBRIDGE_TEST_MYSQL_FILES=$dir
export JETBRIDGE_TEST_MYSQL JETBRIDGE_TEST_MYSQL_FILES
"$@"
