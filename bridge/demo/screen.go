package demo

import (
	"fmt"
	"io"
	"strings"
)

// screen is what `jetbridge demo` shows: URL is the bridge, METRICS its metrics,
// CONFIG the file that it runs with.
const screen = `
An Airflow 3 (a stand-in) that takes tokens only, and jetbridge in front of it.
Users are admin, op and viewer, each with its name as the password. Paste:

  # an Airflow 2 client with a password is let in, Airflow 3 sees a token
  curl -u viewer:viewer URL/api/v2/dags

  # a wrong password: 401, and by the request id of the answer, why
  curl -i -u viewer:wrong URL/api/v2/dags
  jetbridge why REQUEST_ID --config CONFIG

  # what a role may not do is still Airflow's to refuse: 403
  curl -i -u viewer:viewer -X PATCH -H 'Content-Type: application/json' -d '{"is_paused": true}' URL/api/v2/dags/greetings

  # but op may start a run
  curl -u op:op -X POST -H 'Content-Type: application/json' -d '{"logical_date": null}' URL/api/v2/dags/greetings/dagRuns

  # the new way: a token for any proof that counts, then the token alone
  TOKEN=$(curl -s -u op:op -X POST URL/auth/token | cut -d'"' -f4)
  curl -H "Authorization: Bearer $TOKEN" URL/api/v2/dags

  # log in the Airflow 2 way: the form, its token, the cookie. Or open URL/login/
  FORM=$(curl -s -c jar URL/login/ | sed -n 's/.*name="csrf_token".*value="\([^"]*\)".*/\1/p' | head -n 1)
  curl -s -b jar -c jar -d username=viewer -d password=viewer -d csrf_token=$FORM URL/login/
  curl -b jar URL/api/v2/dags

  # who is this? for gateways and other services
  curl -i -u viewer:viewer URL/auth/verify

  # who still comes the old way
  curl -s METRICS/metrics | grep ^jetbridge_requests_total

The end of the migration is one line, migration.mode: jwt_only. To see it, stop
this and run it again with JETBRIDGE__MIGRATION__MODE=jwt_only in the environment.
Passwords are then refused on the API, and POST /auth/token still takes them.

Ctrl-C ends it.
`

// Screen writes what to try at the bridge at url, such as
// "http://127.0.0.1:8080", where its metrics are, and the file that it runs with.
func Screen(w io.Writer, url, metricsURL, config string) error {
	_, err := io.WriteString(w, strings.NewReplacer("CONFIG", config, "METRICS", strings.TrimRight(metricsURL, "/"), "URL", strings.TrimRight(url, "/")).Replace(screen))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}
