package token_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jetbridge/jetbridge/modern"
	"github.com/jetbridge/jetbridge/modern/moderntest"
	"github.com/jetbridge/jetbridge/modern/token"
)

// FuzzVerify puts anything before Verify, as it is and as the claims of a token
// that is rightly signed: it never panics, gives no claims beside an error, and
// what it takes can be minted again.
func FuzzVerify(f *testing.F) {
	tableSecret, cases := moderntest.Cases(f)
	for _, c := range cases {
		f.Add(c.Token(tableSecret, noon))
		f.Add(c.Claims)
	}
	k := newKey(f, token.Config{Secret: []byte(tableSecret)})
	f.Fuzz(func(t *testing.T, text string) {
		asClaims := moderntest.Case{Claims: text}.Token(tableSecret, noon)
		if _, err := k.Verify(asClaims); err == nil && text != "" && !json.Valid([]byte(text)) && !strings.Contains(text, "<") {
			t.Errorf("took what is not JSON: %q", text)
		}
		for _, signed := range []string{text, asClaims} {
			claims, err := k.Verify(signed)
			if err != nil {
				if got := answer(err); got != moderntest.Expired && got != moderntest.Invalid {
					t.Errorf("answer %s", got)
				}
				if !cmp.Equal(claims, modern.Claims{}) {
					t.Errorf("claims beside an error: %+v", claims)
				}
				continue
			}
			_, again, err := k.Mint(claims, time.Minute)
			if err != nil && len(signed) < 1<<10 {
				t.Fatalf("taken, but not minted: %v", err)
			}
			if err == nil && (again.Subject != claims.Subject || !cmp.Equal(again.Extra, claims.Extra)) {
				t.Errorf("minted %+v from %+v", again, claims)
			}
		}
	})
}

// FuzzMintVerify: what Mint makes, Verify reads alike, for any subject and role.
func FuzzMintVerify(f *testing.F) {
	f.Add("7", "ADMIN", int64(300))
	f.Add(`x","role":"ADMIN`, "VIEWER", int64(1))
	f.Add("J\xfcrgen", "\x00<&>", int64(1<<33))
	k := newKey(f, token.Config{Required: []string{"role"}})
	f.Fuzz(func(t *testing.T, subject, role string, seconds int64) {
		lifetime := time.Duration(seconds%(1<<32)) * time.Second
		signed, full, err := k.Mint(modern.Claims{Subject: subject, Extra: map[string]any{"role": role}}, lifetime)
		if err != nil {
			return
		}
		if full.Subject != subject || full.Extra["role"] != role || len(full.Extra) != 1 {
			t.Errorf("minted %+v for %q, %q", full, subject, role)
		}
		got, err := k.Verify(signed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(full, got); diff != "" {
			t.Error(diff)
		}
	})
}

// No single bit of a token can be turned without the token being refused.
func TestEveryBitCounts(t *testing.T) {
	k := newKey(t, token.Config{})
	signed, _, err := k.Mint(modern.Claims{Subject: "7", Extra: map[string]any{"role": "USER"}}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(signed) * 8 {
		turned := []byte(signed)
		turned[bit/8] ^= 1 << (bit % 8)
		if _, err := k.Verify(string(turned)); answer(err) != moderntest.Invalid {
			t.Fatalf("bit %d of byte %d turned: %v", bit%8, bit/8, err)
		}
	}
	for cut := range len(signed) {
		if _, err := k.Verify(signed[:cut]); answer(err) != moderntest.Invalid {
			t.Fatalf("the first %d bytes alone: %v", cut, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	k := newKey(b, token.Config{})
	signed, _, err := k.Mint(modern.Claims{Subject: "7"}, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Verify(signed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMint(b *testing.B) {
	k := newKey(b, token.Config{})
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := k.Mint(modern.Claims{Subject: "7"}, time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}
