# Real Airflows in the loop. The tests are a module of their own, so that what they need (a browser's protocol, an OpenID
# provider) never becomes a dependency of jetbridge. With AIRFLOW=3.1.8 or the like the demo is not compared: its stand-in
# imitates the usual release alone.

.PHONY: interop interop-apiv1 test-browser test-openid demo-airflow interop-lock

interop: ## Every story against real Airflows, 3.3.2 with both managers and 2.11.0, browser included; AIRFLOW=3.1.8 for another
	@echo "real Airflows are installed (the first time: two minutes or more) and started; seven minutes for all their stories"
	@cd testdata/interop && AIRFLOW=$(AIRFLOW) UPDATE=$(UPDATE) ../run-tests.sh -p 1 -count=1 -timeout 20m $(if $(AIRFLOW),-skip '^TestDemo') ./...

interop-apiv1: ## Only Airflow 2's API, as its own client and scripts use it; UPDATE=1 writes testdata/interop/api-v1.md anew
	@cd testdata/interop && AIRFLOW=$(AIRFLOW) UPDATE=$(UPDATE) ../run-tests.sh -count=1 -timeout 20m ./apiv1

test-browser: ## Only the browser's stories: log in, stay logged in, log out
	@cd testdata/interop && ../run-tests.sh -count=1 -timeout 20m -run '^TestBrowser' ./...

test-openid: ## OpenID: the judge's own tests, a real provider in front of a real Airflow 3, and Airflow 2's google_openid
	@testdata/run-tests.sh -race -count=1 ./legacy/openid/...
	@cd testdata/interop && ../run-tests.sh -count=1 -timeout 20m -run '^Test(Provider|Google)' ./...

demo-airflow: ## jetbridge in front of a real Airflow 3 with two Dags, until Ctrl-C
	cd testdata/interop && go run ./demo

interop-lock: ## Make the lock files of the real Airflows again
	testdata/interop/install.sh lock
