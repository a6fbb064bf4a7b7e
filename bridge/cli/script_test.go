package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jetbridge/jetbridge/bridge/cli"
	"github.com/jetbridge/jetbridge/bridge/demo"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
	"github.com/jetbridge/jetbridge/legacy/openid/openidtest"
)

// The stories of the whole program are testdata/script/*.txtar. Besides
// testscript's own commands they have
//
//	upstream [simple] [OFFSET] a stand-in for Airflow 3, $UPSTREAM, whose clock is
//	                           off by a duration such as -11s; the bridge is told
//	                           its address and secret by the environment
//	airflow2                   a stand-in for Airflow 2, $AIRFLOW2, that answers
//	                           everything with 200 and what it was sent; the
//	                           bridge is told its address by the environment
//	users FILE                 its users as a database of Airflow's
//	sql FILE STATEMENTS        changes such a database
//	session NAME ID [FILE] [-key KEY]
//	                           the value of a session cookie of the user who has that
//	                           id in Airflow 2, as $NAME; with FILE the session is a
//	                           row of that database
//	mysql                      its users in the MySQL that the tests were started
//	                           with, "secret" the password of each
//	serve [ARG...]             jetbridge serve --config jetbridge.yaml: $BRIDGE, $SIDE
//	demo [ARG...]              jetbridge demo, on a free port: $BRIDGE, and its file: $CONFIG
//	request METHOD PATH [-u NAME:PASSWORD] [-H 'Name: value'] [-d BODY] [-side]
//	                           the answer on stdout, its head first
//	until STATUS METHOD PATH [...]
//	                           the same request until its answer has that status
//	issuer [down]              an OpenID issuer, $ISSUER; one that answers 503
//	idtoken NAME [CLAIM=VALUE...]
//	                           a token of the issuer's, good for ten minutes
//	port NAME                  a free port of the loopback address
//	keytab FILE                a service's keys, which tickets are made with
//	ticket NAME [spnego|large] a Negotiate header of that user's, $TICKET
//	mutual                     the last answer proves the service to who sent $TICKET
//	seen NAME                  a header of the last request that the upstream saw
//	save NAME REGEXP           what the first group matches in the last answer
//	load [-again] N METHOD PATH [-u NAME:PASSWORD] [-H 'Name: value']
//	                           has N clients send that request again and again, each
//	                           on a connection that it keeps; one that is closed on it
//	                           while idle it opens anew, as HTTP clients do; with
//	                           -again a request whose answer did not come is sent once
//	                           more until one does, within 20 s
//	loaded STATUS...           ends them when each has had an answer more, and fails
//	                           for one that is none of these; how many came of each
//	                           is on stdout
//	flip [-hup] N FILE=STATUS FILE=STATUS METHOD PATH [-u NAME:PASSWORD]
//	                           N times writes the one file over jetbridge.yaml, then
//	                           the other, each as soon as the request's status says
//	                           that the one before is in force; -hup sends SIGHUP too
//	logs REGEXP                waits until the server has logged it
//	signal NAME                HUP, TERM or KILL to the server; after KILL it is gone
//	halt                       ends it by TERM, if no signal was sent, and waits;
//	                           stdout is what it wrote

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jetbridge": jetbridge})
}

// jetbridge is what main is.
func jetbridge() {
	p := cli.Program{Args: os.Args[1:], Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr, Version: "unknown"}
	os.Exit(p.Run(context.Background()))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/script",
		Setup: func(env *testscript.Env) error {
			s := &story{}
			env.Values["story"] = s
			env.Defer(func() {
				s.end()
				s.discreet(env.T(), env.WorkDir)
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"upstream": upstreamCmd, "airflow2": airflow2Cmd, "load": loadCmd, "loaded": loadedCmd, "flip": flipCmd, "issuer": issuerCmd, "idtoken": idtokenCmd, "session": sessionCmd, "sql": sqlCmd, "until": untilCmd, "port": portCmd, "users": usersCmd, "mysql": mysqlCmd, "serve": serveCmd, "demo": demoCmd, "request": requestCmd,
			"keytab": keytabCmd, "ticket": ticketCmd, "mutual": mutualCmd,
			"seen": seenCmd, "save": saveCmd, "logs": logsCmd, "signal": signalCmd, "halt": haltCmd,
		},
	})
}

// A story is what one script has running.
type story struct {
	upstream *httptest.Server
	airflow2 *httptest.Server
	load     *load
	issuer   *openidtest.Issuer
	mu       sync.Mutex
	seen     http.Header // of the last request to the upstream
	server   *process
	answer   string
	keys     *kerberostest.Keys
	asked    kerberostest.Request // of the last ticket
	// secrets are the credentials that were used, written what every process
	// wrote: none of the first may be in the second.
	secrets []string
	written strings.Builder
}

func storyOf(ts *testscript.TestScript) *story { return ts.Value("story").(*story) }

func (s *story) end() {
	if s.server != nil {
		_ = s.server.cmd.Process.Kill()
		s.ended()
	}
	for _, server := range []*httptest.Server{s.upstream, s.airflow2} {
		if server != nil {
			server.Close()
		}
	}
}

// ended waits for the server's end and keeps what it wrote.
func (s *story) ended() *process {
	p := s.server
	<-p.done
	s.written.WriteString(p.out.String())
	s.server = nil
	return p
}

// secret remembers a credential that nothing may write.
func (s *story) secret(values ...string) {
	for _, v := range values {
		if len(v) >= 8 { // a shorter one may be a word by chance
			s.secrets = append(s.secrets, v)
		}
	}
}

// discreet fails for a credential in what the processes wrote, or left behind
// in their folder.
func (s *story) discreet(t testscript.T, dir string) {
	left := s.written.String()
	stores, _ := filepath.Glob(filepath.Join(dir, "jetbridge.db*")) // the pattern is good
	for _, file := range stores {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		left += string(data)
	}
	for _, secret := range s.secrets {
		if strings.Contains(left, secret) {
			t.Fatal("a credential was written: " + secret)
		}
	}
}

const sharedSecret = "the secret that the stand-in and the bridge share, long enough for HS512"

func upstreamCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	manager, offset := "fab", time.Duration(0)
	for _, arg := range args {
		if d, err := time.ParseDuration(arg); err == nil {
			offset = d
		} else {
			manager = arg
		}
	}
	airflow, err := demo.NewAirflow(demo.Config{Secret: sharedSecret, Manager: manager, Now: func() time.Time { return time.Now().Add(offset) }})
	ts.Check(err)
	if s.upstream != nil {
		s.upstream.Close()
	}
	s.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = r.Header.Clone()
		s.mu.Unlock()
		w.Header().Set("Date", time.Now().Add(offset).UTC().Format(http.TimeFormat))
		airflow.ServeHTTP(w, r)
	}))
	ts.Setenv("UPSTREAM", s.upstream.URL)
	ts.Setenv("JETBRIDGE__AIRFLOW3__URL", s.upstream.URL)
	ts.Setenv("JETBRIDGE__MODERN__SECRET", sharedSecret)
	s.secret(sharedSecret)
}

func airflow2Cmd(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	s.airflow2 = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = r.Header.Clone()
		s.mu.Unlock()
		if r.URL.Path == "/api/v1/version" {
			fmt.Fprint(w, `{"git_version": null, "version": "2.11.0"}`)
			return
		}
		w.Header().Set("Set-Cookie", "session=of-airflow-2; Path=/")
		fmt.Fprintf(w, "%s %s %s\n", r.Method, r.RequestURI, r.Host)
		_, _ = io.Copy(w, r.Body)
	}))
	ts.Setenv("AIRFLOW2", s.airflow2.URL)
	ts.Setenv("JETBRIDGE__AIRFLOW2__URL", s.airflow2.URL)
}

func usersCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: users FILE")
	}
	ts.Check(demo.WriteDatabase(context.Background(), ts.MkAbs(args[0])))
}

func mysqlCmd(ts *testscript.TestScript, neg bool, args []string) {
	server := os.Getenv("JETBRIDGE_TEST_MYSQL")
	if server == "" {
		ts.Fatalf("JETBRIDGE_TEST_MYSQL names no MySQL: run `make test`, or testdata/mariadb/with-mariadb.sh go test …")
	}
	ctx := context.Background()
	var users []fabtest.User
	for i, name := range []string{"admin", "op", "viewer"} {
		users = append(users, fabtest.User{ID: int64(i + 1), Name: name, Hash: fabtest.HashOfSecret})
	}
	db, err := fabtest.New(ctx, fabtest.Config{MySQL: server}, users...)
	ts.Check(err)
	ts.Defer(func() { ts.Check(db.Close(ctx)) })
	ts.Setenv("JETBRIDGE__AIRFLOW3__USERS__DSN", db.URL)
}

// A process is a jetbridge under way.
type process struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	out    bytes.Buffer // both its outputs
	stdout bytes.Buffer
	grown  chan struct{} // closed and made anew when out grows
	done   chan struct{}
	err    error
	// signalled says that it was told to end.
	signalled bool
}

func start(ts *testscript.TestScript, args ...string) *process {
	p := &process{grown: make(chan struct{}), done: make(chan struct{})}
	exe, err := os.Executable()
	ts.Check(err)
	p.cmd = exec.Command(exe, args...)
	p.cmd.Args[0] = "jetbridge" // by which testscript's main knows what to be
	p.cmd.Path = filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "jetbridge")
	p.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "JETBRIDGE__LISTEN", "JETBRIDGE__LEGACY__OPENID__ISSUERS", "JETBRIDGE__AIRFLOW2__URL", "JETBRIDGE__AIRFLOW3__URL", "JETBRIDGE__AIRFLOW3__USERS__DSN", "JETBRIDGE__MODERN__SECRET", "JETBRIDGE__MIGRATION__MODE", "JETBRIDGE__LEGACY__SESSION__BACKEND"} {
		if value := ts.Getenv(name); value != "" {
			p.cmd.Env = append(p.cmd.Env, name+"="+value)
		}
	}
	stdout, err := p.cmd.StdoutPipe()
	ts.Check(err)
	stderr, err := p.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	var readers sync.WaitGroup
	readers.Go(func() { p.read(stdout, &p.stdout) })
	readers.Go(func() { p.read(stderr, nil) })
	go func() {
		readers.Wait()
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p
}

func (p *process) read(from io.Reader, also *bytes.Buffer) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		p.mu.Lock()
		p.out.WriteString(lines.Text() + "\n")
		if also != nil {
			also.WriteString(lines.Text() + "\n")
		}
		close(p.grown)
		p.grown = make(chan struct{})
		p.mu.Unlock()
	}
}

// text is what the process has written.
func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// await waits until the process has written what matches.
func (p *process) await(ts *testscript.TestScript, pattern string) []string {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	deadline := time.After(20 * time.Second)
	for {
		p.mu.Lock()
		text, grown := p.out.String(), p.grown
		p.mu.Unlock()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-grown:
		case <-p.done:
			ts.Fatalf("the server ended (%v) before it wrote %q:\n%s", p.err, pattern, text)
		case <-deadline:
			ts.Fatalf("the server did not write %q:\n%s", pattern, text)
		}
	}
}

func serveCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	s.server = start(ts, append([]string{"serve", "--config", "jetbridge.yaml"}, args...)...)
	if neg {
		p := s.ended()
		if p.err == nil {
			ts.Fatalf("it served")
		}
		fmt.Fprint(ts.Stderr(), p.out.String())
		return
	}
	m := s.server.await(ts, `"?msg"?[=:]"?serving"?[ ,]"?address"?[=:]"?([^ ",]+)"?[ ,]"?side"?[=:]"?([^ ",]+)`)
	ts.Setenv("BRIDGE", "http://"+m[1])
	ts.Setenv("SIDE", "http://"+m[2])
}

func demoCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	s.server = start(ts, append([]string{"demo", "--listen", "127.0.0.1:0"}, args...)...)
	m := s.server.await(ts, `(?m)^ready (http://\S+)$`)
	ts.Setenv("BRIDGE", m[1])
	ts.Setenv("CONFIG", s.server.await(ts, `why REQUEST_ID --config (\S+)`)[1])
}

func requestCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: request METHOD PATH [-u NAME:PASSWORD] [-H 'Name: value'] [-d BODY] [-side]")
	}
	s := storyOf(ts)
	req := s.request(ts, args)
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       20 * time.Second,
	}
	res, err := client.Do(req)
	if neg {
		if err == nil {
			res.Body.Close()
			ts.Fatalf("answered %s", res.Status)
		}
		return
	}
	ts.Check(err)
	defer res.Body.Close()
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP %d\n", res.StatusCode)
	ts.Check(res.Header.Write(&b))
	b.WriteByte('\n')
	_, err = io.Copy(&b, res.Body)
	ts.Check(err)
	if m := regexp.MustCompile(`"access_token":"([^"]+)"`).FindStringSubmatch(b.String()); m != nil {
		s.secret(m[1])
	}
	s.answer = strings.ReplaceAll(b.String(), "\r\n", "\n")
	fmt.Fprintln(ts.Stdout(), s.answer)
}

// request makes the request of a command's arguments, and remembers what of it is
// secret.
func (s *story) request(ts *testscript.TestScript, args []string) *http.Request {
	base, body := ts.Getenv("BRIDGE"), ""
	header := http.Header{}
	for rest := args[2:]; len(rest) > 0; rest = rest[1:] {
		value := func() string {
			if rest = rest[1:]; len(rest) == 0 {
				ts.Fatalf("an option lacks its value")
			}
			return rest[0]
		}
		switch rest[0] {
		case "-side":
			base = ts.Getenv("SIDE")
		case "-u":
			name, password, _ := strings.Cut(value(), ":")
			r := http.Request{Header: header}
			r.SetBasicAuth(name, password)
			s.secret(password, strings.TrimPrefix(header.Get("Authorization"), "Basic "))
		case "-H":
			name, v, _ := strings.Cut(value(), ":")
			header.Add(name, strings.TrimSpace(v))
			if strings.EqualFold(name, "Authorization") || strings.EqualFold(name, "Cookie") {
				s.secret(strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(" ;=", r) })...)
			}
		case "-d":
			body = value()
			if header.Get("Content-Type") == "" {
				header.Set("Content-Type", "application/json")
			}
		default:
			ts.Fatalf("no option %q", rest[0])
		}
	}
	req, err := http.NewRequest(args[0], base+args[1], strings.NewReader(body))
	ts.Check(err)
	req.Header = header
	return req
}

// tb is a script as a maker for tests takes it.
type tb struct{ *testscript.TestScript }

func (tb) Helper()             {}
func (t tb) Fatal(args ...any) { t.Fatalf("%s", fmt.Sprint(args...)) }
func (t tb) Cleanup(f func())  { t.Defer(f) }

func issuerCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	s.issuer = openidtest.New(tb{ts})
	s.issuer.SetDown(slices.Equal(args, []string{"down"}))
	ts.Setenv("ISSUER", s.issuer.URL)
	ts.Setenv("JETBRIDGE__LEGACY__OPENID__ISSUERS", s.issuer.URL+" "+openidtest.Audience)
}

func idtokenCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: idtoken NAME [CLAIM=VALUE...]")
	}
	s := storyOf(ts)
	now := time.Now()
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		claims[name] = value
	}
	token := s.issuer.Token(claims)
	s.secret(token, token[strings.LastIndexByte(token, '.')+1:])
	ts.Setenv(args[0], token)
}

func seenCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range args {
		for key, values := range s.seen {
			if strings.EqualFold(key, name) {
				fmt.Fprintf(ts.Stdout(), "%s: %s\n", key, strings.Join(values, "|"))
			}
		}
	}
}

func keytabCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: keytab FILE")
	}
	s := storyOf(ts)
	var err error
	s.keys, err = kerberostest.NewKeys()
	ts.Check(err)
	ts.Check(s.keys.Write(ts.MkAbs(args[0])))
}

func ticketCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	if len(args) == 0 || s.keys == nil {
		ts.Fatalf("usage: ticket NAME [spnego|large], after keytab")
	}
	want := kerberostest.Want{Client: args[0]}
	if len(args) == 2 && args[1] == "large" { // as those of who is in hundreds of Active Directory's groups
		want.Part = func(p *messages.EncTicketPart) {
			p.AuthorizationData = types.AuthorizationData{{ADType: 1, ADData: make([]byte, 64<<10)}}
		}
	}
	var err error
	s.asked, err = s.keys.Make(want)
	ts.Check(err)
	token := s.asked.Raw()
	if len(args) == 2 && args[1] == "spnego" {
		token = s.asked.SPNEGO()
	}
	ts.Setenv("TICKET", kerberostest.Header(token))
}

func mutualCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	m := regexp.MustCompile(`(?m)^Www-Authenticate: (Negotiate \S+)$`).FindStringSubmatch(s.answer)
	if m == nil {
		m = []string{"", ""}
	}
	reply, err := s.asked.CheckReply(m[1])
	if proven := err == nil && reply.Mutual; proven == neg {
		ts.Fatalf("proven: %v (%v)\n%s", proven, err, s.answer)
	}
}

func saveCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: save NAME REGEXP")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(storyOf(ts).answer)
	if len(m) < 2 {
		ts.Fatalf("nothing matches %s in\n%s", args[1], storyOf(ts).answer)
	}
	var plain string
	if json.Unmarshal([]byte(`"`+m[1]+`"`), &plain) != nil {
		plain = m[1]
	}
	ts.Setenv(args[0], plain)
}

func logsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: logs REGEXP")
	}
	p := storyOf(ts).server
	if neg {
		p.mu.Lock()
		defer p.mu.Unlock()
		if m := regexp.MustCompile(args[0]).FindString(p.out.String()); m != "" {
			ts.Fatalf("the server wrote %q", m)
		}
		return
	}
	p.await(ts, args[0])
}

func signalCmd(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}
	sig, ok := signals[strings.Join(args, " ")]
	if !ok {
		ts.Fatalf("usage: signal HUP|TERM|KILL")
	}
	s := storyOf(ts)
	p := s.server
	p.signalled = sig != syscall.SIGHUP // a second one would not let it drain
	ts.Check(p.cmd.Process.Signal(sig))
	if sig == syscall.SIGKILL {
		s.ended()
	}
}

func haltCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	if !s.server.signalled {
		_ = s.server.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	p := s.ended()
	if p.err != nil {
		ts.Fatalf("the server ended with %v:\n%s", p.err, p.out.String())
	}
	fmt.Fprint(ts.Stdout(), p.stdout.String())
}
