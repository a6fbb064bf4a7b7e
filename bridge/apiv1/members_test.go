package apiv1

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// post sends a body as whatever method says.
func post(t *testing.T, transport asked, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	out := httptest.NewRecorder()
	newHandler(t, transport).ServeHTTP(out, r.WithContext(decided(r)))
	return out
}

// TestBodies: what Airflow 2 refused of a body asks nobody. What Airflow 3 would do of it
// was shown by each of these.
func TestBodies(t *testing.T) {
	const (
		run    = "/api/v1/dags/d/dagRuns/r"
		one    = run + "/taskInstances/t"
		clear  = "/api/v1/dags/d/clearTaskInstances"
		states = "/api/v1/dags/d/updateTaskInstancesState"
		runs   = "/api/v1/dags/d/dagRuns"
	)
	for _, c := range []struct{ method, target, body, says string }{
		// Clears, where pydantic takes what looks like false for it.
		{"POST", clear, `{"dry_run":"no"}`, "'no' is not of type 'boolean' - 'dry_run'"},
		{"POST", clear, `{"dry_run":0}`, "0 is not of type 'boolean' - 'dry_run'"},
		{"POST", clear, `{"dry_run":null}`, "None is not of type 'boolean' - 'dry_run'"},
		{"POST", clear, `{"reset_dag_runs":"on"}`, "'on' is not of type 'boolean' - 'reset_dag_runs'"},
		{"POST", run + "/clear", `{"dry_run":"f"}`, "'f' is not of type 'boolean' - 'dry_run'"},
		{"PATCH", "/api/v1/dags/d", `{"is_paused":"off"}`, "'off' is not of type 'boolean' - 'is_paused'"},
		{"POST", states, `{"include_future":"yes"}`, "'yes' is not of type 'boolean' - 'include_future'"},
		{"PATCH", one, `{"new_state":"failed","dry_run":[]}`, "[] is not of type 'boolean' - 'dry_run'"},
		// Changes neighbours, or more than was asked for.
		{"PATCH", one, `{"new_state":"failed","dry_run":false,"include_downstream":true}`, "{'include_downstream': ['Unknown field.']}"},
		{"PATCH", one, `{"new_state":"failed","dry_run":false,"note":"n"}`, "{'note': ['Unknown field.']}"},
		{"PATCH", one + "/setNote", `{"note":"n","new_state":"failed"}`, "{'new_state': ['Unknown field.']}"},
		{"POST", run + "/clear", `{"dry_run":false,"only_failed":true}`, "{'only_failed': ['Unknown field.']}"},
		{"POST", clear, `{"dry_run":false,"run_on_latest_version":true}`, "{'run_on_latest_version': ['Unknown field.']}"},
		{"POST", runs, `{"run_after":"2030-01-01T00:00:00Z"}`, "{'run_after': ['Unknown field.']}"},
		{"PATCH", run, `{"state":"queued","note":"n"}`, "{'note': ['Unknown field.']}"},
		{"POST", "/api/v1/connections", `{"connection_id":"c","conn_type":"http","team_name":"t"}`, "{'team_name': ['Unknown field.']}"},
		{"POST", "/api/v1/variables", `{"key":"k","value":"v","team_name":"t"}`, "{'team_name': ['Unknown field.']}"},
		// Under Airflow 3's own name of what is called otherwise, beside it or alone.
		{"POST", "/api/v1/datasets/events", `{"dataset_uri":"s3://a","asset_id":7}`, "{'asset_id': ['Unknown field.']}"},
		{"PATCH", "/api/v1/pools/p", `{"name":"p","slots":1,"pool":"q"}`, "{'pool': ['Unknown field.']}"},
		{"POST", "/api/v1/dags/~/dagRuns/list", `{"logical_date_gte":"2030-01-01T00:00:00Z"}`, "{'logical_date_gte': ['Unknown field.']}"},
		// Of another kind. A password's value is not said back.
		{"POST", "/api/v1/connections", `{"connection_id":"c","conn_type":"http","password":7}`, "Not of type 'string' - 'password'"},
		{"POST", "/api/v1/connections", `{"connection_id":"c","conn_type":"http","port":"80"}`, "'80' is not of type 'integer' - 'port'"},
		{"POST", "/api/v1/pools", `{"name":"p","slots":1.5}`, "1.5 is not of type 'integer' - 'slots'"},
		{"POST", runs, `{"conf":"{}"}`, "Not of type 'object' - 'conf'"},
		{"POST", runs, `{"data_interval_end":"1700000000"}`, "{'data_interval_end': ['Not a valid datetime.']}"},
		{"POST", clear, `{"start_date":1700000000}`, "Not of type 'string' - 'start_date'"},
		{"POST", clear, `{"task_ids":"t"}`, "Not of type 'array' - 'task_ids'"},
		{"POST", clear, `{"task_ids":[["t",3]]}`, "Not of type 'array' - 'task_ids'"},
		{"POST", "/api/v1/dags/~/dagRuns/~/taskInstances/list", `{"duration_gte":true}`, "True is not of type 'number' - 'duration_gte'"},
	} {
		out := post(t, nobody(t), c.method, c.target, c.body)
		if says, _ := detail(out); out.Code != 400 || says != c.says {
			t.Errorf("%s %s %s: %d %s", c.method, c.target, c.body, out.Code, out.Body)
		}
	}
}

// detail is what a refusal says.
func detail(out *httptest.ResponseRecorder) (says string, found bool) {
	_, rest, found := strings.Cut(out.Body.String(), `"detail": "`)
	says, _, _ = strings.Cut(rest, "\",\n")
	return says, found
}

// TestFreeBodies: what is an object of anything goes on byte for byte, whatever it says.
func TestFreeBodies(t *testing.T) {
	const free = `{"dry_run": "no", "a": {"asset_id": 1.0, "b": [null]}}`
	b, err := membersOf([]byte(`{"conf":` + free + `,"note":null}`))
	if err == nil {
		b, err = b.translate("conf note?")
	}
	if err != nil || string(b.bytes()) != `{"conf":`+free+`,"note":null}` {
		t.Errorf("%s, %v", b.bytes(), err)
	}
}

// TestLongNames: a refusal says back no more than the beginning of a name.
func TestLongNames(t *testing.T) {
	out := post(t, nobody(t), "PATCH", "/api/v1/dags/d", `{"`+strings.Repeat("é", 100_000)+`":1}`)
	if out.Code != 400 || out.Body.Len() > 600 {
		t.Errorf("%d, %d bytes", out.Code, out.Body.Len())
	}
}
