package openid_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/legacy/openid"
)

// FuzzClaims: a token is an issuer's only if a plain JSON reader finds that very
// issuer in it, whatever else it holds; what is nobody's is the gate's.
func FuzzClaims(f *testing.F) {
	a, err := openid.New(openid.Config{Issuers: []openid.Issuer{{URL: openid.Google, Audience: []string{"a"}}}})
	if err != nil {
		f.Fatal(err)
	}
	for _, payload := range []string{
		`{"iss":"https://accounts.google.com"}`, `{"iss":"accounts.google.com","sub":"1"}`, `{"iss":"x"}`, `{"iss":"accounts.google.com","iss":"x"}`,
		`{"ISS":"accounts.google.com"}`, `{"iss":["accounts.google.com"]}`, `{"a":{"iss":"accounts.google.com"}}`, `{"iss":"accounts.google.com"}x`, `[`, ``,
		`{"iss":"accounts\u002egoogle.com"}`, "{\"iss\":\"accounts.google.com\xff\"}",
	} {
		f.Add("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln")
	}
	f.Add("..")
	f.Add("a.b.c.d")
	f.Fuzz(func(t *testing.T, token string) {
		if !a.Claims(token) {
			return
		}
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			t.Fatalf("%q has %d segments", token, len(parts))
		}
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		var says map[string]any
		if err := json.Unmarshal(payload, &says); err != nil {
			t.Fatalf("%q: %v", payload, err)
		}
		if iss := says["iss"]; iss != "https://accounts.google.com" && iss != "accounts.google.com" {
			t.Errorf("%q is of %v", payload, iss)
		}
	})
}
