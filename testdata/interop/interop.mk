# A real Airflow 3 in the loop. The tests are a module of their own, so that what they need (a browser's protocol)
# never becomes a dependency of jetbridge.

.PHONY: interop test-browser demo-airflow interop-lock

interop: ## Every story against a real Airflow 3.3 with FAB and with the simple manager, browser included
	@echo "real Airflows are installed (the first time: a minute or more) and started; two minutes for all their stories"
	@cd testdata/interop && ../run-tests.sh -count=1 -timeout 20m ./...

test-browser: ## Only the browser's stories: log in, stay logged in, log out
	@cd testdata/interop && ../run-tests.sh -count=1 -timeout 20m -run '^TestBrowser' ./...

demo-airflow: ## jetbridge in front of a real Airflow 3 with two Dags, until Ctrl-C
	cd testdata/interop && go run ./demo

interop-lock: ## Make the lock files of the real Airflow again
	testdata/interop/install.sh lock
