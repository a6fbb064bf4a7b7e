package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
)

// TestKeeping: rows are written as the Airflow 2 that reads them expects, and
// written at all only where the login page is on, in dual.
func TestKeeping(t *testing.T) {
	base := config.Default()
	base.Legacy.Users.DSN = "sqlite:////airflow2.db"
	for version, json := range map[string]bool{"2.2.5": false, "2.10.5": false, "2.11.0": false, "2.11.1": true, "2.11.12": true, "2.12.0": true} {
		cfg := base
		cfg.Airflow2.Version = version
		if got := keepingOf(&cfg, nil).json; got != json {
			t.Errorf("%s: tagged JSON is %t", version, got)
		}
	}
	for _, c := range []struct {
		backend, mode   string
		login, writable bool
	}{
		{config.Database, config.Dual, false, false}, {config.Database, config.Dual, true, true}, {config.Database, config.JWTOnly, true, false},
		{config.Database, config.Observe, true, false}, {config.SecureCookie, config.Dual, true, false},
	} {
		cfg := base
		cfg.Legacy.Session.Backend, cfg.Legacy.Session.Login, cfg.Migration.Mode = c.backend, c.login, c.mode
		if k := keepingOf(&cfg, nil); k.writable != c.writable || (k.dsn == "") != (c.backend == config.SecureCookie) {
			t.Errorf("%+v: %+v", c, k)
		}
	}
}

// TestSessionsOutliveReloads: what is known of sessions stays while their own
// settings do, and goes with another key.
func TestSessionsOutliveReloads(t *testing.T) {
	db := users(t, fabtest.User{ID: 1, Name: "alice"})
	lines := func(more ...string) []string {
		return append([]string{"airflow3: {url: 'http://127.0.0.1:8081', auth_manager: fab, users: {dsn: '" + db.URL + "'}}", secretLine}, more...)
	}
	const backends = "legacy: {auth_backends: [session], session: {secret_key: "
	a := newAssembler(t, bridgetest.NewClock(time.Now()))
	first := assembled(t, a, lines(backends+"a key of the tests' Airflow}}")...)
	second := assembled(t, a, lines(backends+"a key of the tests' Airflow}}", "migration: {mode: jwt_only}")...)
	third := assembled(t, a, lines(backends+"another key of the tests' Airflow}}")...)
	if first.identity.sessions == nil || first.identity.sessions != second.identity.sessions {
		t.Error("a reload that leaves sessions alone forgets them")
	}
	if first.identity.sessions == third.identity.sessions {
		t.Error("another secret key is not another judge")
	}
}

// TestAppendedInVain: what Airflow appended and nobody can speak is told and left
// out; what somebody named is an error.
func TestAppendedInVain(t *testing.T) {
	db := users(t, fabtest.User{ID: 1, Name: "alice"})
	cfg := config.Default()
	cfg.Airflow3.Users.DSN, cfg.Legacy.Users.DSN, cfg.Airflow3.AuthManager = config.Secret(db.URL), config.Secret(db.URL), config.FAB
	cfg.Airflow3.Users.Recheck = 5 * time.Second
	cfg.Legacy.AuthBackends = []string{"airflow.api.auth.backend.basic_auth"}
	for _, c := range []struct {
		name   string
		change func(*config.Config)
		why    string // empty: sessions are spoken
	}{
		{"no key", func(*config.Config) {}, "legacy.session.secret_key is required"},
		{"a published key", func(c *config.Config) { c.Legacy.Session.SecretKeys = config.Secrets{"temporary_key"} }, "legacy.session.secret_key is published"},
		{"a key", func(c *config.Config) { c.Legacy.Session.SecretKeys = config.Secrets{"a key of the tests' Airflow"} }, ""},
	} {
		cfg := cfg
		cfg.Legacy.FromAirflow = true
		c.change(&cfg)
		a := newAssembler(t, bridgetest.NewClock(time.Now()))
		taken := &taker{shelf: &a.shelf}
		id, err := a.identity(taken, &snapshot{cfg: &cfg})
		taken.release()
		if err != nil || (id.sessions == nil) != (c.why != "") {
			t.Errorf("%s: sessions are %v, %v", c.name, id.sessions, err)
		}
		if told := strings.Join(id.warnings, "\n"); !strings.Contains(told, c.why) || (c.why == "") != (told == "") {
			t.Errorf("%s: %q is told, want %q", c.name, told, c.why)
		}
	}
}

// decideSession asks about a GET of the Dags with a cookie that was signed for the
// user of that id.
func decideSession(t *testing.T, s *snapshot, id int64) bridge.Decision {
	t.Helper()
	keep := s.identity.sessions.store
	made, err := keep.New(httptest.NewRequest("GET", "/login/", nil), "session")
	if err != nil {
		t.Fatal(err)
	}
	made.Values["_user_id"] = id
	out := httptest.NewRecorder()
	if err := keep.Save(httptest.NewRequest("POST", "/login/", nil), out, made); err != nil {
		t.Fatal(err)
	}
	return s.core.Decide(t.Context(), bridge.Request{
		Method: http.MethodGet, RawPath: "/api/v2/dags", Header: http.Header{"Cookie": {"session=" + out.Result().Cookies()[0].Value}},
	})
}
