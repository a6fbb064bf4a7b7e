package apiv1

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	goyaml "github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/jetbridge/jetbridge/bridge"
)

// TestDescription: tools that read Airflow 2's description find what is spoken here,
// and nothing that is not.
func TestDescription(t *testing.T) {
	ask := func(method, target string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, nil)
		d := bridge.Decision{Verdict: bridge.PassAsIs}
		d.Target.Path = target
		out := httptest.NewRecorder()
		newHandler(t, nobody(t)).ServeHTTP(out, r.WithContext(bridge.WithDecision(r.Context(), d)))
		return out
	}
	out := ask("GET", "/api/v1/openapi.json")
	var doc struct {
		OpenAPI string
		Info    struct{ Version string }
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct {
			OperationID string
			Parameters  []struct{ Name, In string }
			Responses   map[string]any
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Properties map[string]struct{ Type string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(out.Body.Bytes(), &doc); err != nil || out.Code != 200 {
		t.Fatalf("%d: %v", out.Code, err)
	}
	if doc.OpenAPI != "3.0.3" || doc.Info.Version != "2.11.0" || doc.Servers[0].URL != "/api/v1" {
		t.Errorf("%+v", doc)
	}
	want, got := map[string]string{}, map[string]string{}
	for _, tmpl := range templatesOf(families()) {
		want[tmpl.id] = strings.ToLower(tmpl.method) + " " + tmpl.path()
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			got[op.OperationID] = method + " " + path
			if len(op.Responses) < 2 || strings.Count(path, "{") > len(op.Parameters) {
				t.Errorf("%s %s: %+v", method, path, op)
			}
		}
	}
	clear := doc.Paths["/dags/{dag_id}/clearTaskInstances"]["post"].RequestBody.Content["application/json"].Schema.Properties
	if clear["dry_run"].Type != "boolean" || clear["task_ids"].Type != "array" {
		t.Errorf("the body of clearTaskInstances: %+v", clear)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-declared +described):\n%s", diff)
	}

	yaml := ask("GET", "/api/v1/openapi.yaml")
	if kind := yaml.Header().Get("Content-Type"); kind != "text/yaml" || !strings.HasPrefix(yaml.Body.String(), "openapi: \"3.0.3\"\n") {
		t.Errorf("%s\n%.300s", kind, yaml.Body)
	}
	var fromYAML, fromJSON any
	if err := goyaml.Unmarshal(yaml.Body.Bytes(), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Body.Bytes(), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Errorf("JSON and YAML (-/+) differ:\n%s", diff)
	}
	if head := ask("HEAD", "/api/v1/openapi.yaml"); head.Body.Len() > 0 || head.Header().Get("Content-Length") == "" {
		t.Errorf("%v, %d bytes", head.Header(), head.Body.Len())
	}
	if post := ask("POST", "/api/v1/openapi.yaml"); post.Code != 404 {
		t.Errorf("%d", post.Code)
	}
}

// TestDescribedStatus: the description has the status of each success in the corpus.
func TestDescribedStatus(t *testing.T) {
	for _, tmpl := range templatesOf(families()) {
		archive, err := txtar.ParseFile("testdata/corpus/" + tmpl.id + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range casesOf(t, archive) {
			if status := c.answer[:min(3, len(c.answer))]; strings.HasPrefix(status, "2") && status != strconv.Itoa(tmpl.success()) {
				t.Errorf("%s, %s: answered %s, described %d", tmpl.id, c.name, status, tmpl.success())
			}
		}
	}
}
