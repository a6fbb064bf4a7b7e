package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/sessions"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/legacytest"
	"github.com/jetbridge/jetbridge/legacy/session"
)

const key = "a secret key of the tests"

// A store is gorilla's, and what an authenticator asks.
type store interface {
	sessions.Store
	Login(ctx context.Context, value string) (session.Login, error)
}

// A clock is moved by hand.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.ns.Add(int64(d)) }

// A world is a database of Airflow 2's, and what reads it.
type world struct {
	clock
	made  *fabtest.Database
	db    *airflowdb.DB
	users *fab.Users
}

func newWorld(t testing.TB, cfg fabtest.Config) *world {
	t.Helper()
	w := &world{}
	w.ns.Store(time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC).UnixNano())
	cfg.Airflow2 = true
	var err error
	if w.made, err = fabtest.New(t.Context(), cfg,
		fabtest.User{ID: 1, Name: "Alice", Hash: fabtest.HashOfSecret, Roles: []string{"Op"}},
		fabtest.User{ID: 2, Name: "gone", Hash: fabtest.HashOfSecret, Inactive: true},
		fabtest.User{ID: 3, Name: "undecided", Hash: fabtest.HashOfSecret, NullActive: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.made.Close(context.Background()) })
	if w.db, err = airflowdb.Open(airflowdb.Config{URL: w.made.URL, Writable: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	if w.users, err = fab.New(fab.Config{DB: w.db, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	return w
}

func sqlite(t testing.TB) *world {
	return newWorld(t, fabtest.Config{SQLite: filepath.Join(t.TempDir(), "airflow.db")})
}

// each runs f against the databases in which Airflow may keep sessions.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { f(t, sqlite(t)) })
	t.Run("postgresql", func(t *testing.T) {
		f(t, newWorld(t, fabtest.Config{Postgres: legacytest.Server(t, "JETBRIDGE_TEST_POSTGRES")}))
	})
	t.Run("mariadb", func(t *testing.T) {
		f(t, newWorld(t, fabtest.Config{MySQL: legacytest.Server(t, "JETBRIDGE_TEST_MYSQL")}))
	})
}

func (w *world) config() session.Config {
	return session.Config{SecretKeys: []string{key, "an older key"}, Lifetime: time.Hour, Now: w.now}
}

func (w *world) rows(t testing.TB, change ...func(*session.DatabaseConfig)) *session.DatabaseStore {
	t.Helper()
	cfg := session.DatabaseConfig{Config: w.config(), DB: w.db}
	for _, c := range change {
		c(&cfg)
	}
	s, err := session.NewDatabaseStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) cookies(t testing.TB) *session.CookieStore {
	t.Helper()
	s, err := session.NewCookieStore(w.config())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) authenticator(t testing.TB, s store, end bool) *session.Authenticator {
	t.Helper()
	a, err := session.NewAuthenticator(session.AuthenticatorConfig{Sessions: s, Users: w.users, EndOnPasswordChange: end, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// row writes a row as Airflow does; a nil expiry is null.
func (w *world) row(t testing.TB, sid string, data []byte, expiry *time.Time) {
	t.Helper()
	var text any
	if expiry != nil {
		text = expiry.UTC().Format("2006-01-02 15:04:05.000000")
	}
	argument := "$3"
	if w.db.Dialect() == airflowdb.PostgreSQL {
		argument = "CAST($3::text AS timestamp)"
	}
	if err := w.made.Exec(t.Context(), "INSERT INTO session (session_id, data, expiry) VALUES ($1, $2, "+argument+")", sid, data, text); err != nil {
		t.Fatal(err)
	}
}

func (w *world) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	if err := w.made.Exec(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func request(cookie string) *http.Request {
	r := httptest.NewRequest("GET", "/login/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", "session="+cookie)
	}
	return r
}

// save has the store keep those values as a new session.
func save(t testing.TB, s sessions.Store, v session.Values) *http.Cookie {
	t.Helper()
	made, err := s.New(request(""), "session")
	if err != nil {
		t.Fatal(err)
	}
	clear(made.Values)
	for name, value := range v {
		made.Values[name] = value
	}
	return saved(t, s, made)
}

func saved(t testing.TB, s sessions.Store, made *sessions.Session) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Save(request(""), w, made); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

func credential(cookie string) legacy.Credential {
	return legacy.Credential{Scheme: legacy.Session, Cookie: cookie}
}

func loggedIn(id int64) session.Values { return session.LoggedIn(id, "", "192.0.2.1", "curl/8.5.0") }

// fine is the reason of what was not refused.
const fine legacy.Reason = ""

func reason(err error) legacy.Reason {
	if r := (*legacy.Refusal)(nil); errors.As(err, &r) {
		return r.Reason
	}
	if err != nil {
		return legacy.Reason(err.Error())
	}
	return fine
}

// testStore: what is saved is there for the next request, and gone once it is deleted.
func testStore(t *testing.T, s store) {
	v := loggedIn(1)
	v["_flashes"] = []any{session.Tuple{"info", session.Markup("<b>hello</b>")}, session.Tuple{"warning", "ü🔑"}}
	v["n"] = []any{int64(1) << 40, int64(-1), 1.5, nil, false, []byte{0, 255}}
	want := map[any]any{}
	for name, value := range v {
		want[name] = value
	}
	cookie := save(t, s, v)
	if !cookie.HttpOnly || cookie.Path != "/" || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure || cookie.MaxAge != 0 || cookie.Expires.IsZero() {
		t.Errorf("the cookie is %v", cookie)
	}
	got, err := s.New(request(cookie.Value), "session")
	if err != nil || got.IsNew {
		t.Fatalf("%+v, %v", got, err)
	}
	if diff := cmp.Diff(want, got.Values); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got.Values["more"] = "x"
	if again, err := s.New(request(saved(t, s, got).Value), "session"); err != nil || again.Values["more"] != "x" || again.ID != got.ID {
		t.Errorf("saved again: %+v, %v", again, err)
	}
	got.Options.MaxAge = -1
	if gone := saved(t, s, got); gone.Value != "" || gone.MaxAge != -1 {
		t.Errorf("deleted: %v", gone)
	}
	r := request("")
	one, _ := s.Get(r, "session")
	if two, _ := s.Get(r, "session"); one != two || one == nil {
		t.Error("a request has two sessions")
	}
	got.Options.MaxAge, got.Values[7] = 0, 7
	if err := s.Save(r, httptest.NewRecorder(), got); err == nil {
		t.Error("a key that is no text is saved")
	}
}

func TestStores(t *testing.T) {
	t.Run("cookie", func(t *testing.T) { testStore(t, sqlite(t).cookies(t)) })
	each(t, func(t *testing.T, w *world) {
		for _, asJSON := range []bool{false, true} {
			s := w.rows(t, func(c *session.DatabaseConfig) { c.JSON = asJSON })
			testStore(t, s)
			if n, err := s.Count(t.Context()); n != 0 || err != nil {
				t.Errorf("%d rows are left: %v", n, err)
			}
		}
	})
}

// TestForeignCookies: what somebody else signed is told from what is ours (C-23).
func TestForeignCookies(t *testing.T) {
	w := sqlite(t)
	with := func(keys ...string) (store, store) {
		cfg := w.config()
		cfg.SecretKeys = keys
		c, err := session.NewCookieStore(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c, w.rows(t, func(d *session.DatabaseConfig) { d.SecretKeys = keys })
	}
	cookies, rows := with("somebody else's")
	old, _ := with("an older key")
	if _, err := w.cookies(t).New(request(save(t, old, loggedIn(1)).Value), "session"); err != nil {
		t.Errorf("signed under the older key: %v", err)
	}
	if _, err := old.New(request(save(t, w.cookies(t), loggedIn(1)).Value), "session"); reason(err) != legacy.SessionInvalid {
		t.Errorf("it is not the first key that signs: %v", err)
	}
	for name, c := range map[string]struct {
		store sessions.Store
		value string
		want  legacy.Reason
	}{
		"cookie, another key":      {w.cookies(t), save(t, cookies, loggedIn(1)).Value, legacy.SessionInvalid},
		"database, another key":    {w.rows(t), save(t, rows, loggedIn(1)).Value, legacy.SessionInvalid},
		"cookie, of a database":    {w.cookies(t), save(t, w.rows(t), loggedIn(1)).Value, legacy.SessionInvalid},
		"database, a whole cookie": {w.rows(t), save(t, w.cookies(t), loggedIn(1)).Value, legacy.SessionInvalid},
		"garbage":                  {w.cookies(t), "garbage", legacy.MalformedCredential},
	} {
		got, err := c.store.New(request(c.value), "session")
		if reason(err) != c.want || !errors.Is(err, legacy.ErrRejected) || !got.IsNew || got.Values["_user_id"] != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// Of several the first, and quotes do not count, as Werkzeug has it.
	good := save(t, w.cookies(t), loggedIn(1)).Value
	if got, err := w.cookies(t).New(request(`"`+good+`"; session=other`), "session"); err != nil || got.Values["_user_id"] != int64(1) {
		t.Errorf("quoted and first: %+v, %v", got, err)
	}
}

func TestFaultyConfigurations(t *testing.T) {
	for name, cfg := range map[string]session.Config{
		"no key": {}, "an empty key": {SecretKeys: []string{key, ""}},
		"a part of a second": {SecretKeys: []string{key}, Lifetime: time.Millisecond}, "a negative lifetime": {SecretKeys: []string{key}, Lifetime: -time.Second},
	} {
		if _, err := session.NewCookieStore(cfg); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := session.NewDatabaseStore(session.DatabaseConfig{Config: session.Config{SecretKeys: []string{key}}}); err == nil {
		t.Error("no database is taken")
	}
	if _, err := session.NewAuthenticator(session.AuthenticatorConfig{}); err == nil {
		t.Error("nothing is taken")
	}
	if _, err := session.NewForms(nil); err == nil {
		t.Error("forms without a key are taken")
	}
}

// TestAge: a signed cookie counts for its lifetime and not a second longer, read
// before or not, and never before it was signed.
func TestAge(t *testing.T) {
	w := sqlite(t)
	s := w.cookies(t)
	value := save(t, s, loggedIn(1)).Value
	for _, known := range []bool{false, true} {
		for _, step := range []struct {
			pass time.Duration
			want legacy.Reason
		}{{time.Hour, fine}, {time.Second, legacy.SessionExpired}, {-time.Hour - 2*time.Second, legacy.SessionExpired}, {time.Second, fine}} {
			w.pass(step.pass)
			if _, err := s.Login(t.Context(), value); reason(err) != step.want {
				t.Errorf("known=%t, %s later: %v, want %q", known, step.pass, err, step.want)
			}
		}
	}
}
