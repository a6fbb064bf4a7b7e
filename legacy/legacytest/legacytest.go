// Package legacytest holds the suite that every [legacy.Authenticator] passes.
package legacytest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jetbridge/jetbridge/legacy"
)

// A Case is an authenticator that nobody has asked yet, and what to ask it.
type Case struct {
	Authenticator legacy.Authenticator
	// Good proves Name.
	Good legacy.Credential
	Name string
	// Fresh makes another good credential, for a scheme in which each counts once.
	// Nil: Good is good for ever.
	Fresh func() legacy.Credential
	// Rejected are credentials of the scheme that must be refused, each by what
	// is wrong with it, with the reason that must be given. The suite wants at
	// least [legacy.MalformedCredential] among the reasons.
	Rejected map[string]Rejection
	// Down takes away what the authenticator asks. Nil for one that asks nothing.
	Down func()
	// Secrets are texts of the credentials that no error may hold.
	Secrets []string
}

// A Rejection is a credential and why it is refused.
type Rejection struct {
	Credential legacy.Credential
	Reason     legacy.Reason
}

// RunAuthenticator runs the suite; each part has an authenticator of its own.
func RunAuthenticator(t *testing.T, newCase func(t *testing.T) Case) {
	t.Helper()
	t.Run("names itself", func(t *testing.T) {
		a := newCase(t).Authenticator
		if !slices.Contains(legacy.Schemes(), a.Scheme()) {
			t.Errorf("the scheme %q is none", a.Scheme())
		}
		if strings.ContainsAny(a.Challenge(), "\r\n") {
			t.Errorf("the challenge %q is more than a line", a.Challenge())
		}
	})
	t.Run("good", func(t *testing.T) {
		c := newCase(t)
		for range 2 { // first, and remembered
			c.wantGood(t, t.Context())
		}
	})
	t.Run("rejected", func(t *testing.T) { runRejected(t, newCase) })
	t.Run("source down", func(t *testing.T) {
		c := newCase(t)
		if c.Down == nil {
			return
		}
		c.Down()
		proof, err := c.Authenticator.Authenticate(t.Context(), c.good())
		c.wantRefusal(t, proof, err, legacy.ErrUnavailable)
	})
	t.Run("request gone", func(t *testing.T) {
		c := newCase(t)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if proof, err := c.Authenticator.Authenticate(gone, c.good()); err != nil { // one that asks nobody may be done
			c.wantRefusal(t, proof, err, legacy.ErrUnavailable)
		}
		c.wantGood(t, t.Context())
	})
	t.Run("many at a time", func(t *testing.T) {
		c := newCase(t)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { c.wantGood(t, t.Context()) })
			for _, r := range c.Rejected {
				wg.Go(func() {
					proof, err := c.Authenticator.Authenticate(t.Context(), r.Credential)
					c.wantRefusal(t, proof, err, legacy.ErrRejected)
				})
			}
		}
		wg.Wait()
	})
}

func runRejected(t *testing.T, newCase func(t *testing.T) Case) {
	reasons := map[legacy.Reason]bool{}
	for what, r := range newCase(t).Rejected {
		reasons[r.Reason] = true
		t.Run(what, func(t *testing.T) {
			c := newCase(t)
			for range 2 {
				proof, err := c.Authenticator.Authenticate(t.Context(), c.Rejected[what].Credential)
				c.wantRefusal(t, proof, err, legacy.ErrRejected)
				var refusal *legacy.Refusal
				if errors.As(err, &refusal) && refusal.Reason != r.Reason {
					t.Errorf("the reason is %q, want %q", refusal.Reason, r.Reason)
				}
			}
			c.wantGood(t, t.Context()) // one refusal does not harm the next
		})
	}
	if !reasons[legacy.MalformedCredential] {
		t.Error("the case has no malformed credential")
	}
}

func (c Case) good() legacy.Credential {
	if c.Fresh != nil {
		return c.Fresh()
	}
	return c.Good
}

func (c Case) wantGood(t *testing.T, ctx context.Context) {
	t.Helper()
	proof, err := c.Authenticator.Authenticate(ctx, c.good())
	if err != nil || proof.Principal.Name != c.Name || proof.Principal.Scheme != c.Authenticator.Scheme() {
		t.Errorf("good: %+v, %v; want %q by %q", proof.Principal, err, c.Name, c.Authenticator.Scheme())
	}
}

// wantRefusal wants an error of that kind which tells no secret, and nothing of
// a proof.
func (c Case) wantRefusal(t *testing.T, proof legacy.Proof, err, kind error) {
	t.Helper()
	var refusal *legacy.Refusal
	if !errors.Is(err, kind) || !errors.As(err, &refusal) || !slices.Contains(legacy.Reasons(), refusal.Reason) {
		t.Errorf("got %v, want %q with a known reason", err, kind)
		return
	}
	if !reflect.DeepEqual(proof, legacy.Proof{}) {
		t.Errorf("refused, and yet %+v", proof)
	}
	for _, secret := range c.Secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the refusal tells a credential: %v", err)
		}
	}
}
