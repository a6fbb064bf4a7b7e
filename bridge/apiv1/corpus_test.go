package apiv1

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
)

var (
	update   = flag.Bool("update", false, "write what clients are answered into the corpus; look at the difference then")
	recordAt = flag.String("record", "", "the `address` of a real Airflow 3: what it says is written into the corpus")
	recordAs = flag.String("record-token", "", "the token to ask it with")
	hide     = flag.String("record-hide", "", "pairs OLD=NEW, parted by commas: folders of this machine, and what to write for them")
)

// TestCorpus tells what each operation does, without an Airflow: testdata/corpus has
// a file for each. A file has cases, and a case these parts, in this order:
//
//	-- request: what it shows --   the client's: METHOD TARGET, headers, a blank line, the body
//	-- asked --                    what Airflow 3 must see, once for each request; a body that is
//	-- says --                     JSON byte for byte. What it says then: STATUS [TYPE], a blank line, the body
//	-- answer --                   what the client must get: STATUS TYPE, a blank line, the body
//
// Who adds an operation writes the requests, and has the rest written by
//
//	go test ./bridge/apiv1 -run TestCorpus/ID$ -record http://127.0.0.1:8081 -record-token "$TOKEN"
//
// to be looked at before it is believed.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if text := string(txtar.Format(archive)); strings.Contains(text, "/tmp/") || strings.Contains(text, "/home/") {
				t.Error("a folder of the machine that it was recorded on is in it: -record-hide hides it")
			}
			cases := casesOf(t, archive)
			archive.Files = nil
			for _, c := range cases {
				t.Run(c.name, c.run)
				archive.Files = append(archive.Files, c.files()...)
			}
			if *update || *recordAt != "" {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A corpusCase is one request and all that follows from it.
type corpusCase struct {
	name      string
	request   string
	exchanges []*exchange
	answer    string
}

func (c *corpusCase) files() []txtar.File {
	files := []txtar.File{{Name: strings.TrimSuffix("request: "+c.name, ": "), Data: []byte(c.request)}}
	for _, e := range c.exchanges {
		files = append(files, txtar.File{Name: "asked", Data: []byte(e.asked)}, txtar.File{Name: "says", Data: []byte(e.says)})
	}
	return append(files, txtar.File{Name: "answer", Data: []byte(c.answer)})
}

// An exchange is one request that the upstream must see, and its answer.
type exchange struct {
	asked, says string
	done        bool
}

func casesOf(t *testing.T, archive *txtar.Archive) (cases []*corpusCase) {
	t.Helper()
	var c *corpusCase
	for i := range archive.Files {
		f := &archive.Files[i]
		part, name, _ := strings.Cut(f.Name, ":")
		text := string(f.Data)
		switch {
		case part == "request":
			c = &corpusCase{name: strings.TrimSpace(name), request: text}
			cases = append(cases, c)
		case c == nil:
			t.Fatalf("%q before a request", f.Name)
		case part == "asked":
			c.exchanges = append(c.exchanges, &exchange{asked: text})
		case part == "says":
			c.exchanges[len(c.exchanges)-1].says = text
		case part == "answer":
			c.answer = text
		default:
			t.Fatalf("a part %q", f.Name)
		}
	}
	return cases
}

// token is what the decision has for the upstream, and nobody else may have.
const token = "Bearer of.the.decision"

func (c *corpusCase) run(t *testing.T) {
	head, body := cut(c.request)
	lines := strings.Split(head, "\n")
	method, target, _ := strings.Cut(lines[0], " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Basic of-the-client")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	out := httptest.NewRecorder()
	rec := &record.Record{}
	var transport http.RoundTripper = &upstream{t: t, exchanges: c.exchanges}
	if *recordAt != "" {
		c.exchanges = nil
		transport = &recorder{c: c}
	}
	h := newHandler(t, transport)
	h.ServeHTTP(out, r.WithContext(record.With(decided(r), rec)))
	for _, e := range c.exchanges {
		if !e.done {
			t.Errorf("the upstream was not asked\n%s", e.asked)
		}
	}
	kind := out.Header().Get("Content-Type")
	got := strings.TrimSpace(strconv.Itoa(out.Code)+" "+kind) + "\n"
	if out.Body.Len() > 0 {
		got += "\n" + strings.TrimSuffix(out.Body.String(), "\n") + "\n"
	}
	if *update || *recordAt != "" {
		c.answer = got
		return
	}
	if diff := cmp.Diff(strings.TrimSuffix(c.answer, "\n"), strings.TrimSuffix(got, "\n")); diff != "" {
		t.Errorf("the client's answer (-want +got):\n%s\n%s", diff, rec.Err)
	}
}

// cut parts a message's head from its body.
func cut(message string) (head, body string) {
	head, body, _ = strings.Cut(strings.TrimSuffix(message, "\n"), "\n\n")
	return head, body
}

// decided is the context of a request that the core let through with a token.
func decided(r *http.Request) context.Context {
	path, err := url.PathUnescape(strings.Split(r.RequestURI, "?")[0])
	if err != nil {
		panic(err)
	}
	return bridge.WithDecision(r.Context(), bridge.Decision{
		Verdict: bridge.PassMinted, Dialect: problem.V1,
		Target: route.Target{Class: route.Dual, Path: path, V1: true},
		Remove: []string{"Authorization"}, Set: http.Header{"Authorization": {token}},
		Client: http.Header{},
	})
}

func newHandler(t *testing.T, transport http.RoundTripper) *Handler {
	t.Helper()
	h, err := New(Config{
		Upstream: &url.URL{Scheme: "http", Host: "airflow3"}, Transport: transport, Version: "2.11.0", AuthManager: "fab",
		Fail: func(w http.ResponseWriter, r *http.Request, err error) {
			record.From(r.Context()).Err = err.Error()
			problem.Write(w, r.Method, problem.V1, "2.11.0", problem.Problem{Status: http.StatusBadGateway, Detail: "failed"})
		},
		Now: func() time.Time { return time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	// FAB has said already that it has everything (TestManaged).
	h.fab.asked, h.fab.known = h.now(), map[string]bool{}
	for _, op := range h.templates {
		h.fab.known[strings.ToLower(op.upstream.method)+" "+fill(op.upstream.path, nil)] = true
	}
	return h
}

// upstream says what is written for what is asked, in whatever order it is asked.
type upstream struct {
	t         *testing.T
	mu        sync.Mutex
	exchanges []*exchange
}

func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	asked, err := written(r)
	if err != nil {
		return nil, err
	}
	public := strings.HasSuffix(r.URL.Path, "/version") || strings.HasSuffix(r.URL.Path, "/health")
	if got := r.Header.Get("Authorization"); got != token && !public {
		u.t.Errorf("the upstream was shown %q", got)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range u.exchanges {
		if !e.done && strings.TrimSuffix(e.asked, "\n") == asked {
			e.done = true
			return response(r, e.says)
		}
	}
	u.t.Errorf("the upstream was asked\n%s", asked)
	return response(r, "500")
}

func response(r *http.Request, says string) (*http.Response, error) {
	head, body := cut(says)
	status, kind, _ := strings.Cut(head, " ")
	if kind == "" {
		kind = "application/json"
	}
	text := fmt.Sprintf("HTTP/1.1 %s X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", status, kind, len(body), body)
	return http.ReadResponse(bufio.NewReader(bytes.NewReader([]byte(text))), r)
}

// hidden is text without the folders of this machine.
func hidden(text string) string {
	for pair := range strings.SplitSeq(*hide, ",") {
		if old, new, found := strings.Cut(pair, "="); found {
			text = strings.ReplaceAll(text, old, new)
		}
	}
	return text
}

// written is a request as it stands in the corpus.
func written(r *http.Request) (string, error) {
	asked := fmt.Sprintf("%s %s", r.Method, strings.TrimPrefix(r.URL.String(), "http://airflow3"))
	if accept := r.Header.Get("Accept"); accept != "application/json" {
		asked += "\nAccept: " + accept
	}
	if r.Body == nil {
		return asked, nil
	}
	body, err := io.ReadAll(r.Body)
	return asked + "\n\n" + string(body), err
}

// A recorder asks a real Airflow 3 and writes down what it says.
type recorder struct {
	c  *corpusCase
	mu sync.Mutex
}

func (rc *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	asked, err := written(r)
	if err != nil {
		return nil, err
	}
	real, err := http.NewRequestWithContext(r.Context(), r.Method, *recordAt+strings.TrimPrefix(r.URL.String(), "http://airflow3"), nil)
	if err != nil {
		return nil, err
	}
	if _, body, found := strings.Cut(asked, "\n\n"); found {
		real.Body, real.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	real.Header = r.Header.Clone()
	if real.Header.Get("Authorization") != "" {
		real.Header.Set("Authorization", "Bearer "+*recordAs)
	}
	res, err := http.DefaultTransport.RoundTrip(real)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	kind := strings.TrimPrefix(" "+res.Header.Get("Content-Type"), " application/json")
	says := strconv.Itoa(res.StatusCode) + kind + "\n"
	if len(body) > 0 {
		says += "\n" + hidden(string(body)) + "\n"
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	e := &exchange{asked: asked + "\n", says: says, done: true}
	rc.c.exchanges = append(rc.c.exchanges, e)
	return response(r, says)
}
