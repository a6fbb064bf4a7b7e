#!/bin/sh
# Installs what `make interop` needs and prints where it is.
#
#   install.sh airflow    a virtual environment with Airflow, from airflow-3.3.2.lock; prints its folder
#   install.sh chromium   a Chromium; prints its path
#   install.sh lock       makes both lock files again (only to move to another release)
#
# Everything lands in $JETBRIDGE_CACHE (default: ${XDG_CACHE_HOME:-~/.cache}/jetbridge) and is used again by later
# runs. A virtual environment cannot be moved, so an installation counts only once its stamp file exists: whatever
# an interrupted run left is removed and made anew. Progress goes to standard error.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${JETBRIDGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/jetbridge}
release=3.3.2
# The resolver sees packages as of this day, so that the same inputs give the same lock.
as_of=2026-09-18T00:00:00Z

say() { echo "interop: $*" >&2; }
die() { say "$*"; exit 1; }

# apt NAME...: installs Debian packages, or says which ones are missing.
apt() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		die "please install: $*   (on Debian: sudo apt-get install $*)"
	fi
	say "installing $* with apt-get"
	apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >&2
}

# The lock holds for Python 3.11 to 3.13. A shim that is on the PATH but has no Python behind it does not count.
find_python() {
	for p in python3.12 python3.13 python3.11 python3; do
		if "$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
			echo "$p"
			return
		fi
	done
	return 1
}

need_python() {
	find_python || { apt python3 python3-venv && find_python; } || die "Airflow $release needs Python 3.11, 3.12 or 3.13"
}

key() { cat "$@" | sha256sum | cut -c1-12; }

# uv: the pinned installer, itself from a lock with hashes.
uv() {
	uv_dir=$cache/uv-$(key "$here/uv.lock")
	if [ ! -e "$uv_dir/complete" ]; then
		say "installing uv into $uv_dir"
		python=$(need_python)
		rm -rf "$uv_dir"
		"$python" -m venv "$uv_dir" >&2 || { apt python3-venv; rm -rf "$uv_dir"; "$python" -m venv "$uv_dir" >&2; }
		"$uv_dir/bin/pip" install --quiet --require-hashes -r "$here/uv.lock" >&2
		touch "$uv_dir/complete"
	fi
	UV_CACHE_DIR=$cache/uv-cache "$uv_dir/bin/uv" "$@"
}

install_airflow() {
	dir=$cache/airflow-$release-$(key "$here/airflow-$release.lock")
	if [ ! -e "$dir/complete" ]; then
		say "installing Airflow $release into $dir (about 500 MB, a few minutes the first time)"
		python=$(need_python)
		rm -rf "$dir"
		uv venv --quiet --no-project --python "$(command -v "$python")" "$dir" >&2
		uv pip sync --quiet --python "$dir/bin/python" --require-hashes --compile-bytecode "$here/airflow-$release.lock" >&2
		touch "$dir/complete"
	fi
	echo "$dir"
}

case ${1:-} in
airflow)
	mkdir -p "$cache"
	# Two runs at once wait for each other instead of building the same folder twice.
	exec 9>"$cache/install.lock"
	flock 9
	install_airflow 9>&-
	;;
chromium)
	for p in chromium chromium-browser google-chrome; do
		command -v "$p" && exit
	done
	apt chromium
	command -v chromium
	;;
lock)
	cd "$here"
	compile="pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header"
	uv $compile uv.in -o uv.lock
	uv $compile --exclude-newer "$as_of" airflow.in -o "airflow-$release.lock"
	;;
*)
	die "usage: install.sh airflow|chromium|lock"
	;;
esac
