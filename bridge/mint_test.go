package bridge_test

import (
	"context"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern"
	"github.com/jetbridge/jetbridge/modern/gate"
	"github.com/jetbridge/jetbridge/modern/token"
)

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

func minting(t *testing.T) (*bridge.Core, *bridgetest.Clock) {
	t.Helper()
	c := bridgetest.NewClock(bridgetest.Now)
	w := bridgetest.New(t, func(cfg *bridge.Config) {
		cfg.Now, cfg.Minter, cfg.Gate, cfg.Lifetime = c.Now, &signer{now: c.Now}, passes{}, 100*time.Second
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
		clock.Advance(s.after)
		if got := id(t, core, s.user); got != s.want {
			t.Errorf("step %d: token %q, want %q", i, got, s.want)
		}
	}
}

// changing are Airflow 3's users while somebody changes them.
type changing struct{ user legacy.User }

func (c *changing) Lookup(context.Context, string) (legacy.User, error) { return c.user, nil }

// C-21: that a token was minted, or verified, before spares nobody a check: not
// the user's, not the network's, not another configuration's own key.
func TestHitsAreCheckedToo(t *testing.T) {
	people := &changing{legacy.User{ID: "1", Name: "alice", Active: true, Roles: []string{"Admin"}}}
	w := bridgetest.New(t, func(cfg *bridge.Config) { cfg.Directory = people })
	req := bridgetest.Ask("GET", dags, "Authorization", bridgetest.Basic("alice", "alice"))
	first := w.Core.Decide(context.Background(), req)
	if again := w.Core.Decide(context.Background(), req); first.Verdict != bridge.PassMinted || again.TokenID() != first.TokenID() {
		t.Fatalf("%v, and another token: %v", first.Verdict, again.TokenID() != first.TokenID())
	}
	people.user.Active = false
	if d := w.Core.Decide(context.Background(), req); d.Verdict != bridge.Refuse || d.Reason != record.NoUpstreamUser {
		t.Errorf("deactivated meanwhile: %v %s", d.Verdict, d.Reason)
	}
	people.user = legacy.User{ID: "8", Name: "alice", Active: true}
	if d := w.Core.Decide(context.Background(), req); d.Claims.Subject != "8" {
		t.Errorf("made anew with another id: subject %q", d.Claims.Subject)
	}
	wrong := bridgetest.Ask("GET", dags, "Authorization", bridgetest.Basic("alice", "no"))
	if d := w.Core.Decide(context.Background(), wrong); d.Verdict != bridge.Refuse {
		t.Errorf("a wrong password beside a token: %v", d.Verdict)
	}

	// What one configuration verified, another verifies itself.
	own := bridgetest.Ask("GET", dags, "Authorization", "Bearer "+w.Sign(t, "9", time.Hour))
	strict := bridgetest.New(t, func(cfg *bridge.Config) { cfg.Gate = gateOfAnotherKey(t) })
	for range 2 {
		if d := w.Core.Decide(context.Background(), own); d.Verdict != bridge.PassOwn {
			t.Errorf("its own token: %v", d.Verdict)
		}
		if d := strict.Core.Decide(context.Background(), own); d.Verdict != bridge.Refuse || d.Reason != record.TokenInvalid {
			t.Errorf("another key's token: %v %s", d.Verdict, d.Reason)
		}
	}
}

// gateOfAnotherKey is the gate of another key.
func gateOfAnotherKey(t *testing.T) *gate.Gate {
	t.Helper()
	key, err := token.New(token.Config{Secret: []byte("another secret, which is as long as the first and as good, for HS512"), Now: func() time.Time { return bridgetest.Now }})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gate.New(gate.Config{Verifier: key, Now: func() time.Time { return bridgetest.Now }})
	if err != nil {
		t.Fatal(err)
	}
	return g
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
	clock.Advance(time.Second)
	if _, ok := core.MintAgain(again); !ok {
		t.Error("no token a second later")
	}
	own := bridge.Decision{Verdict: bridge.PassOwn}
	if _, ok := core.MintAgain(own); ok {
		t.Error("minted for a client's own token")
	}
}
