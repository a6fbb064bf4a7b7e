package session_test

import (
	"bytes"
	"context"
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

// TestTryWrite: whether a login could be kept is found out without one.
func TestTryWrite(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.rows(t)
		for sessions := range 2 {
			if err := s.TryWrite(t.Context()); err != nil {
				t.Error(err)
			}
			if n, err := s.Count(t.Context()); n != sessions || err != nil {
				t.Errorf("%d sessions, %v", n, err)
			}
			save(t, s, loggedIn(1))
		}
		w.exec(t, "DROP TABLE session")
		if s.TryWrite(t.Context()) == nil {
			t.Error("without the table")
		}
	})
}

// theirs is a session of Airflow's own.
func theirs() session.Values {
	return session.Values{"_permanent": true, "_fresh": true, "_user_id": "1", "csrf_token": "x"}
}

// TestFormOfRows: rows are written as Airflow keeps its own, whatever the version
// that was configured; where it keeps none, as that version does.
func TestFormOfRows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, newer := range []bool{false, true} {
			configured := func(c *session.DatabaseConfig) { c.JSON = newer }
			s := w.rows(t, configured)
			form := func(want byte) {
				t.Helper()
				save(t, s, loggedIn(1))
				first, err := w.first(t, "_jetbridge_password")
				if err != nil || first != want {
					t.Errorf("configured JSON=%t: a row begins with %q, %v, want %q", newer, first, err, want)
				}
				w.exec(t, "DELETE FROM session")
			}
			if newer {
				form('{')
			} else {
				form(0x80)
			}
			for _, row := range []struct {
				data string
				want byte
			}{{`{"_permanent": true}`, '{'}, {"\x80\x04}\x94\x8c\x0a_permanent\x94\x88s.", 0x80}, {`{"_permanent": true}`, '{'}} {
				at := w.now().Add(time.Hour)
				w.row(t, "theirs", []byte(row.data), &at)
				save(t, s, loggedIn(1)) // of ours, which tells nothing
				w.pass(time.Minute)
				w.exec(t, "DELETE FROM session WHERE session_id <> 'theirs'")
				form(row.want)
			}
		}
	})
}

// first is the first byte of the row that holds that text.
func (w *world) first(t *testing.T, text string) (first byte, err error) {
	t.Helper()
	err = w.db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
		rows, err := tx.Query(ctx, "SELECT data FROM session")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var data []byte
			if err := rows.Scan(&data); err != nil {
				return err
			}
			if bytes.Contains(data, []byte(text)) {
				first = data[0]
			}
		}
		return rows.Err()
	})
	return first, err
}

// TestAirflow3: whatever the URL says, nothing is written into a database of Airflow
// 3's, which its tables tell, and its own sessions.
func TestAirflow3(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, w *world){
		"its tables": func(t *testing.T, w *world) { w.exec(t, "CREATE TABLE dag_bundle (name VARCHAR(250) PRIMARY KEY)") },
		"its rows": func(t *testing.T, w *world) {
			at := w.now().Add(time.Hour)
			w.row(t, "msgpack", []byte("\x82\xaa_permanent\xc3\xa6_fresh\xc3"), &at)
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				s := w.rows(t)
				cookie := save(t, s, theirs()).Value
				w.pass(time.Minute)
				change(t, w)
				before, err := s.Count(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := s.TryWrite(t.Context()); !errors.Is(err, session.ErrAirflow3) {
					t.Errorf("tried: %v", err)
				}
				v, err := w.logins(t, s).Visit(request(cookie))
				if err != nil {
					t.Fatal(err)
				}
				out := httptest.NewRecorder()
				for _, err := range []error{v.Begin(out, fab.Account{User: legacy.User{ID: "1"}}, ""), v.End(out)} {
					if !errors.Is(err, session.ErrAirflow3) || !errors.Is(err, legacy.ErrUnavailable) || len(out.Header()) > 0 {
						t.Errorf("%v, %v", err, out.Header())
					}
				}
				if n, err := s.Count(t.Context()); n != before || err != nil {
					t.Errorf("%d rows, %v, were %d", n, err, before)
				}
			})
		})
	}
}
