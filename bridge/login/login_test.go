package login_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/login"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/lockout"
	"github.com/jetbridge/jetbridge/legacy/session"
)

const (
	secretKey  = "a secret key of the tests"
	foreignKey = "a secret key of Airflow 3's"
)

// A store keeps sessions, and is asked for them.
type store interface {
	sessions.Store
	Login(ctx context.Context, value string) (session.Login, error)
}

// A site is a bridge with the login page on, in front of an Airflow 3 that says who
// it was asked by. What it serves goes over no network.
type site struct {
	t        *testing.T
	now      time.Time
	database *fabtest.Database
	users    *fab.Users
	store    store
	handler  http.Handler
	last     record.Record
}

// options are what differs between one site and the next.
type options struct {
	database bool // session_backend
	cookies  session.Config
	name     string // of the cookie
	base     string
	secret   string            // of the sessions; default secretKey
	rate     login.LimitConfig // default: 5 per 40 second; Per alone is none at all
	failures int               // until an account is locked out
}

func newSite(t *testing.T, o options) *site {
	t.Helper()
	s := &site{t: t, now: bridgetest.Now}
	clock := func() time.Time { return s.now }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.database, err = fabtest.New(t.Context(), fabtest.Config{SQLite: filepath.Join(t.TempDir(), "airflow.db"), Airflow2: true},
		fabtest.User{ID: 7, Name: "alice", Hash: fabtest.HashOfSecret}, // 1 in Airflow 3
		fabtest.User{ID: 1, Name: "bob", Hash: fabtest.HashOfOther},
		fabtest.User{ID: 3, Name: "gone", Hash: fabtest.HashOfSecret, Inactive: true})
	must(err)
	t.Cleanup(func() { s.database.Close(context.Background()) })
	db, err := airflowdb.Open(airflowdb.Config{URL: s.database.URL, Writable: o.database})
	must(err)
	t.Cleanup(func() { db.Close() })
	guard, err := lockout.New(lockout.Config{Failures: o.failures, Window: time.Hour, Now: clock})
	must(err)
	hasher, err := fab.NewHasher(fab.HasherConfig{})
	must(err)
	s.users, err = fab.New(fab.Config{DB: db, Hasher: hasher, Guard: guard, Now: clock})
	must(err)

	cfg := o.cookies
	cfg.SecretKeys, cfg.Lifetime, cfg.Now = []string{cmp.Or(o.secret, secretKey)}, time.Hour, clock
	if o.database {
		s.store, err = session.NewDatabaseStore(session.DatabaseConfig{Config: cfg, DB: db})
	} else {
		s.store, err = session.NewCookieStore(cfg)
	}
	must(err)
	judge, err := session.NewAuthenticator(session.AuthenticatorConfig{Sessions: s.store, Users: s.users, EndOnPasswordChange: true, Now: clock})
	must(err)
	keep := session.LoginsConfig{Store: s.store, SecretKeys: cfg.SecretKeys, CookieName: o.name, Now: clock}
	if o.name == "" { // as Airflow 3's FAB calls its own
		keep.ForeignKeys = []string{foreignKey}
	}
	logins, err := session.NewLogins(keep)
	must(err)
	if o.rate.Per == 0 {
		o.rate = login.LimitConfig{Posts: 5, Per: 40 * time.Second}
	}
	o.rate.Now = clock
	limit, err := login.NewLimit(o.rate)
	must(err)
	routes, err := route.New(route.Config{BasePath: o.base, Login: true})
	must(err)
	world := bridgetest.New(t, func(cfg *bridge.Config) {
		cfg.Routes, cfg.Authenticators, cfg.SessionCookie, cfg.CookiePath = routes, []legacy.Authenticator{judge}, o.name, o.base+"/"
	})
	own, err := login.New(login.Config{Core: world.Core, Accounts: s.users, Logins: logins, Sessions: judge, Limit: limit, BasePath: o.base})
	must(err)
	s.handler, err = bridge.NewHandler(bridge.HandlerConfig{Decider: world.Core, Forward: http.HandlerFunc(airflow3), Own: own, Sink: s})
	must(err)
	return s
}

// airflow3 says who asks.
func airflow3(w http.ResponseWriter, r *http.Request) {
	d := bridge.DecisionFrom(r.Context())
	if d.Verdict != bridge.PassMinted {
		w.WriteHeader(http.StatusTeapot)
	}
	fmt.Fprintf(w, `{"dags":[],"subject":%q}`, d.Claims.Subject)
}

// Record implements record.Sink.
func (s *site) Record(r *record.Record) { s.last = *r }

// RoundTrip has the site answer r, as a server would.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), r.Body)
	in.Header, in.Host, in.ContentLength = r.Header.Clone(), "airflow.example", r.ContentLength
	if addr := r.Header.Get("Test-From"); addr != "" {
		in.RemoteAddr = addr
	}
	out := httptest.NewRecorder()
	s.handler.ServeHTTP(out, in)
	return out.Result(), nil
}

// A client keeps cookies, by the site's clock, and follows no redirect.
type client struct {
	*http.Client
	site *site
	kept map[string]string
}

func (s *site) client() *client {
	c := &client{site: s, kept: map[string]string{}}
	c.Client = &http.Client{Transport: s, Jar: c, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c
}

// SetCookies implements http.CookieJar.
func (c *client) SetCookies(_ *url.URL, cookies []*http.Cookie) {
	for _, cookie := range cookies {
		if cookie.MaxAge < 0 || !cookie.Expires.IsZero() && !cookie.Expires.After(c.site.now) {
			delete(c.kept, cookie.Name)
			continue
		}
		c.kept[cookie.Name] = cookie.Value
	}
}

// Cookies implements http.CookieJar.
func (c *client) Cookies(*url.URL) (cookies []*http.Cookie) {
	for _, name := range slices.Sorted(maps.Keys(c.kept)) {
		cookies = append(cookies, &http.Cookie{Name: name, Value: c.kept[name]})
	}
	return cookies
}

const origin = "http://airflow.example"

// do sends a request; headers come as name, value, name, value.
func (c *client) do(method, path, body string, headers ...string) (*http.Response, string) {
	c.site.t.Helper()
	r, err := http.NewRequest(method, origin+path, strings.NewReader(body))
	if err != nil {
		c.site.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(r)
	if err != nil {
		c.site.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.site.t.Fatal(err)
	}
	return res, string(text)
}

// tokenIn is how scripts find the token.
var tokenIn = regexp.MustCompile(`name="csrf_token" type="hidden" value="([^"]+)"`)

func (c *client) token() string {
	c.site.t.Helper()
	_, text := c.do("GET", "/login/", "")
	m := tokenIn.FindStringSubmatch(text)
	if m == nil {
		c.site.t.Fatalf("no token in %s", text)
	}
	return m[1]
}

func form(fields ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	return values.Encode()
}

func (c *client) logIn(user, password string, headers ...string) (*http.Response, string) {
	c.site.t.Helper()
	return c.do("POST", "/login/", form("username", user, "password", password, "csrf_token", c.token()), headers...)
}

// each runs f with either session backend.
func each(t *testing.T, f func(t *testing.T, o options)) {
	for _, database := range []bool{false, true} {
		t.Run(fmt.Sprintf("database=%t", database), func(t *testing.T) { f(t, options{database: database}) })
	}
}

// rows counts the sessions in the database.
func (s *site) rows() (n int) {
	s.t.Helper()
	db, err := airflowdb.Open(airflowdb.Config{URL: s.database.URL})
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if err := db.Read(s.t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM session`).Scan(&n)
	}); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// TestScript is what scripts for Airflow 2 do: get the form, find the token, post
// it with name and password, and call the API with the cookie that they were given.
func TestScript(t *testing.T) {
	each(t, func(t *testing.T, o options) {
		s := newSite(t, o)
		c := s.client()
		res, _ := c.do("GET", "/api/v2/dags", "")
		if res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("without a login: %s", res.Status)
		}
		token, before := c.token(), c.kept["session"]
		if n := s.rows(); n != 0 {
			t.Errorf("looking at the page left %d rows", n)
		}
		res, _ = c.do("POST", "/login/?next=https://evil.example/", form("username", "alice", "password", "secret", "csrf_token", token))
		if res.StatusCode != http.StatusFound || res.Header.Get("Location") != "/" {
			t.Fatalf("%s to %q", res.Status, res.Header.Get("Location"))
		}
		if res.Header.Get("Deprecation") == "" {
			t.Error("the calendar is not told")
		}
		if s.last.Scheme != "session" || s.last.Name != "alice" || s.last.Reason != "" || s.last.Verdict != "answer" || s.last.Family != "/login" {
			t.Errorf("recorded %+v", s.last)
		}
		// C-22: a new session, whose token is another one.
		after := c.kept["session"]
		if after == before || s.rows() != map[bool]int{true: 1}[o.database] {
			t.Errorf("the session is %q, as before; %d rows", after, s.rows())
		}
		if c.token() == token {
			t.Error("the form's token is the one before the login")
		}
		res, text := c.do("GET", "/api/v2/dags", "")
		var dags struct{ Subject string }
		if err := json.Unmarshal([]byte(text), &dags); err != nil || res.StatusCode != http.StatusOK || dags.Subject != "1" {
			t.Errorf("%s %s %v", res.Status, text, err)
		}
		if len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("the API sets a cookie: %q", res.Header["Set-Cookie"])
		}
		if _, text := c.do("GET", "/login/", ""); !strings.Contains(text, "Signed in as <strong>alice</strong>") {
			t.Errorf("the page does not say who has logged in: %s", text)
		}

		// The session from before the login is still nobody's.
		thief := s.client()
		thief.kept["session"] = before
		if res, _ := thief.do("GET", "/api/v2/dags", ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("with the cookie from before the login: %s", res.Status)
		}

		res, _ = c.do("GET", "/logout/", "")
		if res.StatusCode != http.StatusFound || res.Header.Get("Location") != "/" || c.kept["session"] != "" || s.last.Name != "alice" {
			t.Errorf("logout: %s to %q, cookie %q, recorded %+v", res.Status, res.Header.Get("Location"), c.kept["session"], s.last)
		}
		if res, _ := c.do("GET", "/api/v2/dags", ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("after the logout: %s", res.Status)
		}
		s.now = s.now.Add(5 * time.Second)
		c.kept["session"] = after
		res, _ = c.do("GET", "/api/v2/dags", "")
		if want := map[bool]int{true: 401, false: 200}[o.database]; res.StatusCode != want || o.database && s.rows() != 0 {
			t.Errorf("with the cookie from before the logout: %s, want %d; %d rows", res.Status, want, s.rows()) // a signed cookie cannot be called back
		}
	})
}

// TestLogoutForm: by POST it asks for the token, as Airflow does from 2.10 on.
func TestLogoutForm(t *testing.T) {
	each(t, func(t *testing.T, o options) {
		s := newSite(t, o)
		c := s.client()
		c.logIn("alice", "secret")
		if res, _ := c.do("POST", "/logout/", form("x", "y")); res.StatusCode != http.StatusBadRequest || c.kept["session"] == "" {
			t.Errorf("without a token: %s", res.Status)
		}
		if res, _ := c.do("POST", "/logout/", form("csrf_token", c.token())); res.StatusCode != http.StatusFound || c.kept["session"] != "" {
			t.Errorf("with the token: %s, cookie %q", res.Status, c.kept["session"])
		}
	})
}

// TestPasswordChange: a session that was begun with the old password ends, also when
// the login found the old one remembered.
func TestPasswordChange(t *testing.T) {
	each(t, func(t *testing.T, o options) {
		s := newSite(t, o)
		if res, _ := s.client().logIn("alice", "secret"); res.StatusCode != http.StatusFound {
			t.Fatal(res.Status)
		}
		if err := s.database.Exec(t.Context(), "UPDATE ab_user SET password = $1 WHERE username = 'alice'", fabtest.HashOfOther); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(5*time.Second - 1)
		c := s.client()
		if res, _ := c.logIn("alice", "secret"); res.StatusCode != http.StatusFound || res.Header.Get("Location") != "/" {
			t.Fatalf("within the recheck: %s", res.Status)
		}
		s.now = s.now.Add(5 * time.Second)
		if res, _ := c.do("GET", "/api/v2/dags", ""); res.StatusCode != http.StatusUnauthorized || s.last.Reason != record.SessionEnded {
			t.Errorf("with a session of the old password: %s, %s", res.Status, s.last.Reason)
		}
	})
}

// TestDeactivated: who is deactivated has no session any more, within the recheck.
func TestDeactivated(t *testing.T) {
	each(t, func(t *testing.T, o options) {
		s := newSite(t, o)
		c := s.client()
		c.logIn("alice", "secret")
		if err := s.database.Exec(t.Context(), "UPDATE ab_user SET active = $1 WHERE username = 'alice'", false); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(5 * time.Second)
		if res, _ := c.do("GET", "/api/v2/dags", ""); res.StatusCode != http.StatusUnauthorized || s.last.Reason != record.InactiveUser {
			t.Errorf("%s, %s", res.Status, s.last.Reason)
		}
		if _, text := c.do("GET", "/login/", ""); strings.Contains(text, "Signed in") {
			t.Errorf("the page takes the user for logged in: %s", text)
		}
	})
}
