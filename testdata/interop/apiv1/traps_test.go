package apiv1

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// ask makes a request and gives the status and the body.
func ask(t *testing.T, method, url, authorization, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	} else {
		r.SetBasicAuth("admin", "admin")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// token asks Airflow 3 for a token of its own.
func token(t *testing.T) string {
	t.Helper()
	var answer struct {
		Token string `json:"access_token"`
	}
	status, text := ask(t, "POST", world.airflow3.URL+"/auth/token", "none", `{"username": "admin", "password": "admin"}`)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusCreated {
		t.Fatalf("no token: %d %s", status, text)
	}
	return answer.Token
}

// TestMappedTaskInstances: who changes one mapped instance changes no other, and who names none changes none. What is
// shown is the state of a real Airflow 3 before and after each request.
func TestMappedTaskInstances(t *testing.T) {
	bearer := "Bearer " + token(t)
	const run = "/dags/sizes/dagRuns/first"
	const task = run + "/taskInstances/measure"
	// state is what Airflow 3 itself says of all instances: state and note of each, in the order of their indexes.
	state := func() string {
		t.Helper()
		status, text := ask(t, "GET", world.airflow3.URL+"/api/v2"+task+"/listMapped?order_by=map_index", bearer, "")
		var answer struct {
			Rows []struct {
				State, Note *string
			} `json:"task_instances"`
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		var words []string
		for _, row := range answer.Rows {
			word := "-"
			if row.State != nil {
				word = *row.State
			}
			if row.Note != nil {
				word += " " + *row.Note
			}
			words = append(words, word)
		}
		return strings.Join(words, ", ")
	}
	for _, step := range []struct {
		method, path, body string
		status             int
		after              string
	}{
		{"POST", "/dags/sizes/dagRuns", `{"dag_run_id": "first"}`, 200, "-, -, -"},
		{"PATCH", task + "/1", `{"new_state": "failed"}`, 200, "-, -, -"},
		{"PATCH", task + "/1", `{"new_state": "failed", "dry_run": true}`, 200, "-, -, -"},
		{"PATCH", task + "/1", `{"new_state": "failed", "dry_run": false}`, 200, "-, failed, -"},
		{"PATCH", task + "/1", `{"new_state": "failed", "dry_run": false}`, 200, "-, failed, -"},
		{"PATCH", task + "/2/setNote", `{"note": "the last"}`, 200, "-, failed, - the last"},
		{"PATCH", task + "/setNote", `{"note": "nobody"}`, 404, "-, failed, - the last"},
		{"PATCH", task + "/9", `{"new_state": "success", "dry_run": false}`, 404, "-, failed, - the last"},
		{"PATCH", task + "/0", `{"new_state": "success", "dry_run": false}`, 200, "success, failed, - the last"},
		{"POST", "/dags/sizes/clearTaskInstances", `{"dag_run_id": "first", "task_ids": [["measure", 1]]}`, 400, "success, failed, - the last"},
		{"POST", "/dags/sizes/clearTaskInstances", `{"dag_run_id": "first", "task_ids": ["measure"], "dry_run": false}`, 200, "success, -, - the last"},
	} {
		name := fmt.Sprintf("%s %s %s", step.method, step.path, step.body)
		status, text := ask(t, step.method, world.bridge.URL+"/api/v1"+step.path, "", step.body)
		if status != step.status {
			t.Errorf("%s: %d, want %d: %s", name, status, step.status, text)
		}
		if after := state(); after != step.after {
			t.Errorf("%s: after it the instances are %s; want %s", name, after, step.after)
		}
	}
}
