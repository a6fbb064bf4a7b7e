#!/bin/sh
# Makes vectors.json again, with the libraries that each Airflow 2 pinned (NAME.lock, with hashes).
#
#   make.sh          all of them, in virtual environments under a temporary folder
#   make.sh lock     makes the lock files from the .in files, to change a version
set -eu
here=$(cd "$(dirname "$0")" && pwd)
names="2.2 2.6 2.10 2.11.0 2.11.1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

if [ "${1:-}" = lock ]; then
	python3 -m venv "$work/tools"
	"$work/tools/bin/pip" install --quiet --require-hashes -r "$here/../interop/uv.lock"
	cd "$here"
	for name in $names; do
		"$work/tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header "$name.in" -o "$name.lock"
	done
	exit
fi
for name in $names; do
	python3 -m venv "$work/$name"
	"$work/$name/bin/pip" install --quiet --require-hashes -r "$here/$name.lock"
	"$work/$name/bin/python" -W ignore "$here/make.py" "$name"
done
