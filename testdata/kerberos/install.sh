#!/bin/sh
# Installs what `make test-kerberos` needs, and prints the folder of Python's newest Kerberos clients:
#
#   install.sh         MIT's KDC, curl, Python's clients of Debian, Apache and nginx from Debian's packages; the newest
#                      ones of PyPI, from clients.lock, in a virtual environment; a Chromium
#   install.sh lock    makes clients.lock again (only to move to newer releases)
#
# Everything of PyPI lands in $JETBRIDGE_CACHE (default: ${XDG_CACHE_HOME:-~/.cache}/jetbridge) and is used again by
# later runs. An installation counts only once its stamp file exists. Progress goes to standard error.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${JETBRIDGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/jetbridge}
python=/usr/bin/python3 # Debian's own: its clients are built for it

say() { echo "kerberos: $*" >&2; }
key() { cat "$@" | sha256sum | cut -c1-12; }

packages="krb5-kdc krb5-admin-server krb5-user curl python3-requests-kerberos python3-gssapi
	python3-venv python3-dev gcc libc6-dev libkrb5-dev apache2-bin libapache2-mod-auth-gssapi nginx"

# debian installs what is missing, without starting any of the daemons.
debian() {
	missing=
	for p in $packages; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		say "please install:$missing   (on Debian: sudo apt-get install --no-install-recommends$missing)"
		exit 1
	fi
	say "installing$missing with apt-get"
	quiet=
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		quiet=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >$quiet
		chmod +x $quiet
	fi
	status=0
	# shellcheck disable=SC2086
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >&2 || status=$?
	[ -z "$quiet" ] || rm -f "$quiet"
	return $status
}

# uv: the installer that testdata/interop pins, and builds under its own lock.
uv() { "$here/../interop/install.sh" uv "$@"; }

clients() {
	dir=$cache/kerberos-$(key "$here/clients.lock")
	if [ ! -e "$dir/complete" ]; then
		say "building the newest Python clients in $dir (two minutes the first time)"
		rm -rf "$dir"
		$python -m venv "$dir" >&2
		uv pip sync --quiet --python "$dir/bin/python" --require-hashes "$here/clients.lock" >&2
		touch "$dir/complete"
	fi
	echo "$dir"
}

mkdir -p "$cache"
# Two runs at once wait for each other.
exec 9>"$cache/kerberos.lock"
flock 9
case ${1:-} in
"")
	debian 9>&-
	"$here/../interop/install.sh" chromium >/dev/null 9>&-
	clients 9>&-
	;;
lock)
	cd "$here"
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header clients.in -o clients.lock
	;;
*)
	say "usage: install.sh [lock]"
	exit 2
	;;
esac
