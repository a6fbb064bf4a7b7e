package demo

import (
	"fmt"
	"io"
	"strings"
)

// screen is what `jetbridge demo` shows. Its words in capitals are [Places].
const screen = `
An Airflow 3 (a stand-in) that takes tokens only, and jetbridge in front of it.
Users are admin, op and viewer, each with its name as the password. Paste:

  # an Airflow 2 client with a password is let in, Airflow 3 sees a token
  curl -u viewer:viewer URL/api/v2/dags

  # a wrong password: 401, and by the request id of the answer, why
  curl -i -u viewer:wrong URL/api/v2/dags
  PROGRAM why REQUEST_ID --config CONFIG

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

  # the end of the migration is one line. Passwords are then refused on the API,
  # and POST /auth/token still takes them. The same way back: mode: dual
  sed -i.bak 's/mode: dual/mode: jwt_only/' CONFIG

Ctrl-C ends it.
`

// Places are what the commands of a [Screen] name.
type Places struct {
	// URL is the bridge, such as "http://127.0.0.1:8080"; Metrics its side listener.
	URL, Metrics string
	// Program and Config are the bridge's program and the file that it runs with, as
	// a shell takes them.
	Program, Config string
}

// Screen writes what to try at a bridge.
func Screen(w io.Writer, at Places) error {
	_, err := io.WriteString(w, strings.NewReplacer("PROGRAM", at.Program, "CONFIG", at.Config,
		"METRICS", strings.TrimRight(at.Metrics, "/"), "URL", strings.TrimRight(at.URL, "/")).Replace(screen))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}
