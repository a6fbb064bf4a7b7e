package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/jetbridge/jetbridge/modern"
)

// TestExamples: of the examples of RFC 7515 and RFC 7519 the one counts that is
// signed by a secret. It lacks what Airflow's tokens have, so that no more than its
// signature does.
func TestExamples(t *testing.T) {
	text, err := os.ReadFile("../../testdata/jose/examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct {
		Name, Token string
		Key         struct{ K, N string }
	}
	if err := json.Unmarshal(text, &examples); err != nil {
		t.Fatal(err)
	}
	const counts = "RFC 7515 A.1, RFC 7519 3.1: HS256"
	secret, err := base64.RawURLEncoding.DecodeString(examples[0].Key.K)
	if err != nil || examples[0].Name != counts {
		t.Fatal(examples[0].Name, err)
	}
	key, err := New(Config{Secret: secret, Algorithm: "HS256"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		payload, err := key.open(e.Token)
		if (err == nil) != (e.Name == counts) || err == nil && payload["iss"] != "joe" {
			t.Errorf("%s: %v, %v", e.Name, payload, err)
		}
		if _, err := key.Verify(e.Token); !errors.Is(err, modern.ErrInvalid) {
			t.Errorf("%s as a token of Airflow's: %v", e.Name, err)
		}
	}
}
