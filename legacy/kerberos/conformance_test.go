package kerberos

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
	"github.com/jetbridge/jetbridge/legacy/legacytest"
)

// A switched replay cache can be taken away.
type switched struct {
	*Memory
	gone atomic.Bool
}

func (s *switched) Claim(ctx context.Context, key [32]byte, at, keep time.Time) (bool, error) {
	if s.gone.Load() {
		return broken{}.Claim(ctx, key, at, keep)
	}
	return s.Memory.Claim(ctx, key, at, keep)
}

// TestConformance puts the authenticator through what every one must do.
func TestConformance(t *testing.T) {
	legacytest.RunAuthenticator(t, func(t *testing.T) legacytest.Case {
		replays := &switched{Memory: NewMemory(0, nil)}
		w := newWorld(t, func(c *Config) { c.Replays = replays })
		credential := func(token []byte) legacy.Credential {
			return legacy.Credential{Scheme: legacy.Kerberos, Authorization: kerberostest.Header(token)}
		}
		fresh := func() legacy.Credential { return credential(w.request(t, kerberostest.Want{}).SPNEGO()) }
		bad := func(want kerberostest.Want) legacy.Credential { return credential(w.request(t, want).Raw()) }
		shown := fresh()
		if _, err := w.Authenticate(t.Context(), shown); err != nil {
			t.Fatal(err)
		}
		c := legacytest.Case{
			Authenticator: w.Authenticator, Name: "alice@EXAMPLE.TEST", Fresh: fresh,
			Rejected: map[string]legacytest.Rejection{
				"garbage":       {Credential: credential([]byte("garbage")), Reason: legacy.MalformedCredential},
				"shown before":  {Credential: shown, Reason: legacy.Replayed},
				"NTLM":          {Credential: credential([]byte("NTLMSSP\x00\x01")), Reason: legacy.NTLMOffered},
				"another realm": {Credential: bad(kerberostest.Want{Realm: "EVIL.TEST"}), Reason: legacy.RealmNotAllowed},
				"realm spoof": {Credential: bad(kerberostest.Want{Realm: "EVIL.TEST", Authenticator: func(a *types.Authenticator) {
					a.CRealm = "EXAMPLE.TEST"
				}}), Reason: legacy.AuthenticatorMismatch},
				"expired": {Credential: bad(kerberostest.Want{Part: func(p *messages.EncTicketPart) {
					p.EndTime = time.Now().Add(-time.Hour)
				}}), Reason: legacy.TicketExpired},
			},
			Down: func() { replays.gone.Store(true) },
		}
		for _, r := range c.Rejected {
			c.Secrets = append(c.Secrets, strings.TrimPrefix(r.Credential.Authorization, "Negotiate "))
		}
		return c
	})
}
