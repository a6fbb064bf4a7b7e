package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jetbridge/jetbridge/modern"
	"github.com/jetbridge/jetbridge/modern/moderntest"
	"github.com/jetbridge/jetbridge/modern/token"
)

const secret = "a secret for the tests of this package, which is longer than 64 bytes"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newKey makes a key whose clock stands still at noon unless c has its own.
func newKey(tb testing.TB, c token.Config) *token.Key {
	tb.Helper()
	if c.Secret == nil {
		c.Secret = []byte(secret)
	}
	if c.Now == nil {
		c.Now = func() time.Time { return noon }
	}
	k, err := token.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func answer(err error) string {
	switch {
	case err == nil:
		return moderntest.OK
	case errors.Is(err, modern.ErrExpired) && !errors.Is(err, modern.ErrInvalid):
		return moderntest.Expired
	case errors.Is(err, modern.ErrInvalid) && !errors.Is(err, modern.ErrExpired):
		return moderntest.Invalid
	}
	return "neither: " + err.Error()
}

// Every token that a real Airflow 3.3.2 was asked about gets its answer, except
// where the table names another one (C-31 to C-38).
func TestAnswersAsAirflow(t *testing.T) {
	var asked struct {
		Now    int64
		Tokens []struct{ Name, Answer, Token string }
	}
	text, err := os.ReadFile("testdata/pyjwt.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &asked); err != nil {
		t.Fatal(err)
	}
	tableSecret, cases := moderntest.Cases(t)
	if len(cases) != len(asked.Tokens) {
		t.Fatalf("%d recipes, %d answers: run testdata/pyjwt/make.py", len(cases), len(asked.Tokens))
	}
	now := time.Unix(asked.Now, 0)
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			signed := c.Token(tableSecret, now)
			if asked.Tokens[i].Token != signed || asked.Tokens[i].Answer != c.Answer {
				t.Fatal("the answer is of another token or another one: run testdata/pyjwt/make.py")
			}
			config := token.Config{Secret: []byte(tableSecret), Issuers: c.Issuers, Now: func() time.Time { return now }}
			if c.Manager == "simple" {
				config.Required = []string{"role"}
			}
			claims, err := newKey(t, config).Verify(signed)
			if got := answer(err); got != c.Want() {
				t.Errorf("answer %q (%v), want %q", got, err, c.Want())
			}
			if err != nil && !cmp.Equal(claims, modern.Claims{}) {
				t.Errorf("claims beside an error: %+v", claims)
			}
		})
	}
}

func TestVerifyReadsTheClaims(t *testing.T) {
	c := moderntest.Case{Set: map[string]string{
		"sub": `"alice"`, "aud": `["other","apache-airflow"]`, "iss": `"us"`,
		"exp": "<+300>.75", "role": `"ADMIN"`, "teams": `["a",null]`, "n": "12345678901234567890",
	}}
	got, err := newKey(t, token.Config{Issuers: []string{"us"}}).Verify(c.Token(secret, noon))
	if err != nil {
		t.Fatal(err)
	}
	want := modern.Claims{
		Subject: "alice", ID: "0123456789abcdef0123456789abcdef", Issuer: "us",
		Audience: []string{"other", "apache-airflow"},
		IssuedAt: noon.Add(-5 * time.Second), NotBefore: noon.Add(-5 * time.Second), ExpiresAt: noon.Add(300 * time.Second),
		Extra: map[string]any{"role": "ADMIN", "teams": []any{"a", nil}, "n": json.Number("12345678901234567890")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMint(t *testing.T) {
	simple := map[string]any{"role": "ADMIN", "teams": []string{}}
	tests := []struct {
		name   string
		config token.Config
		claims modern.Claims
		want   string // the payload, the jti left out
		full   modern.Claims
	}{
		{
			name:   "fab",
			claims: modern.Claims{Subject: "7"},
			want:   `{"aud":"apache-airflow","exp":1772366700,"iat":1772366395,"nbf":1772366395,"sub":"7"}`,
			full:   modern.Claims{Subject: "7", Audience: []string{"apache-airflow"}},
		},
		{
			name:   "simple",
			config: token.Config{Required: []string{"role"}},
			claims: modern.Claims{Subject: "alice", Extra: simple},
			want:   `{"aud":"apache-airflow","exp":1772366700,"iat":1772366395,"nbf":1772366395,"role":"ADMIN","sub":"alice","teams":[]}`,
			full: modern.Claims{
				Subject: "alice", Audience: []string{"apache-airflow"},
				Extra: map[string]any{"role": "ADMIN", "teams": []any{}},
			},
		},
		{
			name:   "C-35 issuer: the first, a string",
			config: token.Config{Issuers: []string{"us", "them"}, Audience: "a,b"},
			claims: modern.Claims{Subject: "7"},
			want:   `{"aud":"a,b","exp":1772366700,"iat":1772366395,"iss":"us","nbf":1772366395,"sub":"7"}`,
			full:   modern.Claims{Subject: "7", Audience: []string{"a,b"}, Issuer: "us"},
		},
		{
			name:   "C-38 a subject that looks like JSON",
			config: token.Config{Required: []string{"role"}},
			claims: modern.Claims{Subject: `x","role":"ADMIN`, Extra: map[string]any{"role": "VIEWER"}},
			want:   `{"aud":"apache-airflow","exp":1772366700,"iat":1772366395,"nbf":1772366395,"role":"VIEWER","sub":"x\",\"role\":\"ADMIN"}`,
			full: modern.Claims{
				Subject: `x","role":"ADMIN`, Audience: []string{"apache-airflow"}, Extra: map[string]any{"role": "VIEWER"},
			},
		},
		{
			name:   "registered claims of the caller are not looked at",
			claims: modern.Claims{Subject: "7", ID: "mine", Issuer: "me", Audience: []string{"urn:airflow.apache.org:task"}, ExpiresAt: noon.AddDate(9, 0, 0)},
			want:   `{"aud":"apache-airflow","exp":1772366700,"iat":1772366395,"nbf":1772366395,"sub":"7"}`,
			full:   modern.Claims{Subject: "7", Audience: []string{"apache-airflow"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKey(t, test.config)
			signed, full, err := k.Mint(test.claims, 5*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			header, rest, _ := strings.Cut(signed, ".")
			if got := decode(t, header); got != `{"alg":"HS512","kid":"not-used","typ":"JWT"}` {
				t.Errorf("header %s", got)
			}
			payload, _, _ := strings.Cut(rest, ".")
			withoutID := strings.Replace(decode(t, payload), `"jti":"`+full.ID+`",`, "", 1)
			if withoutID != test.want {
				t.Errorf("payload\n got %s\nwant %s", withoutID, test.want)
			}
			if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(full.ID) {
				t.Errorf("jti %q is not 32 hex digits", full.ID)
			}
			test.full.IssuedAt = noon.Add(-5 * time.Second)
			test.full.NotBefore = test.full.IssuedAt
			test.full.ExpiresAt = noon.Add(5 * time.Minute)
			if diff := cmp.Diff(test.full, full, cmpopts.IgnoreFields(modern.Claims{}, "ID")); diff != "" {
				t.Error(diff)
			}
			verified, err := k.Verify(signed)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(full, verified); diff != "" {
				t.Errorf("Verify reads another thing than Mint said: %s", diff)
			}
		})
	}
}

func TestMintTwiceMakesTwoIDs(t *testing.T) {
	k := newKey(t, token.Config{})
	_, a, _ := k.Mint(modern.Claims{Subject: "7"}, time.Minute)
	_, b, _ := k.Mint(modern.Claims{Subject: "7"}, time.Minute)
	if a.ID == "" || a.ID == b.ID {
		t.Errorf("ids %q and %q", a.ID, b.ID)
	}
}

func TestMintRefuses(t *testing.T) {
	tests := []struct {
		name     string
		claims   modern.Claims
		lifetime time.Duration
	}{
		{"no subject", modern.Claims{}, time.Minute},
		{"no lifetime", modern.Claims{Subject: "7"}, 0},
		{"a lifetime under a second", modern.Claims{Subject: "7"}, time.Second - 1},
		{"a lifetime in the past", modern.Claims{Subject: "7"}, -time.Hour},
		{"a registered claim as an extra one", modern.Claims{Subject: "7", Extra: map[string]any{"sub": "1", "role": "USER"}}, time.Minute},
		{"an expiry as an extra claim", modern.Claims{Subject: "7", Extra: map[string]any{"exp": math.MaxInt32, "role": "USER"}}, time.Minute},
		{"a required claim missing", modern.Claims{Subject: "7"}, time.Minute},
		{"a subject that is not Unicode", modern.Claims{Subject: "J\xfcrgen", Extra: map[string]any{"role": "USER"}}, time.Minute},
		{"an extra claim that is not Unicode", modern.Claims{Subject: "7", Extra: map[string]any{"role": "\xff"}}, time.Minute},
		{"an extra claim that is not JSON", modern.Claims{Subject: "7", Extra: map[string]any{"role": math.NaN()}}, time.Minute},
		{"a token beyond the bound", modern.Claims{Subject: strings.Repeat("a", 8<<10), Extra: map[string]any{"role": "USER"}}, time.Minute},
	}
	k := newKey(t, token.Config{Required: []string{"role"}})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.claims.Extra == nil && test.name != "a required claim missing" {
				test.claims.Extra = map[string]any{"role": "USER"}
			}
			signed, full, err := k.Mint(test.claims, test.lifetime)
			if err == nil || signed != "" || !cmp.Equal(full, modern.Claims{}) {
				t.Errorf("Mint = %q, %+v, %v", signed, full, err)
			}
		})
	}
}

func TestVerifyBoundsTheSize(t *testing.T) { // C-36
	k := newKey(t, token.Config{})
	filled := func(size int) string {
		pad := size
		for {
			signed := moderntest.Case{Set: map[string]string{"x": `"` + strings.Repeat("a", pad) + `"`}}.Token(secret, noon)
			if len(signed) <= size {
				return signed
			}
			pad -= (len(signed)-size)/2 + 1
		}
	}
	if _, err := k.Verify(filled(8 << 10)); err != nil {
		t.Error(err)
	}
	if _, err := k.Verify(filled(8<<10 + 8)); answer(err) != moderntest.Invalid {
		t.Error("a token beyond the bound was taken")
	}
}

func TestLeewayAndBackdate(t *testing.T) {
	now := noon.Add(500 * time.Millisecond) // PyJWT's clock has fractions too
	at := func() time.Time { return now }
	tests := []struct {
		name   string
		config token.Config
		set    map[string]string
		want   string
	}{
		{"no leeway: exp now", token.Config{Leeway: -1}, map[string]string{"exp": "<+0>"}, moderntest.Expired},
		{"no leeway: exp in half a second", token.Config{Leeway: -1}, map[string]string{"exp": "<+1>"}, moderntest.OK},
		{"no leeway: iat in half a second", token.Config{Leeway: -1}, map[string]string{"iat": "<+1>"}, moderntest.Invalid},
		{"no leeway: nbf now", token.Config{Leeway: -1}, map[string]string{"nbf": "<+0>"}, moderntest.OK},
		{"a minute", token.Config{Leeway: time.Minute}, map[string]string{"exp": "<-59>"}, moderntest.OK},
		{"a minute, passed", token.Config{Leeway: time.Minute}, map[string]string{"exp": "<-60>"}, moderntest.Expired},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.config.Now = at
			_, err := newKey(t, test.config).Verify(moderntest.Case{Set: test.set}.Token(secret, noon))
			if got := answer(err); got != test.want {
				t.Errorf("answer %q (%v), want %q", got, err, test.want)
			}
		})
	}

	for backdate, want := range map[time.Duration]time.Time{
		0: noon.Add(-5 * time.Second), -1: noon, 30 * time.Second: noon.Add(-30 * time.Second),
	} {
		_, full, err := newKey(t, token.Config{Backdate: backdate}).Mint(modern.Claims{Subject: "7"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if !full.IssuedAt.Equal(want) || !full.NotBefore.Equal(want) || !full.ExpiresAt.Equal(noon.Add(time.Minute)) {
			t.Errorf("backdate %v: %+v", backdate, full)
		}
	}
}

// C-32: what a token says of where its key is, or what it is, is not looked at:
// nobody is asked, and it is judged by the one key there is.
func TestNothingIsFetched(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan bool)
	go func() {
		_, err := l.Accept()
		asked <- err == nil
	}()
	k := newKey(t, token.Config{})
	for _, name := range []string{"jku", "x5u", "kid", "iss"} {
		header := fmt.Sprintf(`{"alg":"HS512","typ":"JWT",%q:"http://%s/key"}`, name, l.Addr())
		for _, sign := range []string{"", "the key that stands at that address, long enough for HMAC-SHA-512 too"} {
			_, err := k.Verify(moderntest.Case{Header: header, Sign: sign}.Token(secret, noon))
			if sign != "" && answer(err) != moderntest.Invalid {
				t.Errorf("%s: a token of another key: %v", name, err)
			}
		}
	}
	l.Close()
	if <-asked {
		t.Error("somebody came for the key")
	}
}

func TestOneAlgorithmPerKey(t *testing.T) { // C-31
	algorithms := []string{"HS256", "HS384", "HS512"}
	for _, a := range algorithms {
		signed, _, err := newKey(t, token.Config{Algorithm: a}).Mint(modern.Claims{Subject: "7"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range algorithms {
			want := moderntest.Invalid
			if a == b {
				want = moderntest.OK
			}
			_, err := newKey(t, token.Config{Algorithm: b}).Verify(signed)
			if got := answer(err); got != want {
				t.Errorf("%s judged by a key for %s: %q, want %q", a, b, got, want)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]token.Config{
		"no secret":             {},
		"PEM":                   {Secret: []byte("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n")},
		"SSH":                   {Secret: []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here")},
		"JWK":                   {Secret: []byte(` {"k":"c2VjcmV0","kty":"oct"}`)},
		"none":                  {Secret: []byte(secret), Algorithm: "none"},
		"RS256":                 {Secret: []byte(secret), Algorithm: "RS256"},
		"lower case":            {Secret: []byte(secret), Algorithm: "hs512"},
		"an empty issuer":       {Secret: []byte(secret), Issuers: []string{"us", ""}},
		"a registered required": {Secret: []byte(secret), Required: []string{"sub"}},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			k, err := token.New(config)
			if err == nil || k != nil {
				t.Fatalf("New = %v, %v", k, err)
			}
			if len(config.Secret) > 0 && strings.Contains(err.Error(), string(config.Secret)) {
				t.Error("the error holds the secret")
			}
		})
	}
}

func TestNewCopiesTheConfig(t *testing.T) {
	config := token.Config{Secret: []byte(secret), Issuers: []string{"us"}, Required: []string{"role"}}
	k := newKey(t, config)
	signed, _, err := k.Mint(modern.Claims{Subject: "7", Extra: map[string]any{"role": "USER"}}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	clear(config.Secret)
	config.Issuers[0], config.Required[0] = "them", "other"
	if _, err := k.Verify(signed); err != nil {
		t.Error(err)
	}
}

// The cause of a refusal goes to a log: nothing of the token may be in it.
func TestErrorsHoldNoToken(t *testing.T) {
	k := newKey(t, token.Config{Issuers: []string{"us"}})
	for _, c := range []moderntest.Case{
		{Header: `{"alg":"s3cret"}`},
		{Header: `{"alg":s3cret}`},
		{Header: `{"alg":"HS512","kid":["s3cret"]}`},
		{Claims: `{"sub":"s3cret`},
		{Claims: `s3cret`},
		{Set: map[string]string{"exp": `"s3cret"`}},
		{Set: map[string]string{"iss": `"s3cret"`}},
		{Set: map[string]string{"aud": `"s3cret"`, "iss": `"us"`}},
		{Shape: "%h.s3cret!.%s"},
		{Shape: "s3cret"},
	} {
		_, err := k.Verify(c.Token(secret, noon))
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func decode(t *testing.T, segment string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
