package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/legacytest"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// TestConformance puts both kinds through what every authenticator must do.
func TestConformance(t *testing.T) {
	newCase := func(t *testing.T, database bool) legacytest.Case {
		w := sqlite(t)
		var s store = w.cookies(t)
		if database {
			s = w.rows(t)
		}
		good := save(t, s, loggedIn(1)).Value
		bad := func(value string, why legacy.Reason) legacytest.Rejection {
			return legacytest.Rejection{Credential: credential(value), Reason: why}
		}
		c := legacytest.Case{
			Authenticator: w.authenticator(t, s, true), Good: credential(good), Name: "Alice",
			Rejected: map[string]legacytest.Rejection{
				"nothing":       bad("", legacy.MalformedCredential),
				"garbage":       bad("garbage", legacy.MalformedCredential),
				"too long":      bad(strings.Repeat("a", 20<<10), legacy.MalformedCredential),
				"altered":       bad("x"+good[1:], legacy.SessionInvalid),
				"inactive user": bad(save(t, s, loggedIn(2)).Value, legacy.InactiveUser),
				"null active":   bad(save(t, s, loggedIn(3)).Value, legacy.InactiveUser),
				"deleted user":  bad(save(t, s, loggedIn(99)).Value, legacy.UnknownUser),
				"no such id":    bad(save(t, s, loggedIn(1<<40)).Value, legacy.UnknownUser),
				"nobody":        bad(save(t, s, session.Values{"_permanent": true, "locale": "en"}).Value, legacy.SessionAnonymous),
			},
			Down:    func() { w.exec(t, "DROP TABLE ab_user") },
			Secrets: []string{good, key},
		}
		if database {
			made := save(t, s, loggedIn(1))
			got, err := s.New(request(made.Value), "session")
			if err != nil {
				t.Fatal(err)
			}
			got.Options.MaxAge = -1
			saved(t, s, got)
			c.Rejected["logged out"] = bad(made.Value, legacy.SessionUnknown)
		}
		return c
	}
	for _, database := range []bool{false, true} {
		t.Run(fmt.Sprintf("database=%t", database), func(t *testing.T) {
			legacytest.RunAuthenticator(t, func(t *testing.T) legacytest.Case { return newCase(t, database) })
		})
	}
}

// TestKnownSessions: a known session costs no row; the end of one counts within
// the recheck; in an outage it goes on for the grace.
func TestKnownSessions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.rows(t, func(c *session.DatabaseConfig) { c.OutageGrace = time.Minute })
		value := save(t, s, loggedIn(1)).Value
		login := func() error { _, err := s.Login(t.Context(), value); return err }
		if err := login(); err != nil {
			t.Fatal(err)
		}
		w.exec(t, "DELETE FROM session")
		w.pass(5*time.Second - 1)
		if err := login(); err != nil {
			t.Errorf("within the recheck: %v", err)
		}
		w.pass(1)
		if err := login(); reason(err) != legacy.SessionUnknown {
			t.Errorf("after the recheck: %v", err)
		}
		value = save(t, s, loggedIn(1)).Value
		if err := login(); err != nil {
			t.Fatal(err)
		}
		w.exec(t, "ALTER TABLE session RENAME TO away")
		w.pass(time.Minute)
		if err := login(); err != nil {
			t.Errorf("in an outage: %v", err)
		}
		w.pass(time.Minute)
		if err := login(); !errors.Is(err, legacy.ErrUnavailable) {
			t.Errorf("after the grace: %v", err)
		}
	})
}

// TestDeactivated: both kinds of sessions end within the recheck.
func TestDeactivated(t *testing.T) {
	for _, database := range []bool{false, true} {
		w := sqlite(t)
		var s store = w.cookies(t)
		if database {
			s = w.rows(t)
		}
		a, c := w.authenticator(t, s, false), credential(save(t, s, loggedIn(1)).Value)
		proof, err := a.Authenticate(t.Context(), c)
		if diff := cmp.Diff(legacy.Principal{Name: "Alice", Scheme: legacy.Session, Roles: []string{"Op"}}, proof.Principal); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
		w.exec(t, "UPDATE ab_user SET active = false WHERE id = 1")
		w.pass(5 * time.Second)
		if _, err := a.Authenticate(t.Context(), c); reason(err) != legacy.InactiveUser {
			t.Errorf("database=%t, deactivated: %v", database, err)
		}
	}
}

// TestPasswordChange: Airflow 2 lets a signed cookie outlive its password. Here it
// ends if it was signed before the old password was last seen.
func TestPasswordChange(t *testing.T) {
	for _, end := range []bool{true, false} {
		w := sqlite(t)
		s := w.cookies(t)
		a := w.authenticator(t, s, end)
		signed := func(password string) legacy.Credential {
			v := session.LoggedIn(1, password, "", "")
			if password == "" { // as Airflow makes them
				delete(v, "_jetbridge_password")
			}
			return credential(save(t, s, v).Value)
		}
		account, err := w.users.Account(t.Context(), 1)
		if err != nil || strings.Contains(account.Password, fabtest.HashOfSecret) || len(account.Password) != 24 {
			t.Fatalf("%+v, %v", account, err)
		}
		in := func(what string, c legacy.Credential, want legacy.Reason) {
			t.Helper()
			if _, err := a.Authenticate(t.Context(), c); reason(err) != want {
				t.Errorf("end=%t, %s: %v, want %q", end, what, err, want)
			}
		}
		before, ours := signed(""), signed(account.Password)
		w.pass(10 * time.Second)
		in("before", before, fine)
		in("before, made here", ours, fine)
		w.pass(10 * time.Second)
		between := signed("") // after the old password was last seen
		w.exec(t, "UPDATE ab_user SET password = $1 WHERE id = 1", fabtest.HashOfOther)
		w.pass(10 * time.Second)
		after, ended := signed(""), legacy.SessionEnded
		if !end {
			ended = fine
		}
		for range 2 {
			in("signed before the change", before, ended)
			in("made here before the change", ours, ended)
			in("signed between", between, fine) // as likely after the change as before it
			in("signed after the change", after, fine)
			w.pass(time.Minute)
		}
	}
}

// TestLoginAfterPasswordChange: a session that began with the new password counts at
// once, though the old row is remembered, and one of the old password has the
// database asked no more than once a second.
func TestLoginAfterPasswordChange(t *testing.T) {
	w := sqlite(t)
	s := w.cookies(t)
	asked := &counting{Users: w.users}
	a, err := session.NewAuthenticator(session.AuthenticatorConfig{Sessions: s, Users: asked, EndOnPasswordChange: true, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	begun := func() legacy.Credential { // past what is remembered, as a login is
		t.Helper()
		users, err := fab.New(fab.Config{DB: w.db, Now: w.now})
		if err != nil {
			t.Fatal(err)
		}
		account, err := users.Account(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		return credential(save(t, s, session.LoggedIn(1, account.Password, "", "")).Value)
	}
	before := begun()
	if _, err := a.Authenticate(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "UPDATE ab_user SET password = $1 WHERE id = 1", fabtest.HashOfOther)
	after := begun()
	if _, err := a.Authenticate(t.Context(), after); err != nil {
		t.Errorf("just logged in with the new password: %v", err)
	}
	w.pass(time.Second)
	for range 20 {
		if _, err := a.Authenticate(t.Context(), before); reason(err) != legacy.SessionEnded {
			t.Errorf("with a session of the old password: %v", err)
		}
	}
	if asked.renewed != 2 {
		t.Errorf("asked out of turn %d times, want 2", asked.renewed)
	}
}

// counting are users who count the questions out of turn.
type counting struct {
	*fab.Users
	renewed int
}

func (c *counting) RenewAccount(ctx context.Context, id int64) (fab.Account, error) {
	c.renewed++
	return c.Users.RenewAccount(ctx, id)
}

// TestAnotherUserInTheSession: whoever logs in at Airflow 2 in a session that began
// here finds there what Airflow does not know, and it is not his.
func TestAnotherUserInTheSession(t *testing.T) {
	w := sqlite(t)
	for name, s := range map[string]store{"cookies": w.cookies(t), "rows": w.rows(t)} {
		v := session.LoggedIn(3, "another account's", "", "")
		v["_user_id"] = "1" // as Flask-Login writes it
		login, err := s.Login(t.Context(), save(t, s, v).Value)
		if err != nil || login.UserID != 1 || login.Password != "" {
			t.Errorf("%s: %+v, %v", name, login, err)
		}
		if _, err := w.authenticator(t, s, true).Authenticate(t.Context(), credential(save(t, s, v).Value)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
