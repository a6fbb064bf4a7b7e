package apiv1

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
)

// TestLenientTime: what Airflow 2 read, Airflow 3 is told as it wants it.
func TestLenientTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-27T02:45:50.775411+00:00": "2026-11-27T02:45:50.775411Z",
		"2026-11-27T02:45:50 00:00":        "2026-11-27T02:45:50Z", // a "+" that was not escaped
		" 2026-11-27T02:45:50+0200 ":       "2026-11-27T02:45:50+02:00",
		"2026-11-27T02:45:50-07":           "2026-11-27T02:45:50-07:00",
		"2026-11-27T02:45:50":              "2026-11-27T02:45:50Z",
		"2026-11-27T02:45":                 "2026-11-27T02:45:00Z",
		"2026-11-27":                       "2026-11-27T00:00:00Z",
		"20261127T024550Z":                 "2026-11-27T02:45:50Z",
		"2026-11-27T02:45:50.1234567Z":     "2026-11-27T02:45:50.123456Z",
	} {
		if got, ok := lenientTime(text); got != want || !ok {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "yesterday", "2026-13-01", "2026-11-27T25:00:00Z", "2026-11-27 02:45:50", "0000-01-01", "1764211550"} {
		if got, ok := lenientTime(text); ok {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func TestPrefersText(t *testing.T) {
	for _, c := range []struct {
		accept []string
		want   bool
	}{
		{nil, false},
		{[]string{"*/*"}, true},
		{[]string{"application/json"}, false},
		{[]string{"text/plain"}, true},
		{[]string{"text/*;q=0.5, application/json"}, false},
		{[]string{"application/json;q=0.5", "text/plain;q=0.6"}, true},
		{[]string{"application/json, */*"}, true},
		{[]string{"text/plain;q=0, */*;q=0.1"}, true}, // Werkzeug's reading
		{[]string{"text/html"}, false},
		{[]string{"text/plain;q=x, , ;"}, false},
	} {
		if got := prefersText(c.accept); got != c.want {
			t.Errorf("%q: %v", c.accept, got)
		}
	}
}

// FuzzQuery: no query panics, and what goes on holds nothing but what was declared,
// with limits within their bounds and times that Airflow 3 reads.
func FuzzQuery(f *testing.F) {
	f.Add("limit=5&offset=2&order_by=-execution_date&execution_date_gte=2026-01-01T00:00:00 01:00&state=a,b&state=c")
	f.Add("fields=dag_id,,state&limit=0&colour=%zz;")
	var op *template
	for _, t := range templatesOf(families()) {
		if t.id == "get_dag_runs" {
			op = t
		}
	}
	known := map[string]bool{}
	for old, upstream := range renames(op.query) {
		if _, name := paramOf(old); upstream == old {
			upstream = name
		}
		known[upstream] = true
	}
	h := &Handler{pageLimit: 100}
	f.Fuzz(func(t *testing.T, raw string) {
		c := &call{Handler: h, op: op, query: url.Values{}, answer: op.answer}
		if err := c.translate(raw); err != nil {
			if p := (*problemError)(nil); !errors.As(err, &p) || p.status != 400 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if c.rows < 1 || c.rows > 100 {
			t.Errorf("%q: %d rows", raw, c.rows)
		}
		for name, values := range c.query {
			if !known[name] || len(values) == 0 {
				t.Errorf("%q: %s goes on as %q", raw, name, values)
			}
			if kind, _ := paramOf(name); kind == moment {
				if _, err := time.Parse(time.RFC3339, values[0]); err != nil {
					t.Errorf("%q: %v", raw, err)
				}
			}
		}
	})
}

// FuzzBody: no body panics, and one that is taken goes on as the same object, but
// for what was declared.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"a": 1.0, "b": {"c": [1e400, "\u0000"]}, "a": "again"}`))
	f.Add([]byte(` { "new" : null , "drop":{} } `))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(text))
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		b, err := (&call{Handler: &Handler{bodies: semaphore.NewWeighted(maxBodies)}, r: r}).readBody()
		if err != nil {
			if p := (*problemError)(nil); !errors.As(err, &p) || p.status != 400 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		var want, got map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || json.Unmarshal(b.bytes(), &got) != nil || len(want) != len(got) {
			t.Fatalf("%q became %q", text, b.bytes())
		}
		for name, value := range want {
			if !bytes.Equal(value, got[name]) {
				t.Errorf("%q: %q became %q", text, value, got[name])
			}
		}
		translated, err := b.translate("a b? old>new drop>-")
		if p := (*problemError)(nil); err != nil && (!errors.As(err, &p) || p.status != 400) {
			t.Fatalf("%q: %v", text, err)
		}
		for _, m := range translated {
			if b.get("new") != nil || m.name != "a" && m.name != "b" && m.name != "new" || !json.Valid(translated.bytes()) {
				t.Errorf("%q became %q", text, translated.bytes())
			}
		}
	})
}

// TestOffsetBelowZero: refused before anybody is asked, on lists that the bridge cuts
// itself too.
func TestOffsetBelowZero(t *testing.T) {
	for _, path := range []string{"/api/v1/dags", "/api/v1/permissions"} {
		if out := get(t, nobody(t), path+"?offset=-1"); out.Code != 400 || !strings.Contains(out.Body.String(), "less than the minimum of 0") {
			t.Errorf("%s: %d %s", path, out.Code, out.Body)
		}
	}
}
