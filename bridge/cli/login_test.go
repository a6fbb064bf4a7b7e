package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
)

// TestLoginRoutes: which methods the login page has, and that it is there where it
// is switched on, while sessions count.
func TestLoginRoutes(t *testing.T) {
	airflow3, airflow2 := users(t, fabtest.User{ID: 1, Name: "alice"}), users(t, fabtest.User{ID: 1, Name: "alice"})
	lines := func(login string, more ...string) []string {
		return append([]string{
			"airflow3: {url: 'http://127.0.0.1:1', auth_manager: fab, users: {dsn: '" + airflow3.URL + "'}}", secretLine,
			"legacy: {auth_backends: [session], users: {dsn: '" + airflow2.URL + "'}, session: {secret_key: a key of the tests' Airflow, cookie_name: airflow2, login: " + login + "}}",
		}, more...)
	}
	a := newAssembler(t, bridgetest.NewClock(time.Now()))
	on := assembled(t, a, lines("true")...)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/login/", 200}, {"HEAD", "/login/", 200}, {"POST", "/login/", 400}, {"GET", "/login", 308}, {"POST", "/login", 308},
		{"GET", "/logout/", 302}, {"POST", "/logout/", 400}, {"GET", "/logout", 308},
		{"HEAD", "/logout/", 405}, // a HEAD must end no session
		{"DELETE", "/login/", 405}, {"OPTIONS", "/login/", 405}, {"PUT", "/logout/", 405},
	} {
		if got := answerOf(on, c.method, c.path); got != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.status)
		}
	}
	const unreachable = http.StatusBadGateway // Airflow 3's to answer
	for name, s := range map[string]*snapshot{
		"off": assembled(t, a, lines("false")...), "jwt_only": assembled(t, a, lines("true", "migration: {mode: jwt_only}")...),
	} {
		if got := answerOf(s, "GET", "/login/"); got != unreachable {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func answerOf(s *snapshot, method, path string) int {
	out := httptest.NewRecorder()
	s.handler.ServeHTTP(out, httptest.NewRequest(method, path, nil))
	return out.Code
}

// TestLoginWithoutSessions: a page that could give nobody anything stops the start.
func TestLoginWithoutSessions(t *testing.T) {
	a := newAssembler(t, bridgetest.NewClock(time.Now()))
	s := assembled(t, a, "airflow3: {url: 'http://127.0.0.1:1', auth_manager: fab, users: {dsn: '"+users(t).URL+"'}}", secretLine, "legacy: {auth_backends: [basic_auth]}")
	s.cfg.Legacy.Session.Login = true
	taken := &taker{shelf: &a.shelf}
	defer taken.release()
	if _, err := a.login(taken, s); err == nil || !strings.Contains(err.Error(), "legacy.session.login") {
		t.Errorf("it starts: %v", err)
	}
}

// TestLoginIntoAirflow3: two URLs that lead to one database stop the start, where
// rows would be written.
func TestLoginIntoAirflow3(t *testing.T) {
	db := users(t, fabtest.User{ID: 1, Name: "alice"})
	link := filepath.Join(t.TempDir(), "airflow2.db")
	if err := os.Symlink(strings.TrimPrefix(db.URL, "sqlite:///"), link); err != nil {
		t.Fatal(err)
	}
	for backend, refused := range map[string]bool{"database": true, "securecookie": false} {
		a := newAssembler(t, bridgetest.NewClock(time.Now()))
		cfg := loaded(t,
			"airflow3: {url: 'http://127.0.0.1:1', auth_manager: fab, secret_key: a key of Airflow 3's own, users: {dsn: '"+db.URL+"'}}", secretLine,
			"legacy: {auth_backends: [session], users: {dsn: 'sqlite:///"+link+"'}, session: {backend: "+backend+", secret_key: a key of the tests' Airflow, login: true}}")
		s, err := a.snapshot(cfg)
		if err == nil {
			s.release()
		}
		if refused != (err != nil && strings.Contains(err.Error(), "legacy.session.login: would write into Airflow 3's database")) {
			t.Errorf("%s: %v", backend, err)
		}
	}
}
