package demo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge/demo"
)

const secret = "a secret of the demo that is longer than sixty-four bytes, as HS512 wants it"

var now = time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)

func airflow(t *testing.T, manager string) http.Handler {
	t.Helper()
	h, err := demo.NewAirflow(demo.Config{Secret: secret, Manager: manager, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask sends one request; a header is "Name: value".
func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func bearer(subject string) string {
	return "Authorization: Bearer " + recipe{Claims: map[string]string{"sub": fmt.Sprintf("%q", subject)}}.token(now.Unix(), secret, "fab")
}

// verdict names an answer as tokens.json does.
func verdict(w *httptest.ResponseRecorder) string {
	if w.Code == http.StatusOK {
		return "OK"
	}
	switch text := fmt.Sprintf("%d %s", w.Code, w.Body); text {
	case `401 {"detail":"Not authenticated"}`:
		return "NA"
	case `401 {"detail":"Token Expired"}`:
		return "EXP"
	case `403 {"detail":"Invalid JWT token"}`:
		return "BAD"
	case `403 {"detail":"Forbidden"}`:
		return "FORB"
	case `500 Internal Server Error`:
		return "500"
	default:
		return text
	}
}

// stricter lists the tokens that Python takes for JSON, or breaks on, and the
// stand-in refuses as invalid.
func stricter() map[string]bool {
	return map[string]bool{
		"header with NaN member": true, "payload NaN extra": true, "payload UTF-16": true, "exp Infinity": true, "exp -Infinity": true,
		"nbf Infinity": true, "nbf -Infinity": true, "iat Infinity": true, "iat -Infinity": true,
	}
}

// Each of the 314 recorded tokens gets what a real Airflow 3.3.2 said to it.
func TestTokens(t *testing.T) {
	for _, manager := range []string{"fab", "simple"} {
		h := airflow(t, manager)
		seen, differ := 0, stricter()
		for _, r := range recipes(t) {
			if r.Manager != "" && r.Manager != manager {
				continue
			}
			seen++
			token := r.token(now.Unix(), secret, manager)
			if r.CookieAnswer == "" {
				r.CookieAnswer = r.Answer
			}
			if differ[r.Name] {
				if r.Answer == "BAD" {
					t.Errorf("%s is no difference", r.Name)
				}
				r.Answer, r.CookieAnswer = "BAD", "BAD"
				delete(differ, r.Name)
			}
			if got := verdict(ask(h, "GET", "/api/v2/pools", "", "Authorization: Bearer "+token)); got != r.Answer {
				t.Errorf("%s: %s: %s, want %s", manager, r.Name, got, r.Answer)
			}
			w := ask(h, "GET", "/api/v2/pools", "", "Cookie: _token="+token)
			if got := verdict(w); got != r.CookieAnswer {
				t.Errorf("%s: %s in a cookie: %s, want %s", manager, r.Name, got, r.CookieAnswer)
			}
		}
		if seen < 250 || len(differ) > 0 {
			t.Errorf("%s: %d tokens; not among them: %v", manager, seen, differ)
		}
	}
}

func TestWhichCredentialCounts(t *testing.T) {
	h := airflow(t, "fab")
	good, other := strings.TrimPrefix(bearer("1"), "Authorization: Bearer "), strings.TrimPrefix(bearer("3"), "Authorization: Bearer ")
	const deleted = `_token=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax`
	const nobody, one, three = `{"detail":"Not authenticated"}`, `{"id":"1","username":"admin"}`, `{"id":"3","username":"viewer"}`
	const bad = `{"detail":"Invalid JWT token"}`
	for _, c := range []struct {
		name, want string
		deletes    bool
		headers    []string
	}{
		{"nothing", nobody, false, nil},
		{"bearer", one, false, []string{"Authorization: Bearer " + good}},
		{"lower case", one, false, []string{"Authorization: bearer " + good}},
		{"two spaces", one, false, []string{"Authorization: Bearer  " + good}},
		{"tab", nobody, false, []string{"Authorization: Bearer\t" + good}},
		{"a word behind", bad, false, []string{"Authorization: Bearer " + good + " x"}},
		{"Basic", nobody, false, []string{"Authorization: Basic YWRtaW46YWRtaW4="}},
		{"Basic beside a cookie", one, false, []string{"Authorization: Basic YWRtaW46YWRtaW4=", "Cookie: _token=" + good}},
		{"two headers, the first counts", nobody, false, []string{"Authorization: Basic eA==", "Authorization: Bearer " + good}},
		{"bad bearer beside a good cookie", bad, false, []string{"Authorization: Bearer x", "Cookie: _token=" + good}},
		{"good bearer beside a bad cookie", one, true, []string{"Authorization: Bearer " + good, "Cookie: _token=x"}},
		{"bearer beside another's cookie", one, false, []string{"Authorization: Bearer " + good, "Cookie: _token=" + other}},
		{"bad cookie", bad, true, []string{"Cookie: _token=x"}},
		{"empty cookie", nobody, true, []string{"Cookie: _token="}},
		{"last cookie", three, false, []string{"Cookie: _token=" + good + "; _token=" + other}},
		{"last cookie line", three, false, []string{"Cookie: _token=" + good, "Cookie: a=b; _token = " + other}},
		{"quoted cookie", one, false, []string{`Cookie: _token="` + good + `"`}},
		{"other case", nobody, false, []string{"Cookie: _TOKEN=" + good}},
		{"behind a comma", nobody, false, []string{"Cookie: a=b, _token=" + good}},
	} {
		w := ask(h, "GET", "/ui/auth/me", "", c.headers...)
		if got := w.Body.String(); got != c.want || (w.Header().Get("Set-Cookie") == deleted) != c.deletes {
			t.Errorf("%s: %s, %q, want %s", c.name, got, w.Header()["Set-Cookie"], c.want)
		}
	}
	if w := ask(h, "GET", "/", "", "Cookie: _token=x"); w.Code != 200 || w.Header().Get("Set-Cookie") != deleted {
		t.Errorf("a page: %d %q", w.Code, w.Header())
	}
}

// What a real Airflow 3.3.2 answered, masked where an installation differs.
func TestAnswers(t *testing.T) {
	const gone = `{"error":"/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead."}`
	const unknown = `{"error":"API route not found"}`
	for _, c := range []struct {
		who, method, target, body string
		status                    int
		want                      string // what the answer begins with
	}{
		{"", "GET", "/api/v2/version", "", 200, `{"version":"3.3.2","git_version":`},
		{"", "GET", "/api/v2/monitor/health", "", 200, `{"metadatabase":{"status":"healthy"},"scheduler":{"status":`},
		{"", "GET", "/api/v1/dags", "", 404, gone}, {"1", "GET", "/api/v1/", "", 404, gone}, {"1", "GET", "/api/v1", "", 404, unknown},
		{"", "POST", "/api/v1/dags", "", 405, notAllowed}, {"", "HEAD", "/api/v1/dags", "", 405, ""}, {"", "GET", "/api/", "", 404, unknown},
		{"", "GET", "/api/v2/nothing", "", 404, unknown}, {"1", "GET", "/api/v2/dags/", "", 404, unknown}, {"1", "GET", "/api//v2/dags", "", 404, unknown},
		{"1", "GET", "/api/v2/dags/a%2Fb", "", 404, unknown}, {"1", "GET", "/api%2Fv2%2fdags", "", 200, `{"dags":[`},
		{"1", "GET", "/api/v2/dags%2Fgreetings", "", 200, `{"dag_id":"greetings",`}, {"", "GET", "/API/v2/dags", "", 200, "<!doctype html>"},
		{"", "OPTIONS", "/api/v2/dags", "", 405, notAllowed}, {"1", "HEAD", "/api/v2/dags", "", 405, ""}, {"1", "PUT", "/api/v2/dags", "", 405, notAllowed},
		{"", "GET", "/", "", 200, "<!doctype html>"}, {"", "GET", "/ui/nothing", "", 200, "<!doctype html>"}, {"", "POST", "/", "", 405, notAllowed},
		{"", "GET", "/health", "", 404, `{"error":"Moved in Airflow 3.`}, {"", "GET", "/static/nothing", "", 404, `{"detail":"Not Found"}`},
		{"", "GET", "/ui/config", "", 401, `{"detail":"Not authenticated"}`}, {"3", "GET", "/ui/config", "", 200, `{"fallback_page_limit":50,`},
		{"3", "GET", "/api/v2/connections", "", 403, `{"detail":"Forbidden"}`}, {"2", "GET", "/api/v2/connections", "", 200, `{"connections":[],"total_entries":0}`},
		{"3", "GET", "/api/v2/dags", "", 200, `{"dags":[{"dag_id":"greetings","dag_display_name":"greetings","is_paused":false,"is_stale":false,`},
		{"1", "GET", "/api/v2/dags?limit=1&offset=7", "", 200, `{"dags":[],"total_entries":3}`},
		{"1", "GET", "/api/v2/dags?limit=x", "", 422, `{"detail":[{"type":"int_parsing","loc":["query","limit"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"x"}]}`},
		{"3", "GET", "/api/v2/dags/nope", "", 404, "{\"detail\":\"The Dag with ID: `nope` was not found\"}"},
		{"3", "PATCH", "/api/v2/dags/squares", `{"is_paused":true}`, 403, `{"detail":"Forbidden"}`},
		{"", "PATCH", "/api/v2/dags/squares", `{"is_paused":true}`, 401, `{"detail":"Not authenticated"}`},
		{"2", "PATCH", "/api/v2/dags/squares", `{"is_paused":true}`, 200, `{"dag_id":"squares","dag_display_name":"squares","is_paused":true,`},
		{"2", "PATCH", "/api/v2/dags/nope", `{"is_paused":true}`, 404, `{"detail":"Dag with id: nope was not found"}`},
		{"1", "PATCH", "/api/v2/dags/squares", `{"is_pausedx":false}`, 422, `{"detail":[{"type":"missing","loc":["body","is_paused"],"msg":"Field required","input":{"is_pausedx":false}},{"type":"extra_forbidden","loc":["body","is_pausedx"],"msg":"Extra inputs are not permitted","input":false}]}`},
		{"1", "PATCH", "/api/v2/dags/squares", `{"is_paused":"maybe"}`, 422, `{"detail":[{"type":"bool_parsing","loc":["body","is_paused"],"msg":"Input should be a valid boolean, unable to interpret input","input":"maybe"}]}`},
		{"1", "PATCH", "/api/v2/dags/squares", "", 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}`},
		{"", "POST", "/api/v2/dags/squares/dagRuns", "x", 422, `{"detail":[{"type":"json_invalid","loc":["body",0],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting value"}}]}`},
		{"3", "POST", "/api/v2/dags/squares/dagRuns", `{"logical_date":null}`, 403, `{"detail":"Forbidden"}`},
		{"2", "POST", "/api/v2/dags/squares/dagRuns", `{}`, 422, `{"detail":[{"type":"missing","loc":["body","logical_date"],"msg":"Field required","input":{}}]}`},
		{"2", "POST", "/api/v2/dags/nope/dagRuns", `{"logical_date":null}`, 404, `{"detail":"Dag with dag_id: 'nope' not found"}`},
		{"2", "POST", "/api/v2/dags/squares/dagRuns", `{"logical_date":null,"dag_run_id":"try 1"}`, 400, `{"detail":"The run_id provided 'try 1' does not match regex pattern '^[A-Za-z0-9_.~:+-]+$' or '^(?:manual|scheduled|asset_triggered)__(?:\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\+00:00)$'"}`},
		{"2", "POST", "/api/v2/dags/squares/dagRuns", `{"logical_date":null,"dag_run_id":"r1","conf":{"a":"<"}}`, 200, `{"dag_run_id":"r1","dag_id":"squares","logical_date":null,"queued_at":"2026-11-22T03:04:05.000000Z",`},
		{"2", "POST", "/api/v2/dags/squares/dagRuns", `{"logical_date":null,"dag_run_id":"r1"}`, 409, `{"detail":{"reason":"Unique constraint violation",`},
		{"3", "GET", "/api/v2/dags/squares/dagRuns/r1", "", 200, `{"dag_run_id":"r1",`},
		{"3", "GET", "/api/v2/dags/squares/dagRuns/r2", "", 404, "{\"detail\":\"The DagRun with dag_id: `squares` and run_id: `r2` was not found\"}"},
		{"2", "POST", "/api/v2/dags/greetings/dagRuns", `{"logical_date":null}`, 200, `{"dag_run_id":"manual__2026-11-22T03:04:05.000000+00:00_`},
		{"2", "POST", "/api/v2/dags/greetings/dagRuns", `{"logical_date":"abc"}`, 422, `{"detail":[{"type":"datetime_from_date_parsing",`},
		{"3", "GET", "/api/v2/dags/nope/dagRuns", "", 404, "{\"detail\":\"The Dag with ID: `nope` was not found\"}"},
		{"", "GET", "/auth/token", "", 404, "<!doctype html>"}, {"", "POST", "/auth/token/", "", 404, "<!doctype html>"},
		{"", "GET", "/auth/login/", "", 200, "<!doctype html>"}, {"", "GET", "/auth/nothing", "", 404, "<!doctype html>"},
	} {
		// Every row stands for itself, but for the run that some of them need.
		h := airflow(t, "fab")
		if strings.Contains(c.target, "dagRuns/r1") || c.status == 409 {
			ask(h, "POST", "/api/v2/dags/squares/dagRuns", `{"logical_date":null,"dag_run_id":"r1"}`, bearer("2"))
		}
		headers := []string{asJSON}
		if c.who != "" {
			headers = append(headers, bearer(c.who))
		}
		w := ask(h, c.method, c.target, c.body, headers...)
		if w.Code != c.status || c.method != "HEAD" && !strings.HasPrefix(w.Body.String(), c.want) {
			t.Errorf("%s %s by %q: %d %s\nwant %d %s", c.method, c.target, c.who, w.Code, w.Body, c.status, c.want)
		}
		if c.status == 405 && w.Header().Get("Allow") != "GET" || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s %s: %v", c.method, c.target, w.Header())
		}
	}
}

func TestRunsAreKept(t *testing.T) {
	h := airflow(t, "")
	ask(h, "POST", "/api/v2/dags/squares/dagRuns", `{"logical_date":"2026-01-02T03:04:05+01:00","conf":{"a":"<é>"},"note":"n"}`, bearer("2"))
	var got struct {
		Runs []struct {
			Logical string         `json:"logical_date"`
			By      string         `json:"triggering_user_name"`
			Conf    map[string]any `json:"conf"`
			Note    string         `json:"note"`
		} `json:"dag_runs"`
		Total int `json:"total_entries"`
	}
	w := ask(h, "GET", "/api/v2/dags/squares/dagRuns", "", bearer("3"))
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Total != 1 || len(got.Runs) != 1 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if r := got.Runs[0]; r.Logical != "2026-01-02T02:04:05.000000Z" || r.By != "op" || r.Conf["a"] != "<é>" || r.Note != "n" {
		t.Errorf("%+v", r)
	}
	if !bytes.Contains(w.Body.Bytes(), []byte(`"<é>"`)) {
		t.Errorf("escaped for HTML: %s", w.Body)
	}
}

func TestLoginAndLogout(t *testing.T) {
	for _, c := range []struct{ manager, target, where string }{
		{"fab", "/api/v2/auth/login", "/auth/login/"}, {"fab", "/api/v2/auth/login?next=/x", "/auth/login/?next=%2Fx"},
		{"simple", "/api/v2/auth/login?next=/x", "/auth/login?next=%2Fx"}, {"fab", "/api/v2/auth/logout", "/auth/logout"},
		{"simple", "/api/v2/auth/logout", "/auth/login"}, {"fab", "/auth/logout", "/auth/login/"},
	} {
		if w := ask(airflow(t, c.manager), "GET", c.target, ""); w.Code != 307 || w.Header().Get("Location") != c.where {
			t.Errorf("%s %s: %d %v", c.manager, c.target, w.Code, w.Header())
		}
	}
	h := airflow(t, "fab")
	if w := ask(h, "GET", "/api/v2/auth/login?next=http://evil/", ""); w.Code != 400 || w.Body.String() != `{"detail":"Invalid or unsafe next URL"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	token := bearer("1")
	ask(h, "GET", "/api/v2/auth/logout", "", token)
	if w := ask(h, "GET", "/ui/auth/me", "", token); verdict(w) != "BAD" {
		t.Errorf("after logout: %s", verdict(w))
	}
	if w := ask(h, "GET", "/ui/auth/me", "", bearer("1")); verdict(w) != "OK" {
		t.Errorf("another token after logout: %s", verdict(w))
	}
}

func TestNewAirflowRefuses(t *testing.T) {
	for _, cfg := range []demo.Config{{}, {Secret: "x", Manager: "keycloak"}} {
		if h, err := demo.NewAirflow(cfg); err == nil || h != nil {
			t.Errorf("%+v: accepted", cfg)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3}, []int{demo.Users()[0].ID, demo.Users()[1].ID, demo.Users()[2].ID}); diff != "" {
		t.Error(diff)
	}
}
