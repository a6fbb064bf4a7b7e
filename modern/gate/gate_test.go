package gate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jetbridge/jetbridge/modern"
	"github.com/jetbridge/jetbridge/modern/gate"
	"github.com/jetbridge/jetbridge/modern/moderntest"
	"github.com/jetbridge/jetbridge/modern/token"
)

const secret = "a secret for the tests of this package, which is longer than 64 bytes"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a gate over a real key, with one clock for both and a count of how
// often the key was asked.
type world struct {
	*gate.Gate
	now   atomic.Pointer[time.Time]
	asked atomic.Int64
	key   *token.Key
}

func (w *world) Verify(signed string) (modern.Claims, error) {
	w.asked.Add(1)
	return w.key.Verify(signed)
}

func (w *world) set(now time.Time) { w.now.Store(&now) }

func newWorld(tb testing.TB, size int) *world {
	tb.Helper()
	w := new(world)
	w.set(noon)
	clock := func() time.Time { return *w.now.Load() }
	var err error
	if w.key, err = token.New(token.Config{Secret: []byte(secret), Now: clock}); err != nil {
		tb.Fatal(err)
	}
	if w.Gate, err = gate.New(gate.Config{Verifier: w, CacheSize: size, Now: clock}); err != nil {
		tb.Fatal(err)
	}
	return w
}

func tokenFor(subject string) string {
	return moderntest.Case{Set: map[string]string{"sub": `"` + subject + `"`}}.Token(secret, noon)
}

// The answers are those of a real Airflow 3.3.2 to GET /api/v2/pools, byte for byte.
func TestHandler(t *testing.T) {
	const (
		notAuthenticated = `{"detail":"Not authenticated"}`
		tokenExpired     = `{"detail":"Token Expired"}`
		invalidToken     = `{"detail":"Invalid JWT token"}`
	)
	alice, bob := tokenFor("alice"), tokenFor("bob")
	expired := moderntest.Case{Set: map[string]string{"exp": "<-60>"}}.Token(secret, noon)
	tests := []struct {
		name   string
		header []string // "Name: value"
		status int
		body   string
	}{
		{"nothing", nil, 401, notAuthenticated},
		{"Bearer", []string{"Authorization: Bearer " + alice}, 200, "alice"},
		{"Bearer in another case", []string{"Authorization: bEARER " + alice}, 200, "alice"},
		{"Bearer and more spaces", []string{"Authorization: Bearer   " + alice + "  "}, 200, "alice"},
		{"Bearer and a tab", []string{"Authorization: Bearer\t" + alice}, 401, notAuthenticated},
		{"Bearer and nothing", []string{"Authorization: Bearer "}, 401, notAuthenticated},
		{"Bearer and two words", []string{"Authorization: Bearer " + alice + " x"}, 403, invalidToken},
		{"Bearer twice in one", []string{"Authorization: Bearer Bearer " + alice}, 403, invalidToken},
		{"Bearer, a list", []string{"Authorization: Bearer " + alice + ", Basic eDp5"}, 403, invalidToken},
		{"Bearer, expired", []string{"Authorization: Bearer " + expired}, 401, tokenExpired},
		{"Bearer, garbage", []string{"Authorization: Bearer x"}, 403, invalidToken},
		{"token without a scheme", []string{"Authorization: " + alice}, 401, notAuthenticated},
		{"Basic", []string{"Authorization: Basic eDp5"}, 401, notAuthenticated},
		{"Token", []string{"Authorization: Token " + alice}, 401, notAuthenticated},
		{"two Authorization headers", []string{"Authorization: Bearer " + alice, "Authorization: Bearer " + alice}, 400, `{"detail":"More than one Authorization header"}`},

		{"cookie", []string{"Cookie: _token=" + alice}, 200, "alice"},
		{"cookie among others", []string{"Cookie: a=b; session=x;_token=" + alice + "; c"}, 200, "alice"},
		{"cookie in quotes", []string{`Cookie: _token="` + alice + `"`}, 200, "alice"},
		{"cookie with spaces", []string{"Cookie:  _token = " + alice + " ; a=b"}, 200, "alice"},
		{"cookie behind one that net/http would drop", []string{"Cookie: a\"b=\\; _token=" + alice}, 200, "alice"},
		{"cookie, expired", []string{"Cookie: _token=" + expired}, 401, tokenExpired},
		{"cookie, garbage", []string{"Cookie: _token=x"}, 403, invalidToken},
		{"cookie, empty", []string{"Cookie: _token="}, 401, notAuthenticated},
		{"cookie, empty quotes", []string{`Cookie: _token=""`}, 401, notAuthenticated},
		{"cookie without a value", []string{"Cookie: _token"}, 401, notAuthenticated},
		{"cookie in another case", []string{"Cookie: _TOKEN=" + alice}, 401, notAuthenticated},
		{"cookie behind a comma", []string{"Cookie: a=b, _token=" + alice}, 401, notAuthenticated},
		{"the last cookie of one line", []string{"Cookie: _token=" + alice + "; _token=" + bob}, 200, "bob"},
		{"the last cookie of two lines", []string{"Cookie: _token=" + alice, "Cookie: _token=" + bob}, 200, "bob"},
		{"the last cookie, garbage", []string{"Cookie: _token=" + alice + "; _token=x"}, 403, invalidToken},
		{"the last cookie, empty", []string{"Cookie: _token=" + alice + "; _token="}, 401, notAuthenticated},

		{"Bearer beats the cookie", []string{"Authorization: Bearer " + alice, "Cookie: _token=" + bob}, 200, "alice"},
		{"a bad Bearer is final", []string{"Authorization: Bearer x", "Cookie: _token=" + bob}, 403, invalidToken},
		{"an expired Bearer is final", []string{"Authorization: Bearer " + expired, "Cookie: _token=" + bob}, 401, tokenExpired},
		{"an empty Bearer beside a cookie", []string{"Authorization: Bearer", "Cookie: _token=" + bob}, 200, "bob"},
		{"Basic beside a cookie", []string{"Authorization: Basic eDp5", "Cookie: _token=" + bob}, 200, "bob"},
		{"a token in the query is none", []string{"X-Query: 1"}, 401, notAuthenticated},
	}
	server := httptest.NewServer(newWorld(t, 0).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, ok := gate.FromContext(r.Context())
		if !ok {
			t.Error("behind the gate without claims")
		}
		io.WriteString(w, claims.Subject)
	})))
	defer server.Close()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequest("GET", server.URL+"/?token="+alice+"&access_token="+alice+"&_token="+alice, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range test.header {
				name, value, _ := strings.Cut(line, ": ")
				r.Header.Add(name, value)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != test.status || string(body) != test.body {
				t.Errorf("%d %s, want %d %s", answer.StatusCode, body, test.status, test.body)
			}
			if test.status == 200 {
				return
			}
			answer.Header.Del("Date")
			want := http.Header{"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(test.body))}}
			if diff := cmp.Diff(want, answer.Header); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckRemembersUntilExpiry(t *testing.T) {
	w := newWorld(t, 0)
	signed := tokenFor("alice")
	steps := []struct {
		at    time.Duration // from noon; the token expires at 300 s
		want  error
		asked int64 // in all
	}{
		{0, nil, 1},
		{299 * time.Second, nil, 1},
		{300*time.Second - 1, nil, 1},
		{300 * time.Second, nil, 2}, // within the leeway the verifier is asked each time
		{309 * time.Second, nil, 3},
		{310 * time.Second, modern.ErrExpired, 4},
		{time.Hour, modern.ErrExpired, 5},
	}
	for _, step := range steps {
		w.set(noon.Add(step.at))
		claims, err := w.Check(signed)
		if !errors.Is(err, step.want) {
			t.Errorf("after %v: %v, want %v", step.at, err, step.want)
		}
		if (err == nil) != (claims.Subject == "alice") {
			t.Errorf("after %v: claims %+v beside %v", step.at, claims, err)
		}
		if asked := w.asked.Load(); asked != step.asked {
			t.Errorf("after %v: the verifier was asked %d times, want %d", step.at, asked, step.asked)
		}
	}
}

func TestCheckDoesNotRememberRefusals(t *testing.T) {
	w := newWorld(t, 0)
	signed := moderntest.Case{Set: map[string]string{"nbf": "<+60>"}}.Token(secret, noon)
	if _, err := w.Check(signed); !errors.Is(err, modern.ErrInvalid) {
		t.Fatal(err)
	}
	w.set(noon.Add(time.Minute))
	if _, err := w.Check(signed); err != nil {
		t.Errorf("good by now, but %v", err)
	}
}

// A token that differs in one byte from a remembered one is another token.
func TestCheckTellsTokensApart(t *testing.T) {
	w := newWorld(t, 0)
	signed := tokenFor("alice")
	if _, err := w.Check(signed); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{signed + " ", signed[:len(signed)-1], strings.ToUpper(signed)} {
		if _, err := w.Check(other); !errors.Is(err, modern.ErrInvalid) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

func TestCheckIsBounded(t *testing.T) {
	w := newWorld(t, 2)
	for _, subject := range []string{"a", "b", "c", "c", "b", "a"} { // a is pushed out by c, then b and c stay
		claims, err := w.Check(tokenFor(subject))
		if err != nil || claims.Subject != subject {
			t.Fatalf("%q: %+v, %v", subject, claims, err)
		}
	}
	if asked := w.asked.Load(); asked != 4 {
		t.Errorf("the verifier was asked %d times, want 4", asked)
	}
}

func TestCheckConcurrently(t *testing.T) {
	w := newWorld(t, 4)
	tokens := make([]string, 8)
	for i := range tokens {
		tokens[i] = tokenFor(fmt.Sprint(i))
	}
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			n := i % len(tokens)
			if claims, err := w.Check(tokens[n]); err != nil || claims.Subject != fmt.Sprint(n) {
				t.Errorf("token %d: %+v, %v", n, claims, err)
			}
		})
	}
	all.Wait()
}

type verifierFunc func(string) (modern.Claims, error)

func (f verifierFunc) Verify(signed string) (modern.Claims, error) { return f(signed) }

// A fault of the verifier refuses, in no words of its own.
func TestHandlerRefusesOnFault(t *testing.T) {
	g, err := gate.New(gate.Config{Verifier: verifierFunc(func(string) (modern.Claims, error) {
		return modern.Claims{Subject: "mallory"}, errors.New("the key is 12345")
	})})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer x")
	g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") })).ServeHTTP(w, r)
	if w.Code != 500 || w.Body.String() != `{"detail":"Internal Server Error"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if claims, err := g.Check("x"); err == nil || claims.Subject != "" {
		t.Errorf("Check = %+v, %v", claims, err)
	}
}

func TestHandlerReadsTheConfiguredCookie(t *testing.T) {
	w := newWorld(t, 0)
	g, err := gate.New(gate.Config{Verifier: w, Cookie: "jwt", Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	for cookie, want := range map[string]int{"jwt": 200, gate.DefaultCookie: 401} {
		answer := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", cookie+"="+tokenFor("alice"))
		g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(answer, r)
		if answer.Code != want {
			t.Errorf("%s: %d, want %d", cookie, answer.Code, want)
		}
	}
}

func TestCredential(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		token  string
		from   gate.Source
		err    error
	}{
		{"none", http.Header{}, "", gate.None, nil},
		{"bearer", http.Header{"Authorization": {"Bearer a"}}, "a", gate.Bearer, nil},
		{"cookie", http.Header{"Cookie": {"_token=a"}}, "a", gate.Cookie, nil},
		{"both", http.Header{"Authorization": {"Bearer a"}, "Cookie": {"_token=b"}}, "a", gate.Bearer, nil},
		{"two headers", http.Header{"Authorization": {"Basic x", "Bearer a"}, "Cookie": {"_token=b"}}, "", gate.None, gate.ErrTwoAuthorizations},
		{"two equal headers", http.Header{"Authorization": {"Bearer a", "Bearer a"}}, "", gate.None, gate.ErrTwoAuthorizations},
		{"an empty one beside", http.Header{"Authorization": {"", "Bearer a"}}, "", gate.None, gate.ErrTwoAuthorizations},
		{"half a quote", http.Header{"Cookie": {`_token="a`}}, `"a`, gate.Cookie, nil},
		{"one quote", http.Header{"Cookie": {`_token="`}}, `"`, gate.Cookie, nil},
		{"a value with =", http.Header{"Cookie": {"_token=a=b="}}, "a=b=", gate.Cookie, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token, from, err := gate.Credential(test.header, gate.DefaultCookie)
			if token != test.token || from != test.from || err != test.err {
				t.Errorf("Credential = %q, %v, %v", token, from, err)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for name, config := range map[string]gate.Config{
		"no verifier":     {},
		"a negative size": {Verifier: verifierFunc(nil), CacheSize: -1},
	} {
		if g, err := gate.New(config); err == nil || g != nil {
			t.Errorf("%s: New = %v, %v", name, g, err)
		}
	}
}

func TestFromContextOutside(t *testing.T) {
	if claims, ok := gate.FromContext(context.Background()); ok || !cmp.Equal(claims, modern.Claims{}) {
		t.Errorf("FromContext = %+v, %v", claims, ok)
	}
}

func BenchmarkCheck(b *testing.B) {
	w := newWorld(b, 0)
	signed := tokenFor("alice")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Check(signed); err != nil {
			b.Fatal(err)
		}
	}
	if w.asked.Load() != 1 {
		b.Fatal("not from memory")
	}
}
