package fab

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestWerkzeugVectors compares with what real Werkzeugs said. Whom one of them
// accepts is accepted, but for the plain text and digests of Werkzeug 2; nobody
// else is, but for an empty salt, which 2.2 fails on and 3.1 takes.
func TestWerkzeugVectors(t *testing.T) {
	data, err := os.ReadFile("../../testdata/werkzeug/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Passwords []struct {
			Werkzeug, Stored, Password string
			Accepted                   *bool
		}
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Passwords) < 100 {
		t.Fatalf("only %d vectors", len(vectors.Passwords))
	}
	iterations := map[string]int{"2.2": DefaultIterations, "3.1": 1_000_000}
	emptySalt := map[string]bool{}
	for _, v := range vectors.Passwords {
		if v.Accepted != nil && *v.Accepted && strings.HasPrefix(v.Stored, "pbkdf2") && strings.Contains(v.Stored, "$$") {
			emptySalt[v.Stored] = true
		}
	}
	for _, v := range vectors.Passwords {
		want := v.Accepted != nil && *v.Accepted && !strings.HasPrefix(v.Stored, "plain$") || v.Accepted == nil && emptySalt[v.Stored]
		if !matches(v.Stored, v.Password, iterations[v.Werkzeug]) != !want {
			t.Errorf("Werkzeug %s, %q with %q: want %t", v.Werkzeug, v.Stored, v.Password, want)
		}
	}
}

func matches(stored, password string, iterations int) bool {
	h, err := parseHash(stored, iterations)
	if err != nil {
		return false
	}
	ok, err := h.matches(password)
	return err == nil && ok
}

// TestDefaults: a stored hash may say no more than the method's name. Both are
// of the password s3cr3t-pässword, made by Werkzeug 2.2.3 and 3.1.3.
func TestDefaults(t *testing.T) {
	for _, stored := range []string{
		"pbkdf2$aBcDeFgHiJkLmNoP$271b1b3bb30623b86bce77067bb74f9f7afa43abd95451d7e5dbe447b625337e",
		"scrypt$aBcDeFgHiJkLmNoP$8ac0dea5a0e87ca33256d5c96727c6b1e3cdc4859a8e5017987a7c7bd1d372a0b40025b682dcae4e8a30e9bb52c8e9a8b20dcd9b4e013068b1f82d39bf2e8e1d",
	} {
		if !matches(stored, "s3cr3t-pässword", DefaultIterations) {
			t.Errorf("%s: refused", stored)
		}
	}
}

func TestUnknownHashFormat(t *testing.T) {
	for _, stored := range []string{
		"", "$", "$$", "secret", "pbkdf2", "pbkdf2$salt", "pbkdf2:$s$00", "pbkdf2:sha256:$s$00", "pbkdf2:blake2b:1$s$00", "pbkdf2:SHA256:1$s$00",
		"pbkdf2:sha256:0$s$00", "pbkdf2:sha256:-1$s$00", "pbkdf2:sha256:+1$s$00", "pbkdf2:sha256:01$s$00", "pbkdf2:sha256:1:1$s$00", "pbkdf2:sha256:1e3$s$00",
		"pbkdf2:sha256:5000001$s$00", "pbkdf2:sha256:99999999999999999999$s$00",
		"scrypt:$s$00", "scrypt:16:8$s$00", "scrypt:16:8:1:1$s$00", "scrypt:1:8:1$s$00", "scrypt:15:8:1$s$00", "scrypt:16:0:1$s$00", "scrypt:16:8:0$s$00",
		"scrypt:1048576:8:1$s$00", "scrypt:1048576:1048576:1048576$s$00", "scrypt:131072:8:5$s$00",
		"md5$salt$281a", "sha256$salt$1627", "plain$$secret", "bcrypt$salt$00", "$2b$12$abcdefghijklmnopqrstuv",
		"pbkdf2:sha256:1$" + strings.Repeat("s", maxStored) + "$00",
	} {
		if _, err := parseHash(stored, DefaultIterations); err == nil {
			t.Errorf("%q: accepted", stored)
		}
	}
	if _, err := parseHash("scrypt:131072:8:4$s$00", DefaultIterations); err != nil {
		t.Errorf("at the bound: %v", err)
	}
}

func FuzzParseHash(f *testing.F) {
	for _, seed := range []string{"pbkdf2:sha256:1$salt$00", "pbkdf2$$", "scrypt:2:1:1$salt$00", "scrypt$s$", "md5$$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		h, err := parseHash(stored, 1)
		if err == nil && (h.derive == nil || h.method == "") || err != nil && !strings.Contains(err.Error(), "hash") {
			t.Errorf("%q: %+v, %v", stored, h.method, err)
		}
	})
}
