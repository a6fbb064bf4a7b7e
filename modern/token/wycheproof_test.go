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
	"key_too_short":                     "accepted, as by Airflow, which takes a secret of any length; the configuration refuses what can be guessed",
}

// TestWycheproof: the vectors of Project Wycheproof for JSON Web Signatures and Keys
// under a secret get the verdict that they name. Their payloads are no claims, so
// that a good one shows in its payload being no JSON.
func TestWycheproof(t *testing.T) {
	for _, file := range []struct {
		name           string
		valid, invalid int // at least
	}{
		{"json_web_signature_test.json", 5, 10},
		{"json_web_key_test.json", 3, 3},
	} {
		t.Run(file.name, func(t *testing.T) {
			valid, invalid := 0, 0
			for _, g := range vectors(t, file.name) {
				for _, v := range g.Tests {
					good := g.counts(t, v.JWS)
					if otherwise[v.Comment] != "" {
						if good == (v.Result == "valid") {
							t.Errorf("%d %s is no other than they say", v.TcID, v.Comment)
						}
						continue
					}
					switch {
					case good != (v.Result == "valid"):
						t.Errorf("%d %s: counts: %v", v.TcID, v.Comment, good)
					case good:
						valid++
					default:
						invalid++
					}
				}
			}
			if valid < file.valid || invalid < file.invalid {
				t.Errorf("%d valid and %d invalid vectors: the file is not what it was", valid, invalid)
			}
		})
	}
}

type secretKey struct{ Kty, Alg, K string }

type vectorGroup struct {
	secret secretKey
	Tests  []struct {
		TcID            int
		Comment, Result string
		JWS             json.RawMessage
	}
	Private json.RawMessage
}

// vectors are the groups of a file with one secret for HMAC.
func vectors(t *testing.T, name string) (groups []vectorGroup) {
	text, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ TestGroups []vectorGroup }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.TestGroups {
		var set struct {
			secretKey
			Keys []secretKey
		}
		if json.Unmarshal(g.Private, &set) != nil {
			continue
		}
		if len(set.Keys) == 0 {
			set.Keys = []secretKey{set.secretKey}
		}
		if g.secret = set.Keys[0]; len(set.Keys) == 1 && g.secret.Kty == "oct" && strings.HasPrefix(g.secret.Alg, "HS") {
			groups = append(groups, g)
		}
	}
	return groups
}

// counts says whether the signature does, under the group's secret.
func (g vectorGroup) counts(t *testing.T, jws json.RawMessage) bool {
	secret, err := base64.RawURLEncoding.DecodeString(g.secret.K)
	if err != nil {
		t.Fatal(err)
	}
	key, err := New(Config{Secret: secret, Algorithm: g.secret.Alg})
	if err != nil {
		return false // a secret that is not taken up
	}
	var compact string
	if json.Unmarshal(jws, &compact) != nil {
		compact = string(jws) // a JWS in JSON, which is none here
	}
	_, err = key.open(compact)
	return err == nil || strings.HasPrefix(err.Error(), "payload: ") && errors.Is(err, errJSON)
}
