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
	"SaltLenChanged": "accepted: go-jose takes any length of salt (RFC 7518 section 3.5 fixes it), which the holder of the key alone can choose",
	"Figure20":       "refused: the key says that it is for PS256, the token PS384",
	"Figure27":       "refused: the key says that it is for ES521, which is no algorithm",
}

// TestWycheproof: the vectors of Project Wycheproof for JSON Web Signatures and
// Keys that have a public key get the verdict that they name.
func TestWycheproof(t *testing.T) {
	text, err := fs.ReadFile(wycheproof.TestVectors, "json_web_signature_test.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			Comment string
			Public  json.RawMessage
			Tests   []struct {
				TcID    int
				Comment string
				JWS     json.RawMessage
				Result  string
			}
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	valid, invalid, unspoken := 0, 0, 0
	for _, g := range file.TestGroups {
		if g.Public == nil {
			continue
		}
		document, err := json.Marshal(map[string]any{"keys": []json.RawMessage{g.Public}})
		if err != nil {
			t.Fatal(err)
		}
		keys, keyErr := parseKeys(document)
		set := &keySet{keys: keys, good: time.Now(), now: time.Now, fixed: true}
		for _, v := range g.Tests {
			var compact string
			if json.Unmarshal(v.JWS, &compact) != nil {
				compact = string(v.JWS) // a JWS in JSON, which is none here
			}
			_, err := (&signature{keys: set}).VerifySignature(t.Context(), compact)
			if otherwise[v.Comment] != "" {
				if (err == nil) == (v.Result == "valid") {
					t.Errorf("%d %s %s is no other than they say", v.TcID, g.Comment, v.Comment)
				}
				continue
			}
			switch {
			case v.Result != "valid" && err == nil:
				t.Errorf("%d %s %s: accepted", v.TcID, g.Comment, v.Comment)
			case v.Result != "valid":
				invalid++
			case err == nil:
				valid++
			case keyErr != nil || len(keys) == 0:
				unspoken++ // a key that is not taken up
			default:
				t.Errorf("%d %s %s: %v", v.TcID, g.Comment, v.Comment, err)
			}
		}
	}
	t.Logf("%d valid, %d invalid, %d under keys that do not count", valid, invalid, unspoken)
	if valid < 30 || invalid < 100 {
		t.Errorf("%d valid and %d invalid vectors: the file is not what it was", valid, invalid)
	}
}
