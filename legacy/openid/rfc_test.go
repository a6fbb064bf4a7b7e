package openid

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// TestExamples: of the examples of RFC 7515 and RFC 7519 those count that are
// signed, compactly, by a key that can only verify.
func TestExamples(t *testing.T) {
	text, err := os.ReadFile("../../testdata/jose/examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct {
		Name, Token, Payload string
		Key                  json.RawMessage
	}
	if err := json.Unmarshal(text, &examples); err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	for _, e := range examples {
		if e.Key != nil {
			all = append(all, e.Key)
		}
	}
	document, err := json.Marshal(map[string]any{"keys": all})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parseKeys(document)
	if err != nil || len(keys) != 5 { // all but the secret
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	set := &keySet{keys: keys, good: time.Now(), now: time.Now, fixed: true}
	counts := map[string]bool{"RFC 7515 A.2: RS256": true, "RFC 7515 A.3: ES256": true, "RFC 7515 A.4: ES512": true}
	for _, e := range examples {
		payload, err := (&signature{keys: set}).VerifySignature(t.Context(), e.Token)
		if counts[e.Name] != (err == nil) || err == nil && string(payload) != e.Payload {
			t.Errorf("%s: %q, %v", e.Name, payload, err)
		}
		delete(counts, e.Name)
	}
	if len(counts) > 0 {
		t.Errorf("not there: %v", counts)
	}
}
