package token_test

import (
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/modern/moderntest"
	"github.com/jetbridge/jetbridge/modern/token"
)

// TestPractices goes through the best current practices of RFC 8725, section by
// section. What concerns secrets (3.5) is TestNewRefuses and the configuration's.
func TestPractices(t *testing.T) {
	us := token.Config{Issuers: []string{"us"}}
	with := func(name, value string) moderntest.Case {
		return moderntest.Case{Set: map[string]string{"iss": `"us"`, name: value}}
	}
	header := func(text string) moderntest.Case {
		c := with("x", "1")
		c.Header = text
		return c
	}
	shaped := func(shape string) moderntest.Case {
		c := with("x", "1")
		c.Shape = shape
		return c
	}
	latin := with("x", `"é"`)
	latin.Encoding = "latin-1"
	tests := []struct {
		section string
		of      moderntest.Case
		want    string
	}{
		{"none of them broken", with("x", "1"), moderntest.OK},
		{"3.1 an algorithm in another letter case", header(`{"alg":"hs512"}`), moderntest.Invalid},
		{"3.1 an algorithm of another kind of key", header(`{"alg":"RS512"}`), moderntest.Invalid},
		{"3.1 no algorithm", header(`{"typ":"JWT"}`), moderntest.Invalid},
		{"3.1 algorithms in a list", header(`{"alg":["HS512"]}`), moderntest.Invalid},
		{"3.2 none", header(`{"alg":"none"}`), moderntest.Invalid},
		{"3.2 none, in another letter case", header(`{"alg":"nOnE"}`), moderntest.Invalid},
		{"3.2 none, and no signature", moderntest.Case{Header: `{"alg":"none"}`, Shape: "%h.%p."}, moderntest.Invalid},
		{"3.3 no signature", shaped("%h.%p."), moderntest.Invalid},
		{"3.3 five segments, as if encrypted", shaped("%h.%p.%s.%s.%s"), moderntest.Invalid},
		{"3.4 a signature in another spelling", shaped("%h.%p.%S"), moderntest.Invalid},
		{"3.4 a signature cut short", shaped("%h.%p.%t"), moderntest.Invalid},
		{"3.6 compressed", header(`{"alg":"HS512","enc":"A128GCM","zip":"DEF"}`), moderntest.OK}, // no JWE: zip means nothing in a JWS, and is not obeyed
		{"3.7 not UTF-8", latin, moderntest.Invalid},
		{"3.8 another issuer", with("iss", `"them"`), moderntest.Invalid},
		{"3.8 issuers in a list", with("iss", `["us"]`), moderntest.Invalid},
		{"3.8 no subject", with("sub", "null"), moderntest.Invalid},
		{"3.8 a subject that is a number", with("sub", "1"), moderntest.Invalid},
		{"3.9 another audience", with("aud", `"other"`), moderntest.Invalid},
		{"3.9 no audience", with("aud", "null"), moderntest.Invalid},
		{"3.10 kid as a path", header(`{"alg":"HS512","kid":"../../dev/null"}`), moderntest.OK}, // nothing is looked up by it
		{"3.10 a key inside", moderntest.Case{Header: `{"alg":"HS512","jwk":{"kty":"oct","k":"c2VjcmV0"}}`, Sign: "secret"}, moderntest.Invalid},
		{"3.11 any type, as PyJWT", header(`{"alg":"HS512","typ":"other+jwt"}`), moderntest.OK},
	}
	k := newKey(t, us)
	for _, tt := range tests {
		t.Run(tt.section, func(t *testing.T) {
			_, err := k.Verify(tt.of.Token(secret, noon))
			if got := answer(err); got != tt.want {
				t.Errorf("answer %q (%v), want %q", got, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Error("the error holds the secret")
			}
		})
	}
}
