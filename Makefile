# jetbridge: everything that CI runs, a person can run.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The harness of the real Airflows is a module of its own, with what it alone needs.
HARNESS := testdata/interop

.PHONY: help build demo test check fuzz bench vuln clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort -t: -k1,1 | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

build: ## Build ./jetbridge
	go build -trimpath -ldflags "-X main.version=$(VERSION)" -o jetbridge .

demo: build ## Run the demo: a stand-in for Airflow 3, the bridge in front, curl lines to paste
	./jetbridge demo

check: ## Format, vet, staticcheck, tidy, import table, clean tree
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt wants to change:"; echo "$$out"; exit 1; fi
# ./... leaves testdata out.
	go vet ./testdata/bench && go run $(STATICCHECK) ./testdata/bench
	for module in . $(HARNESS); do (cd $$module && go vet ./... && go run $(STATICCHECK) ./... && go mod tidy -diff); done
	go test -count=1 -run 'Test(Imports|Homes|Reach|PackageComments)' .
	@if [ -n "$${CI:-}" ]; then git diff --exit-code && test -z "$$(git status --porcelain)" || { git status --short; exit 1; }; fi

test: kerberos-clients ## Every test on this machine, with the race detector, a real PostgreSQL, MariaDB and KDC; a skip fails
	testdata/postgres/with-postgres.sh testdata/mariadb/with-mariadb.sh testdata/run-tests.sh -race -shuffle=on ./...

fuzz: ## Run each fuzz target for FUZZTIME (default 30s)
	testdata/run-fuzz.sh "$${FUZZTIME:-30s}"

bench: ## What it costs against the bare proxy, into testdata/bench/latest.md, Kerberos' to the terminal (twenty minutes; BENCH_SECONDS, BENCH_ROUNDS)
	testdata/bench/with-wrk.sh go run ./testdata/bench
	@$(MAKE) --no-print-directory bench-kerberos

vuln: ## Known vulnerabilities (needs the vulnerability database, so by hand)
	go run $(GOVULNCHECK) ./...

clean: ## Remove what was built
	rm -f jetbridge

include testdata/interop/interop.mk
include testdata/kerberos/kerberos.mk
