package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// sessions is who judges Airflow 2's session cookies, and what keeps them.
type sessions struct {
	store         session.Store
	rows          *session.DatabaseStore // the same, where they are rows
	authenticator *session.Authenticator
}

// keeping are the settings of sessions.
type keeping struct {
	users              *fab.Users // whose ids stand in them
	dsn, schema, files string     // of the database in which they are rows; empty where they are none
	keys, sameSite     string
	secure, json       bool
	writable, ended    bool
	lifetime           time.Duration
	recheck, grace     time.Duration
}

func keepingOf(cfg *config.Config, users *fab.Users) keeping {
	s, from := cfg.Legacy.Session, cfg.Legacy.Users
	k := keeping{
		users: users, keys: fmt.Sprintf("%q", s.SecretKeys.Reveal()), sameSite: strings.ToLower(s.CookieSameSite), secure: s.CookieSecure,
		ended: s.EndOnPasswordChange, lifetime: s.Lifetime,
	}
	if s.Backend == config.Database {
		k.dsn, k.schema, k.files = from.DSN.Reveal(), from.Schema, digestOf(airflowdb.Files(from.DSN.Reveal()))
		k.recheck, k.grace, k.json = from.Recheck, from.OutageGrace, writesJSON(cfg.Airflow2.Version)
		// The one thing that writes into Airflow 2's database.
		k.writable = hasLogin(cfg)
	}
	return k
}

// writesJSON says whether an Airflow 2 keeps its rows in tagged JSON: it cannot
// read those of the ones before, which are pickled.
func writesJSON(version string) bool {
	parts := strings.Split(version, ".")
	minor, _ := strconv.Atoi(parts[1]) // the configuration has made sure of three numbers
	patch, _ := strconv.Atoi(parts[2])
	return minor > 11 || minor == 11 && patch >= 1
}

// sessions makes the authenticator of session cookies. Users are those of the
// database that the cookies' ids belong to.
func (a *assembler) sessions(t *taker, cfg *config.Config, id *identity) error {
	if id.old == nil {
		return errors.New("legacy.users.dsn: sessions need the database of Airflow 2's users")
	}
	settings := keepingOf(cfg, id.old)
	made, err := take(t, settings, func() (*sessions, func(), error) {
		return a.newSessions(settings, cfg.Legacy.Session.SecretKeys.Reveal())
	})
	if err != nil {
		return fmt.Errorf("legacy.session: %w", err)
	}
	id.sessions = made
	id.authenticators = append(id.authenticators, made.authenticator)
	return nil
}

func (a *assembler) newSessions(k keeping, keys []string) (s *sessions, end func(), err error) {
	common := session.Config{
		SecretKeys: keys, Lifetime: k.lifetime, Secure: k.secure, Size: clients, Now: a.now,
		SameSite: map[string]http.SameSite{"lax": http.SameSiteLaxMode, "strict": http.SameSiteStrictMode, "none": http.SameSiteNoneMode}[k.sameSite],
	}
	s = &sessions{}
	if k.dsn == "" {
		s.store, err = session.NewCookieStore(common)
	} else {
		var db *airflowdb.DB
		if db, err = airflowdb.Open(airflowdb.Config{URL: k.dsn, Schema: k.schema, Writable: k.writable}); err != nil {
			return nil, nil, err
		}
		end = func() { _ = db.Close() } // whatever was written is there
		s.rows, err = session.NewDatabaseStore(session.DatabaseConfig{Config: common, DB: db, JSON: k.json, Recheck: k.recheck, OutageGrace: k.grace})
		s.store = s.rows
	}
	if err == nil {
		s.authenticator, err = session.NewAuthenticator(session.AuthenticatorConfig{
			Sessions: s.store, Users: k.users, EndOnPasswordChange: k.ended, Size: clients, Now: a.now,
		})
	}
	if err != nil && end != nil {
		end()
	}
	return s, end, err
}

// sessions says where sessions are, and whether they can be read there.
func (c *checker) sessions(ctx context.Context) []finding {
	found := c.snapshot.identity.sessions
	if found == nil {
		return nil
	}
	keys := "1 secret key"
	if n := len(c.cfg.Legacy.Session.SecretKeys); n > 1 {
		keys = fmt.Sprintf("%d secret keys, of which the first signs", n)
	}
	f := finding{Part: "session", OK: true, Detail: fmt.Sprintf("signed cookies of the last %s, %s", c.cfg.Legacy.Session.Lifetime, keys)}
	if found.rows != nil {
		n, err := found.rows.Count(ctx)
		f.Detail = fmt.Sprintf("legacy.users.dsn: %d sessions, %s", n, keys)
		if err != nil {
			f.OK, f.Detail = false, "legacy.users.dsn: "+err.Error()
			f.Todo = "the table session of Airflow 2 must be there and readable (GRANT SELECT ON session); where it is gone, take the backend session out, or set legacy.session.backend: securecookie if that was [webserver] session_backend"
		}
	}
	return []finding{f}
}
