package apiv1

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// asked is an upstream that is one function.
type asked func(*http.Request) (*http.Response, error)

func (f asked) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func nobody(t *testing.T) asked {
	return func(r *http.Request) (*http.Response, error) {
		t.Errorf("the upstream was asked %s %s", r.Method, r.URL)
		return nil, errors.New("nobody is there")
	}
}

func says(body string) asked {
	return func(r *http.Request) (*http.Response, error) { return response(r, "200\n\n"+body) }
}

func get(t *testing.T, transport http.RoundTripper, target string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	out := httptest.NewRecorder()
	newHandler(t, transport).ServeHTTP(out, r.WithContext(decided(r)))
	return out
}

// TestFailsClosed: what the core did not let through asks nobody.
func TestFailsClosed(t *testing.T) {
	for _, d := range []*bridge.Decision{nil, {}, {Verdict: bridge.Answer}, {Verdict: bridge.PassUntouched}} {
		r := httptest.NewRequest("GET", "/api/v1/dags", nil)
		if d != nil {
			r = r.WithContext(bridge.WithDecision(r.Context(), *d))
		}
		out := httptest.NewRecorder()
		newHandler(t, nobody(t)).ServeHTTP(out, r)
		if out.Code != http.StatusInternalServerError {
			t.Errorf("%v: %d", d, out.Code)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/api/v1/nothing", 404},
		{"GET", "/api/v1", 404},
		{"GET", "/api/v1/", 404},
		{"GET", "/api/v1/dags/", 404},
		{"GET", "/api/v1//dags", 404},
		{"PUT", "/api/v1/dags", 405},
		{"POST", "/api/v1/dags/a", 405},
		{"GET", "/api/v1/dags/~/dagRuns/list", 404}, // its "list" is a run that is not there, as in Airflow 2
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		out := httptest.NewRecorder()
		newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
			return response(r, `404`+"\n\n"+`{"detail":"gone"}`)
		})).ServeHTTP(out, r.WithContext(decided(r)))
		if out.Code != c.status || !strings.HasPrefix(out.Body.String(), "{\n  \"detail\": ") {
			t.Errorf("%s %s: %d %s", c.method, c.target, out.Code, out.Body)
		}
	}
}

var parameter = regexp.MustCompile(`\{\w+\}`)

// TestWhoAsks: the upstream sees the decision's token or the client's own, and on a
// public path nobody's.
func TestWhoAsks(t *testing.T) {
	for _, c := range []struct {
		name     string
		decision bridge.Decision
		target   string
		auth     string
		cookie   string
		cookies  int // that the client is given
	}{
		{"minted", bridge.Decision{
			Verdict: bridge.PassMinted, Remove: []string{"Authorization", "Cookie"}, Set: http.Header{"Authorization": {token}}, StripSetCookie: []string{"_token"},
		}, "/api/v1/dags", token, "", 0},
		{"own, in a header", bridge.Decision{Verdict: bridge.PassOwn}, "/api/v1/dags", "Bearer own", "_token=own", 1},
		{"own, in a cookie", bridge.Decision{Verdict: bridge.PassOwn, Remove: []string{"Authorization"}}, "/api/v1/dags", "", "_token=own", 1},
		{"public", bridge.Decision{Verdict: bridge.PassAsIs}, "/api/v1/version", "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen http.Header
			upstream := asked(func(r *http.Request) (*http.Response, error) {
				seen = r.Header
				res, err := response(r, "200\n\n"+`{"dags":[],"total_entries":0}`)
				res.Header.Set("Set-Cookie", "_token=renewed")
				return res, err
			})
			r := httptest.NewRequest("GET", c.target, nil)
			r.Header.Set("Authorization", "Bearer own")
			r.Header.Set("Cookie", "_token=own")
			r.Header.Set("X-Remote-User", "mallory")
			c.decision.Target.Path = c.target
			c.decision.Client = http.Header{"Deprecation": {"@1"}}
			out := httptest.NewRecorder()
			newHandler(t, upstream).ServeHTTP(out, r.WithContext(bridge.WithDecision(r.Context(), c.decision)))
			if got := seen.Get("Authorization"); got != c.auth {
				t.Errorf("Authorization %q, want %q", got, c.auth)
			}
			if got := seen.Get("Cookie"); got != c.cookie {
				t.Errorf("Cookie %q, want %q", got, c.cookie)
			}
			if got := len(out.Header()["Set-Cookie"]); got != c.cookies {
				t.Errorf("%d cookies for the client, want %d", got, c.cookies)
			}
			if seen.Get("X-Remote-User") != "" || out.Header().Get("Deprecation") != "@1" {
				t.Errorf("upstream %v, client %v", seen, out.Header())
			}
		})
	}
}

// TestPaths: parameters go on escaped as they came, below whatever base paths.
func TestPaths(t *testing.T) {
	for _, c := range []struct{ raw, matched, want string }{
		{"/api/v1/variables/a%2Fb+c%3A", "/api/v1/variables/a/b+c:", "/sub/api/v2/variables/a%2Fb+c%3A"},
		{"/old/api/v1/dags/d", "/api/v1/dags/d", "/sub/api/v2/dags/d"},
		{"/api/v1/api/v1/dags/d", "/api/v1/dags/d", "/sub/api/v2/dags/d"},
		{"/%61pi/v1/dags/%7E", "/api/v1/dags/~", "/sub/api/v2/dags/%7E"},
	} {
		var got string
		h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
			got = r.URL.EscapedPath()
			return response(r, "200\n\n{}")
		}))
		h.upstream += "/sub"
		r := httptest.NewRequest("GET", c.raw, nil)
		d := bridge.Decision{Verdict: bridge.PassMinted}
		d.Target.Path = c.matched
		out := httptest.NewRecorder()
		h.ServeHTTP(out, r.WithContext(bridge.WithDecision(r.Context(), d)))
		if got != c.want {
			t.Errorf("%s went to %s, want %s: %s", c.raw, got, c.want, out.Body)
		}
	}
}

// TestPages: an upstream that gives two rows at a time makes one list, and no call
// too many.
func TestPages(t *testing.T) {
	for _, c := range []struct {
		query string
		total int
		asked []string
		rows  int
	}{
		{"limit=5", 9, []string{"limit=5", "limit=3&offset=2", "limit=1&offset=4"}, 5},
		{"limit=5&offset=6", 9, []string{"limit=5&offset=6", "limit=3&offset=8"}, 3},
		{"limit=2", 9, []string{"limit=2"}, 2},
		{"", 1, []string{"limit=100"}, 1},
		{"offset=9", 9, []string{"limit=100&offset=9"}, 0},
	} {
		t.Run(c.query, func(t *testing.T) {
			var queries []string
			out := get(t, asked(func(r *http.Request) (*http.Response, error) {
				queries = append(queries, r.URL.RawQuery)
				q := r.URL.Query()
				offset, _ := strconv.Atoi(q.Get("offset"))
				limit, _ := strconv.Atoi(q.Get("limit"))
				var rows []string
				for i := offset; i < min(offset+min(limit, 2), c.total); i++ {
					rows = append(rows, fmt.Sprintf(`{"task_id":"t%d"}`, i))
				}
				return response(r, fmt.Sprintf("200\n\n"+`{"task_instances":[%s],"total_entries":%d}`, strings.Join(rows, ","), c.total))
			}), "/api/v1/dags/d/dagRuns/r/taskInstances?"+c.query)
			if diff := cmp.Diff(c.asked, queries); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			var answer struct {
				Rows  []struct{ TaskID string } `json:"task_instances"`
				Total int                       `json:"total_entries"`
			}
			if err := json.Unmarshal(out.Body.Bytes(), &answer); err != nil || len(answer.Rows) != c.rows || answer.Total != c.total {
				t.Errorf("%d rows of %d: %v\n%s", len(answer.Rows), answer.Total, err, out.Body)
			}
		})
	}
}

// TestUncounted: Airflow 3.3 may stop counting (total_entries is null).
func TestUncounted(t *testing.T) {
	out := get(t, says(`{"dags":[{},{}],"total_entries":null}`), "/api/v1/dags?fields=dag_id&offset=3")
	if !strings.Contains(out.Body.String(), `"total_entries": 5`) {
		t.Error(out.Body)
	}
}

// A flood is a body of a size, made while it is read.
type flood struct {
	before, each, after string
	size                int
	sent                int
}

func (f *flood) Read(p []byte) (int, error) {
	var n int
	switch {
	case f.before != "":
		n = copy(p, f.before)
		f.before = f.before[n:]
	case f.sent < f.size:
		n = copy(p, f.each)
		f.sent += n
	case f.after != "":
		n = copy(p, f.after)
		f.after = f.after[n:]
	default:
		return 0, io.EOF
	}
	return n, nil
}

// sink counts what a client is sent.
type sink struct {
	head http.Header
	n    int
}

func (s *sink) Header() http.Header         { return s.head }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { s.n += len(p); return len(p), nil }

// TestStreams: values and logs of any size pass in constant memory.
func TestStreams(t *testing.T) {
	const size, bound = 16 << 20, 10 << 20
	line := `{"timestamp":"2026-01-01T00:00:00Z","event":"` + strings.Repeat("e", 900) + `","level":"info"}`
	for _, c := range []struct{ name, target, accept, kind, before, each, after string }{
		{"a value", "/api/v1/dags/d/dagRuns/r", "", "application/json", `{"conf":"`, strings.Repeat("x", 1000), `"}`},
		{"a list", "/api/v1/dags/d/dagRuns?limit=1", "", "application/json", `{"dag_runs":[{}`, `,{"conf":"` + strings.Repeat("x", 4000) + `"}`, `]}`},
		{"an XCom", "/api/v1/dags/d/dagRuns/r/taskInstances/t/xcomEntries/k", "", "application/json", `{"key":"k","value":"`, strings.Repeat("x", 1000), `"}`},
		{"a source as text", "/api/v1/dagSources/a.b~ZA", "text/plain", "text/plain", "import x\n", strings.Repeat("x", 1000), ""},
		{"a source as JSON", "/api/v1/dagSources/a.b~ZA", "application/json", "text/plain", "import x\n", strings.Repeat("x", 1000), ""},
		{"a log as text", "/api/v1/dags/d/dagRuns/r/taskInstances/t/logs/1", "text/plain", "application/x-ndjson", "", line + "\n", ""},
		{"a log as JSON", "/api/v1/dags/d/dagRuns/r/taskInstances/t/logs/1", "application/json", "application/json", `{"content":[""`, "," + line, `],"continuation_token":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", c.target, nil)
			r.Header.Set("Accept", c.accept)
			h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/version") {
					return response(r, "200\n\n"+`{"version":"3.3.2"}`)
				}
				body := &flood{before: c.before, each: c.each, after: c.after, size: size}
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {c.kind}}, Body: io.NopCloser(body), Request: r}, nil
			}))
			out := &sink{head: http.Header{}}
			var before runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			h.ServeHTTP(out, r.WithContext(decided(r)))
			var after runtime.MemStats
			runtime.ReadMemStats(&after)
			most := after.HeapSys - min(after.HeapSys, before.HeapSys)
			if out.n < size/20 || most > bound {
				t.Errorf("%d bytes were sent, and the heap grew by %d", out.n, most)
			}
		})
	}
}

// TestBreaksOff: what the upstream cuts before the client saw some of it is a
// failure, and what it cuts later stays cut.
func TestBreaksOff(t *testing.T) {
	broken := errors.New("connection reset")
	for _, c := range []struct {
		name   string
		size   int
		after  error
		aborts bool
	}{
		{"early", 10, broken, false},
		{"late", 1 << 20, broken, true},
		{"early, without an error", 10, io.EOF, false},
		{"late, without an error", 1 << 20, io.EOF, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := &record.Record{}
			r := httptest.NewRequest("GET", "/api/v1/dags/d/dagRuns/r", nil)
			out := httptest.NewRecorder()
			h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
				body := io.MultiReader(strings.NewReader(`{"conf":"`), &flood{each: "x", size: c.size}, failing{c.after})
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
			}))
			defer func() {
				if aborted := recover() == http.ErrAbortHandler; aborted != c.aborts {
					t.Errorf("aborted: %v, want %v", aborted, c.aborts)
				}
				if rec.Err == "" || !c.aborts && out.Code != http.StatusBadGateway {
					t.Errorf("%d, recorded %q", out.Code, rec.Err)
				}
			}()
			h.ServeHTTP(out, r.WithContext(record.With(decided(r), rec)))
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestClientLeaves: several calls stop when the client goes, and none is begun.
func TestClientLeaves(t *testing.T) {
	ctx, leave := context.WithCancel(context.Background())
	var begun atomic.Int32
	list := `{"dags":[` + strings.Repeat(`{"dag_id":"d"},`, 49) + `{"dag_id":"d"}],"total_entries":51}`
	h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
		if r.Method == "GET" {
			return response(r, "200\n\n"+list)
		}
		if begun.Add(1) == maxAtOnce {
			leave()
		}
		<-r.Context().Done()
		return nil, r.Context().Err()
	}))
	r := httptest.NewRequest("PATCH", "/api/v1/dags?dag_id_pattern=d&limit=50", strings.NewReader(`{"is_paused": true}`))
	r.Header.Set("Content-Type", "application/json")
	r = r.WithContext(ctx)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(decided(r)))
	if n := begun.Load(); n != maxAtOnce {
		t.Errorf("%d calls were begun, want %d", n, maxAtOnce)
	}
}

// TestBounds: bodies that are too much are refused before anybody is asked.
func TestBounds(t *testing.T) {
	many := bytes.NewBufferString("{")
	for i := range maxMembers + 1 {
		fmt.Fprintf(many, `"m%d":1,`, i)
	}
	many.WriteString(`"end":1}`)
	for name, c := range map[string]struct {
		body   io.Reader
		status int
	}{
		"too many members": {many, 400},
		"too long":         {io.MultiReader(strings.NewReader(`{"conf":"`), &flood{each: strings.Repeat("x", 4096), size: maxBody}), 413},
		"too deep":         {strings.NewReader(`{"conf":` + strings.Repeat("[", 20000)), 400},
	} {
		r := httptest.NewRequest("POST", "/api/v1/dags/d/dagRuns", c.body)
		r.Header.Set("Content-Type", "application/json")
		out := httptest.NewRecorder()
		newHandler(t, nobody(t)).ServeHTTP(out, r.WithContext(decided(r)))
		if out.Code != c.status {
			t.Errorf("%s: %d %s", name, out.Code, out.Body)
		}
	}
}

// FuzzHandler: whatever a client sends and an upstream says, nothing panics but to cut
// an answer, and an answer that is whole has a status.
func FuzzHandler(f *testing.F) {
	for _, op := range families() {
		method, path, _ := strings.Cut(op.at, " ")
		path = parameter.ReplaceAllString(path, "1")
		f.Add(method, path, `{"dry_run": false, "new_state": "failed"}`, 200, `{"task_instances":[{"task_id":"a"}],"total_entries":1}`)
		f.Add(method, path+"?limit=3&fields=dag_id", `{}`, 422, `{"detail":[{"loc":["body",1],"msg":"no"},"x"]}`)
	}
	f.Fuzz(func(t *testing.T, method, target, body string, status int, answer string) {
		u, err := url.Parse("http://h" + v1Prefix + target)
		if err != nil || strings.ContainsAny(method, " \r\n\t") || method == "" || status < 100 || status > 599 {
			return
		}
		r, err := http.NewRequest(method, u.String(), strings.NewReader(body))
		if err != nil {
			return
		}
		r.RequestURI = u.RequestURI()
		r.Header.Set("Content-Type", "application/json")
		path, err := url.PathUnescape(strings.Split(r.RequestURI, "?")[0])
		if err != nil {
			return
		}
		d := bridge.Decision{Verdict: bridge.PassOwn}
		d.Target.Path = path
		h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
		}))
		out := httptest.NewRecorder()
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				panic(p)
			}
			if out.Code < 200 {
				t.Errorf("answered %d", out.Code)
			}
		}()
		h.ServeHTTP(out, r.WithContext(bridge.WithDecision(r.Context(), d)))
	})
}

func TestNew(t *testing.T) {
	good := Config{Upstream: &url.URL{Scheme: "http", Host: "a"}, Transport: asked(nil), Fail: func(http.ResponseWriter, *http.Request, error) {}}
	for name, change := range map[string]func(*Config){
		"no upstream": func(c *Config) { c.Upstream = nil }, "no transport": func(c *Config) { c.Transport = nil },
		"nobody to fail": func(c *Config) { c.Fail = nil }, "a page below zero": func(c *Config) { c.PageLimit = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

// FuzzSource: whatever a source is, the JSON that holds it gives it back.
func FuzzSource(f *testing.F) {
	f.Add("a\"\\\n\r\t\x00\x7f é \u2028<>", 3)
	f.Fuzz(func(t *testing.T, source string, cut int) {
		if !utf8.ValidString(source) {
			return // Airflow sends no such
		}
		var out bytes.Buffer
		cut = min(max(cut, 0), len(source))
		for _, part := range []string{source[:cut], source[cut:]} {
			if n, err := (jsonText{&out}).Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		var got string
		if err := json.Unmarshal([]byte(`"`+out.String()+`"`), &got); err != nil || got != source {
			t.Errorf("%q became %q: %v", source, out.String(), err)
		}
	})
}
