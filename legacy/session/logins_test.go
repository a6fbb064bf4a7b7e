package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/session"
)

func (w *world) logins(t *testing.T, s store) *session.Logins {
	t.Helper()
	l, err := session.NewLogins(session.LoginsConfig{Store: s, SecretKeys: w.config().SecretKeys, ForeignKeys: []string{"somebody else's"}, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// cookieOf is the only cookie that w sets.
func cookieOf(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	all := w.Result().Cookies()
	if len(all) != 1 {
		t.Fatalf("%d cookies: %v", len(all), all)
	}
	return all[0]
}

// TestLogins: a form, a login, a logout, in every database and in none.
func TestLogins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, s := range map[string]store{"cookies": w.cookies(t), "rows": w.rows(t)} {
			t.Run(name, func(t *testing.T) {
				l := w.logins(t, s)
				visit := func(cookie string) *session.Visit {
					t.Helper()
					v, err := l.Visit(request(cookie))
					if err != nil {
						t.Fatal(err)
					}
					return v
				}
				first := httptest.NewRecorder()
				token, err := visit("").Token(first)
				if err != nil {
					t.Fatal(err)
				}
				shown := cookieOf(t, first).Value
				again := httptest.NewRecorder()
				back := visit(shown)
				if second, err := back.Token(again); err != nil || second != token || len(again.Result().Cookies()) > 0 {
					t.Errorf("the second time %q, %v, %v; the first %q", second, err, again.Header(), token)
				}
				if err := back.Check(token); err != nil {
					t.Error(err)
				}
				if err := visit("").Check(token); !errors.Is(err, session.ErrForm) {
					t.Errorf("of another visit: %v", err)
				}

				account, err := w.users.Account(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				in := httptest.NewRecorder()
				if err := back.Begin(in, account, "192.0.2.1"); err != nil {
					t.Fatal(err)
				}
				begun := cookieOf(t, in).Value
				if begun == shown {
					t.Error("C-22: the session is the one from before")
				}
				if got, err := s.Login(t.Context(), begun); err != nil || got.UserID != 1 || got.Password != account.Password {
					t.Errorf("%+v, %v", got, err)
				}
				if _, err := s.Login(t.Context(), shown); !errors.Is(err, legacy.ErrRejected) {
					t.Errorf("the one from before: %v", err)
				}
				if err := visit(begun).Check(token); !errors.Is(err, session.ErrForm) {
					t.Errorf("the token from before: %v", err)
				}

				out := httptest.NewRecorder()
				if err := visit(begun).End(out); err != nil {
					t.Fatal(err)
				}
				if gone := cookieOf(t, out); gone.Value != "" || gone.MaxAge >= 0 {
					t.Errorf("%+v", gone)
				}
				if _, err := s.Login(t.Context(), begun); name == "rows" && !errors.Is(err, legacy.ErrRejected) {
					t.Errorf("after its end: %v", err)
				}
			})
		}
	})
}

// TestLoginsOfOthers: what somebody else issued stays; what cannot be kept is told.
func TestLoginsOfOthers(t *testing.T) {
	w := sqlite(t)
	theirs, err := session.NewCookieStore(session.Config{SecretKeys: []string{"somebody else's"}, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]store{"cookies": w.cookies(t), "rows": w.rows(t)} {
		l := w.logins(t, s)
		out := httptest.NewRecorder()
		v, err := l.Visit(request(save(t, theirs, loggedIn(1)).Value))
		if err != nil || !v.Foreign {
			t.Fatalf("%s: %+v, %v", name, v, err)
		}
		if _, err := v.Token(out); !errors.Is(err, session.ErrForeign) {
			t.Errorf("%s: a form: %v", name, err)
		}
		if err := v.Begin(out, fab.Account{User: legacy.User{ID: "1"}}, ""); !errors.Is(err, session.ErrForeign) {
			t.Errorf("%s: a login: %v", name, err)
		}
		if err := v.End(out); err != nil || len(out.Header()) > 0 {
			t.Errorf("%s: %v, %v", name, err, out.Header())
		}
		// Airflow's own session, of before the first page with a form on it.
		old := save(t, s, session.Values{"_permanent": true, "_user_id": int64(1)}).Value
		v, err = l.Visit(request(old))
		if err != nil || v.Foreign {
			t.Fatalf("%s: %+v, %v", name, v, err)
		}
		token, err := v.Token(out)
		if again, _ := l.Visit(request(old)); err != nil || again.Check(token) != nil || len(out.Header()) > 0 {
			t.Errorf("%s: %q, %v, %v", name, token, err, out.Header())
		}
		if err := v.Begin(out, fab.Account{User: legacy.User{ID: "x"}}, ""); err == nil {
			t.Errorf("%s: an id that is none begins a session", name)
		}
	}

	readOnly, err := airflowdb.Open(airflowdb.Config{URL: w.made.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { readOnly.Close() })
	v, err := w.logins(t, w.rows(t, func(c *session.DatabaseConfig) { c.DB = readOnly })).Visit(request(""))
	if err != nil {
		t.Fatal(err)
	}
	out := httptest.NewRecorder()
	if err := v.Begin(out, fab.Account{User: legacy.User{ID: "1"}}, ""); !errors.Is(err, legacy.ErrUnavailable) || len(out.Header()) > 0 {
		t.Errorf("into a database that is only read: %v, %v", err, out.Header())
	}
	if _, err := session.NewLogins(session.LoginsConfig{Store: w.cookies(t)}); err == nil {
		t.Error("made without a key")
	}
}

// TestLook: whoever looks at a page with a form on it renews no session, writes no
// row, and undoes no logout.
func TestLook(t *testing.T) {
	w := sqlite(t)
	for name, s := range map[string]store{"cookies": w.cookies(t), "rows": w.rows(t)} {
		l := w.logins(t, s)
		// As Airflow makes one for who never saw a form: REMOTE_USER, OAuth.
		old := save(t, s, session.Values{"_permanent": true, "_fresh": true, "_user_id": int64(1)}).Value
		w.pass(30 * time.Minute)
		look, err := l.Visit(request(old))
		if err != nil {
			t.Fatal(err)
		}
		out := httptest.NewRecorder()
		token, err := look.Token(out)
		if err != nil || len(out.Header()) > 0 {
			t.Errorf("%s: a look sets %v, %v", name, out.Header(), err)
		}
		other := save(t, s, session.Values{"_permanent": true, "_fresh": true, "_user_id": int64(3)}).Value
		if v, _ := l.Visit(request(other)); !errors.Is(v.Check(token), session.ErrForm) {
			t.Errorf("%s: the token of another session counts", name)
		}
		w.pass(30*time.Minute + 2*time.Second)
		if _, err := s.Login(t.Context(), old); reason(err) != legacy.SessionExpired {
			t.Errorf("%s: its end was put off: %v", name, err)
		}
	}

	s := w.rows(t)
	l := w.logins(t, s)
	cookie := save(t, s, session.Values{"_permanent": true, "_user_id": int64(1)}).Value
	look, err := l.Visit(request(cookie))
	if err != nil {
		t.Fatal(err)
	}
	leave, err := l.Visit(request(cookie))
	if err != nil {
		t.Fatal(err)
	}
	if err := leave.End(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	if _, err := look.Token(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(t.Context(), cookie); !errors.Is(err, legacy.ErrRejected) {
		t.Errorf("logged out, and in again by a look: %v", err)
	}
}

// TestLogoutBeforeOutage: what ended here has ended, whatever becomes of the database.
func TestLogoutBeforeOutage(t *testing.T) {
	w := sqlite(t)
	s := w.rows(t, func(c *session.DatabaseConfig) { c.OutageGrace = time.Minute })
	cookie := save(t, s, loggedIn(1)).Value
	if _, err := s.Login(t.Context(), cookie); err != nil {
		t.Fatal(err)
	}
	v, err := w.logins(t, s).Visit(request(cookie))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.End(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "ALTER TABLE session RENAME TO away")
	if got, err := s.Login(t.Context(), cookie); !errors.Is(err, legacy.ErrUnavailable) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTryWrite: whether a login could be kept, and read by Airflow 2, is found out
// without one.
func TestTryWrite(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pickled := w.rows(t)
		json := w.rows(t, func(c *session.DatabaseConfig) { c.JSON = true })
		try := func(s *session.DatabaseStore, want error, sessions int) {
			t.Helper()
			if err := s.TryWrite(t.Context()); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if n, err := s.Count(t.Context()); n != sessions || err != nil {
				t.Errorf("%d sessions, %v", n, err)
			}
		}
		try(pickled, nil, 0)
		save(t, pickled, loggedIn(1))
		try(pickled, nil, 1)
		try(json, nil, 1) // after an upgrade of Airflow 2
		save(t, json, loggedIn(1))
		try(json, nil, 2)
		try(pickled, session.ErrFormat, 2)
		w.exec(t, "DROP TABLE session")
		if pickled.TryWrite(t.Context()) == nil {
			t.Error("without the table")
		}
	})
}
