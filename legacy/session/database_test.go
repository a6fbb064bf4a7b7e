package session_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// TestRealRows: the rows that real Flask-Sessions wrote let in whom they name.
func TestRealRows(t *testing.T) {
	text, err := os.ReadFile("../../testdata/session/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Airflow, Kind, What, Value, Sid, Data string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, w *world) {
		s := w.rows(t, func(c *session.DatabaseConfig) { c.SecretKeys = []string{key, "airflow-bridge-test-key"} })
		in, out, later := 0, 0, w.now().Add(time.Minute)
		for _, v := range vectors {
			if v.Kind != "row" || v.What != "logged in" && v.What != "a visitor" {
				continue
			}
			data, err := base64.StdEncoding.DecodeString(v.Data)
			if err != nil {
				t.Fatal(err)
			}
			w.row(t, v.Sid, data, &later)
			login, err := s.Login(t.Context(), v.Value)
			switch {
			case err == nil && login.UserID == 1 && v.What == "logged in":
				in++
			case reason(err) == legacy.SessionAnonymous && v.What == "a visitor":
				out++
			default:
				t.Errorf("%s, %s: %+v, %v", v.Airflow, v.What, login, err)
			}
		}
		if in != 5 || out != 5 {
			t.Errorf("%d were let in, %d not", in, out)
		}
	})
}

// TestRows: a row counts until its expiry and not at it, even while it is
// remembered; those of Airflow 3, and what no session is, do not.
func TestRows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.rows(t)
		value := save(t, s, loggedIn(1)).Value
		w.pass(time.Hour - time.Second)
		if _, err := s.Login(t.Context(), value); err != nil {
			t.Errorf("a second before: %v", err)
		}
		w.pass(time.Second)
		if _, err := s.Login(t.Context(), value); reason(err) != legacy.SessionExpired {
			t.Errorf("at its expiry: %v", err)
		}
		if got, err := s.New(request(value), "session"); err != nil || !got.IsNew || got.Values["_user_id"] != nil {
			t.Errorf("opened after its expiry: %+v, %v", got, err)
		}
		later := w.now().Add(time.Hour)
		for what, c := range map[string]struct {
			data   []byte
			expiry *time.Time
			want   legacy.Reason
		}{
			"readable":   {[]byte(`{"_user_id":1}`), &later, fine},
			"no expiry":  {[]byte(`{"_user_id":1}`), nil, legacy.SessionUnknown},
			"no data":    {nil, &later, legacy.SessionUnknown},
			"airflow 3":  {[]byte("\x82\xaa_permanent\xc3\xa8_user_id\x01"), &later, legacy.SessionUnknown},
			"a pickle":   {[]byte("\x80\x04cos\nsystem\n."), &later, legacy.SessionUnreadable},
			"half":       {[]byte(`{"_user_id":1`), &later, legacy.SessionUnreadable},
			"no user id": {[]byte(`{"_user_id":"x"}`), &later, legacy.SessionUnreadable},
		} {
			made := save(t, s, session.Values{"a": what})
			id, _, _ := strings.Cut(made.Value, ".")
			w.exec(t, "DELETE FROM session WHERE session_id = $1", id)
			w.row(t, id, c.data, c.expiry)
			if _, err := s.Login(t.Context(), made.Value); reason(err) != c.want {
				t.Errorf("%s: %v, want %q", what, err, c.want)
			}
		}
	})
}

// TestTooBig: a row beyond the bound is never fetched. MySQL's column holds less.
func TestTooBig(t *testing.T) {
	w := sqlite(t)
	s, later := w.rows(t), w.now().Add(time.Hour)
	made := save(t, s, session.Values{"a": 1})
	id, _, _ := strings.Cut(made.Value, ".")
	w.exec(t, "DELETE FROM session")
	w.row(t, id, []byte(`{"_user_id":1,"a":"`+strings.Repeat("x", 300<<10)+`"}`), &later)
	if _, err := s.Login(t.Context(), made.Value); reason(err) != legacy.SessionUnknown {
		t.Error(err)
	}
	for _, s := range []store{s, w.cookies(t)} {
		got, err := s.New(request(""), "session")
		if err != nil {
			t.Fatal(err)
		}
		got.Values["a"] = strings.Repeat("\u00e4", 100<<10)
		got.Values["b"] = made.Value
		for i := range 2000 {
			got.Values[fmt.Sprint(i)] = fmt.Sprint(i * 7919)
		}
		out := httptest.NewRecorder()
		if err := s.Save(request(""), out, got); err == nil && len(out.Result().Cookies()[0].Value) > 16<<10 {
			t.Error("a cookie is saved that nobody reads")
		} else if err != nil && len(out.Header()) > 0 {
			t.Error("a cookie is set of what was not saved")
		}
	}
}

// TestNoRowForLookers: whoever looks at a login page leaves no row behind, and
// has the same csrf_token the next time.
func TestNoRowForLookers(t *testing.T) {
	w := sqlite(t)
	s := w.rows(t)
	made, err := s.New(request(""), "session")
	if err != nil || !made.IsNew {
		t.Fatal(made, err)
	}
	again, err := s.New(request(saved(t, s, made).Value), "session")
	if err != nil || again.ID != made.ID || again.Values["csrf_token"] != made.Values["csrf_token"] {
		t.Errorf("%+v, %v", again, err)
	}
	if other, _ := s.New(request(""), "session"); other.Values["csrf_token"] == made.Values["csrf_token"] {
		t.Error("two sessions have one csrf_token")
	}
	if n, err := s.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	made.Values["locale"] = "en"
	saved(t, s, made)
	if n, err := s.Count(t.Context()); n != 1 || err != nil {
		t.Errorf("%d rows of a session in which something happened, %v", n, err)
	}
}

// TestReadOnly: over a database that was opened for reading nothing is written,
// and no cookie set.
func TestReadOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		db, err := airflowdb.Open(airflowdb.Config{URL: w.made.URL})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		s := w.rows(t, func(c *session.DatabaseConfig) { c.DB = db })
		made, err := s.New(request(""), "session")
		if err != nil {
			t.Fatal(err)
		}
		made.Values["_user_id"] = int64(1)
		for _, age := range []int{0, -1} {
			made.Options.MaxAge = age
			out := httptest.NewRecorder()
			if err := s.Save(request(""), out, made); err == nil || len(out.Header()) > 0 {
				t.Errorf("saved: %v, %v", err, out.Header())
			}
		}
		failed := errors.New("failed")
		if err := w.db.Write(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
			return errors.Join(tx.Exec(ctx, "INSERT INTO session (session_id) VALUES (?)", "x"), failed)
		}); !errors.Is(err, failed) {
			t.Error(err)
		}
		var n int
		if err := w.db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
			return tx.QueryRow(ctx, "SELECT count(*) FROM "+w.db.Table("session")).Scan(&n)
		}); n != 0 || err != nil {
			t.Errorf("%d rows are left of what failed: %v", n, err)
		}
	})
}

// TestManyLogins: sessions that begin at one time do not stand in each other's way.
func TestManyLogins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.rows(t)
		var all sync.WaitGroup
		for range 24 {
			all.Go(func() {
				made, err := s.New(request(""), "session")
				if err != nil {
					t.Error(err)
					return
				}
				made.Values["_user_id"], made.ID = int64(1), ""
				if err := s.Save(request(""), httptest.NewRecorder(), made); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n, err := s.Count(t.Context()); n != 24 || err != nil {
			t.Errorf("%d sessions, %v", n, err)
		}
	})
}

// TestGrants: the accounts that MIGRATION.md makes can read sessions and no more of
// them, and write them once they are granted that too.
func TestGrants(t *testing.T) {
	text, err := os.ReadFile("../../MIGRATION.md")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, w *world) {
		account := "jb_" + strings.ToLower(rand.Text())
		at, err := url.Parse(w.made.URL)
		if err != nil {
			t.Fatal(err)
		}
		at.User = url.UserPassword(account, "change me")
		schema := strings.Trim(at.Path, "/")
		var lines *regexp.Regexp
		var end []string
		switch w.db.Dialect() {
		case airflowdb.SQLite:
			return // which knows no accounts
		case airflowdb.PostgreSQL:
			lines = regexp.MustCompile(`(?m)^GRANT [^;]* ON (?:session|SEQUENCE session_id_seq) TO jetbridge;`)
			w.exec(t, "CREATE ROLE "+account+" LOGIN PASSWORD 'change me'")
			end = []string{"DROP OWNED BY " + account, "DROP ROLE " + account}
		default:
			lines = regexp.MustCompile(`(?m)^GRANT [^;]* ON airflow.session TO jetbridge@'10.0.0.7';`)
			w.exec(t, "CREATE USER "+account+"@localhost IDENTIFIED BY 'change me'")
			end = []string{"DROP USER " + account + "@localhost"}
		}
		t.Cleanup(func() {
			for _, statement := range end {
				if err := w.made.Exec(context.Background(), statement); err != nil {
					t.Error(err)
				}
			}
		})
		granted := lines.FindAllString(string(text), -1)
		if len(granted) < 2 {
			t.Fatalf("MIGRATION.md grants %q", granted)
		}
		grant := func(statements ...string) {
			for _, s := range statements {
				w.exec(t, strings.NewReplacer("jetbridge@'10.0.0.7'", account+"@localhost", "jetbridge", account, "airflow.", schema+".", ";", "").Replace(s))
			}
		}
		grant(granted[0])
		db, err := airflowdb.Open(airflowdb.Config{URL: at.String(), Writable: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		value := save(t, w.rows(t), loggedIn(1)).Value
		s := w.rows(t, func(c *session.DatabaseConfig) { c.DB = db })
		if login, err := s.Login(t.Context(), value); err != nil || login.UserID != 1 {
			t.Errorf("%+v, %v", login, err)
		}
		if n, err := s.Count(t.Context()); n != 1 || err != nil {
			t.Errorf("%d sessions, %v", n, err)
		}
		err = db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
			var n int
			return tx.QueryRow(ctx, "SELECT max(id) FROM "+db.Table("session")).Scan(&n)
		})
		if err == nil {
			t.Error("the account reads what was not granted")
		}
		begin := func(id string, age int) error {
			made, err := s.New(request(""), "session")
			if err != nil {
				t.Fatal(err)
			}
			made.Values["_user_id"], made.ID, made.Options.MaxAge = int64(1), id, age
			return s.Save(request(""), httptest.NewRecorder(), made)
		}
		if begin("one", 0) == nil || s.TryWrite(t.Context()) == nil {
			t.Error("the account writes what was not granted")
		}
		grant(granted[1:]...)
		before, countErr := s.Count(t.Context())
		if err := s.TryWrite(t.Context()); err != nil || countErr != nil {
			t.Error(err, countErr)
		}
		if after, err := s.Count(t.Context()); after != before || err != nil {
			t.Errorf("after trying, %d sessions instead of %d, %v", after, before, err)
		}
		for _, age := range []int{0, 3600, -1} { // begun, changed, ended
			if err := begin("one", age); err != nil {
				t.Errorf("%d: %v", age, err)
			}
		}
	})
}
