package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jetbridge/jetbridge/bridge/cli"
	"github.com/jetbridge/jetbridge/bridge/demo"
)

// A rawRequest is one request as an upstream reads it that knows RFC 9112 by the
// letter.
type rawRequest struct {
	line, path    string // the line without the version
	head          string
	host          string
	authorization []string
	body          string
}

// A rawUpstream reads what comes byte by byte, and answers each request with 200.
type rawUpstream struct {
	net.Listener
	serving  sync.WaitGroup
	mu       sync.Mutex
	requests []rawRequest
	faults   []string // what no request may look like
}

func newRawUpstream(t *testing.T) *rawUpstream {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &rawUpstream{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			u.serving.Go(func() { u.serve(c) })
		}
	}()
	return u
}

func (u *rawUpstream) serve(c net.Conn) {
	defer c.Close()
	for r := bufio.NewReader(c); ; {
		req, err := readStrictly(r)
		u.mu.Lock()
		if err == nil {
			u.requests = append(u.requests, req)
		} else if err != io.EOF {
			u.faults = append(u.faults, err.Error())
		}
		u.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// all waits until every connection is closed, and gives what came on them.
func (u *rawUpstream) all() (requests []rawRequest, faults []string) {
	u.Close()
	u.serving.Wait()
	return u.requests, u.faults
}

var (
	requestLine = regexp.MustCompile(`^([A-Za-z]+ ((?:/|\*$)[^\x00-\x20\x7f#]*)) HTTP/1\.1\r\n$`)
	headerLine  = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\\x00-\\x08\\x0a-\\x1f\\x7f]*)\r\n$")
	chunkLine   = regexp.MustCompile(`^([0-9a-f]+)\r\n$`)
)

// readStrictly reads one request. Whatever two servers could read in two ways is
// an error; io.EOF is the end between two requests.
func readStrictly(r *bufio.Reader) (rawRequest, error) {
	var q rawRequest
	line, err := r.ReadString('\n')
	if line == "" && err != nil {
		return q, io.EOF
	}
	m := requestLine.FindStringSubmatch(line)
	if m == nil {
		return q, fmt.Errorf("request line %q", line)
	}
	q.line, q.path = m[1], m[2]
	length, chunked, framed := 0, false, 0
	for {
		if line, err = r.ReadString('\n'); err != nil {
			return q, fmt.Errorf("%q breaks off in its head", q.line)
		}
		if line == "\r\n" {
			break
		}
		q.head += line
		if m = headerLine.FindStringSubmatch(line); m == nil {
			return q, fmt.Errorf("header line %q", line)
		}
		switch strings.ToLower(m[1]) {
		case "content-length":
			framed++
			if length, err = strconv.Atoi(m[2]); err != nil || length < 0 {
				return q, fmt.Errorf("header line %q", line)
			}
		case "transfer-encoding":
			framed++
			if chunked = m[2] == "chunked"; !chunked {
				return q, fmt.Errorf("header line %q", line)
			}
		case "host":
			q.host = m[2]
		case "authorization":
			q.authorization = append(q.authorization, m[2])
		}
	}
	if framed > 1 {
		return q, fmt.Errorf("%q is framed twice", q.line)
	}
	var body bytes.Buffer
	for chunked {
		line, err := r.ReadString('\n')
		if err != nil {
			return q, nil // the client left in the middle, and the body has no end
		}
		if m = chunkLine.FindStringSubmatch(line); m == nil {
			return q, fmt.Errorf("chunk %q", line)
		}
		size, err := strconv.ParseUint(m[1], 16, 20)
		if err != nil {
			return q, err
		}
		if _, err := io.CopyN(&body, r, int64(size)); err != nil {
			return q, nil
		}
		if end, err := r.ReadString('\n'); err == nil && end != "\r\n" {
			return q, fmt.Errorf("behind a chunk %q", end)
		}
		chunked = size > 0
	}
	_, _ = io.CopyN(&body, r, int64(length)) // one that breaks off is no request more
	q.body = body.String()
	return q, nil
}

// A shell is the whole program at work in front of an upstream.
type shell struct {
	addr     string
	upstream *rawUpstream
	end      func() string // ends it; gives its log of requests
}

// notes is a writer that can be read meanwhile.
type notes struct {
	mu    sync.Mutex
	b     bytes.Buffer
	grown chan struct{} // holds one when something was written since
}

func newNotes() *notes { return &notes{grown: make(chan struct{}, 1)} }

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case n.grown <- struct{}{}:
	default:
	}
	return n.b.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}

// newShell serves with the demo's users, by Basic, in the given mode.
func newShell(t *testing.T, mode string) *shell {
	t.Helper()
	dir := t.TempDir()
	if err := demo.WriteDatabase(t.Context(), filepath.Join(dir, "airflow.db")); err != nil {
		t.Fatal(err)
	}
	up := newRawUpstream(t)
	file := filepath.Join(dir, "jetbridge.yaml")
	text := fmt.Sprintf(`listen: 127.0.0.1:0
metrics: {listen: 127.0.0.1:0}
server: {read_header_timeout: 1s, stall_timeout: 1s}
airflow2: {url: 'http://%[1]s'}
airflow3: {url: 'http://%[1]s', auth_manager: fab, users: {dsn: 'sqlite:///%[2]s/airflow.db'}}
legacy: {auth_backends: [basic_auth]}
modern: {secret: a secret of the raw sockets that is long enough for HMAC with SHA-512}
migration: {mode: %[3]s}
`, up.Addr(), dir, mode)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, done := newNotes(), newNotes(), make(chan int, 1)
	ctx, stop := context.WithCancel(context.Background())
	program := cli.Program{Args: []string{"serve", "--config", file}, Stdout: stdout, Stderr: stderr}
	go func() { done <- program.Run(ctx) }()
	s := &shell{upstream: up, end: sync.OnceValue(func() string {
		stop()
		if code := <-done; code != 0 {
			t.Errorf("it ended with %d:\n%s", code, stderr)
		}
		return stdout.String()
	})}
	t.Cleanup(func() { s.end() })
	address := regexp.MustCompile(`"msg":"serving","address":"([^"]+)"`)
	for deadline := time.After(20 * time.Second); s.addr == ""; {
		select {
		case <-stderr.grown:
			if m := address.FindStringSubmatch(stderr.String()); m != nil {
				s.addr = m[1]
			}
		case code := <-done:
			done <- code
			t.Fatalf("it ended with %d:\n%s", code, stderr)
		case <-deadline:
			t.Fatalf("it does not serve:\n%s", stderr)
		}
	}
	return s
}

// last ends what is left of a connection.
const last = "GET /api/v2/version HTTP/1.1\r\nHost: h000\r\nConnection: close\r\n\r\n"

// say sends text and gives the answers' status codes, up to where the bridge
// closes the connection.
func (s *shell) say(t *testing.T, text string) []string {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go io.WriteString(c, text) // which may be refused half-way
	answer, err := io.ReadAll(c)
	if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
		t.Errorf("the connection is not closed after %.100q", answer)
	}
	var codes []string
	for _, m := range regexp.MustCompile(`HTTP/1\.[01] (\d{3})`).FindAllSubmatch(answer, -1) {
		codes = append(codes, string(m[1]))
	}
	return codes
}

// passed reads of a log how many requests of each method were let through. Each
// line is one, whatever a client put into it (C-45).
func passed(t *testing.T, log string) map[string]int {
	t.Helper()
	let := map[string]int{}
	for line := range strings.Lines(log) {
		if text := strings.TrimSuffix(line, "\n"); !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("the log is steered by %q", text)
		}
		var rec struct{ Method, Verdict string }
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if strings.HasPrefix(rec.Verdict, "pass") {
			let[rec.Method]++
		}
	}
	return let
}

// undecided says what of a request may not be there: who is not let through by a
// token of the bridge's on a route that needs one.
func (q rawRequest) undecided() string {
	switch {
	case strings.Contains(q.line, "smuggled"):
		return "it is another's body"
	case q.path == "/api/v2/version" || q.path == "/page" || q.path == "/":
		return ""
	case len(q.authorization) != 1 || strings.Count(q.authorization[0], ".") != 2 || !strings.HasPrefix(q.authorization[0], "Bearer ey"):
		return fmt.Sprintf("it goes with Authorization %d times", len(q.authorization))
	}
	return ""
}

// TestWire puts to the whole program what two servers could read in two ways.
// Nothing reaches the upstream that was not decided, and what does is framed once
// (C-12, C-16, C-18, C-29, C-30).
func TestWire(t *testing.T) {
	s := newShell(t, "dual")
	came := s.probe(t, func(t *testing.T, p probe, codes string) {
		if codes != p.codes {
			t.Errorf("answered %s, want %s", codes, p.codes)
		}
	})
	for i, p := range probes {
		var lines []string
		for _, q := range came[i] {
			lines = append(lines, q.line)
			if why := q.undecided(); why != "" {
				t.Errorf("%s: %q reaches the upstream: %s", p.name, q.line, why)
			}
		}
		// One whose body breaks off may go no further than its connection.
		got := strings.Join(lines, " | ")
		if got != p.upstream && (got != "" || !strings.HasSuffix(p.upstream, "?")) && got+"?" != p.upstream {
			t.Errorf("%s: the upstream read %s, want %s", p.name, got, p.upstream)
		}
	}
}

// TestWireObserved: also where nothing is refused, nothing goes on that is not in
// the log, and Airflow 2 reads it in one way.
func TestWireObserved(t *testing.T) {
	came := newShell(t, "observe").probe(t, func(*testing.T, probe, string) {})
	for i, p := range probes {
		if strings.HasPrefix(p.codes, "200") && len(came[i]) == 0 {
			t.Errorf("%s: nothing reaches the upstream", p.name)
		}
	}
}

// probe sends every probe, ends the program and gives what the upstream read of
// each. What cannot be read, and what the log does not hold, is an error.
func (s *shell) probe(t *testing.T, answered func(*testing.T, probe, string)) map[int][]rawRequest {
	t.Helper()
	for i, p := range probes {
		t.Run(p.name, func(t *testing.T) {
			// The host says to the upstream which probe it was.
			text := strings.ReplaceAll(p.send+last, "h000", fmt.Sprintf("h%03d", i))
			answered(t, p, strings.Join(s.say(t, text), " "))
		})
	}
	let := passed(t, s.end())
	requests, faults := s.upstream.all()
	for _, fault := range faults {
		t.Errorf("the upstream cannot read %s", fault)
	}
	came := map[int][]rawRequest{}
	for _, q := range requests {
		method, _, _ := strings.Cut(q.line, " ")
		if let[method]--; let[method] < 0 {
			t.Errorf("%q reaches the upstream, one more than the log says were let through", q.line)
		}
		var i int
		if _, err := fmt.Sscanf(q.host, "h%03d", &i); err == nil {
			came[i] = append(came[i], q)
		}
	}
	return came
}
