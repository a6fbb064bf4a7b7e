package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge/airflowcfg"
)

// Session is the backend session: the cookie that Airflow 2's web server gave.
// How old an answer of its database may be is LegacyUsers.Recheck.
type Session struct {
	// Backend is Database or SecureCookie.
	Backend string `yaml:"backend"`
	// SecretKeys are those of Airflow 2 that sign cookies: the first signs, each
	// counts. Empty only while the backend is not used.
	SecretKeys Secrets `yaml:"secret_key"`
	// InsecureWeakSecretKey takes keys that are short, monotonous or published.
	InsecureWeakSecretKey bool `yaml:"insecure_weak_secret_key"`
	// Lifetime is how long a signed cookie counts, and a session that begins here.
	Lifetime time.Duration `yaml:"lifetime"`
	// CookieName is the cookie's; never empty.
	CookieName string `yaml:"cookie_name"`
	// CookieSecure and CookieSameSite (Lax, Strict or None, in any letter case) are
	// of cookies that are set here.
	CookieSecure   bool   `yaml:"cookie_secure"`
	CookieSameSite string `yaml:"cookie_samesite"`
	// EndOnPasswordChange ends signed sessions with the password, as far as the
	// change is noticed.
	EndOnPasswordChange bool `yaml:"end_on_password_change"`
	// LoginRate bounds the posts of the login page.
	LoginRate Rate `yaml:"login_rate"`
	// Login serves Airflow 2's login page. It lets the bridge write into the table
	// session of LegacyUsers' database, where that is the backend.
	Login bool `yaml:"login"`
}

// SecureCookie is the value of legacy.session.backend beside [Database].
const SecureCookie = "securecookie"

func defaultSession() Session {
	return Session{
		Backend: Database, Lifetime: 43200 * time.Minute, CookieName: "session", CookieSameSite: "Lax", EndOnPasswordChange: true,
		LoginRate: Rate{Posts: 5, Per: 40 * time.Second}, // as Airflow's
	}
}

// airflow2Session are Airflow 2's own options, in its section of the web server.
// The minutes' default is ours: so the deprecated days count where the minutes
// say just that, as Airflow has it (airflow/settings.py).
func airflow2Session() []filling {
	return []filling{
		{path: "legacy.session.backend", section: "webserver", key: "session_backend"},
		{path: "legacy.session.secret_key", section: "webserver", key: "secret_key", convert: present},
		{path: "legacy.session.lifetime", section: "webserver", key: "session_lifetime_minutes", convert: minutes},
		{path: "legacy.session.lifetime", section: "webserver", key: "session_lifetime_days", convert: days},
		{path: "legacy.session.cookie_secure", section: "webserver", key: "cookie_secure", convert: boolean},
		{path: "legacy.session.cookie_samesite", section: "webserver", key: "cookie_samesite", convert: present},
		{path: "legacy.session.login_rate", section: "fab", key: "auth_rate_limited", convert: unlimited},
		{path: "legacy.session.login_rate", section: "fab", key: "auth_rate_limit", convert: oneRate},
	}
}

// present leaves an empty value out: Airflow takes it for none.
func present(v airflowcfg.Value) (string, error) { return v.Text, nil }

func minutes(v airflowcfg.Value) (string, error) {
	if v.Text == "43200" {
		return "", nil
	}
	return span(v, time.Minute)
}

func days(v airflowcfg.Value) (string, error) { return span(v, 24*time.Hour) }

func span(v airflowcfg.Value, unit time.Duration) (string, error) {
	if v.Text == "" {
		return "", nil
	}
	n, err := v.Int()
	if err != nil {
		return "", err
	}
	if n < 0 || n > int(maxLifetime/unit) {
		return "", fmt.Errorf("%s: not a number of minutes or days that anything lasts", v.From)
	}
	return (time.Duration(n) * unit).String(), nil
}

func boolean(v airflowcfg.Value) (string, error) {
	b, err := v.Bool()
	return fmt.Sprint(b), err
}

// maxLifetime bounds legacy.session.lifetime.
const maxLifetime = 10 * 365 * 24 * time.Hour

// optional tells of keys that are read of Airflow's in case they are needed: what
// is wrong with them there hinders nobody whom no backend of his sends there.
func (l *loader) optional(path string) bool {
	if path == "legacy.session.login_rate" && !l.config.Legacy.Session.Login {
		return true
	}
	return path == "airflow3.secret_key" || strings.HasPrefix(path, "legacy.session.") && !l.config.Legacy.uses("session")
}

// oneDatabase says whether the old users are Airflow 3's own.
func (c Config) oneDatabase() bool {
	return c.Legacy.Users.DSN == c.Airflow3.Users.DSN && c.Legacy.Users.Schema == c.Airflow3.Users.Schema
}

// deriveSession fills what hangs on other values: an upgrade in place leaves the
// key in the airflow.cfg that Airflow 3 took over, and the users where they were.
func (c *Config) deriveSession(given map[string]origin) {
	s := &c.Legacy.Session
	if len(s.SecretKeys) == 0 && c.Airflow3.SecretKey != "" && c.oneDatabase() {
		s.SecretKeys = Secrets{c.Airflow3.SecretKey}
	}
	for _, key := range s.SecretKeys {
		if weak := weakness(key, "cookie"); weak != "" && s.InsecureWeakSecretKey {
			c.warn("legacy.session.insecure_weak_secret_key: a key %s", weak)
		}
	}
	if _, told := given["airflow2.version"]; !told && s.Login && s.Backend == Database && c.Migration.Mode == Dual {
		c.warn("airflow2.version is not given: while Airflow 2 has no session in its table to tell by, a login is written as %s reads it, and 2.11.1 and later do not", c.Airflow2.Version)
	}
}

// sessionValues looks at what must be well whether sessions are used or not.
func (v *validation) sessionValues(s Session) {
	v.oneOf("legacy.session.backend", s.Backend, Database, SecureCookie)
	v.between("legacy.session.lifetime", s.Lifetime, time.Minute, maxLifetime)
	if s.Lifetime%time.Second != 0 {
		v.add("legacy.session.lifetime", "must be whole seconds")
	}
	if !slices.ContainsFunc([]string{"Lax", "Strict", "None"}, func(known string) bool { return strings.EqualFold(known, s.CookieSameSite) }) {
		v.add("legacy.session.cookie_samesite", "must be Lax, Strict or None")
	}
	switch {
	case s.CookieName == "" || strings.Trim(s.CookieName, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != "":
		v.add("legacy.session.cookie_name", "must hold letters, digits, - . _ and nothing else, such as session")
	case slices.Contains([]string{"_token", "_access_token", "_refresh_token"}, s.CookieName):
		v.add("legacy.session.cookie_name", "is the name of a cookie of Airflow 3's")
	}
}

// SessionFaults say why the backend session cannot be spoken with c, and are
// empty where it can. [Validate] tells them where somebody named the backend.
func SessionFaults(c Config) []Fault {
	v, s := &validation{}, c.Legacy.Session
	if c.Airflow3.Users.Via == Upstream {
		v.add("airflow3.users.via", "must be database beside the backend session: a cookie cannot be shown to Airflow 3's token API")
	}
	if len(s.SecretKeys) == 0 {
		v.add("legacy.session.secret_key", "is required by the backend session: Airflow 2's [webserver] secret_key to the byte, unless airflow2.config sets it. An Airflow 2 that nobody gave one drew its own at each start: its cookies cannot be read, and the backend session is better left out")
	}
	for _, key := range s.SecretKeys {
		if weak := weakness(key, "cookie"); weak != "" && !s.InsecureWeakSecretKey {
			v.add("legacy.session.secret_key", "%s. Cookies under it cannot be trusted: take the backend session out, or set legacy.session.insecure_weak_secret_key: true to go on with it", weak)
		}
	}
	v.foreignCookies(c)
	return v.faults
}

// foreignCookies refuses a configuration in which somebody could be taken for
// somebody else. FAB signs Airflow 3's cookies as Airflow 2's were signed, under a
// name that may be the same ([fab] session_backend = securecookie), and what
// stands in them is Airflow 3's user id: with two databases that is the id of
// another person. Nothing in a cookie tells the two apart, so the keys must.
//
// Sessions in a database need no such care: the cookie is an id, and what counts
// is the row of that id in Airflow 2's database, where Airflow 3 writes none. In
// one database an id is the same person, whoever wrote it.
func (v *validation) foreignCookies(c Config) {
	s := c.Legacy.Session
	if s.Backend != SecureCookie || c.Airflow3.AuthManager != FAB || c.Airflow3.Users.Via == Upstream || c.oneDatabase() {
		return
	}
	switch {
	case c.Airflow3.SecretKey == "":
		v.add("airflow3.secret_key", "is required while signed cookies count and Airflow 3 has users of its own: its [api] secret_key, unless airflow3.config sets it. It must be another one than Airflow 2's")
	case slices.Contains(s.SecretKeys, c.Airflow3.SecretKey):
		v.add("legacy.session.secret_key", "is Airflow 3's [api] secret_key too: a cookie that Airflow 3 signed would count as Airflow 2's, and its user id is somebody else's there. Give Airflow 3 a new one")
	}
}

// fabCookie is the name of the cookie that Airflow 3's FAB gives a browser.
const fabCookie = "session"

// login refuses a login page whose sessions would be rows in Airflow 3's database,
// or whose cookies would take the place of Airflow 3's: only its key tells those.
func (v *validation) login(c Config) {
	s := c.Legacy.Session
	if !s.Login || c.Migration.Mode == JWTOnly {
		return
	}
	if !c.Legacy.FromAirflow && !c.Legacy.uses("session") {
		v.add("legacy.session.login", "needs session in legacy.auth_backends: what a login gives is a session")
	}
	if name := strings.ToLower(s.CookieName); !s.CookieSecure && (strings.HasPrefix(name, "__host-") || strings.HasPrefix(name, "__secure-")) {
		v.add("legacy.session.cookie_name", "begins with __Host- or __Secure-, which browsers take with cookie_secure: true alone")
	}
	if s.Backend == Database && c.oneDatabase() {
		v.add("legacy.session.login", "would write into Airflow 3's database, which is that of legacy.users: set backend: securecookie, or keep Airflow 2's database and name it in legacy.users.dsn")
	}
	if c.Airflow3.AuthManager != FAB || s.CookieName != fabCookie {
		return
	}
	switch {
	case c.Airflow3.SecretKey == "":
		v.add("airflow3.secret_key", "is required beside legacy.session.login, unless airflow3.config sets it: its FAB sets a cookie named session, which a login must not overwrite. Or give legacy.session.cookie_name another name")
	case slices.Contains(s.SecretKeys, c.Airflow3.SecretKey):
		v.add("legacy.session.login", "would overwrite the cookie of Airflow 3's FAB, which has the same name and is signed with the same key. Give legacy.session.cookie_name another name, or Airflow 3 a new [api] secret_key while legacy.session.secret_key keeps the old one")
	}
}
