package session_test

import (
	"testing"

	"github.com/jetbridge/jetbridge/legacy"
)

// BenchmarkKnown is what a known client costs, of either kind.
func BenchmarkKnown(b *testing.B) {
	w := sqlite(b)
	for name, s := range map[string]store{"cookie": w.cookies(b), "database": w.rows(b)} {
		b.Run(name, func(b *testing.B) {
			a, c := w.authenticator(b, s, true), credential(save(b, s, loggedIn(1)).Value)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("refused", func(b *testing.B) {
		a := w.authenticator(b, w.cookies(b), true)
		c := credential("x" + save(b, w.cookies(b), loggedIn(1)).Value)
		for b.Loop() {
			if _, err := a.Authenticate(b.Context(), c); reason(err) != legacy.SessionInvalid {
				b.Fatal(err)
			}
		}
	})
}
