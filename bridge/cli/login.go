package cli

import (
	"context"
	"errors"
	"net/http"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/login"
	"github.com/jetbridge/jetbridge/bridge/server"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// hasLogin says whether Airflow 2's login page is the bridge's to answer. Where no
// session counts it would give people a cookie that lets nobody in.
func hasLogin(cfg *config.Config) bool {
	return cfg.Legacy.Session.Login && cfg.Migration.Mode == config.Dual
}

// limits are the settings of the login page's rate limit.
type limits struct{ config.Rate }

// login makes the routes of the login page; none where there is no such page.
func (a *assembler) login(t *taker, s *snapshot) ([]server.Route, error) {
	if !hasLogin(s.cfg) {
		return nil, nil
	}
	found := s.identity.sessions
	if found == nil {
		return nil, errors.New("legacy.session.login: the backend session is not spoken, and a login gives nothing else")
	}
	if found.rows != nil && intoAirflow3(s.cfg) {
		return nil, errors.New("legacy.session.login: would write into Airflow 3's database: legacy.users.dsn and airflow3.users.dsn lead to one place. Set backend: securecookie, or keep Airflow 2's database and name it in legacy.users.dsn")
	}
	logins, err := session.NewLogins(session.LoginsConfig{
		Store: found.store, SecretKeys: s.cfg.Legacy.Session.SecretKeys.Reveal(), CookieName: s.cfg.Legacy.Session.CookieName,
		ForeignKeys: foreignKeys(s.cfg), Now: a.now,
	})
	if err != nil {
		return nil, err
	}
	// What it has counted outlives a reload.
	rate := s.cfg.Legacy.Session.LoginRate
	limit, err := take(t, limits{rate}, func() (*login.Limit, func(), error) {
		l, err := login.NewLimit(login.LimitConfig{Posts: rate.Posts, Per: rate.Per, Now: a.now})
		return l, nil, err
	})
	if err != nil {
		return nil, err
	}
	page, err := login.New(login.Config{
		Core: s.core, Accounts: s.identity.old, Logins: logins, Sessions: found.authenticator, Limit: limit, BasePath: s.cfg.BasePath,
	})
	if err != nil {
		return nil, err
	}
	routes := []server.Route{
		{Method: http.MethodHead, Path: "/login/", Handler: page}, // a HEAD must end no session
		{Method: http.MethodHead, Path: "/login", Handler: page},
	}
	for _, path := range []string{"/login/", "/login", "/logout/", "/logout"} {
		routes = append(routes, server.Route{Method: http.MethodGet, Path: path, Handler: page}, server.Route{Method: http.MethodPost, Path: path, Handler: page})
	}
	return routes, nil
}

// intoAirflow3 says whether the URLs of both databases lead to one. Where they do
// without showing it, the table itself is asked before it is written to.
func intoAirflow3(cfg *config.Config) bool {
	old, up := cfg.Legacy.Users, cfg.Airflow3.Users
	return airflowdb.SamePlace(airflowdb.Config{URL: old.DSN.Reveal(), Schema: old.Schema}, airflowdb.Config{URL: up.DSN.Reveal(), Schema: up.Schema})
}

// foreignKeys are those of Airflow 3, where its FAB sets a cookie of the same name.
// The configuration has made sure that they are told, and are not ours.
func foreignKeys(cfg *config.Config) []string {
	if !sharesCookie(cfg) {
		return nil
	}
	return []string{cfg.Airflow3.SecretKey.Reveal()}
}

// sharesCookie says whether Airflow 3's FAB gives browsers a cookie of the login
// page's name.
func sharesCookie(cfg *config.Config) bool {
	return cfg.Airflow3.AuthManager == config.FAB && cfg.Legacy.Session.CookieName == "session"
}

// login says whether the login page can keep its sessions.
func (c *checker) login(ctx context.Context) []finding {
	found := c.snapshot.identity.sessions
	if !hasLogin(c.cfg) || found == nil {
		return nil
	}
	f := finding{Part: "login", OK: true, Detail: "at " + c.cfg.BasePath + "/login/, sessions are signed cookies"}
	if found.rows != nil {
		f.Detail = "at " + c.cfg.BasePath + "/login/, sessions can be written into the table session of legacy.users.dsn"
		if err := found.rows.TryWrite(ctx); err != nil {
			f.OK, f.Detail = false, "legacy.users.dsn: "+err.Error()
			f.Todo = "a login writes into the table session, and into nothing else: GRANT SELECT, INSERT, UPDATE, DELETE ON session, and USAGE ON SEQUENCE session_id_seq where that is PostgreSQL"
			if errors.Is(err, session.ErrAirflow3) {
				f.Todo = "set legacy.session.backend: securecookie, or keep Airflow 2's database and name it in legacy.users.dsn: until then nobody can log in at the page"
			}
		}
	}
	findings := []finding{f}
	if sharesCookie(c.cfg) {
		findings = append(findings, finding{Part: "login", OK: true, Warning: true, Detail: "Airflow 3's own login page sets a cookie named session too, which takes the place of this page's in a browser. " +
			"Scripts do not mind; for people set legacy.session.cookie_name"})
	}
	return findings
}
