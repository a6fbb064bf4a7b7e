package apiv1

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// someDags is an Airflow 3 with 80 Dags, d00 to d79, that gives at most 50 at a time
// and lets the client change those that may says.
func someDags(may func(id string) bool) func(*http.Request) string {
	return func(r *http.Request) string {
		if r.Method == "PATCH" {
			if id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]; may(id) {
				return "200\n\n" + `{"dag_id":"` + id + `"}`
			}
			return "403\n\n" + `{"detail":"Forbidden"}`
		}
		var from, limit int
		_, _ = fmt.Sscan(r.URL.Query().Get("offset"), &from)
		_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		var rows []string
		for i := from; i < min(from+min(50, limit), 80); i++ {
			rows = append(rows, fmt.Sprintf(`{"dag_id":"d%02d"}`, i))
		}
		return "200\n\n" + `{"dags":[` + strings.Join(rows, ",") + `],"total_entries":80}`
	}
}

// TestPatchDags: of the client's page each Dag that may be changed is, and no other,
// however few rows Airflow 3 gives at a time.
func TestPatchDags(t *testing.T) {
	all := func(string) bool { return true }
	for _, c := range []struct {
		name, query    string
		may            func(string) bool
		status, counts int
		changed        int
		first, last    string
	}{
		{"more than Airflow 3's page", "limit=70", all, 200, 80, 70, "d00", "d69"},
		{"from an offset", "limit=70&offset=5", all, 200, 80, 70, "d05", "d74"},
		{"the end", "limit=70&offset=78", all, 200, 80, 2, "d78", "d79"},
		{"after the end", "limit=70&offset=80", all, 200, 80, 0, "", ""},
		{"less than Airflow 3's page", "limit=10", all, 200, 80, 10, "d00", "d09"},
		{"some may not be changed", "limit=10", func(id string) bool { return id != "d01" && id != "d05" }, 200, 80, 8, "d00", "d09"},
		{"none may be changed", "limit=10", func(string) bool { return false }, 403, 0, 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, asks := ask(t, "PATCH", "/api/v1/dags?dag_id_pattern=~&"+c.query, `{"is_paused":true}`, someDags(c.may))
			for _, asked := range asks {
				if id, patched := strings.CutPrefix(asked, "PATCH /api/v2/dags/"); patched && (len(id) < 3 || c.status == 200 && (id[:3] < c.first || id[:3] > c.last)) ||
					strings.HasPrefix(asked, "PATCH /api/v2/dags?") {
					t.Errorf("changed beyond the page: %s", asked)
				}
			}
			answer := out.Body.String()
			if n := strings.Count(answer, `"dag_id":`); out.Code != c.status || n != c.changed {
				t.Errorf("%d, %d Dags; want %d, %d\n%s", out.Code, n, c.status, c.changed, answer)
			}
			if c.status == 200 && !strings.Contains(answer, fmt.Sprintf(`"total_entries": %d`, c.counts)) {
				t.Error(answer)
			}
			if first, last := strings.Index(answer, c.first), strings.LastIndex(answer, c.last); first > last || first < 0 {
				t.Errorf("%s to %s, in this order, are not in the answer", c.first, c.last)
			}
		})
	}
}

// TestPatchDagsRefused: what cannot be done for all of the page is no success, and a
// mask that Airflow 2 refused changes nothing.
func TestPatchDagsRefused(t *testing.T) {
	for _, c := range []struct {
		name, query, list, one string
		status                 int
	}{
		{"a row without a name", "", `{"dags":[{}],"total_entries":2}`, "{}", 502},
		{"a name with a slash", "", `{"dags":[{"dag_id":"a/b"}],"total_entries":2}`, "{}", 502},
		{"more rows than were asked for", "&limit=1", `{"dags":[{"dag_id":"a"},{"dag_id":"b"}],"total_entries":9}`, "{}", 502},
		{"no count", "", `{"dags":[{"dag_id":"a"}]}`, "{}", 502},
		{"a count below zero", "", `{"dags":[{"dag_id":"a"}],"total_entries":-1}`, "{", 502},
		{"an answer beyond bounds", "", `{"dags":[{"dag_id":"a"}],"total_entries":2}`, `{"description":"` + strings.Repeat("x", maxHeld) + `"}`, 502},
		{"another mask", "&update_mask=description", `{"dags":[{"dag_id":"a"}],"total_entries":2}`, "{}", 400},
	} {
		out, asks := ask(t, "PATCH", "/api/v1/dags?dag_id_pattern=~"+c.query, `{"is_paused":true}`, func(r *http.Request) string {
			if r.Method == "PATCH" {
				return "200\n\n" + c.one
			}
			if r.URL.Query().Get("offset") != "0" {
				return "200\n\n" + `{"dags":[],"total_entries":2}`
			}
			return "200\n\n" + c.list
		})
		if out.Code != c.status || c.status == 400 && len(asks) > 0 {
			t.Errorf("%s: %d, want %d; asked %q", c.name, out.Code, c.status, asks)
		}
	}
}

// TestDagPatterns: a pattern finds no more than in Airflow 2, where neither "|" nor,
// in lists, "~" meant anything.
func TestDagPatterns(t *testing.T) {
	for _, c := range []struct{ method, pattern, want string }{
		{"GET", "a|b", "a/b"},
		{"GET", "~", "%~"},
		{"GET", "a_%", "a_%"},
		{"PATCH", "a|b", "a/b"},
		{"PATCH", "|", "/"},
		{"PATCH", "~", "~"},
	} {
		out, asks := ask(t, c.method, "/api/v1/dags?dag_id_pattern="+url.QueryEscape(c.pattern), `{"is_paused":true}`, always("200\n\n"+`{"dags":[],"total_entries":0}`))
		for _, asked := range asks {
			if !strings.Contains(asked, "dag_id_pattern="+url.QueryEscape(c.want)+"&") {
				t.Errorf("%s %s: %d, asked %s", c.method, c.pattern, out.Code, asked)
			}
		}
	}
}
