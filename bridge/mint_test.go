package bridge_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/modern"
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// signer numbers its tokens; passes is a gate that believes them all.
type signer struct {
	now func() time.Time
	n   byte
}

func (s *signer) Mint(c modern.Claims, lifetime time.Duration) (string, modern.Claims, error) {
	s.n++
	c.ID, c.ExpiresAt = string('a'+s.n-1), s.now().Add(lifetime)
	return c.ID + "." + c.Subject + "." + c.ExpiresAt.Format(time.RFC3339Nano), c, nil
}

type passes struct{}

func (passes) Check(token string) (modern.Claims, error) {
	t, err := time.Parse(time.RFC3339Nano, token[4:])
	return modern.Claims{ID: token[:1], Subject: token[2:3], ExpiresAt: t}, err
}

func minting(t *testing.T) (*bridge.Core, *clock) {
	t.Helper()
	c := &clock{t: bridgetest.Now}
	w := bridgetest.New(t, func(cfg *bridge.Config) {
		cfg.Now, cfg.Minter, cfg.Gate, cfg.Lifetime = c.now, &signer{now: c.now}, passes{}, 100*time.Second
	})
	return w.Core, c
}

func id(t *testing.T, c *bridge.Core, user string) string {
	t.Helper()
	d := c.Decide(context.Background(), bridgetest.Ask("GET", dags, "Authorization", bridgetest.Basic(user, user)))
	if d.Verdict != bridge.PassMinted {
		t.Fatalf("%v %s", d.Verdict, d.Reason)
	}
	return d.TokenID()
}

func TestMintedTokensAreUsedAgain(t *testing.T) {
	core, clock := minting(t)
	steps := []struct {
		after time.Duration
		user  string
		want  string
	}{
		{0, "alice", "a"},
		{0, "alice", "a"},
		{0, "bob", "b"}, // nobody gets another's
		{79 * time.Second, "alice", "a"},
		{time.Second, "alice", "c"}, // a fifth of the life is left, no more
		{0, "alice", "c"},
	}
	for i, s := range steps {
		clock.advance(s.after)
		if got := id(t, core, s.user); got != s.want {
			t.Errorf("step %d: token %q, want %q", i, got, s.want)
		}
	}
}

func TestMintAgain(t *testing.T) {
	core, clock := minting(t)
	req := bridgetest.Ask("GET", dags, "Authorization", bridgetest.Basic("alice", "alice"))
	first := core.Decide(context.Background(), req)
	second := core.Decide(context.Background(), req)

	again, ok := core.MintAgain(first)
	if !ok || again.TokenID() != "b" || again.Set.Get("Authorization") == first.Set.Get("Authorization") {
		t.Fatalf("renewed %v to %q", ok, again.TokenID())
	}
	if first.TokenID() != "a" || first.Set.Get("Authorization")[7:8] != "a" {
		t.Error("the first decision was changed")
	}
	// Whoever held the refused token too gets the new one without another.
	if got, ok := core.MintAgain(second); !ok || got.TokenID() != "b" {
		t.Errorf("the second holder: %v %q, want b", ok, got.TokenID())
	}
	// The new one refused within the second: not again.
	if _, ok := core.MintAgain(again); ok {
		t.Error("minted twice within a second for one principal")
	}
	bob := core.Decide(context.Background(), bridgetest.Ask("GET", dags, "Authorization", bridgetest.Basic("bob", "bob")))
	if _, ok := core.MintAgain(bob); !ok {
		t.Error("another principal had to wait")
	}
	clock.advance(time.Second)
	if _, ok := core.MintAgain(again); !ok {
		t.Error("no token a second later")
	}
	own := bridge.Decision{Verdict: bridge.PassOwn}
	if _, ok := core.MintAgain(own); ok {
		t.Error("minted for a client's own token")
	}
}
