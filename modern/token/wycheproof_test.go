package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
)

// otherwise are vectors of which we say something else than they do, and why.
var otherwise = map[string]string{
	"InvalidCharacterInsertedInHeader":  "refused, as by PyJWT: a character that is none of base64url",
	"InvalidCharacterInsertedInPayload": "refused, as by PyJWT: a character that is none of base64url",
	"invalidBase64Padding":              "accepted: the file has it without the padding that it is named for",
	"invalidBase64PaddingInPayload":     "accepted: the file has it without the padding that it is named for",
}

// TestWycheproof: the vectors of Project Wycheproof for JSON Web Signatures under
// HS256 get the verdict that they name. Their payloads are no claims, so that a
// good one shows in its payload being no JSON.
func TestWycheproof(t *testing.T) {
	text, err := fs.ReadFile(wycheproof.TestVectors, "json_web_signature_test.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			Private struct{ Kty, Alg, K string }
			Tests   []struct {
				TcID            int
				Comment, Result string
				JWS             json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	valid, invalid := 0, 0
	for _, g := range file.TestGroups {
		if g.Private.Kty != "oct" || g.Private.Alg != "HS256" {
			continue
		}
		secret, err := base64.RawURLEncoding.DecodeString(g.Private.K)
		if err != nil {
			t.Fatal(err)
		}
		key, err := New(Config{Secret: secret, Algorithm: "HS256"})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range g.Tests {
			var compact string
			if json.Unmarshal(v.JWS, &compact) != nil {
				compact = string(v.JWS) // a JWS in JSON, which is none here
			}
			_, err := key.open(compact)
			good := err == nil || strings.HasPrefix(err.Error(), "payload: ") && errors.Is(err, errJSON)
			if otherwise[v.Comment] != "" {
				if good == (v.Result == "valid") {
					t.Errorf("%d %s is no other than they say", v.TcID, v.Comment)
				}
				continue
			}
			switch {
			case good && v.Result != "valid":
				t.Errorf("%d %s: the signature counts", v.TcID, v.Comment)
			case !good && v.Result == "valid":
				t.Errorf("%d %s: %v", v.TcID, v.Comment, err)
			case good:
				valid++
			default:
				invalid++
			}
		}
	}
	if valid < 5 || invalid < 10 {
		t.Errorf("%d valid and %d invalid vectors: the file is not what it was", valid, invalid)
	}
}
