// Package bridgetest makes decision cores for tests: four legacy schemes whose
// credentials are "user:password" with the name as the password, four users of
// Airflow 3, real tokens, and a clock that stands still.
package bridgetest

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/migration"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/bridge/translate"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern"
	"github.com/jetbridge/jetbridge/modern/gate"
	"github.com/jetbridge/jetbridge/modern/token"
)

const secret = "a secret of the tests, long enough for HMAC with SHA-512 to like it"

// Now is the time at which the clock stands.
var Now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A World is one core and what it was made of.
type World struct {
	Core  *bridge.Core
	Key   *token.Key
	Mints int // tokens minted so far
}

// fake is a legacy scheme whose credentials are "user:password" behind the
// scheme's word, in base64 where the word is Basic, or in a cookie.
type fake struct {
	scheme    legacy.Scheme
	challenge string
	reply     http.Header
}

func (f fake) Scheme() legacy.Scheme { return f.scheme }
func (f fake) Challenge() string     { return f.challenge }

func (f fake) Authenticate(_ context.Context, c legacy.Credential) (legacy.Proof, error) {
	_, data, _ := strings.Cut(c.Authorization, " ")
	data = strings.TrimPrefix(data, "ID.") + c.Cookie // what tells an ID token here
	if raw, err := base64.StdEncoding.DecodeString(data); err == nil {
		data = string(raw)
	}
	user, password, ok := strings.Cut(data, ":")
	proof := legacy.Proof{Principal: legacy.Principal{Name: user, Scheme: f.scheme}, Reply: f.reply}
	switch {
	case !ok:
		return legacy.Proof{}, legacy.Rejected(legacy.MalformedCredential, nil)
	case user == "down":
		return legacy.Proof{}, legacy.Unavailable(legacy.SourceUnavailable, errors.New("database gone"), 2*time.Second)
	case user == "busy":
		return legacy.Proof{}, legacy.Unavailable(legacy.HashQueueFull, nil, time.Second)
	case user == "locked":
		return legacy.Proof{}, legacy.LockedOut(29*time.Second + time.Millisecond)
	case user == "ntlm":
		return legacy.Proof{}, legacy.Rejected(legacy.NTLMOffered, nil)
	case user == "fault":
		return legacy.Proof{}, errors.New("a defect")
	case user != password:
		return legacy.Proof{}, legacy.Rejected(legacy.WrongPassword, nil)
	case user == "subject":
		proof.Principal.Subject = "77"
	}
	return proof, nil
}

// users are Airflow 3's own.
type users map[string]legacy.User

func (u users) Lookup(_ context.Context, name string) (legacy.User, error) {
	if name == "lost" {
		return legacy.User{}, legacy.Unavailable(legacy.SourceUnavailable, errors.New("directory gone"), 0)
	}
	user, ok := u[name]
	if !ok {
		return user, legacy.Rejected(legacy.UnknownUser, nil)
	}
	return user, nil
}

// directoryUsers are Airflow 3's: 1 alice Admin, 2 bob Viewer, 3 carol (inactive), 4 dave.
var directoryUsers = users{
	"alice": {ID: "1", Name: "alice", Active: true, Roles: []string{"Admin"}},
	"bob":   {ID: "2", Name: "bob", Active: true, Roles: []string{"Viewer"}},
	"carol": {ID: "3", Name: "carol", Active: false, Roles: []string{"Admin"}},
	"dave":  {ID: "4", Name: "dave", Active: true, Roles: []string{"Public"}},
}

// New makes a core; change may alter its configuration first.
func New(t testing.TB, change ...func(*bridge.Config)) *World {
	t.Helper()
	w := &World{}
	clock := func() time.Time { return Now }
	key, err := token.New(token.Config{Secret: []byte(secret), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	w.Key = key
	checker, err := gate.New(gate.Config{Verifier: key, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	routes, err := route.New(route.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := translate.New(translate.Config{Manager: translate.FAB})
	if err != nil {
		t.Fatal(err)
	}
	cfg := bridge.Config{
		Routes:         routes,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Authenticators: []legacy.Authenticator{
			fake{scheme: legacy.Basic, challenge: "Basic"},
			fake{scheme: legacy.Kerberos, challenge: "Negotiate", reply: http.Header{"Www-Authenticate": {"Negotiate AP-REP"}}},
			fake{scheme: legacy.OpenID},
			fake{scheme: legacy.Session},
		},
		IDTokens:   func(token string) bool { return strings.HasPrefix(token, "ID.") },
		Directory:  directoryUsers,
		Translator: rules,
		Minter:     key,
		Gate:       checker,
		Policy:     policy(t, migration.Config{Mode: migration.Dual, DeprecatedSince: time.Date(2025, 4, 22, 0, 0, 0, 0, time.UTC)}),
		Minted:     func() { w.Mints++ },
		Now:        clock,
	}
	for _, c := range change {
		c(&cfg)
	}
	if w.Core, err = bridge.New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func policy(t testing.TB, cfg migration.Config) *migration.Policy {
	t.Helper()
	p, err := migration.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// JWTOnly switches the old ways off.
func JWTOnly(t testing.TB) func(*bridge.Config) {
	return func(cfg *bridge.Config) { cfg.Policy = policy(t, migration.Config{Mode: migration.JWTOnly}) }
}

// Sign makes a token of the client's own. A negative lifetime is long past.
func (w *World) Sign(t testing.TB, subject string, lifetime time.Duration) string {
	t.Helper()
	key := w.Key
	if lifetime < 0 {
		past, err := token.New(token.Config{Secret: []byte(secret), Now: func() time.Time { return Now.Add(-48 * time.Hour) }})
		if err != nil {
			t.Fatal(err)
		}
		key, lifetime = past, time.Hour
	}
	signed, _, err := key.Mint(modern.Claims{Subject: subject}, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// Basic makes an Authorization header.
func Basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// Ask makes a request's facts; headers come as name, value, name, value.
func Ask(method, target string, headers ...string) bridge.Request {
	path, query, _ := strings.Cut(target, "?")
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	return bridge.Request{
		Method: method, RawPath: path, RawQuery: query, Host: "airflow.example", Header: h,
		Peer: netip.MustParseAddr("192.0.2.7"), ID: "id-of-the-request",
	}
}
