# Real Kerberos clients, a real KDC of MIT's, and Apache as the oracle.

.PHONY: test-kerberos bench-kerberos kerberos-clients kerberos-lock

test-kerberos: kerberos-clients ## Kerberos: the acceptor's own tests, and every client against a real KDC
	@testdata/run-tests.sh -race -count=1 ./legacy/kerberos/... && testdata/run-tests.sh -count=1 -run '^TestKerberos' ./bridge/cli

kerberos-clients:
	@testdata/kerberos/install.sh >/dev/null

kerberos-lock: ## Make the lock file of Python's Kerberos clients again
	testdata/kerberos/install.sh lock

bench-kerberos: ## Acceptance with the AP-REP beside gokrb5's own without one, on one core and two; memory of the replay cache
	go test -run '^$$' -bench . -cpu 1,2 -benchtime 4000x -count 5 ./legacy/kerberos
