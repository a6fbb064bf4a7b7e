package lockout_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/lockout"
)

var (
	here  = netip.MustParseAddr("192.0.2.1")
	there = netip.MustParseAddr("192.0.2.2")
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newGuard(t *testing.T, cfg lockout.Config) (*lockout.Guard, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
	cfg.Now = c.Now
	g, err := lockout.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g, c
}

// locked wants the account locked out at the address, for so long.
func locked(t *testing.T, g *lockout.Guard, account string, from netip.Addr, want time.Duration) {
	t.Helper()
	err := g.Admit(account, from)
	var r *legacy.Refusal
	switch {
	case want == 0 && err != nil:
		t.Errorf("%s from %s: %v", account, from, err)
	case want > 0 && (!errors.Is(err, legacy.ErrLockedOut) || !errors.As(err, &r) || r.Reason != legacy.TooManyFailures || r.RetryAfter.Round(time.Second) != want):
		t.Errorf("%s from %s: %v, want to wait %s", account, from, err, want)
	}
}

// TestAccount: after the bound an account is locked wherever one comes from, one
// more guess comes back every so often, and its owner's proof ends it.
func TestAccount(t *testing.T) {
	g, clock := newGuard(t, lockout.Config{Failures: 3, Window: time.Minute})
	for range 3 {
		locked(t, g, "alice", here, 0)
		g.Failed(here, "alice")
	}
	locked(t, g, "alice", here, 20*time.Second)
	locked(t, g, "alice", there, 20*time.Second)
	locked(t, g, "bob", here, 0)
	if accounts, addresses := g.Locked(); accounts != 1 || addresses != 0 {
		t.Errorf("locked: %d, %d", accounts, addresses)
	}
	clock.now = clock.now.Add(19 * time.Second)
	locked(t, g, "alice", here, time.Second)
	clock.now = clock.now.Add(time.Second)
	locked(t, g, "alice", here, 0)
	g.Failed(here, "alice")
	locked(t, g, "alice", here, 20*time.Second)
	g.Passed("alice", here)
	locked(t, g, "alice", here, 0)
	if accounts, _ := g.Locked(); accounts != 0 {
		t.Errorf("locked: %d", accounts)
	}
}

// TestAddress: an address that tries many accounts is locked for all of them,
// others are not; a /64 is one address, and a proof that holds changes nothing.
func TestAddress(t *testing.T) {
	g, clock := newGuard(t, lockout.Config{Failures: 3, AddressFailures: 4, Window: time.Minute})
	for i := range 4 {
		g.Failed(here, fmt.Sprint("user", i))
	}
	locked(t, g, "anybody", here, 15*time.Second)
	locked(t, g, "anybody", netip.MustParseAddr("::ffff:192.0.2.1"), 15*time.Second)
	locked(t, g, "anybody", there, 0)
	g.Passed("anybody", here)
	locked(t, g, "anybody", here, 15*time.Second)
	clock.now = clock.now.Add(time.Minute)
	locked(t, g, "anybody", here, 0)

	for i := range 4 {
		g.Failed(netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i+1)), fmt.Sprint("user", i))
	}
	locked(t, g, "anybody", netip.MustParseAddr("2001:db8::99"), 15*time.Second)
	locked(t, g, "anybody", netip.MustParseAddr("2001:db8:0:1::99"), 0)
}

// TestBounds: what is counted is bounded, and what is off counts nothing.
func TestBounds(t *testing.T) {
	g, _ := newGuard(t, lockout.Config{Failures: 1, AddressFailures: 1_000_000, Window: time.Minute, Size: 10})
	for i := range 100 {
		g.Failed(here, fmt.Sprint("user", i))
	}
	if accounts, _ := g.Locked(); accounts != 10 {
		t.Errorf("%d accounts are counted", accounts)
	}
	locked(t, g, "user99", here, time.Minute)
	locked(t, g, "user1", here, 0)

	off, _ := newGuard(t, lockout.Config{Window: time.Minute})
	for _, g := range []*lockout.Guard{off, nil} {
		for range 100 {
			g.Failed(here, "alice")
		}
		locked(t, g, "alice", here, 0)
		g.Passed("alice", here)
		if accounts, addresses := g.Locked(); accounts+addresses > 0 {
			t.Error("something is counted")
		}
	}
	for _, cfg := range []lockout.Config{{Failures: -1, Window: time.Minute}, {Failures: 1}, {Window: -1}} {
		if _, err := lockout.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestManyAtOnce: no failure is lost to another that comes at the same time.
func TestManyAtOnce(t *testing.T) {
	g, _ := newGuard(t, lockout.Config{Failures: 64, Window: time.Hour})
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() { g.Failed(here, "alice") })
	}
	all.Wait()
	if g.Admit("alice", here) == nil {
		t.Error("64 failures at once are fewer than 64")
	}
}

// TestDebt: guesses that were admitted together cost what they were, and no more
// are judged in the long run than come back.
func TestDebt(t *testing.T) {
	g, clock := newGuard(t, lockout.Config{Failures: 3, Window: time.Minute})
	for range 8 {
		locked(t, g, "alice", here, 0)
	}
	for range 8 {
		g.Failed(here, "alice")
	}
	locked(t, g, "alice", here, 120*time.Second) // five owed, and one
	clock.now = clock.now.Add(119 * time.Second)
	locked(t, g, "alice", here, time.Second)
}

// TestKnows: an account is known where its proof has held, a /64 at a time, and
// where nothing is counted.
func TestKnows(t *testing.T) {
	g, _ := newGuard(t, lockout.Config{Failures: 3, Window: time.Minute})
	six := netip.MustParseAddr("2001:db8::1")
	g.Passed("alice", here)
	g.Passed("alice", six)
	for _, c := range []struct {
		account string
		from    netip.Addr
		want    bool
	}{
		{"alice", here, true}, {"alice", there, false}, {"bob", here, false},
		{"alice", netip.MustParseAddr("2001:db8::2"), true}, {"alice", netip.Addr{}, false},
	} {
		if g.Knows(c.account, c.from) != c.want {
			t.Errorf("%s from %s: known is %v", c.account, c.from, !c.want)
		}
	}
	off, _ := newGuard(t, lockout.Config{Window: time.Minute})
	var none *lockout.Guard
	if !off.Knows("alice", here) || !none.Knows("alice", here) {
		t.Error("nothing is counted, and somebody is held up")
	}
}
