package login_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/login"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// TestRefusals are the answers of Airflow 2.11 to forms that do not count, and ours
// where it has none.
func TestRefusals(t *testing.T) {
	const (
		good     = "username=alice&password=secret"
		multi    = "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nalice\r\n--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsecret\r\n--x--\r\n"
		failed   = "/login/?failed"
		noTokens = "The CSRF token is missing."
	)
	for _, c := range []struct {
		name     string
		path     string // default /login/
		body     string // TOKEN stands for the session's
		headers  []string
		forget   bool // the cookie
		status   int
		location string
		text     string
		reason   record.Reason
		claimed  string
	}{
		{name: "a form without a token", body: good, status: 400, text: noTokens, reason: record.FormToken},
		{name: "with an empty one", body: good + "&csrf_token=", status: 400, text: noTokens, reason: record.FormToken},
		{name: "with one that is none", body: good + "&csrf_token=x", status: 400, text: "The CSRF token is invalid.", reason: record.FormToken},
		{name: "with one that is altered", body: good + "&csrf_token=TOKENx", status: 400, text: "The CSRF token is invalid.", reason: record.FormToken},
		{name: "without the session's cookie", body: good + "&csrf_token=TOKEN", forget: true, status: 400, text: "The CSRF session token is missing.", reason: record.FormToken},
		{name: "a token in the query", path: "/login/?csrf_token=TOKEN", body: good, status: 400, text: noTokens, reason: record.FormToken},
		{name: "a token in a header", body: good, headers: []string{"X-CSRFToken", "TOKEN"}, status: 302, location: "/"},
		{name: "in the other header", body: good, headers: []string{"X-CSRF-Token", "TOKEN"}, status: 302, location: "/"},
		{name: "the other kind of form", body: multi, headers: []string{"Content-Type", "multipart/form-data; boundary=x", "X-CSRFToken", "TOKEN"}, status: 302, location: "/"},

		{name: "a wrong password", body: "username=alice&password=wrong-one&csrf_token=TOKEN", status: 302, location: failed, reason: record.WrongPassword, claimed: "alice"},
		{name: "of an unknown user", body: "username=mallory&password=secret&csrf_token=TOKEN", status: 302, location: failed, reason: record.UnknownUser, claimed: "mallory"},
		{name: "of an inactive user", body: "username=gone&password=secret&csrf_token=TOKEN", status: 302, location: failed, reason: record.InactiveUser, claimed: "gone"},
		{name: "the first of two passwords counts", body: "username=alice&password=wrong-one&password=secret&csrf_token=TOKEN", status: 302, location: failed, reason: record.WrongPassword, claimed: "alice"},
		{name: "what no name can be", body: "username=%00&password=secret&csrf_token=TOKEN", status: 302, location: failed, reason: record.MalformedCredential, claimed: "\x00"},
		{name: "an e-mail address", body: "username=alice%40example.com&password=secret&csrf_token=TOKEN", status: 302, location: "/"},
		{name: "no password", body: `username="><b>&password=&csrf_token=TOKEN`, status: 200, text: `value="&#34;&gt;&lt;b&gt;"`, reason: record.BadRequest},
		{name: "a password in the query", path: "/login/?username=alice&password=secret", body: "csrf_token=TOKEN", status: 200, text: "Enter your user name", reason: record.BadRequest},

		{name: "JSON", body: `{"username":"alice","password":"secret"}`, headers: []string{"Content-Type", "application/json", "X-CSRFToken", "TOKEN"},
			status: 415, text: "application/x-www-form-urlencoded", reason: record.BadRequest},
		{name: "no body", headers: []string{"X-CSRFToken", "TOKEN"}, status: 200, text: "Enter your user name", reason: record.BadRequest},
		{name: "a body beyond the bound", body: good + "&csrf_token=TOKEN&x=" + strings.Repeat("x", 64<<10), status: 413, text: "larger", reason: record.BadRequest},
		{name: "a broken body of the other kind", body: "--x\r\nsecret wrong-one\r\n\r\n", headers: []string{"Content-Type", "multipart/form-data; boundary=x", "X-CSRFToken", "TOKEN"},
			status: 400, text: "could not be read", reason: record.BadRequest},
		{name: "a broken query is nobody's", path: "/login/?%zz", body: good + "&csrf_token=TOKEN", status: 302, location: "/"},
		{name: "a broken body", body: good + "&%zz&csrf_token=TOKEN", status: 400, text: "could not be read", reason: record.BadRequest},

		{name: "from a page of another site", body: good + "&csrf_token=TOKEN", headers: []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, status: 403, text: "another site", reason: record.CrossOrigin},
		{name: "of a neighbour", body: good + "&csrf_token=TOKEN", headers: []string{"Sec-Fetch-Site", "same-site"}, status: 403, text: "another site", reason: record.CrossOrigin},
		{name: "in a browser that names no site", body: good + "&csrf_token=TOKEN", headers: []string{"Origin", "https://evil.example"}, status: 403, text: "another site", reason: record.CrossOrigin},
		{name: "from our own page", body: good + "&csrf_token=TOKEN", headers: []string{"Sec-Fetch-Site", "same-origin", "Origin", origin}, status: 302, location: "/"},
		{name: "a logout by another site", path: "/logout/", body: "csrf_token=TOKEN", headers: []string{"Origin", "https://evil.example"}, status: 403, text: "another site", reason: record.CrossOrigin},

		{name: "without the final slash", path: "/login", body: good + "&csrf_token=TOKEN", status: 308, location: "/login/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, o options) {
				s := newSite(t, o)
				client := s.client()
				token := client.token()
				before := client.kept["session"]
				if c.forget {
					client = s.client()
				}
				path, headers := "/login/", append([]string{}, c.headers...)
				if c.path != "" {
					path = c.path
				}
				for i := range headers {
					headers[i] = strings.ReplaceAll(headers[i], "TOKEN", token)
				}
				res, text := client.do("POST", strings.ReplaceAll(path, "TOKEN", token), strings.ReplaceAll(c.body, "TOKEN", token), headers...)
				if res.StatusCode != c.status || res.Header.Get("Location") != c.location || !strings.Contains(text, c.text) {
					t.Fatalf("%s to %q: %s", res.Status, res.Header.Get("Location"), text)
				}
				if s.last.Reason != c.reason || s.last.Claimed != c.claimed {
					t.Errorf("recorded %q of %q, want %q of %q", s.last.Reason, s.last.Claimed, c.reason, c.claimed)
				}
				if c.location == "/" {
					return
				}
				if s.last.Name != "" || s.rows() != 0 {
					t.Errorf("somebody has logged in: %+v, %d rows", s.last, s.rows())
				}
				if after := client.kept["session"]; !c.forget && after != before {
					t.Errorf("the cookie is another one")
				}
				if strings.Contains(s.last.Err, "secret") || strings.Contains(s.last.Err, "wrong-one") || strings.Contains(text, token+"x") {
					t.Errorf("a secret is told: %q, %s", s.last.Err, text)
				}
				if c.status >= 400 && !strings.Contains(text, `role="alert"`) {
					t.Errorf("no alert: %s", text)
				}
			})
		})
	}
}

// TestFailed: the page that a wrong password leads to says so in FAB's words, which
// scripts look for, and a form for another try is there.
func TestFailed(t *testing.T) {
	s := newSite(t, options{})
	c := s.client()
	res, _ := c.logIn("alice", "wrong")
	_, text := c.do("GET", res.Header.Get("Location"), "")
	if !strings.Contains(text, "Invalid login. Please try again.") || !tokenIn.MatchString(text) {
		t.Error(text)
	}
	if _, text := c.do("GET", "/login/?failed=%3Cb%3E", ""); strings.Contains(text, "alert\"") {
		t.Errorf("another query counts: %s", text)
	}
}

// TestUnavailable: what cannot be told now is neither a yes nor a no.
func TestUnavailable(t *testing.T) {
	for _, table := range []string{"ab_user", "session"} {
		t.Run(table, func(t *testing.T) {
			s := newSite(t, options{database: true})
			c := s.client()
			token := c.token()
			if err := s.database.Exec(t.Context(), "ALTER TABLE "+table+" RENAME TO away"); err != nil {
				t.Fatal(err)
			}
			res, text := c.do("POST", "/login/", form("username", "alice", "password", "secret", "csrf_token", token))
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || s.last.Reason != record.SourceUnavailable || s.last.Err == "" {
				t.Errorf("%s, recorded %+v: %s", res.Status, s.last, text)
			}
			if strings.Contains(text, "no such table") {
				t.Errorf("the client is told why: %s", text)
			}
			if res, _ := c.do("GET", "/login/", ""); table == "session" && res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("the page: %s", res.Status)
			}
		})
	}
}

// TestRate: Airflow's "5 per 40 second" of each address, the client's as the bridge
// believes it; what had no good token is not counted.
func TestRate(t *testing.T) {
	s := newSite(t, options{})
	c := s.client()
	token := c.token()
	var wait string
	post := func(headers ...string) int {
		res, text := c.do("POST", "/login/", form("username", "alice", "password", "wrong", "csrf_token", token), headers...)
		if res.StatusCode == http.StatusTooManyRequests && (s.last.Reason != record.RateLimited || !strings.Contains(text, "5 per 40 second")) {
			t.Errorf("recorded %q: %s", s.last.Reason, text)
		}
		wait = res.Header.Get("Retry-After")
		return res.StatusCode
	}
	for range 9 {
		c.do("POST", "/login/", form("username", "alice", "password", "wrong"))
	}
	if got := post(); got != http.StatusFound {
		t.Fatal(got)
	}
	s.now = s.now.Add(10 * time.Second)
	for range 4 {
		if got := post(); got != http.StatusFound {
			t.Fatal(got)
		}
	}
	if got := post(); got != http.StatusTooManyRequests || wait != "30" {
		t.Errorf("the sixth: %d, Retry-After %q", got, wait)
	}
	// A good password is no way past it.
	if res, _ := c.do("POST", "/login/", form("username", "alice", "password", "secret", "csrf_token", token)); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the right password: %s", res.Status)
	}
	if got := post("Test-From", "192.0.2.2:1"); got != http.StatusFound {
		t.Errorf("from another address: %d", got)
	}
	// 10.0.0.0/8 are trusted proxies; who is none says what he likes.
	if got := post("Test-From", "10.0.0.1:1", "X-Forwarded-For", "192.0.2.1"); got != http.StatusTooManyRequests {
		t.Errorf("by a proxy: %d", got)
	}
	if got := post("X-Forwarded-For", "192.0.2.99"); got != http.StatusTooManyRequests {
		t.Errorf("by a liar: %d", got)
	}
	// An IPv6 host has a whole network of addresses, and is one all the same.
	for i, want := range []int{302, 302, 302, 302, 302, 429} {
		if got := post("Test-From", fmt.Sprintf("[2001:db8::%d]:1", i)); got != want {
			t.Errorf("IPv6, number %d: %d, want %d", i, got, want)
		}
	}
	s.now = s.now.Add(30 * time.Second)
	if got := post(); got != http.StatusFound {
		t.Errorf("after 40 seconds: %d", got)
	}
}

// TestLockout: failures here are counted with those of Basic.
func TestLockout(t *testing.T) {
	s := newSite(t, options{failures: 3})
	if _, err := s.users.VerifyPassword(t.Context(), "alice", "wrong"); err == nil {
		t.Fatal("let in")
	}
	c := s.client()
	for _, guess := range []string{"1", "2"} { // the same one again would count for the address alone
		c.logIn("ALICE", guess)
	}
	res, text := c.logIn("alice", "secret")
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || s.last.Reason != record.TooManyFailures || s.last.Claimed != "alice" {
		t.Errorf("%s, recorded %+v: %s", res.Status, s.last, text)
	}
	if _, err := s.users.VerifyPassword(t.Context(), "alice", "secret"); err == nil {
		t.Error("Basic does not know of it")
	}
}

// TestFormAfterOutage: the form beside a 503 is good for the next try. In a failover
// a database is read for a while, and not written.
func TestFormAfterOutage(t *testing.T) {
	s := newSite(t, options{database: true})
	exec := func(query string) {
		t.Helper()
		if err := s.database.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	c := s.client()
	token := c.token()
	exec(`CREATE TRIGGER no BEFORE INSERT ON session BEGIN SELECT RAISE(ABORT, 'read only'); END`)
	res, text := c.do("POST", "/login/", form("username", "alice", "password", "secret", "csrf_token", token))
	shown := tokenIn.FindStringSubmatch(text)
	if res.StatusCode != http.StatusServiceUnavailable || shown == nil || len(res.Header["Set-Cookie"]) > 0 {
		t.Fatalf("%s, sets %q: %s", res.Status, res.Header["Set-Cookie"], text)
	}
	exec(`DROP TRIGGER no`)
	if res, _ := c.do("POST", "/login/", form("username", "alice", "password", "secret", "csrf_token", shown[1])); res.StatusCode != http.StatusFound {
		t.Errorf("the form that was shown: %s", res.Status)
	}
}

// TestOtherRates: as many posts as the operator says, in the time that he says.
func TestOtherRates(t *testing.T) {
	status := func(c *client, token string) (int, string) {
		res, _ := c.do("POST", "/login/", form("username", "alice", "password", "no", "csrf_token", token))
		return res.StatusCode, res.Header.Get("Retry-After")
	}
	for _, rate := range []login.LimitConfig{{Posts: 2, Per: time.Minute}, {Per: time.Minute}} {
		c := newSite(t, options{rate: rate}).client()
		token := c.token()
		for i := range 12 {
			want, wantAfter := http.StatusFound, ""
			if rate.Posts > 0 && i >= rate.Posts {
				want, wantAfter = http.StatusTooManyRequests, "60"
			}
			if got, after := status(c, token); got != want || after != wantAfter {
				t.Errorf("%d per %s: post %d is answered %d, Retry-After %q", rate.Posts, rate.Per, i+1, got, after)
			}
		}
	}
	for _, cfg := range []login.LimitConfig{{Posts: -1, Per: time.Second}, {Posts: 5}} {
		if _, err := login.NewLimit(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
