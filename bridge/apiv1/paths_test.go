package apiv1

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// ask makes one request, of an upstream that says what it is told to, and gives the
// answer and what the upstream was asked, in that order.
func ask(t *testing.T, method, target, body string, says func(*http.Request) string) (out *httptest.ResponseRecorder, asks []string) {
	t.Helper()
	var mu sync.Mutex
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	out = httptest.NewRecorder()
	newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
		asked := r.Method + " " + r.URL.RequestURI()
		if r.Body != nil {
			content, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			asked += " " + string(content)
		}
		mu.Lock()
		asks = append(asks, asked)
		mu.Unlock()
		return response(r, says(r))
	})).ServeHTTP(out, r.WithContext(decided(r)))
	return out, asks
}

func always(says string) func(*http.Request) string {
	return func(*http.Request) string { return says }
}

// TestNoSlashInNames: what has a slash in the place of a name never goes on. Airflow
// decodes before it matches, so that each of these would be another operation's path
// there, one that changes without asking (C-13, C-18).
func TestNoSlashInNames(t *testing.T) {
	const states = `"dag_run_id":"r","new_state":"failed","dry_run":false,"include_upstream":false,"include_downstream":false,"include_future":false,"include_past":false}`
	for _, c := range []struct {
		method, target, body string
		status               int
	}{
		{"PATCH", "/api/v1/dags/d/dagRuns/r%2FtaskInstances%2Ft", `{"new_state":"failed"}`, 404},
		{"PATCH", "/api/v1/dags/d/dagRuns/r%2ftaskInstances%2ft", `{"new_state":"failed"}`, 404},
		{"PATCH", "/api/v1/dags/d%2FdagRuns%2Fr%2FtaskInstances%2Ft", `{"new_state":"failed"}`, 404},
		{"PATCH", "/api/v1/dags/d/dagRuns/r%2FtaskInstances%2Ft/setNote", `{"note":"n"}`, 404},
		{"PATCH", "/api/v1/dags/d/dagRuns/r/taskInstances/t%2F3", `{"new_state":"failed","dry_run":false}`, 404},
		{"DELETE", "/api/v1/dags/d%2FdagRuns%2Fr", "", 404},
		{"GET", "/api/v1/dags/d/dagRuns/r%2F1/taskInstances/t/xcomEntries/k", "", 404},
		{"DELETE", "/api/v1/connections/a%2Fb", "", 404},
		{"POST", "/api/v1/dags/d/updateTaskInstancesState", `{"task_id":"t/3",` + states, 400},
		{"POST", "/api/v1/dags/d/updateTaskInstancesState", `{"task_id":"t",` + strings.Replace(states, `"r"`, `"r/taskInstances/t"`, 1), 400},
	} {
		out, asks := ask(t, c.method, c.target, c.body, always("200\n\n"+`{"task_instances":[{}]}`))
		if out.Code != c.status || len(asks) > 0 {
			t.Errorf("%s %s: %d, want %d; the upstream saw %q", c.method, c.target, out.Code, c.status, asks)
		}
	}
}

// TestSlashes: keys of variables and XComs and names of pools may have slashes, and
// keep them as they came.
func TestSlashes(t *testing.T) {
	for _, c := range [][2]string{
		{"/api/v1/variables/a%2Fb", "/api/v2/variables/a%2Fb"},
		{"/api/v1/variables/a/b", "/api/v2/variables/a/b"},
		{"/api/v1/pools/a%2Fb", "/api/v2/pools/a%2Fb"},
		{"/api/v1/pools/a/b", "/api/v2/pools/a/b"},
	} {
		if out, asks := ask(t, "GET", c[0], "", always("200\n\n{}")); out.Code != 200 || len(asks) != 1 || asks[0] != "GET "+c[1] {
			t.Errorf("%s: %d, the upstream saw %q", c[0], out.Code, asks)
		}
	}
}

// TestFileTokens: a token does not hide what a path may not have (C-18).
func TestFileTokens(t *testing.T) {
	for _, dag := range []string{"../../../ui/config", "a/../b", "a/details", "..", ".", "", "/"} {
		out, asks := ask(t, "GET", "/api/v1/dagSources/x~"+base64.RawURLEncoding.EncodeToString([]byte(dag)), "", always("200 text/plain\n\nsecret"))
		if out.Code != 404 || len(asks) > 0 {
			t.Errorf("%q: %d, the upstream saw %q", dag, out.Code, asks)
		}
	}
	for _, token := range []string{"..~x", ".~x", "~x"} {
		out, asks := ask(t, "PUT", "/api/v1/parseDagFile/"+token, "", always("201\n\nnull"))
		if out.Code != 404 || len(asks) > 0 {
			t.Errorf("%q: %d, the upstream saw %q", token, out.Code, asks)
		}
	}
}
