package openid

import (
	"encoding/json"
	"io/fs"
	"testing"
	"time"

	"github.com/c2sp/wycheproof"
)

// otherwise are vectors of which we say something else than they do, and why.
var otherwise = map[string]string{
	"SaltLenChanged":                  "accepted: go-jose takes any length of salt (RFC 7518 section 3.5 fixes it), which the holder of the key alone can choose",
	"Figure20":                        "refused: the key says that it is for PS256, the token PS384",
	"Figure27":                        "refused: the key says that it is for ES521, which is no algorithm",
	"rejectsKeyWithRocaVulnerability": "accepted: the fingerprint of ROCA is not looked for; which key an issuer publishes is its own choice",
}

// TestWycheproof: the vectors of Project Wycheproof for JSON Web Signatures and for
// JSON Web Keys get the verdict that they name, where they are of public keys;
// secrets count for nothing here.
func TestWycheproof(t *testing.T) {
	for _, file := range []struct {
		name           string
		valid, invalid int // at least
	}{
		{"json_web_signature_test.json", 30, 100},
		{"json_web_key_test.json", 1, 15},
	} {
		t.Run(file.name, func(t *testing.T) {
			valid, invalid := 0, 0
			for _, g := range vectors(t, file.name) {
				v, i := g.judge(t)
				valid, invalid = valid+v, invalid+i
			}
			if valid < file.valid || invalid < file.invalid {
				t.Errorf("%d valid and %d invalid vectors: the file is not what it was", valid, invalid)
			}
		})
	}
}

type vectorGroup struct {
	Comment         string
	Public, Private json.RawMessage
	Tests           []struct {
		TcID    int
		Comment string
		JWS     json.RawMessage
		Result  string
	}
}

func vectors(t *testing.T, name string) []vectorGroup {
	text, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ TestGroups []vectorGroup }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.TestGroups
}

// keys are those of a group that count, if it has any that are meant to.
func (g vectorGroup) keys(t *testing.T) (keys []verificationKey, symmetric bool) {
	document := g.Public
	if document == nil {
		document, symmetric = g.Private, true
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(document, &set); err != nil {
		t.Fatal(err)
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{document}
	}
	document, err := json.Marshal(map[string]any{"keys": set.Keys})
	if err != nil {
		t.Fatal(err)
	}
	keys, _ = parseKeys(document) // none is an error too
	return keys, symmetric
}

// judge counts the vectors that got their verdict.
func (g vectorGroup) judge(t *testing.T) (valid, invalid int) {
	keys, symmetric := g.keys(t)
	set := &keySet{keys: keys, good: time.Now(), now: time.Now, fixed: true}
	for _, v := range g.Tests {
		var compact string
		if json.Unmarshal(v.JWS, &compact) != nil {
			compact = string(v.JWS) // a JWS in JSON, which is none here
		}
		_, err := (&signature{keys: set}).VerifySignature(t.Context(), compact)
		if otherwise[v.Comment] != "" && !symmetric {
			if (err == nil) == (v.Result == "valid") {
				t.Errorf("%d %s %s is no other than they say", v.TcID, g.Comment, v.Comment)
			}
			continue
		}
		switch good := v.Result == "valid" && !symmetric; {
		case !good && err == nil:
			t.Errorf("%d %s %s: accepted", v.TcID, g.Comment, v.Comment)
		case !good:
			invalid++
		case err == nil:
			valid++
		case len(keys) == 0:
			// A key that is not taken up.
		default:
			t.Errorf("%d %s %s: %v", v.TcID, g.Comment, v.Comment, err)
		}
	}
	return valid, invalid
}
