package login_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/bridge/login"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// signedWith is a cookie of that session under another key, of a database and whole.
func signedWith(t *testing.T, secret string) []string {
	t.Helper()
	cfg := session.Config{SecretKeys: []string{secret}}
	whole, err := session.NewCookieStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, options{database: true, secret: secret})
	return []string{cookieFrom(t, whole), cookieFrom(t, s.store)}
}

func cookieFrom(t *testing.T, s store) string {
	t.Helper()
	made, err := s.New(httptest.NewRequest("GET", "/", nil), "session")
	if err != nil {
		t.Fatal(err)
	}
	made.Values["_user_id"] = "1"
	out := httptest.NewRecorder()
	if err := s.Save(httptest.NewRequest("GET", "/", nil), out, made); err != nil {
		t.Fatal(err)
	}
	return out.Result().Cookies()[0].Value
}

// TestForeignCookie: a cookie of that name that Airflow 3 has signed, of either kind
// and however old, is neither replaced nor taken away, and is told of.
func TestForeignCookie(t *testing.T) {
	each(t, func(t *testing.T, o options) {
		for _, theirs := range signedWith(t, foreignKey) {
			s := newSite(t, o)
			other := s.client()
			token := other.token()
			c := s.client()
			c.kept["session"] = theirs
			for _, ask := range [][]string{
				{"GET", "/login/", ""},
				{"POST", "/login/", form("username", "alice", "password", "secret", "csrf_token", token)},
				{"POST", "/logout/", form("csrf_token", token)},
			} {
				res, text := c.do(ask[0], ask[1], ask[2])
				if res.StatusCode != http.StatusConflict || s.last.Reason != record.ForeignCookie || tokenIn.MatchString(text) || !strings.Contains(text, "legacy.session.cookie_name") {
					t.Errorf("%s: %s, recorded %q: %s", ask, res.Status, s.last.Reason, text)
				}
				if len(res.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s sets %q", ask, res.Header["Set-Cookie"])
				}
			}
			if res, _ := c.do("GET", "/logout/", ""); res.StatusCode != http.StatusFound || len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("logout: %s, sets %q", res.Status, res.Header["Set-Cookie"])
			}
			// A name of its own ends it.
			o := o
			o.name = "airflow2_session"
			s = newSite(t, o)
			c = s.client()
			c.kept["session"] = theirs
			c.logIn("alice", "secret")
			if res, _ := c.do("GET", "/api/v2/dags", ""); res.StatusCode != http.StatusOK || c.kept["session"] != theirs || c.kept["airflow2_session"] == "" {
				t.Errorf("with a name of its own: %s, theirs is %q", res.Status, c.kept["session"])
			}
		}
	})
}

// TestStrayCookie: a cookie under a key that was given up, and one that nobody
// signed, keep nobody from a login, and go with a logout.
func TestStrayCookie(t *testing.T) {
	each(t, func(t *testing.T, o options) {
		for _, stray := range append(signedWith(t, "a key that was given up"), "garbage", strings.Repeat("x", 20_000)) {
			s := newSite(t, o)
			c := s.client()
			c.kept["session"] = stray
			c.logIn("alice", "secret")
			if res, _ := c.do("GET", "/api/v2/dags", ""); res.StatusCode != http.StatusOK {
				t.Errorf("%.20s: %s after the login", stray, res.Status)
			}
			c.kept["session"] = stray
			if res, _ := c.do("GET", "/logout/", ""); res.StatusCode != http.StatusFound || c.kept["session"] != "" {
				t.Errorf("%.20s: %s, and the cookie is %.20q", stray, res.Status, c.kept["session"])
			}
		}
	})
}

// TestOldCookie: one that was ours, or Airflow 2's, and has run out is replaced.
func TestOldCookie(t *testing.T) {
	each(t, func(t *testing.T, o options) {
		s := newSite(t, o)
		c := s.client()
		c.logIn("alice", "secret")
		old := c.kept["session"]
		s.now = s.now.Add(2 * 60 * 60 * 1e9)
		c = s.client()
		c.kept["session"] = old
		if res, _ := c.logIn("alice", "secret"); res.StatusCode != http.StatusFound || res.Header.Get("Location") != "/" {
			t.Fatalf("%s to %q", res.Status, res.Header.Get("Location"))
		}
		if now := c.kept["session"]; now == old || now == "" {
			t.Errorf("the cookie is %q", now)
		}
	})
}

// TestStaleToken: a _token that came with the login goes, or it would hide the
// session; the flags of the session's own cookie are the configuration's.
func TestStaleToken(t *testing.T) {
	s := newSite(t, options{base: "/airflow", cookies: session.Config{Secure: true, SameSite: http.SameSiteStrictMode}})
	c := s.client()
	res, text := c.do("GET", "/airflow/login/", "")
	token := tokenIn.FindStringSubmatch(text)[1]
	shown := strings.TrimPrefix(strings.Split(res.Header.Get("Set-Cookie"), ";")[0], "session=") // the jar keeps no Secure one of http
	body := form("username", "alice", "password", "secret", "csrf_token", token)
	res, _ = c.do("POST", "/airflow/login/", body, "Cookie", "session="+shown+"; _token=stale")
	if res.StatusCode != http.StatusFound || res.Header.Get("Location") != "/airflow/" {
		t.Fatalf("%s to %q", res.Status, res.Header.Get("Location"))
	}
	lines := res.Header["Set-Cookie"]
	if len(lines) != 3 || !regexp.MustCompile(`^session=[^;]+; Path=/; Expires=Sun, 22 Nov 2026 13:00:00 GMT; HttpOnly; Secure; SameSite=Strict$`).MatchString(lines[0]) {
		t.Errorf("%q", lines)
	}
	for i, path := range []string{"/airflow/", "/"} {
		if want := `_token=""; HttpOnly; Max-Age=0; Path=` + path + `; SameSite=lax`; len(lines) == 3 && lines[1+i] != want {
			t.Errorf("%q, want %q", lines[1+i], want)
		}
	}
	if res, _ = c.do("POST", "/airflow/login/", body, "Cookie", "session="+shown); len(res.Header["Set-Cookie"]) != 1 {
		t.Errorf("without a _token: %q", res.Header["Set-Cookie"])
	}
	if res, _ = c.do("GET", "/airflow/login", ""); res.StatusCode != http.StatusPermanentRedirect || res.Header.Get("Location") != "/airflow/login/" {
		t.Errorf("%s to %q", res.Status, res.Header.Get("Location"))
	}
}

// TestPage: it is for people too, wherever they read it, and nothing on it runs or
// comes from elsewhere.
func TestPage(t *testing.T) {
	s := newSite(t, options{})
	c := s.client()
	res, text := c.do("GET", "/login/", "")
	for _, has := range []string{
		`<html lang="en">`, `name="viewport"`, "<title>", `prefers-color-scheme: dark`,
		`<label for="username">`, `id="username"`, `autocomplete="username"`,
		`<label for="password">`, `id="password"`, `autocomplete="current-password"`, `<form method="post" name="login">`,
	} {
		if !strings.Contains(text, has) {
			t.Errorf("%s is missing", has)
		}
	}
	for _, lacks := range []string{"<script", "http:", "https:", "//", "style=", " on", "ZgotmplZ", `role="alert"`, "Signed in"} {
		if strings.Contains(strings.TrimPrefix(text, "<!doctype"), lacks) {
			t.Errorf("there is %q in %s", lacks, text)
		}
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; style-src 'sha256-", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex",
	} {
		if got := res.Header.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if res, text := c.do("HEAD", "/login/", ""); res.StatusCode != http.StatusOK || text != "" {
		t.Errorf("HEAD: %s %q", res.Status, text)
	}
	if res, _ := c.do("GET", "/logout/", "", "Sec-Fetch-Site", "cross-site"); res.StatusCode != http.StatusForbidden || res.Header.Get("Cache-Control") == "" {
		t.Errorf("a link of another site logs out: %s", res.Status)
	}
}

// TestNew: what is missing is said at the start.
func TestNew(t *testing.T) {
	if _, err := login.New(login.Config{}); err == nil {
		t.Error("made of nothing")
	}
}

// TestOddCookies: the page and the API read one cookie out of what a client sends,
// however odd: a logout must end the session that counts.
func TestOddCookies(t *testing.T) {
	s := newSite(t, options{database: true})
	c := s.client()
	c.logIn("alice", "secret")
	good := c.kept["session"]
	for _, header := range []string{
		"session=" + good, "session=" + good + "; session=other", "session=other; session=" + good, `session="` + good + `"`,
		"session=; session=" + good, "session=a b; session=" + good, "session=a\\b; session=" + good, `session="; session=` + good, "session; session=" + good,
		"session = " + good, "Session=other; session=" + good, "session=\xa0" + good, "a b=c; session=" + good, " session=" + good + " ;",
	} {
		nobody := s.client()
		res, _ := nobody.do("GET", "/api/v2/dags", "", "Cookie", header)
		_, text := nobody.do("GET", "/login/", "", "Cookie", header)
		if counts, shown := res.StatusCode == http.StatusOK, strings.Contains(text, "Signed in"); counts != shown {
			t.Errorf("%q: for the API %t, for the page %t", header, counts, shown)
		}
	}
}
