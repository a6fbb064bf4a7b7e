package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// A call is one request of requests.json. As is whose credential it carries: a user's, or "expired" or "forged"; By
// is how: "bearer" (empty), "cookie" or "basic". <dag> is a Dag that is there.
type call struct {
	Method  string   `json:"method"`
	Target  string   `json:"target"`
	As      string   `json:"as"`
	By      string   `json:"by"`
	Headers []string `json:"headers"`
	Body    string   `json:"body"`
}

// String names the call in failures and in the list of differences.
func (c call) String() string {
	words := []string{c.Method, c.Target, c.As, c.By, c.Body}
	if len(c.Headers) > 0 {
		words = append(words, "("+strings.Join(c.Headers, ", ")+")")
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

func readCalls(t *testing.T) []call {
	t.Helper()
	text, err := os.ReadFile("requests.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var calls []call
	if err := decoder.Decode(&calls); err != nil {
		t.Fatal(err)
	}
	return calls
}

// A place is where calls are made: an Airflow, or a bridge in front of one.
type place struct {
	base   string
	dag    string
	tokens map[string]string
}

// newPlace knows the tokens for the calls at base. It asks for them at the token API there, and signs the bad ones
// as the Airflow behind would.
func newPlace(t *testing.T, base string, behind *Airflow) *place {
	t.Helper()
	wrong := "wrong"
	p := &place{base: base, tokens: map[string]string{
		"expired": recipe{Claims: map[string]string{"exp": "<now-60>"}}.token(behind),
		"forged":  recipe{Secret: &wrong}.token(behind),
	}}
	for _, user := range Users {
		p.tokens[user] = tokenOf(t, behind.URL, user, user)
	}
	var list struct {
		Dags []struct {
			ID string `json:"dag_id"`
		}
	}
	a := p.make(t, call{Method: "GET", Target: "/api/v2/dags", As: "admin"})
	if err := json.Unmarshal([]byte(a.Body), &list); err != nil || len(list.Dags) < 2 {
		t.Fatalf("%s has no Dags: %s", base, short(a.text()))
	}
	p.dag = list.Dags[0].ID
	return p
}

func (p *place) make(t *testing.T, c call) answer {
	t.Helper()
	r := request{Method: c.Method, Target: strings.ReplaceAll(c.Target, "<dag>", p.dag), Headers: c.Headers, Body: c.Body}
	switch {
	case c.As == "":
	case c.By == "basic":
		r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], basicAuth(c.As, c.As))
	case c.By == "cookie":
		r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], "Cookie: _token="+p.tokens[c.As])
	default:
		r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], "Authorization: Bearer "+p.tokens[c.As])
	}
	return send(t, p.base, r)
}

// TestRequests: what carries a JWT or nothing is answered through the bridge as by Airflow itself.
func TestRequests(t *testing.T) {
	for _, f := range world.bridges {
		if f.password != "" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			unused := requestDifferences(f.back.Manager)
			direct, bridged := newPlace(t, f.back.URL, f.back), newPlace(t, f.url, f.back)
			for _, c := range readCalls(t) {
				if c.By == "basic" {
					continue // that is the bridge's own language
				}
				want, got := direct.make(t, c), bridged.make(t, c)
				status, known := unused[c.String()]
				delete(unused, c.String())
				if c.Method != "GET" && want.Status < 400 && got.Status < 400 {
					want.Body, got.Body = shapes(want.Body, got.Body) // the same change twice has two results
				}
				if !known {
					same(t, c.String(), want, got)
				} else if got.Status != status || want.text() == got.text() {
					t.Errorf("%s: the listed difference is %d\n--- through the bridge:\n%s", c, status, short(got.text()))
				}
			}
			for name := range unused {
				t.Errorf("a difference is listed for %q, which is no request", name)
			}
		})
	}
}

// shapes leaves the names and types of two JSON texts, one path a line. What is null in one may be anything in the
// other.
func shapes(a, b string) (string, string) {
	x, y := shapeOf(a), shapeOf(b)
	forgive := func(shape, other map[string]string) {
		for path, kind := range other {
			if kind != "<nil>" {
				continue
			}
			for p := range shape {
				if p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(p, path+"[]") {
					delete(shape, p)
				}
			}
			delete(other, path)
		}
	}
	forgive(x, y)
	forgive(y, x)
	return listed(x), listed(y)
}

func listed(shape map[string]string) string {
	var lines []string
	for path, kind := range shape {
		lines = append(lines, path+" "+kind)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// shapeOf maps the paths of JSON to their types.
func shapeOf(body string) map[string]string {
	var data any
	if json.Unmarshal([]byte(body), &data) != nil {
		return map[string]string{"": "not JSON"}
	}
	paths := map[string]string{}
	addShape(paths, "", data)
	return paths
}

func addShape(paths map[string]string, path string, data any) {
	switch data := data.(type) {
	case map[string]any:
		for name, value := range data {
			addShape(paths, path+"."+name, value)
		}
	case []any:
		paths[path] = "list"
		for _, value := range data {
			addShape(paths, path+"[]", value)
		}
	default:
		paths[path] = fmt.Sprintf("%T", data)
	}
}
