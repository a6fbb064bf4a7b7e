package apiv1

import (
	"slices"
	"strings"
	"testing"
)

// TestReach: whoever closes a path of Airflow 3's learns of each that leads there.
func TestReach(t *testing.T) {
	reach := Reach()
	for _, c := range []struct {
		method, path string
		want         []string
	}{
		{"GET", "/api/v1/connections", []string{"/api/v2/connections"}},
		{"HEAD", "/api/v1/connections/a", []string{"/api/v2/connections/a"}},
		{"GET", "/api/v1/users/ann", []string{"/auth/fab/v1/users/ann"}},
		{"GET", "/api/v1/health", []string{"/api/v2/monitor/health"}},
		{"PATCH", "/api/v1/variables/a/b", []string{"/api/v2/variables/a/b"}},
		{"GET", "/api/v1/datasets", []string{"/api/v2/assets"}},
		{"GET", "/api/v1/datasets/s3://a/b", []string{"/api/v2/assets/"}},
		{"GET", "/api/v1/datasets/queuedEvent/a", []string{"/api/v2/assets/", "/api/v2/assets/", "/api/v2/assets/"}}, // its URI may begin so
		{"GET", "/api/v1/dags/d/datasets/queuedEvent/a", []string{"/api/v2/assets/", "/api/v2/dags/d/assets/"}},
		{"POST", "/api/v1/dags/d/updateTaskInstancesState", []string{"/api/v2/dags/d/dagRuns/"}},
		{"GET", "/api/v1/dagSources/t", []string{"/api/v2/dagSources/"}},
		{"PATCH", "/api/v1/dags/d/dagRuns/r/taskInstances/t/2/setNote", []string{"/api/v2/dags/d/dagRuns/r/taskInstances/t/2"}},
		{"PUT", "/api/v1/connections", nil},
		{"GET", "/api/v1", nil},
		{"GET", "/api/v2/connections", nil},
		{"GET", "/api/v1/nothing", nil},
	} {
		got := reach(c.method, c.path)
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %s reaches %q, want %q", c.method, c.path, got, c.want)
		}
	}
	for _, op := range families() {
		method, path, _ := strings.Cut(op.at, " ")
		path = v1Prefix + strings.ReplaceAll(parameter.ReplaceAllString(strings.ReplaceAll(path, "...}", "}"), "x"), "{", "")
		if len(reach(method, path)) == 0 {
			t.Errorf("%s %s reaches nothing", method, path)
		}
	}
}
