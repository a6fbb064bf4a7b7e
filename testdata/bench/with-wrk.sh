#!/bin/sh
# Runs a command when the load generator wrk is there, installing it from Debian's packages if it is not.
set -eu
if ! command -v wrk >/dev/null; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "$0: please install wrk   (on Debian: sudo apt-get install wrk)" >&2
		exit 1
	fi
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends wrk; } >&2
fi
exec "$@"
