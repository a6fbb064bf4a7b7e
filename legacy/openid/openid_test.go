package openid_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/legacytest"
	"github.com/jetbridge/jetbridge/legacy/openid"
	"github.com/jetbridge/jetbridge/legacy/openid/openidtest"
)

// clock is one that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// emails are the users of the old database.
type emails map[string]legacy.User

func (e emails) LookupEmail(_ context.Context, address string) (legacy.User, error) {
	if address == "down@example.com" {
		return legacy.User{}, legacy.Unavailable(legacy.SourceUnavailable, errors.New("database gone"), time.Second)
	}
	user, ok := e[address]
	if !ok {
		return user, legacy.Rejected(legacy.UnknownUser, nil)
	}
	return user, nil
}

var people = emails{
	"alice@example.com": {ID: "7", Name: "alice", Active: true, Roles: []string{"Op"}},
	"gone@example.com":  {ID: "8", Name: "gone"},
}

func newAuthenticator(t testing.TB, i *openidtest.Issuer, change ...func(*openid.Config)) (*openid.Authenticator, *clock) {
	t.Helper()
	c := &clock{now: openidtest.Now}
	cfg := openid.Config{Issuers: []openid.Issuer{{URL: i.URL, Audience: []string{openidtest.Audience}}}, Emails: people, Now: c.Now}
	for _, f := range change {
		f(&cfg)
	}
	a, err := openid.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

func credential(token string) legacy.Credential {
	return legacy.Credential{Scheme: legacy.OpenID, Authorization: "Bearer " + token}
}

func TestConformance(t *testing.T) {
	legacytest.RunAuthenticator(t, func(t *testing.T) legacytest.Case {
		i := openidtest.New(t)
		a, clock := newAuthenticator(t, i)
		good := i.Token(nil)
		return legacytest.Case{
			Authenticator: a, Good: credential(good), Name: "alice",
			Rejected: map[string]legacytest.Rejection{
				"no token":      {Credential: legacy.Credential{Scheme: legacy.OpenID, Authorization: "Bearer "}, Reason: legacy.MalformedCredential},
				"two spaces":    {Credential: legacy.Credential{Scheme: legacy.OpenID, Authorization: "Bearer  " + good}, Reason: legacy.MalformedCredential},
				"another word":  {Credential: legacy.Credential{Scheme: legacy.OpenID, Authorization: "Token " + good}, Reason: legacy.MalformedCredential},
				"a word behind": {Credential: legacy.Credential{Scheme: legacy.OpenID, Authorization: "Bearer " + good + " x"}, Reason: legacy.MalformedCredential},
				"nobody's":      {Credential: credential(i.Token(map[string]any{"iss": "https://elsewhere.example"})), Reason: legacy.MalformedCredential},
				"expired":       {Credential: credential(i.Token(map[string]any{"exp": openidtest.Now.Unix() - 1})), Reason: legacy.IDTokenExpired},
				"forged":        {Credential: credential(good[:len(good)-8] + "AAAAAAAA"), Reason: legacy.IDTokenInvalid},
				"unknown user":  {Credential: credential(i.Token(map[string]any{"email": "nobody@example.com"})), Reason: legacy.UnknownUser},
				"inactive user": {Credential: credential(i.Token(map[string]any{"email": "gone@example.com"})), Reason: legacy.InactiveUser},
			},
			Down:    func() { i.SetDown(true); clock.add(48 * time.Hour) },
			Secrets: []string{good, good[strings.LastIndexByte(good, '.')+1:]},
		}
	})
}

// TestTokens: what a token must say, and by whom it must be signed (C-31 to C-34, C-36, C-37).
func TestTokens(t *testing.T) {
	i, stranger := openidtest.New(t), openidtest.New(t)
	a, _ := newAuthenticator(t, i, func(c *openid.Config) {
		c.Issuers[0].Require = map[string]string{"hd": "example.com", "mfa": "true"}
	})
	now := openidtest.Now.Unix()
	with := func(changes map[string]any) string {
		all := map[string]any{"hd": "example.com", "mfa": true}
		for name, value := range changes {
			all[name] = value
		}
		return i.Token(all)
	}
	text := func(claims string) string { return i.Sign(nil, []byte(claims)) }
	good, _ := json.Marshal(i.Claims(map[string]any{"hd": "example.com", "mfa": true}))
	inside := string(good[1 : len(good)-1])
	der, err := x509.MarshalPKIXPublicKey(i.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})

	const ok = legacy.Reason("")
	tests := []struct {
		name, token string
		want        legacy.Reason
	}{
		{"good", with(nil), ok},
		{"ES256", i.Sign(map[string]any{"alg": "ES256"}, good), ok},
		{"without a kid", i.Sign(map[string]any{"kid": nil}, good), ok},
		{"an audience in a list", with(map[string]any{"aud": []string{openidtest.Audience}}), ok},
		{"several audiences, given to us", with(map[string]any{"aud": []string{"account", openidtest.Audience}, "azp": openidtest.Audience}), ok},
		{"verified as text", with(map[string]any{"email_verified": "true"}), ok},
		{"expires now", with(map[string]any{"exp": now}), ok},
		{"issued now", with(map[string]any{"iat": now}), ok},
		{"with a fraction", with(map[string]any{"exp": float64(now) + 600.5}), ok},

		{"a truth value as text", with(map[string]any{"mfa": "true"}), ok},
		{"the other truth value", with(map[string]any{"mfa": false}), legacy.IDTokenInvalid},

		{"expired", with(map[string]any{"exp": now - 1}), legacy.IDTokenExpired},
		{"no exp", with(map[string]any{"exp": nil}), legacy.IDTokenInvalid},
		{"exp as text", with(map[string]any{"exp": "9999999999"}), legacy.IDTokenInvalid},
		{"exp beyond reason", text(strings.Replace("{"+inside+"}", `"exp":`, `"exp":1e400,"x":`, 1)), legacy.IDTokenInvalid},
		{"no iat", with(map[string]any{"iat": nil}), legacy.IDTokenInvalid},
		{"issued in the future", with(map[string]any{"iat": now + 1}), legacy.IDTokenInvalid},
		{"not good yet", with(map[string]any{"nbf": now + 1}), legacy.IDTokenInvalid},
		{"nbf is a list", with(map[string]any{"nbf": []int{1}}), legacy.IDTokenInvalid},
		{"no audience", with(map[string]any{"aud": nil}), legacy.IDTokenInvalid},
		{"another audience", with(map[string]any{"aud": "other"}), legacy.IDTokenInvalid},
		{"an empty list of audiences", with(map[string]any{"aud": []string{}}), legacy.IDTokenInvalid},
		{"an audience that begins like ours", with(map[string]any{"aud": openidtest.Audience + "x"}), legacy.IDTokenInvalid},
		{"given to somebody else", with(map[string]any{"aud": []string{"other", openidtest.Audience}, "azp": "other"}), legacy.IDTokenInvalid},
		{"a claim that is required, missing", with(map[string]any{"hd": nil}), legacy.IDTokenInvalid},
		{"a claim that is required, other", with(map[string]any{"hd": "example.org"}), legacy.IDTokenInvalid},
		{"e-mail not verified", with(map[string]any{"email_verified": false}), legacy.IDTokenInvalid},
		{"e-mail verified, in Python's eyes", with(map[string]any{"email_verified": "false"}), legacy.IDTokenInvalid},
		{"no e-mail", with(map[string]any{"email": nil}), legacy.IDTokenInvalid},
		{"e-mail of two domains (C-25)", with(map[string]any{"email": "alice@evil.example@example.com"}), legacy.IDTokenInvalid},
		{"e-mail in another case", with(map[string]any{"email": "Alice@example.com"}), legacy.UnknownUser},
		{"e-mail with a NUL", with(map[string]any{"email": "alice@example.com\x00"}), legacy.IDTokenInvalid},
		{"e-mail is a list", with(map[string]any{"email": []string{"alice@example.com"}}), legacy.IDTokenInvalid},
		{"a claim twice (C-37)", text("{" + inside + `,"email":"gone@example.com"}`), legacy.MalformedCredential},
		{"iss twice", text("{" + inside + `,"iss":"https://elsewhere.example"}`), legacy.MalformedCredential},
		{"iss in other case", text(strings.Replace("{"+inside+"}", `"iss"`, `"ISS"`, 1)), legacy.MalformedCredential},
		{"exp in other case", text(strings.Replace("{"+inside+"}", `"exp"`, `"Exp"`, 1)), legacy.IDTokenInvalid},
		{"not JSON", text("x"), legacy.MalformedCredential},
		{"a list", text("[]"), legacy.MalformedCredential},

		{"signed by another issuer", stranger.Sign(map[string]any{"kid": "key-1"}, good), legacy.IDTokenInvalid},
		{"algorithm none (C-31)", none(good), legacy.IDTokenInvalid},
		{"the public key as a secret (C-31)", hs256(public, good), legacy.IDTokenInvalid},
		{"the public key's bytes as a secret (C-31)", hs256(der, good), legacy.IDTokenInvalid},
		{"an algorithm of another key", relabelled(i, good), legacy.IDTokenInvalid},
		{"unknown kid", i.Sign(map[string]any{"kid": "nobody"}, good), legacy.IDTokenInvalid},
		{"kid as a path (C-33)", i.Sign(map[string]any{"kid": "../../dev/null"}, good), legacy.IDTokenInvalid},
		{"kid too long (C-33)", i.Sign(map[string]any{"kid": strings.Repeat("k", 129)}, good), legacy.IDTokenInvalid},
		{"five segments (C-36)", with(nil) + ".x.y", legacy.MalformedCredential},
		{"a JWS in JSON", `{"payload":"` + base64.RawURLEncoding.EncodeToString(good) + `","signatures":[]}`, legacy.MalformedCredential},
		{"longer than 16 KiB (C-36)", with(map[string]any{"x": strings.Repeat("x", 16<<10)}), legacy.MalformedCredential},
		{"crit", i.Sign(map[string]any{"crit": []string{"exp"}}, good), legacy.IDTokenInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proof, err := a.Authenticate(t.Context(), credential(tt.token))
			if tt.want == ok {
				if err != nil || proof.Principal.Name != "alice" || proof.Principal.Scheme != legacy.OpenID {
					t.Errorf("%+v, %v", proof, err)
				}
				return
			}
			var refused *legacy.Refusal
			if !errors.As(err, &refused) || !errors.Is(err, legacy.ErrRejected) || refused.Reason != tt.want {
				t.Errorf("refused with %v, want %s", err, tt.want)
			}
			if proof.Principal.Name != "" {
				t.Errorf("a refusal that names %q", proof.Principal.Name)
			}
		})
	}
}

func none(claims []byte) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + e.EncodeToString(claims) + "."
}

func hs256(secret, claims []byte) string {
	e := base64.RawURLEncoding
	input := e.EncodeToString([]byte(`{"alg":"HS256","kid":"key-1"}`)) + "." + e.EncodeToString(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + e.EncodeToString(mac.Sum(nil))
}

// relabelled is an ES256 token under the kid of the key for RS256.
func relabelled(i *openidtest.Issuer, claims []byte) string {
	return i.Sign(map[string]any{"alg": "ES256", "kid": "key-1"}, claims)
}

// TestNothingIsFetchedForAToken: addresses and keys in a token are without
// effect, and so is an issuer that nobody listed (C-32).
func TestNothingIsFetchedForAToken(t *testing.T) {
	trap, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan bool, 1)
	go func() {
		c, err := trap.Accept()
		if err == nil {
			c.Close()
		}
		asked <- err == nil
	}()
	i := openidtest.New(t)
	a, _ := newAuthenticator(t, i)
	there := "http://" + trap.Addr().String()
	stranger := openidtest.New(t)
	var keys struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(stranger.Keys(), &keys); err != nil {
		t.Fatal(err)
	}
	claims, _ := json.Marshal(i.Claims(nil))
	for _, token := range []string{
		stranger.Sign(map[string]any{"jku": there}, claims),
		stranger.Sign(map[string]any{"x5u": there, "kid": "new"}, claims),
		stranger.Sign(map[string]any{"jwk": keys.Keys[0], "kid": nil}, claims),
		stranger.Token(map[string]any{"iss": there}),
	} {
		if _, err := a.Authenticate(t.Context(), credential(token)); !errors.Is(err, legacy.ErrRejected) {
			t.Errorf("answered %v", err)
		}
	}
	trap.Close()
	if <-asked {
		t.Error("an address in a token was asked")
	}
}

// TestRotation: a new key counts at once, an unknown kid makes us ask no more
// often than every half minute, and an old key goes.
func TestRotation(t *testing.T) {
	i := openidtest.New(t)
	a, clock := newAuthenticator(t, i)
	old := i.Token(nil)
	judge := func(token string) error {
		_, err := a.Authenticate(t.Context(), credential(token))
		return err
	}
	if err := judge(old); err != nil {
		t.Fatal(err)
	}
	i.Rotate()
	if err := judge(i.Token(nil)); !errors.Is(err, legacy.ErrRejected) {
		t.Errorf("within the bound: %v", err)
	}
	clock.add(31 * time.Second)
	if err := judge(i.Token(nil)); err != nil {
		t.Errorf("after it: %v", err)
	}
	if err := judge(old); !errors.Is(err, legacy.ErrRejected) {
		t.Errorf("the old key: %v", err)
	}
	before := i.Fetches()
	for range 100 {
		_ = judge(i.Sign(map[string]any{"kid": "made-up"}, []byte(`{"iss":"`+i.URL+`"}`)))
	}
	if after := i.Fetches(); after != before {
		t.Errorf("made-up kids made us ask %d times", after-before)
	}
}

// TestOutage: keys outlive the issuer for a bounded time; without any the answer
// is not "no".
func TestOutage(t *testing.T) {
	i := openidtest.New(t)
	i.SetDown(true)
	a, clock := newAuthenticator(t, i)
	long := map[string]any{"exp": openidtest.Now.Add(72 * time.Hour).Unix()}
	judge := func(token string) error {
		_, err := a.Authenticate(t.Context(), credential(token))
		return err
	}
	if err := judge(i.Token(long)); !errors.Is(err, legacy.ErrUnavailable) {
		t.Errorf("an issuer that never answered: %v", err)
	}
	i.SetDown(false)
	clock.add(time.Minute)
	if err := judge(i.Token(long)); err != nil {
		t.Errorf("when it is back: %v", err)
	}
	i.SetDown(true)
	clock.add(23 * time.Hour)
	if err := judge(i.Token(long)); err != nil {
		t.Errorf("known keys: %v", err)
	}
	if err := judge(i.Sign(map[string]any{"kid": "newer"}, []byte(`{"iss":"`+i.URL+`"}`))); !errors.Is(err, legacy.ErrUnavailable) {
		t.Errorf("a key that may be new: %v", err)
	}
	clock.add(2 * time.Hour)
	if err := judge(i.Token(long)); !errors.Is(err, legacy.ErrUnavailable) {
		t.Errorf("keys that are too old: %v", err)
	}
	if states := a.States(); len(states) != 1 || states[0].Err == nil || states[0].Keys != 0 || states[0].Age != 25*time.Hour {
		t.Errorf("states %+v", states)
	}
	i.SetDown(false)
	clock.add(time.Minute)
	if states := a.States(); states[0].Err == nil {
		t.Errorf("states %+v without asking", states)
	}
	if states := a.Ask(t.Context()); states[0].Err != nil || states[0].Keys != 2 || states[0].Age != 0 {
		t.Errorf("states %+v", states)
	}
}

// TestWhatAnIssuerAnswers: keys that cannot count are passed over, and what is no
// key set is none.
func TestWhatAnIssuerAnswers(t *testing.T) {
	i := openidtest.New(t)
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(i.Keys(), &set); err != nil {
		t.Fatal(err)
	}
	changed := func(change map[string]any) []byte {
		key := map[string]any{}
		for name, value := range set.Keys[0] {
			key[name] = value
		}
		for name, value := range change {
			key[name] = value
		}
		text, _ := json.Marshal(map[string]any{"keys": []any{key}})
		return text
	}
	many := append(make([]any, 0, 65), set.Keys[0])
	for len(many) < 65 {
		many = append(many, set.Keys[1])
	}
	tooMany, _ := json.Marshal(map[string]any{"keys": many})
	beside, _ := json.Marshal(map[string]any{"keys": []any{map[string]any{"kty": "new", "kid": "a"}, set.Keys[0]}})
	tests := []struct {
		name     string
		document []byte
		metadata map[string]any
		good     bool
	}{
		{"as usual", nil, nil, true},
		{"a key of a kind to come beside it", beside, nil, true},
		{"a key for encryption", changed(map[string]any{"use": "enc"}), nil, false},
		{"a key that may not verify", changed(map[string]any{"key_ops": []string{"encrypt"}}), nil, false},
		{"a secret", []byte(`{"keys":[{"kty":"oct","kid":"key-1","k":"c2VjcmV0"}]}`), nil, false},
		{"a short key", changed(map[string]any{"n": "u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTKEn5u-qKhbwKfBstIs-bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW_VDL5AaWTg0nLVkjRo9z-40RQzuVaE8AkAFmxZzow3x-VJYKdjykkJ0iT9wCS0DRTXu269V264Vf_3jvredZiKRkgwlL9xNAwxXFg0x_XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC-9aGVd-Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbc"[:128]}), nil, false},
		{"too many", tooMany, nil, false},
		{"none", []byte(`{"keys":[]}`), nil, false},
		{"not JSON", []byte("<html>"), nil, false},
		{"too long", []byte(`{"keys":[],"x":"` + strings.Repeat("x", 256<<10) + `"}`), nil, false},
		{"the metadata of another issuer", nil, map[string]any{"issuer": "https://elsewhere.example"}, false},
		{"no address of keys", nil, map[string]any{"jwks_uri": ""}, false},
		{"keys in a file", nil, map[string]any{"jwks_uri": "file:///etc/passwd"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i.SetKeys(tt.document)
			i.SetMetadata(tt.metadata)
			defer i.SetKeys(nil)
			defer i.SetMetadata(nil)
			a, _ := newAuthenticator(t, i)
			_, err := a.Authenticate(t.Context(), credential(i.Token(nil)))
			if tt.good && err != nil {
				t.Error(err)
			}
			if !tt.good && !errors.Is(err, legacy.ErrUnavailable) {
				t.Errorf("answered %v", err)
			}
		})
	}
}

// TestNames: who a token is for Airflow.
func TestNames(t *testing.T) {
	i := openidtest.New(t)
	tests := []struct {
		name   string
		change func(*openid.Config)
		claims map[string]any
		want   string
	}{
		{"the user of the e-mail address", func(*openid.Config) {}, nil, "alice"},
		{"the address itself, where no database is", func(c *openid.Config) { c.Emails = nil }, nil, "alice@example.com"},
		{"another claim", func(c *openid.Config) { c.Issuers[0].Name = "preferred_username" },
			map[string]any{"preferred_username": "bob", "email": nil}, "bob"},
		{"a service account, listed", func(c *openid.Config) {
			c.Issuers[0].Name, c.Issuers[0].Users = "sub", map[string]string{"system:serviceaccount:etl:loader": "loader"}
		}, map[string]any{"sub": "system:serviceaccount:etl:loader", "email": nil}, "loader"},
		{"not verified, and allowed", func(c *openid.Config) { c.Issuers[0].InsecureUnverifiedEmail = true },
			map[string]any{"email_verified": nil}, "alice"},
		{"several audiences are ours", func(c *openid.Config) { c.Issuers[0].Audience = []string{"a", "b"} }, map[string]any{"aud": "b"}, "alice"},
		{"clocks that differ", func(c *openid.Config) { c.Leeway = 10 * time.Second },
			map[string]any{"iat": openidtest.Now.Unix() + 9, "exp": openidtest.Now.Unix() - 9}, "alice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := newAuthenticator(t, i, tt.change)
			proof, err := a.Authenticate(t.Context(), credential(i.Token(tt.claims)))
			if err != nil || proof.Principal.Name != tt.want {
				t.Errorf("%q, %v", proof.Principal.Name, err)
			}
		})
	}
	t.Run("the database is down", func(t *testing.T) {
		a, _ := newAuthenticator(t, i)
		_, err := a.Authenticate(t.Context(), credential(i.Token(map[string]any{"email": "down@example.com"})))
		if !errors.Is(err, legacy.ErrUnavailable) {
			t.Error(err)
		}
	})
}

// TestCertificates: keys also come in the form in which google-auth for Python
// reads Google's.
func TestCertificates(t *testing.T) {
	i := openidtest.New(t)
	var published map[string]string
	if err := json.Unmarshal(i.Certificates(), &published); err != nil {
		t.Fatal(err)
	}
	certificate := published["key-1"]
	block, _ := pem.Decode([]byte(certificate))
	der := block.Bytes
	for text, good := range map[string]bool{certificate: true, certificate + certificate: false, "": false, "x": false, string(der): false} {
		document, _ := json.Marshal(map[string]string{"key-1": text})
		i.SetKeys(document)
		a, _ := newAuthenticator(t, i)
		_, err := a.Authenticate(t.Context(), credential(i.Token(nil)))
		if good && err != nil || !good && !errors.Is(err, legacy.ErrUnavailable) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// TestKnownKeysWaitForNobody: while the issuer does not answer, who has a token
// under a known key does not wait for it.
func TestKnownKeysWaitForNobody(t *testing.T) {
	i := openidtest.New(t)
	var silent atomic.Bool
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			<-gone
		}
		_, _ = w.Write(i.Keys())
	}))
	defer server.Close()
	defer close(gone)
	a, clock := newAuthenticator(t, i, func(c *openid.Config) { c.Issuers[0].Keys = server.URL })
	token := i.Token(map[string]any{"exp": openidtest.Now.Add(72 * time.Hour).Unix()})
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // less than a fetch may take
		defer cancel()
		if _, err := a.Authenticate(ctx, credential(token)); err != nil || ctx.Err() != nil {
			t.Errorf("%v, %v", err, ctx.Err())
		}
		silent.Store(true)
		clock.add(2 * time.Hour)
	}
}

// TestFixedKeys: keys from a file need no issuer that answers.
func TestFixedKeys(t *testing.T) {
	i := openidtest.New(t)
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, i.Keys(), 0o600); err != nil {
		t.Fatal(err)
	}
	i.SetDown(true)
	a, clock := newAuthenticator(t, i, func(c *openid.Config) { c.Issuers[0].KeyFile = file })
	clock.add(time.Hour - 10*time.Second)
	if _, err := a.Authenticate(t.Context(), credential(i.Token(nil))); err != nil {
		t.Error(err)
	}
	if _, err := a.Authenticate(t.Context(), credential(i.Sign(map[string]any{"kid": "x"}, []byte(`{"iss":"`+i.URL+`"}`)))); !errors.Is(err, legacy.ErrRejected) {
		t.Error(err)
	}
}

// TestConfiguration: what would let in too much is an error that says so.
func TestConfiguration(t *testing.T) {
	empty := t.TempDir()
	good := openid.Issuer{URL: "https://issuer.example", Audience: []string{"a"}}
	with := func(change func(*openid.Issuer)) []openid.Issuer {
		i := good
		change(&i)
		return []openid.Issuer{i}
	}
	tests := []struct {
		name    string
		issuers []openid.Issuer
		want    string // empty for none
	}{
		{"good", []openid.Issuer{good}, ""},
		{"none", nil, "no issuer"},
		{"twice", []openid.Issuer{good, good}, "twice"},
		{"no audience", with(func(i *openid.Issuer) { i.Audience = nil }), "anybody would count"},
		{"an empty audience", with(func(i *openid.Issuer) { i.Audience = []string{""} }), "anybody would count"},
		{"no address", with(func(i *openid.Issuer) { i.URL = "issuer" }), "address"},
		{"algorithm none", with(func(i *openid.Issuer) { i.Algorithms = []string{"none"} }), "algorithm"},
		{"a symmetric algorithm", with(func(i *openid.Issuer) { i.Algorithms = []string{"HS256"} }), "algorithm"},
		{"keys without TLS", with(func(i *openid.Issuer) { i.Keys = "http://keys.example" }), "https"},
		{"two sources of keys", with(func(i *openid.Issuer) { i.Keys, i.KeyFile = "https://keys.example", "f" }), "give one"},
		{"a file that is not there", with(func(i *openid.Issuer) { i.KeyFile = filepath.Join(empty, "keys.json") }), "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := openid.New(openid.Config{Issuers: tt.issuers})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestClaims: who judges a token is told from the text alone, and only a token
// whose issuer can be read is somebody's.
func TestClaims(t *testing.T) {
	a, err := openid.New(openid.Config{Issuers: []openid.Issuer{{URL: openid.Google, Audience: []string{"a"}}}})
	if err != nil {
		t.Fatal(err)
	}
	token := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	for text, want := range map[string]bool{
		token(`{"iss":"https://accounts.google.com"}`):                              true,
		token(`{"iss":"accounts.google.com"}`):                                      true,
		token(`{"sub":"1","aud":"apache-airflow"}`):                                 false,
		token(`{"iss":"https://accounts.google.com/"}`):                             false,
		token(`{"iss":"https://accounts.google.com","iss":"x"}`):                    false,
		token(`{"ISS":"https://accounts.google.com"}`):                              false,
		token(`{"iss":["https://accounts.google.com"]}`):                            false,
		token(`{"iss":"https://accounts.google.com"}`) + ".x":                       false,
		token(`{"iss":"https://accounts.google.com"`):                               false,
		token(`{"iss":"https://accounts.google.com"}` + strings.Repeat(" ", 20000)): false,
		"": false, "..": false, "x": false,
	} {
		if got := a.Claims(text); got != want {
			t.Errorf("%.60s: %v", text, got)
		}
	}
}
