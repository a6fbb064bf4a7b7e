#!/bin/sh
# Runs a command with a PostgreSQL of its own:
#
#     testdata/postgres/with-postgres.sh go test ./...
#
# The server listens on a free port of the loopback address, keeps its data in a
# temporary folder, never syncs, and is gone when the command ends. The command
# finds the URL of its admin database in JETBRIDGE_TEST_POSTGRES. When that is
# set already, the command runs with the server that is there.
set -eu

if [ "$#" -eq 0 ]; then
	echo "usage: $0 COMMAND..." >&2
	exit 2
fi
if [ -n "${JETBRIDGE_TEST_POSTGRES:-}" ]; then
	exec "$@"
fi

# newest_bin prints the folder of the newest PostgreSQL that has initdb.
newest_bin() {
	if command -v initdb >/dev/null 2>&1; then
		dirname "$(command -v initdb)"
		return
	fi
	ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -n | tail -n 1
}

bin=$(newest_bin)
if [ -z "$bin" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing PostgreSQL from Debian's packages" >&2
	# Debian starts a cluster of its own on installation; none is wanted here.
	mkdir -p /etc/postgresql-common
	[ -e /etc/postgresql-common/createcluster.conf ] ||
		echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql; } >&2
	bin=$(newest_bin)
fi
if [ -z "$bin" ]; then
	echo "$0: no PostgreSQL here: install the package postgresql, or set JETBRIDGE_TEST_POSTGRES" >&2
	exit 1
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/jetbridge-postgres.XXXXXX")
# as_owner becomes the command, so that a process id of it is the command's own.
as_owner() { exec "$@"; }
if [ "$(id -u)" -eq 0 ]; then # PostgreSQL refuses to run as root
	chown postgres "$dir"
	as_owner() { exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }
fi

quickly=INT # a "fast" shutdown
. "$(dirname "$0")/../server.sh"

(cd "$dir" && as_owner "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N) >"$dir/initdb.log" 2>&1 || {
	cat "$dir/initdb.log" >&2
	exit 1
}

launch() {
	cd "$dir" && as_owner "$bin/postgres" -D "$dir/data" -h 127.0.0.1 -p "$1" -k "$dir" -F \
		-c full_page_writes=off -c synchronous_commit=off -c max_connections=200
}
on_a_port $((20000 + $$ % 10000)) 'ready to accept connections'

JETBRIDGE_TEST_POSTGRES="postgresql://postgres@127.0.0.1:$port/postgres?sslmode=disable"
export JETBRIDGE_TEST_POSTGRES
"$@"
