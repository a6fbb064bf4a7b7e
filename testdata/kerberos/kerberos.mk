# Real Kerberos clients, a real KDC of MIT's, and Apache as the oracle.

.PHONY: test-kerberos kerberos-clients kerberos-lock

test-kerberos: kerberos-clients ## Kerberos: the acceptor's own tests, and every client against a real KDC
	@testdata/run-tests.sh -race -count=1 ./legacy/kerberos/... && testdata/run-tests.sh -count=1 -run '^TestKerberos' .

kerberos-clients:
	@testdata/kerberos/install.sh >/dev/null

kerberos-lock: ## Make the lock file of Python's Kerberos clients again
	testdata/kerberos/install.sh lock
