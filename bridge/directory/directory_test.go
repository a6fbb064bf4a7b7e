package directory_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge/directory"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/lockout"
)

func TestSimple(t *testing.T) {
	alice := legacy.User{ID: "Alice", Name: "Alice", Active: true, Roles: []string{"admin"}, Teams: []string{"red"}}
	d, err := directory.NewSimple([]legacy.User{alice, {ID: "bob", Name: "bob", Active: true}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Lookup(t.Context(), "Alice")
	if diff := cmp.Diff(alice, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, name := range []string{"alice", "ALICE", "Alice ", "", "carol"} {
		got, err := d.Lookup(t.Context(), name)
		if reason(err) != legacy.UnknownUser || got.ID != "" {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	if _, err := directory.NewSimple([]legacy.User{{Name: "bob"}, {Name: "Bob"}, {Name: "bob"}}); err == nil {
		t.Error("a name that stands there twice was accepted")
	}
}

const password = "hunter2-pässword"

// An airflow is a token API that does what the test says, and counts.
type airflow struct {
	*httptest.Server
	asked  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]
}

func newAirflow(t *testing.T, answer http.HandlerFunc) *airflow {
	t.Helper()
	a := new(airflow)
	a.answer.Store(&answer)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		(*a.answer.Load())(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// says answers with that status and body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

const issued = `{"access_token":"good"}`

// upstream asks a; its tokens are whatever who says.
func upstream(t *testing.T, a *airflow, cfg directory.UpstreamConfig, who func(token string) (string, map[string]any, error)) *directory.Upstream {
	t.Helper()
	cfg.URL = a.URL + "/team/auth/token"
	cfg.Verify = who
	u, err := directory.NewUpstream(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func seven(token string) (string, map[string]any, error) {
	if token != "good" {
		return "", nil, errors.New("not the token")
	}
	return "7", nil, nil
}

func reason(err error) legacy.Reason {
	var r *legacy.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	if err != nil {
		return "fault"
	}
	return ""
}

// TestExchange: what is sent, and what becomes of the answer under FAB.
func TestExchange(t *testing.T) {
	a := newAirflow(t, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(map[string]string{"username": "Älice", "password": password}, body); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		if r.Method != "POST" || r.RequestURI != "/team/auth/token" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "" {
			t.Errorf("sent %s %s %v", r.Method, r.RequestURI, r.Header)
		}
		says(201, issued)(w, r)
	})
	u := upstream(t, a, directory.UpstreamConfig{}, seven)
	for range 3 {
		got, err := u.VerifyPassword(t.Context(), "Älice", password)
		want := legacy.Principal{Name: "Älice", Scheme: legacy.Basic, Subject: "7"}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	if n := a.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestSimpleManagersToken(t *testing.T) {
	a := newAirflow(t, says(201, issued))
	u := upstream(t, a, directory.UpstreamConfig{}, func(string) (string, map[string]any, error) {
		return "bob", map[string]any{"role": "op", "teams": []any{"red", "blue", 7}}, nil
	})
	got, err := u.VerifyPassword(t.Context(), "bob", password)
	want := legacy.Principal{Name: "bob", Scheme: legacy.Basic, Subject: "bob", Roles: []string{"op"}, Teams: []string{"red", "blue"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	// With simple_auth_manager_all_admins on, any password gives an admin's token.
	if p, err := u.VerifyPassword(t.Context(), "eve", password); !errors.Is(err, legacy.ErrUnavailable) || p.Subject != "" {
		t.Errorf("another's token: %+v, %v", p, err)
	}
}

// TestAnswers: what each answer means. None of the errors holds the answer's
// body, for FAB's 422 repeats the password.
func TestAnswers(t *testing.T) {
	echo := `{"detail":[{"input":{"username":"alice","password":"` + password + `"}}]}`
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		kind   error
		reason legacy.Reason
	}{
		"wrong":           {says(401, `{"detail":"Invalid credentials"}`), legacy.ErrRejected, legacy.WrongPassword},
		"bad request":     {says(400, echo), legacy.ErrRejected, legacy.WrongPassword},
		"forbidden":       {says(403, echo), legacy.ErrRejected, legacy.WrongPassword},
		"unprocessable":   {says(422, echo), legacy.ErrRejected, legacy.WrongPassword},
		"not there":       {says(404, echo), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"too many":        {says(429, echo), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"broken":          {says(500, echo), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"gateway":         {says(502, echo), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"redirect":        {says(307, ""), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"a 200":           {says(200, issued), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"a page":          {says(201, "<html>"+echo), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"no token":        {says(201, `{}`), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"token no string": {says(201, `{"access_token":7}`), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"trailing":        {says(201, issued+issued), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"endless":         {says(201, issued+strings.Repeat(" ", 70_000)), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"another's token": {says(201, `{"access_token":"bad"}`), legacy.ErrUnavailable, legacy.SourceUnavailable},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(201)
			io.WriteString(w, issued)
		}, legacy.ErrUnavailable, legacy.SourceUnavailable},
		"hung up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, legacy.ErrUnavailable, legacy.SourceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAirflow(t, test.answer)
			u := upstream(t, a, directory.UpstreamConfig{}, seven)
			p, err := u.VerifyPassword(t.Context(), "alice", password)
			if !errors.Is(err, test.kind) || reason(err) != test.reason || p.Subject != "" || p.Name != "" {
				t.Errorf("%+v, %v; want %v, %s", p, err, test.kind, test.reason)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "good") {
				t.Errorf("the error tells: %v", err)
			}
			if n := a.asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
			var r *legacy.Refusal
			if name == "too many" && errors.As(err, &r) && r.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After became %s", r.RetryAfter)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	a := newAirflow(t, says(201, issued))
	u := upstream(t, a, directory.UpstreamConfig{}, seven)
	for _, pair := range [][2]string{{"", "p"}, {"u", ""}, {"u\xff", "p"}, {"u", "p\xff"}, {"u\x00", "p"}, {strings.Repeat("u", 513), "p"}, {"u", strings.Repeat("p", 8193)}} {
		if _, err := u.VerifyPassword(t.Context(), pair[0], pair[1]); reason(err) != legacy.MalformedCredential {
			t.Errorf("%.20q, %.20q: %v", pair[0], pair[1], err)
		}
	}
	if n := a.asked.Load(); n != 0 {
		t.Errorf("Airflow was asked %d times", n)
	}
	// Where the name ends counts.
	u.VerifyPassword(t.Context(), "u", "xp")
	u.VerifyPassword(t.Context(), "ux", "p")
	if n := a.asked.Load(); n != 2 {
		t.Errorf("two users were asked for %d times", n)
	}
}

// TestRecheckAndGrace: asked again after five minutes, a refused password after
// five seconds; an outage is outlived for the grace by whom Airflow knew.
func TestRecheckAndGrace(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	a := newAirflow(t, says(401, ""))
	u := upstream(t, a, directory.UpstreamConfig{OutageGrace: time.Minute, Now: func() time.Time { return now }}, seven)
	for i, step := range []struct {
		after  time.Duration
		answer http.HandlerFunc
		want   legacy.Reason
		asked  int32
	}{
		{0, says(401, ""), legacy.WrongPassword, 1},
		{4 * time.Second, says(201, issued), legacy.WrongPassword, 1},
		{time.Second, says(201, issued), "", 2},
		{299 * time.Second, says(401, ""), "", 2},
		{time.Second, says(503, ""), "", 3},
		{59 * time.Second, says(503, ""), "", 3},
		{time.Second, says(503, ""), legacy.SourceUnavailable, 4},
		{0, says(201, issued), "", 5},
		{300 * time.Second, says(401, ""), legacy.WrongPassword, 6},
	} {
		now = now.Add(step.after)
		a.answer.Store(&step.answer)
		_, err := u.VerifyPassword(t.Context(), "alice", password)
		if reason(err) != step.want || a.asked.Load() != step.asked {
			t.Errorf("step %d: %v after %d exchanges; want %q after %d", i, err, a.asked.Load(), step.want, step.asked)
		}
	}
}

// TestQueue: so many at a time, so many that wait, and no more; who leaves does
// not end what others wait for.
func TestQueue(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	a := newAirflow(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		says(201, issued)(w, r)
	})
	u := upstream(t, a, directory.UpstreamConfig{Concurrent: 1, Queue: 1}, seven)
	var wg sync.WaitGroup
	leaving, leave := context.WithCancel(t.Context())
	wg.Go(func() {
		if _, err := u.VerifyPassword(leaving, "first", password); !errors.Is(err, legacy.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("who leaves gets %v", err)
		}
	})
	<-arrived
	leave()
	wg.Wait()
	// Of the next two one waits for its turn and one is told to come back.
	answers := make(chan error, 2)
	for _, name := range []string{"second", "third"} {
		wg.Go(func() {
			_, err := u.VerifyPassword(t.Context(), name, password)
			answers <- err
		})
	}
	full := <-answers
	var r *legacy.Refusal
	if !errors.As(full, &r) || r.Reason != legacy.HashQueueFull || r.RetryAfter <= 0 || !errors.Is(full, legacy.ErrUnavailable) {
		t.Errorf("a full queue says %v", full)
	}
	close(release)
	wg.Wait()
	if err := <-answers; err != nil {
		t.Errorf("who waited gets %v", err)
	}
	if _, err := u.VerifyPassword(t.Context(), "first", password); err != nil || a.asked.Load() != 2 {
		t.Errorf("whose waiter left: %v after %d exchanges", err, a.asked.Load())
	}
}

// TestLockout: what is not remembered is admitted first and counted by Airflow's
// own word, also when its client has left; an outage counts nothing, and whom
// Airflow knew goes on.
func TestLockout(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	clock := func() time.Time { return now }
	guard, err := lockout.New(lockout.Config{Failures: 2, Window: time.Hour, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{}, 10)
	a := newAirflow(t, says(201, issued))
	u := upstream(t, a, directory.UpstreamConfig{Guard: guard, Now: clock}, seven)
	try := func(name, password string, want legacy.Reason) {
		t.Helper()
		if _, err := u.VerifyPassword(t.Context(), name, password); reason(err) != want {
			t.Errorf("%s, %s: %v, want %q", name, password, err, want)
		}
	}
	answer := func(h http.HandlerFunc) { a.answer.Store(&h) }
	try("alice", password, "")
	answer(says(503, ""))
	for _, guess := range []string{"a", "b", "c"} {
		try("alice", guess, legacy.SourceUnavailable)
	}
	answer(func(w http.ResponseWriter, r *http.Request) { <-release; says(401, "")(w, r) })
	leaving, leave := context.WithCancel(t.Context())
	leave()
	if _, err := u.VerifyPassword(leaving, "ALICE", "d"); !errors.Is(err, legacy.ErrUnavailable) {
		t.Errorf("who leaves gets %v", err)
	}
	release <- struct{}{}
	try("ALICE", "d", legacy.WrongPassword) // the answer that nobody waited for
	release <- struct{}{}
	try("ALICE", "e", legacy.WrongPassword)
	before := a.asked.Load()
	try("alice", "f", legacy.TooManyFailures)
	if a.asked.Load() != before {
		t.Error("Airflow was asked about somebody who is locked out")
	}
	answer(says(201, issued))
	try("alice", password, "")
	now = now.Add(6 * time.Minute) // asked for again
	try("alice", password, "")
	try("alice", "g", legacy.TooManyFailures)
	now = now.Add(24 * time.Minute)
	try("alice", "g", "")
	answer(says(401, ""))
	try("alice", "h", legacy.WrongPassword) // a good one has filled the bucket
	try("alice", "i", legacy.WrongPassword)
	try("alice", "j", legacy.TooManyFailures)
}

func TestNewUpstream(t *testing.T) {
	for name, cfg := range map[string]directory.UpstreamConfig{
		"no URL":             {Verify: seven},
		"no scheme":          {URL: "airflow/auth/token", Verify: seven},
		"another scheme":     {URL: "ftp://airflow/auth/token", Verify: seven},
		"a user in it":       {URL: "http://u:hunter2@airflow/auth/token", Verify: seven},
		"nothing to verify":  {URL: "http://airflow/auth/token"},
		"negative number":    {URL: "http://airflow/auth/token", Verify: seven, Queue: -1},
		"timeout too long":   {URL: "http://airflow/auth/token", Verify: seven, Recheck: time.Second, Timeout: time.Minute},
		"negative grace":     {URL: "http://airflow/auth/token", Verify: seven, OutageGrace: -1},
		"unparsable, secret": {URL: "http://u:hunter2@%zz/", Verify: seven},
	} {
		_, err := directory.NewUpstream(cfg)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells: %v", name, err)
		}
	}
}
