#!/bin/sh
# Installs what `make interop` needs and prints where it is.
#
#   install.sh airflow RELEASE   a virtual environment with that Airflow, from airflow-RELEASE.lock; prints its folder
#   install.sh google            what Airflow 2's backend for Google's ID tokens needs beside an Airflow 2, from
#                                google.lock; prints a folder for PYTHONPATH
#   install.sh client            one with Airflow 2's own Python client, from client.lock; prints its folder
#   install.sh chromium          a Chromium; prints its path
#   install.sh lock [NAME...]    makes the lock files again: of releases, or client (only to move to another, or to add one)
#   install.sh uv ARGUMENT...    runs the installer that uv.lock pins, for ../kerberos/install.sh
#
# Everything lands in $JETBRIDGE_CACHE (default: ${XDG_CACHE_HOME:-~/.cache}/jetbridge) and is used again by later
# runs. A virtual environment cannot be moved, so an installation counts only once its stamp file exists: whatever
# an interrupted run left is removed and made anew. Progress goes to standard error.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${JETBRIDGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/jetbridge}

# releases lists what can be run: a release or the client, and the day as of which the resolver sees packages, some days
# after it came out, so that the same inputs give the same lock, and the packages are those that people had with it.
releases() {
	cat <<-END
		3.3.2 2026-09-18
		3.2.2 2026-06-05
		3.1.8 2026-03-20
		3.0.6 2025-09-05
		2.11.2 2026-03-20
		2.11.0 2025-06-01
		2.10.5 2025-02-20
		client 2024-09-05
	END
}

as_of() { releases | while read -r release day; do if [ "$release" = "$1" ]; then echo "${day}T00:00:00Z"; fi; done; }

# Airflow 2 takes no FAB provider beyond 1.5.
inputs() {
	case $1 in
	client) echo apache-airflow-client==2.10.0 ;;
	2.*) printf '%s\n' "apache-airflow==$1" 'apache-airflow-providers-fab<2' requests ;;
	*) printf '%s\n' "apache-airflow==$1" apache-airflow-providers-fab ;;
	esac
}

# Of the provider's 68 requirements the backend imports google-auth, whose own are the others here, and what Airflow has
# itself. It is the provider that Airflow 2.11.0's constraints name.
google_inputs() { printf '%s\n' apache-airflow-providers-google==15.1.0 google-auth 'cachetools<6' pyasn1 pyasn1-modules rsa; }

lock_of() { case $1 in client) echo client.lock ;; *) echo "airflow-$1.lock" ;; esac; }

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

# Airflow 2.10 to 3.3 have Python 3.11 and 3.12 in common. A shim that is on the PATH but has no Python behind it does not count.
find_python() {
	for p in python3.12 python3.11 python3; do
		if "$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
			echo "$p"
			return
		fi
	done
	return 1
}

need_python() {
	find_python || { apt python3 python3-venv && find_python; } || die "Airflow needs Python 3.11 or 3.12 here"
}

key() { cat "$@" | sha256sum | cut -c1-12; }

# install_uv: the pinned installer, itself from a lock with hashes.
install_uv() {
	uv_dir=$cache/uv-$(key "$here/uv.lock")
	if [ ! -e "$uv_dir/complete" ]; then
		say "installing uv into $uv_dir"
		# Its wheel is a program, which Python of any version unpacks.
		uv_python=$(find_python || python3 -c 'import sys; print(sys.executable)' 2>/dev/null || need_python)
		rm -rf "$uv_dir"
		"$uv_python" -m venv "$uv_dir" >&2 || { apt python3-venv; rm -rf "$uv_dir"; "$uv_python" -m venv "$uv_dir" >&2; }
		"$uv_dir/bin/pip" install --quiet --require-hashes -r "$here/uv.lock" >&2
		touch "$uv_dir/complete"
	fi
}

uv() {
	install_uv
	UV_CACHE_DIR=$cache/uv-cache "$uv_dir/bin/uv" "$@"
}

# install_env NAME: a virtual environment from NAME.lock.
install_env() {
	[ -e "$here/$1.lock" ] || die "there is no lock for $1; there are: $(cd "$here" && echo *.lock)"
	dir=$cache/$1-$(key "$here/$1.lock")
	if [ ! -e "$dir/complete" ]; then
		say "installing $1 into $dir (an Airflow is about 500 MB and takes a few minutes the first time)"
		python=$(need_python)
		rm -rf "$dir"
		uv venv --quiet --no-project --python "$(command -v "$python")" "$dir" >&2
		uv pip sync --quiet --python "$dir/bin/python" --require-hashes --compile-bytecode "$here/$1.lock" >&2
		touch "$dir/complete"
	fi
	echo "$dir"
}

install_google() {
	dir=$cache/google-$(key "$here/google.lock")
	if [ ! -e "$dir/complete" ]; then
		say "installing Airflow 2's Google provider into $dir (9 MB)"
		rm -rf "$dir"
		uv pip install --quiet --python "$(command -v "$(need_python)")" --target "$dir" --no-deps --require-hashes -r "$here/google.lock" >&2
		touch "$dir/complete"
	fi
	echo "$dir"
}

# locked FUNCTION...: two runs at once wait for each other instead of building the same folder twice.
locked() {
	mkdir -p "$cache"
	exec 9>"$cache/install.lock"
	flock 9
	"$@" 9>&-
	exec 9>&-
}

case ${1:-} in
airflow)
	locked install_env "airflow-${2:?which release?}"
	;;
client)
	locked install_env client
	;;
google)
	locked install_google
	;;
chromium)
	for p in chromium chromium-browser google-chrome; do
		command -v "$p" && exit
	done
	apt chromium
	command -v chromium
	;;
uv)
	shift
	locked install_uv
	uv "$@"
	;;
lock)
	locked install_uv
	cd "$here"
	compile="pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header"
	shift
	if [ $# = 0 ]; then
		uv $compile uv.in -o uv.lock
		google_inputs | uv $compile --no-deps --exclude-newer "$(as_of 2.11.0)" - -o google.lock
		set -- $(releases | cut -d' ' -f1)
	fi
	for release; do
		[ -n "$(as_of "$release")" ] || die "$release is not in the list of releases in this file"
		inputs "$release" | uv $compile --exclude-newer "$(as_of "$release")" - -o "$(lock_of "$release")"
	done
	;;
*)
	die "usage: install.sh airflow RELEASE | google | client | chromium | lock [NAME...] | uv ARGUMENT..."
	;;
esac
