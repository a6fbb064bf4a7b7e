package basic_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/basic"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/legacytest"
)

// TestConformance runs the suite over a real user database.
func TestConformance(t *testing.T) {
	legacytest.RunAuthenticator(t, func(t *testing.T) legacytest.Case {
		db, err := fabtest.New(t.Context(), fabtest.Config{SQLite: filepath.Join(t.TempDir(), "airflow.db")},
			fabtest.User{Name: "Alice", Hash: fabtest.HashOfSecret},
			fabtest.User{Name: "gone", Hash: fabtest.HashOfSecret, Inactive: true},
			fabtest.User{Name: "nopassword"}, fabtest.User{Name: "zoe", Hash: fabtest.HashOfOther})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close(context.Background()) })
		return legacytest.Case{
			Authenticator: overDatabase(t, db.URL),
			Good:          credential("Basic " + b64("alice:secret")), Name: "Alice",
			Rejected: map[string]legacytest.Rejection{
				"no base64":        rejected("Basic dTpwc", legacy.MalformedCredential),
				"another scheme":   rejected("Bearer "+b64("alice:secret"), legacy.MalformedCredential),
				"nothing":          rejected("", legacy.MalformedCredential),
				"a NUL":            rejected("Basic "+b64("ali\x00ce:secret"), legacy.MalformedCredential),
				"unknown user":     rejected("Basic "+b64("nobody:secret"), legacy.UnknownUser),
				"inactive user":    rejected("Basic "+b64("gone:secret"), legacy.InactiveUser),
				"wrong password":   rejected("Basic "+b64("alice:secret2"), legacy.WrongPassword),
				"without password": rejected("Basic "+b64("nopassword:secret"), legacy.NoPassword),
			},
			Down: func() {
				if err := db.Exec(t.Context(), "DROP TABLE ab_user"); err != nil {
					t.Fatal(err)
				}
			},
			Secrets: []string{"secret", b64("alice:secret")},
		}
	})
}

func overDatabase(t *testing.T, url string) *basic.Authenticator {
	t.Helper()
	db, err := airflowdb.Open(airflowdb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	hasher, err := fab.NewHasher(fab.HasherConfig{Queue: 1000})
	if err != nil {
		t.Fatal(err)
	}
	users, err := fab.New(fab.Config{DB: db, Hasher: hasher})
	if err != nil {
		t.Fatal(err)
	}
	// Once a hash was seen, somebody unknown costs no more than that.
	if _, err := users.VerifyPassword(t.Context(), "zoe", "wrong"); !errors.Is(err, legacy.ErrRejected) {
		t.Fatal(err)
	}
	a, err := basic.New(basic.Config{Verifier: users})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func credential(authorization string) legacy.Credential {
	return legacy.Credential{Scheme: legacy.Basic, Authorization: authorization}
}

func rejected(authorization string, why legacy.Reason) legacytest.Rejection {
	return legacytest.Rejection{Credential: credential(authorization), Reason: why}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestParse: what RFC 7617 and the 8 KiB say.
func TestParse(t *testing.T) {
	long := strings.Repeat("p", 6000)
	for header, want := range map[string][2]string{
		"Basic dTpw":                         {"u", "p"},
		"bAsIc \t dTpwOnE=":                  {"u", "p:q"},
		"Basic " + b64("u:"+long):            {"u", long},
		"Basic " + b64("u:"+long+long[:150]): {},
		"Basic " + b64("u:\xe9"):             {},
		"Basic dTpw\u00e9":                   {},
		"Basic dTpwcA==\u00e9":               {},
		"Basic\u00a0dTpw":                    {},
	} {
		user, password, ok := basic.Parse(header)
		if got := [2]string{user, password}; got != want || ok != (user != "") {
			t.Errorf("%.60q: %q, %t; want %q", header, got, ok, want)
		}
	}
}

// TestWerkzeugVectors: whatever a real Werkzeug read is read the same, and what
// none of them read is not. The one exception is white space beyond ASCII.
func TestWerkzeugVectors(t *testing.T) {
	want := map[string][]string{}
	for _, v := range vectors(t) {
		if v.Parsed != nil || want[v.Header] == nil {
			want[v.Header] = v.Parsed
		}
	}
	want["Basic \u00a0dTpw"] = nil
	for header, want := range want {
		user, password, ok := basic.Parse(header)
		if ok != (want != nil) || ok && (user != want[0] || password != want[1]) {
			t.Errorf("%.60q: %q, %.60q, %t; want %.60q", header, user, password, ok, want)
		}
	}
}

type vector struct {
	Header string
	Parsed []string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("../../testdata/werkzeug/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Headers []vector }
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Headers) < 80 {
		t.Fatalf("only %d vectors", len(doc.Headers))
	}
	return doc.Headers
}

// FuzzParse: no panic, no half result, and what strict base64 reads is read alike.
func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		user, password, ok := basic.Parse(header)
		if ok != (user != "" && password != "") || strings.Contains(user, ":") {
			t.Errorf("%q: %q, %q, %t", header, user, password, ok)
		}
		if ok {
			if u, p, again := basic.Parse("Basic " + b64(user+":"+password)); !again || u != user || p != password {
				t.Errorf("%q: %q, %q read again as %q, %q", header, user, password, u, p)
			}
			bare := strings.TrimLeft(header, " \t\n\v\f\r")
			if u, p, again := basic.Parse(strings.ToUpper(bare[:5]) + bare[5:]); !again || u != user || p != password {
				t.Errorf("%q in another case reads %q, %q", header, u, p)
			}
		}
		// Where RFC 7617 leaves no doubt there is none.
		data, strict := strings.CutPrefix(header, "Basic ")
		raw, err := base64.StdEncoding.Strict().DecodeString(data)
		if strict = strict && err == nil && !strings.ContainsAny(data, "\r\n") && len(header) <= 8<<10; strict {
			wantUser, wantPassword, _ := strings.Cut(string(raw), ":")
			if want := wantUser != "" && wantPassword != "" && utf8.Valid(raw); ok != want || ok && (user != wantUser || password != wantPassword) {
				t.Errorf("%q: %q, %q, %t; it says %q", header, user, password, ok, raw)
			}
		}
	})
}

// verifier is a PasswordVerifier that says what it is told.
type verifier func(user, password string) (legacy.Principal, error)

func (v verifier) VerifyPassword(_ context.Context, user, password string) (legacy.Principal, error) {
	return v(user, password)
}

// What the verifier says of roles and subject arrives; its fault stays a fault.
func TestVerifiersWord(t *testing.T) {
	fault := errors.New("a fault")
	a, err := basic.New(basic.Config{Verifier: verifier(func(user, _ string) (legacy.Principal, error) {
		if user == "fault" {
			return legacy.Principal{Name: "half"}, fault
		}
		return legacy.Principal{Name: user, Roles: []string{"Op"}, Subject: "7"}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	proof, err := a.Authenticate(t.Context(), credential("Basic dTpw"))
	if p := proof.Principal; err != nil || p.Name != "u" || p.Subject != "7" || len(p.Roles) != 1 || p.Scheme != legacy.Basic {
		t.Errorf("%+v, %v", p, err)
	}
	proof, err = a.Authenticate(t.Context(), credential("Basic "+b64("fault:p")))
	if err != fault || proof.Principal.Name != "" {
		t.Errorf("%+v, %v", proof, err)
	}
}

func TestNew(t *testing.T) {
	if _, err := basic.New(basic.Config{}); err == nil {
		t.Error("accepted without a verifier")
	}
}

func TestChallenge(t *testing.T) {
	if got := new(basic.Authenticator).Challenge(); got != "Basic" {
		t.Errorf("%q, but Airflow 2 named no realm", got)
	}
}
