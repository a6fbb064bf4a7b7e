package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sessionCases are the rows of [TestResolved] that are about sessions.
func sessionCases(file func(string) string) map[string]func(*Config) {
	return map[string]func(*Config){
		"session": func(c *Config) {
			c.Airflow3.Users.DSN, c.Legacy.Users.DSN = "postgresql://db/airflow3", "postgresql://db/airflow2"
			c.Airflow3.SecretKey = "the secret in a file"
			c.Legacy.AuthBackends = []string{"airflow.providers.fab.auth_manager.api.auth.backend.session"}
			c.Legacy.Session = Session{
				Backend: SecureCookie, SecretKeys: Secrets{"a key of Airflow 2, which signs", "its key of the year before"}, Lifetime: 12 * time.Hour,
				CookieName: "airflow2", CookieSecure: true, CookieSameSite: "strict", LoginRate: defaultSession().LoginRate,
			}
			c.Files = []string{file("jwt.secret"), file("session.secret"), file("session-old.secret")}
		},
		"session-weak": func(c *Config) {
			c.Legacy.AuthBackends = []string{"session"}
			c.Legacy.Session.SecretKeys, c.Legacy.Session.InsecureWeakSecretKey = Secrets{"temporary_key"}, true
			c.Warnings = []string{"legacy.session.insecure_weak_secret_key: a key is published: it stands in a sample configuration, so that everybody can sign a cookie with it"}
		},
		"session-login": func(c *Config) {
			c.Airflow3.Users.DSN, c.Legacy.Users.DSN = "postgresql://db/airflow3", "postgresql://db/airflow2"
			c.Legacy.AuthBackends = []string{"session"}
			c.Legacy.Session.SecretKeys, c.Legacy.Session.Login, c.Legacy.Session.CookieName = Secrets{"a key of Airflow 2's"}, true, "airflow2"
			c.Legacy.Session.LoginRate = Rate{}
			c.Warnings = []string{"airflow2.version is not given: while Airflow 2 has no session in its table to tell by, a login is written as 2.10.5 reads it, and 2.11.1 and later do not"}
		},
		"session-login-scripts": func(c *Config) {
			c.Airflow3.Users.DSN, c.Legacy.Users.DSN = "postgresql://db/airflow3", "postgresql://db/airflow2"
			c.Airflow3.SecretKey = "a key of Airflow 3's"
			c.Legacy.AuthBackends = []string{"session"}
			c.Legacy.Session.SecretKeys, c.Legacy.Session.Login = Secrets{"a key of Airflow 2's"}, true
			c.Airflow2.Version, c.Legacy.Session.LoginRate = "2.11.2", Rate{Posts: 10, Per: time.Minute}
		},
		"session-in-place": func(c *Config) {
			c.Airflow3.ConfigFile, c.Files = file("airflow3-in-place.cfg"), []string{file("airflow3-in-place.cfg")}
			c.Airflow3.SecretKey = "a key that was Airflow 2's"
			c.Legacy.AuthBackends = []string{"session"}
			c.Legacy.Session.SecretKeys = Secrets{"a key that was Airflow 2's"}
		},
	}
}

// TestSessionOfAirflow2: what Airflow 2's own file says of its sessions, by its
// rules; a value that cannot be had hinders those alone who need it.
func TestSessionOfAirflow2(t *testing.T) {
	const key = "secret_key = 0123456789abcdef\n"
	for _, c := range []struct {
		name, webserver string
		appended        bool // session, which nobody named
		environ         []string
		change          func(*Session)
		fault           string
	}{
		{name: "key alone", webserver: key},
		{name: "all", webserver: key + "session_backend = securecookie\nsession_lifetime_minutes = 90\ncookie_secure = True\ncookie_samesite = Strict\n", change: func(s *Session) {
			s.Backend, s.Lifetime, s.CookieSecure, s.CookieSameSite = SecureCookie, 90*time.Minute, true, "Strict"
		}},
		{name: "days beside no minutes", webserver: key + "session_lifetime_days = 2\n", change: func(s *Session) { s.Lifetime = 48 * time.Hour }},
		{name: "days beside the default's minutes", webserver: key + "session_lifetime_minutes = 43200\nsession_lifetime_days = 2\n", change: func(s *Session) { s.Lifetime = 48 * time.Hour }},
		{name: "minutes before days", webserver: key + "session_lifetime_minutes = 60\nsession_lifetime_days = 2\n", change: func(s *Session) { s.Lifetime = time.Hour }},
		{name: "empty is the default", webserver: key + "session_lifetime_minutes =\ncookie_samesite =\n"},
		{name: "no time at all", webserver: key + "session_lifetime_minutes = 0\n", fault: "legacy.session.lifetime: must be from"},
		{name: "what is no number", webserver: key + "session_lifetime_minutes = many\n", fault: "not a whole number"},
		{name: "for ever", webserver: key + "session_lifetime_minutes = 99999999999\n", fault: "not a number of minutes"},
		{name: "a command's newline is part of the key", webserver: "secret_key_cmd = print\n", change: func(s *Session) { s.SecretKeys = Secrets{"0123456789abcdef\n"} }},
		{name: "the environment first", webserver: key, environ: []string{"AIRFLOW__WEBSERVER__SECRET_KEY=fedcba9876543210"}, change: func(s *Session) { s.SecretKeys = Secrets{"fedcba9876543210"} }},
		{name: "no rate", webserver: key + "auth_rate_limited = False\nauth_rate_limit = 5 per 40 second\n", change: func(s *Session) { s.LoginRate = Rate{} }},
		{name: "a rate", webserver: key + "[fab]\nauth_rate_limited = True\nauth_rate_limit = 20/minute\n", change: func(s *Session) { s.LoginRate = Rate{20, time.Minute} }},
		{name: "two rates, and no page", webserver: key + "auth_rate_limit = 5 per second;20 per hour\n"},
		{name: "two rates, and a page", webserver: key + "auth_rate_limit = 5 per second;20 per hour\n", environ: []string{"JETBRIDGE__LEGACY__SESSION__LOGIN=true"}, fault: "must be one limit such as"},
		{name: "no key", webserver: "", fault: "legacy.session.secret_key: is required"},
		{name: "an empty key", webserver: "secret_key =\n", fault: "legacy.session.secret_key: is required"},
		{name: "out of reach", webserver: "secret_key_secret = x\n", fault: "secrets backend"},
		{name: "no key, appended", appended: true, change: func(s *Session) { s.SecretKeys = nil }},
		{name: "out of reach, appended", webserver: "secret_key_secret = x\n", appended: true, change: func(s *Session) { s.SecretKeys = nil }},
		{name: "good, appended", webserver: key, appended: true},
	} {
		backends := "[api]\nauth_backends = airflow.api.auth.backend.session\n"
		if c.appended {
			backends = "[api]\nauth_backends = airflow.api.auth.backend.basic_auth\n"
		}
		source := Source{
			Path: "/etc/jetbridge/jetbridge.yaml", Environ: c.environ, Run: printed("0123456789abcdef\n"),
			ReadFile: among(map[string]string{
				"/etc/jetbridge/jetbridge.yaml": strings.Replace(minimalYAML, "legacy: {auth_backends: [basic_auth]}", "airflow2: {config: airflow2.cfg}", 1),
				"/etc/jetbridge/airflow2.cfg":   backends + "[webserver]\n" + c.webserver,
			}),
		}
		got, err := Load(source)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", c.name, err, c.fault)
			}
			continue
		}
		want := defaultSession()
		want.SecretKeys = Secrets{"0123456789abcdef"}
		if c.change != nil {
			c.change(&want)
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(want, got.Legacy.Session); diff != "" || !cmp.Equal(want.SecretKeys.Reveal(), got.Legacy.Session.SecretKeys.Reveal()) {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

// TestRate: what Flask-Limiter takes for one limit, and nothing else.
func TestRate(t *testing.T) {
	const day = 24 * time.Hour
	for said, want := range map[string]Rate{
		"off": {}, "5 per 40 second": {5, 40 * time.Second}, "5 per 40 seconds": {5, 40 * time.Second}, "10/minute": {10, time.Minute},
		" 10 / 2 HOURS ": {10, 2 * time.Hour}, "1 per day": {1, day}, "1per1month": {1, 30 * day}, "100 per year": {100, 360 * day},
	} {
		if got, err := asRate(raw{kind: text, text: said}); got != want || err != nil {
			t.Errorf("%q: %+v, %v", said, got, err)
		}
	}
	for _, said := range []string{"", "5", "off ", "0 per minute", "5 per 0 second", "-1 per second", "5 per 40", "5 per fortnight", "1 per second; 5 per minute", "5 per 99 year", "9999999 per second", "5 per second now"} {
		if got, err := asRate(raw{kind: text, text: said}); err == nil || got != (Rate{}) {
			t.Errorf("%q is taken: %+v", said, got)
		}
	}
}
