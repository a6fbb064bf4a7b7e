# A real Airflow 3 in the loop. The tests are a module of their own, so that what they need (a browser's protocol)
# never becomes a dependency of jetbridge.

.PHONY: interop test-browser demo-airflow interop-lock

interop: ## every story against a real Airflow 3.3 with FAB and with the simple manager, browser included
	cd testdata/interop && go vet ./... && go test -count=1 -timeout 20m ./...

test-browser: ## only the browser's stories: log in, stay logged in, log out
	cd testdata/interop && go test -count=1 -timeout 20m -run '^TestBrowser' ./...

demo-airflow: ## jetbridge in front of a real Airflow 3 with two Dags, until Ctrl-C
	cd testdata/interop && go run ./demo

interop-lock: ## makes the lock files of the real Airflow again
	testdata/interop/install.sh lock
