#!/usr/bin/env bash
# Runs go test with the given arguments. A skipped test is a failure: what cannot
# run here must say so and fail.
set -eu -o pipefail
out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0
go test -v "$@" >"$out" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
  # The failing tests' own words, without the passing ones'.
  grep -vE '^\s*(=== (RUN|PAUSE|CONT|NAME)|--- PASS|PASS$)' "$out" || true
else
  grep -E '^(ok|FAIL|\?)' "$out" || true
fi
skipped=$(grep -E '^\s*--- SKIP' "$out" || true)
if [ -n "$skipped" ]; then
  echo "skipped, which is a failure here:"
  echo "$skipped"
  status=1
fi
passed=$(grep -cE '^\s*--- PASS' "$out" || true)
failed=$(grep -cE '^\s*--- FAIL' "$out" || true)
echo "$passed passed, $failed failed"
exit "$status"
