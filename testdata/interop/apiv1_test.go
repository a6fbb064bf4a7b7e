package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// An apiV1 is an Airflow 2 client of the bridge, and beside it Airflow 3 itself, to see what became of it.
type apiV1 struct {
	t     *testing.T
	front front
	token string
}

func newAPIv1(t *testing.T) apiV1 {
	f := world.bridges[0]
	return apiV1{t, f, tokenOf(t, f.back.URL, "admin", "admin")}
}

// old asks as a script that was written for Airflow 2, and wants 200.
func (a apiV1) old(method, target, body string) map[string]any {
	a.t.Helper()
	return a.ask(method, a.front.url+"/api/v1"+target, body, func(r *http.Request) {
		r.SetBasicAuth("admin", a.front.password+"admin")
		r.Header.Set("Content-Type", "application/json")
	})
}

// leave has what was made at target taken away when the test ends: others look at the same Airflow.
func (a apiV1) leave(target string) {
	a.t.Cleanup(func() {
		r, err := http.NewRequest("DELETE", a.front.url+"/api/v1"+target, nil)
		if err != nil {
			a.t.Fatal(err)
		}
		r.SetBasicAuth("admin", a.front.password+"admin")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			a.t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusNoContent {
			a.t.Errorf("DELETE %s: %d", target, res.StatusCode)
		}
	})
}

// state asks Airflow 3 itself.
func (a apiV1) state(target string) map[string]any {
	a.t.Helper()
	return a.ask("GET", a.front.back.URL+"/api/v2"+target, "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+a.token) })
}

func (a apiV1) ask(method, url, body string, as func(*http.Request)) (v map[string]any) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	as(r)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode == http.StatusOK {
		err = json.Unmarshal(text, &v)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		a.t.Fatalf("%s %s: %d %v %s", method, url, res.StatusCode, err, text)
	}
	return v
}

// is wants a member of Airflow 3's answer to have a value.
func (a apiV1) is(target, name, want string) {
	a.t.Helper()
	if got := fmt.Sprint(a.state(target)[name]); got != want {
		a.t.Errorf("%s: %s is %s, want %s", target, name, got, want)
	}
}

// TestAPIv1Traps: what means one thing in Airflow 2 and another in Airflow 3 changes what it changed in Airflow 2, and
// nothing else. What is shown is the state of a real Airflow 3 before and after.
func TestAPIv1Traps(t *testing.T) {
	a := newAPIv1(t)

	// A run that is triggered without a date has one, in its templates too.
	run := fmt.Sprint(a.old("POST", "/dags/greetings/dagRuns", `{"conf": {"z": 1.0}}`)["dag_run_id"])
	path := "/dags/greetings/dagRuns/" + run
	a.leave(path)
	if date := fmt.Sprint(a.state(path)["logical_date"]); run != "manual__"+strings.Replace(date, "Z", "+00:00", 1) {
		t.Errorf("the run %s has the logical date %s", run, date)
	}

	// The state of a task instance changes when it is said, and not when nothing is.
	task := path + "/taskInstances/hello"
	a.is(task, "state", "<nil>")
	a.old("PATCH", task, `{"new_state": "failed"}`)
	a.is(task, "state", "<nil>")
	a.old("PATCH", task, `{"new_state": "failed", "dry_run": true}`)
	a.is(task, "state", "<nil>")
	a.old("PATCH", task, `{"new_state": "failed", "dry_run": false}`)
	a.is(task, "state", "failed")
	a.old("PATCH", task, `{"new_state": "failed", "dry_run": false}`) // 409 in Airflow 3
	around := `"include_upstream": false, "include_downstream": false, "include_future": false, "include_past": false`
	a.old("POST", "/dags/greetings/updateTaskInstancesState", `{"task_id": "hello", "dag_run_id": "`+run+`", "new_state": "success", `+around+`}`)
	a.is(task, "state", "failed")

	// A task that is cleared leaves its run alone unless that is said.
	a.old("PATCH", path, `{"state": "failed"}`)
	clear := `"dag_run_id": "` + run + `", "only_failed": false`
	a.old("POST", "/dags/greetings/clearTaskInstances", `{`+clear+`}`)
	a.is(task, "state", "failed")
	a.old("POST", "/dags/greetings/clearTaskInstances", `{`+clear+`, "dry_run": false}`)
	a.is(task, "state", "<nil>")
	a.is(path, "state", "failed")
	a.old("POST", "/dags/greetings/clearTaskInstances", `{`+clear+`, "dry_run": false, "reset_dag_runs": true}`)
	a.is(path, "state", "queued")
	a.old("PATCH", path, `{"state": "success"}`)
	a.old("POST", path+"/clear", `{}`)
	a.is(path, "state", "success")

	// Of the Dags that fit, those on the page are paused.
	a.old("PATCH", "/dags?dag_id_pattern=~", `{"is_paused": false}`)
	a.old("PATCH", "/dags?dag_id_pattern=~&limit=1&offset=1", `{"is_paused": true}`)
	a.is("/dags/greetings", "is_paused", "false")
	a.is("/dags/squares", "is_paused", "true")
}
