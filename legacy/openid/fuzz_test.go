package openid_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/legacy/openid"
)

// FuzzClaims: a token is an issuer's exactly if a plain JSON reader finds that
// very issuer in it and every name once, whatever else it holds; what is nobody's
// is the gate's.
func FuzzClaims(f *testing.F) {
	a, err := openid.New(openid.Config{Issuers: []openid.Issuer{{URL: openid.Google, Audience: []string{"a"}}}})
	if err != nil {
		f.Fatal(err)
	}
	for _, payload := range []string{
		`{"iss":"https://accounts.google.com"}`, `{"iss":"accounts.google.com","sub":"1"}`, `{"iss":"x"}`, `{"iss":"accounts.google.com","iss":"x"}`,
		`{"ISS":"accounts.google.com"}`, `{"iss":["accounts.google.com"]}`, `{"a":{"iss":"accounts.google.com"}}`, `{"iss":"accounts.google.com"}x`, `[`, ``,
		`{"iss":"accounts\u002egoogle.com"}`, "{\"iss\":\"accounts.google.com\xff\"}", `{"\u0069ss":"accounts.google.com"}`, `{"iss":"https:\/\/accounts.google.com"}`,
		`{"iss":"accounts.google.com","a":1,"a":2}`, `{"iss":"accounts.google.com","Iss":"x","n":1e400}`, `{"iss":null,"sub":"accounts.google.com"}`,
	} {
		f.Add(payload)
	}
	f.Add(withPayload(`{"iss":"accounts.google.com"}`) + "=")
	f.Add("..")
	f.Add("a.b.c.d")
	f.Fuzz(func(t *testing.T, text string) {
		for _, token := range []string{text, withPayload(text)} {
			says, once := issuerOf(token)
			listed := says == "https://accounts.google.com" || says == "accounts.google.com"
			switch claims := a.Claims(token); {
			case claims && !listed:
				t.Errorf("%q is of %q", token, says)
			case !claims && listed && once:
				t.Errorf("%q is nobody's", token)
			}
		}
	})
}

func withPayload(text string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(text)) + ".c2ln"
}

// issuerOf is what the standard library finds in iss, and whether the names of
// the claims are there once each.
func issuerOf(token string) (issuer string, once bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > 16<<10 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var says map[string]json.RawMessage
	if json.Unmarshal(payload, &says) != nil || json.Unmarshal(says["iss"], &issuer) != nil {
		return "", false
	}
	return issuer, len(says) == names(payload)
}

// names counts the names of an object as they are written, equal ones too.
func names(object []byte) (n int) {
	d := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := d.Token(); err != nil {
		return 0
	}
	for d.More() {
		var value json.RawMessage
		if _, err := d.Token(); err != nil || d.Decode(&value) != nil {
			return 0
		}
		n++
	}
	return n
}
