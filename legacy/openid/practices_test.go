package openid_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/openid/openidtest"
)

// TestPractices goes through the best current practices of RFC 8725, section by
// section, as far as TestTokens does not. Keys from a token (3.10) are
// TestNothingIsFetchedForAToken's.
func TestPractices(t *testing.T) {
	i := openidtest.New(t)
	a, _ := newAuthenticator(t, i)
	claims, err := json.Marshal(i.Claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	header := func(name string, value any) string { return i.Sign(map[string]any{name: value}, claims) }
	with := func(name string, value any) string { return i.Token(map[string]any{name: value}) }
	parts := strings.Split(i.Token(nil), ".")
	const ok = legacy.Reason("")
	tests := []struct {
		section, token string
		want           legacy.Reason
	}{
		{"none of them broken", i.Token(nil), ok},
		{"3.1 an algorithm in another letter case", header("alg", "rs256"), legacy.IDTokenInvalid},
		{"3.1 one that is not configured, rightly signed", header("alg", "RS512"), legacy.IDTokenInvalid},
		{"3.1 no algorithm", header("alg", nil), legacy.IDTokenInvalid},
		{"3.1 algorithms in a list", header("alg", []string{"RS256"}), legacy.IDTokenInvalid},
		{"3.2 none, in another letter case", header("alg", "nOnE"), legacy.IDTokenInvalid},
		{"3.3 no signature", parts[0] + "." + parts[1] + ".", legacy.IDTokenInvalid},
		{"3.3 five segments, as if encrypted", strings.Join(append(parts, parts[1:]...), "."), legacy.MalformedCredential},
		{"3.3 a token in the place of the claims", i.Sign(map[string]any{"cty": "JWT"}, []byte(i.Token(nil))), legacy.MalformedCredential},
		{"3.4 a signature cut short", parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-4], legacy.IDTokenInvalid},
		{"3.6 compressed", i.Sign(map[string]any{"zip": "DEF", "enc": "A128GCM"}, claims), ok}, // no JWE: zip means nothing in a JWS, and is not obeyed
		{"3.7 not UTF-8", i.Sign(nil, []byte(strings.Replace(string(claims), "{", "{\"x\":\"\xe9\",", 1))), legacy.IDTokenInvalid},
		{"3.7 UTF-16", i.Sign(nil, []byte("\xfe\xff\x00{\x00}")), legacy.MalformedCredential},
		{"3.8 an issuer with a slash behind", with("iss", i.URL+"/"), legacy.MalformedCredential},
		{"3.8 issuers in a list", with("iss", []string{i.URL}), legacy.MalformedCredential},
		{"3.9 an audience within a list in the list", with("aud", [][]string{{openidtest.Audience}}), legacy.IDTokenInvalid},
		{"3.9 an audience that is an object", with("aud", map[string]any{openidtest.Audience: true}), legacy.IDTokenInvalid},
		{"3.11 an access token", header("typ", "at+jwt"), ok},
		{"3.11 the long name of a type", header("typ", "application/JWT"), ok},
		{"3.12 a logout token", header("typ", "logout+jwt"), legacy.IDTokenInvalid},
		{"3.12 a security event", header("typ", "secevent+jwt"), legacy.IDTokenInvalid},
		{"3.12 a type that is no text", header("typ", 1), legacy.IDTokenInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.section, func(t *testing.T) {
			proof, err := a.Authenticate(t.Context(), credential(tt.token))
			var refused *legacy.Refusal
			switch {
			case tt.want == ok && (err != nil || proof.Principal.Name != "alice"):
				t.Errorf("%q, %v", proof.Principal.Name, err)
			case tt.want != ok && (!errors.As(err, &refused) || refused.Reason != tt.want):
				t.Errorf("%q, refused with %v, want %s", proof.Principal.Name, err, tt.want)
			}
		})
	}
}
