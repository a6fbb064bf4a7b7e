package lockout_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
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
	settle, err := g.Admit(from, account)
	if err == nil {
		settle(errors.New("nothing was judged"))
	}
	var r *legacy.Refusal
	switch {
	case want == 0 && err != nil:
		t.Errorf("%s from %s: %v", account, from, err)
	case want > 0 && (!errors.Is(err, legacy.ErrLockedOut) || !errors.As(err, &r) || r.Reason != legacy.TooManyFailures || r.RetryAfter.Round(time.Second) != want):
		t.Errorf("%s from %s: %v, want to wait %s", account, from, err, want)
	}
}

func fail(t *testing.T, g *lockout.Guard, account string, from netip.Addr) {
	t.Helper()
	settled(t, g, account, from, legacy.Rejected(legacy.WrongPassword, nil))
}

func pass(t *testing.T, g *lockout.Guard, account string, from netip.Addr) {
	t.Helper()
	settled(t, g, account, from, nil)
}

func settled(t *testing.T, g *lockout.Guard, account string, from netip.Addr, verdict error) {
	t.Helper()
	settle, err := g.Admit(from, account)
	if err != nil {
		t.Fatalf("%s from %s: %v", account, from, err)
	}
	settle(verdict)
}

// TestAccount: after the bound an account is locked wherever one comes from, one
// more guess comes back every so often, and its owner's proof ends it.
func TestAccount(t *testing.T) {
	g, clock := newGuard(t, lockout.Config{Failures: 3, Window: time.Minute})
	for range 3 {
		fail(t, g, "alice", here)
	}
	locked(t, g, "alice", here, 20*time.Second)
	locked(t, g, "alice", there, 20*time.Second)
	locked(t, g, "bob", here, 0)
	if accounts, addresses := g.LockedAccounts(), g.LockedAddresses(); accounts != 1 || addresses != 0 {
		t.Errorf("locked: %d, %d", accounts, addresses)
	}
	clock.now = clock.now.Add(19 * time.Second)
	locked(t, g, "alice", here, time.Second)
	clock.now = clock.now.Add(time.Second)
	locked(t, g, "alice", here, 0)
	fail(t, g, "alice", here)
	locked(t, g, "alice", here, 20*time.Second)
	clock.now = clock.now.Add(20 * time.Second)
	pass(t, g, "alice", there)
	for range 3 {
		fail(t, g, "alice", here)
	}
	locked(t, g, "alice", here, 20*time.Second)
	clock.now = clock.now.Add(time.Minute)
	if accounts := g.LockedAccounts(); accounts != 0 {
		t.Errorf("locked: %d", accounts)
	}
}

// TestAddress: an address that tries many accounts is locked for all of them,
// others are not; a /64 is one address, and a proof that holds changes nothing.
func TestAddress(t *testing.T) {
	g, clock := newGuard(t, lockout.Config{Failures: 3, AddressFailures: 4, Window: time.Minute})
	for i := range 3 {
		fail(t, g, fmt.Sprint("user", i), here)
	}
	pass(t, g, "anybody", here)
	fail(t, g, "user3", here)
	locked(t, g, "anybody", here, 15*time.Second)
	locked(t, g, "anybody", netip.MustParseAddr("::ffff:192.0.2.1"), 15*time.Second)
	locked(t, g, "anybody", there, 0)
	clock.now = clock.now.Add(time.Minute)
	locked(t, g, "anybody", here, 0)

	for i := range 4 {
		fail(t, g, fmt.Sprint("user", i), netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i+1)))
	}
	locked(t, g, "anybody", netip.MustParseAddr("2001:db8::99"), 15*time.Second)
	locked(t, g, "anybody", netip.MustParseAddr("2001:db8:0:1::99"), 0)
}

// TestBounds: what is counted is bounded, and what is off counts nothing.
func TestBounds(t *testing.T) {
	g, _ := newGuard(t, lockout.Config{Failures: 1, AddressFailures: 1_000_000, Window: time.Minute, Size: 10})
	for i := range 100 {
		fail(t, g, fmt.Sprint("user", i), here)
	}
	if accounts := g.LockedAccounts(); accounts != 10 {
		t.Errorf("%d accounts are counted", accounts)
	}
	locked(t, g, "user99", here, time.Minute)
	locked(t, g, "user1", here, 0)

	off, _ := newGuard(t, lockout.Config{Window: time.Minute})
	for _, g := range []*lockout.Guard{off, nil} {
		for range 100 {
			fail(t, g, "alice", here)
		}
		locked(t, g, "alice", here, 0)
		pass(t, g, "alice", there)
		if accounts, addresses := g.LockedAccounts(), g.LockedAddresses(); accounts+addresses > 0 {
			t.Error("something is counted")
		}
	}
	for _, cfg := range []lockout.Config{{Failures: -1, Window: time.Minute}, {Failures: 1}, {Window: -1}} {
		if _, err := lockout.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestHeld: what is being judged counts as a failure until it is known to be none,
// whatever becomes of those who were admitted beside it.
func TestHeld(t *testing.T) {
	g, clock := newGuard(t, lockout.Config{Failures: 2, AddressFailures: 3, Window: time.Minute})
	admit := func(account string) func(error) {
		t.Helper()
		settle, err := g.Admit(here, account)
		if err != nil {
			t.Fatal(err)
		}
		return settle
	}
	first, second := admit("alice"), admit("alice")
	locked(t, g, "alice", there, 30*time.Second)
	third := admit("bob")
	locked(t, g, "carol", here, 20*time.Second)
	if accounts, addresses := g.LockedAccounts(), g.LockedAddresses(); accounts != 1 || addresses != 1 {
		t.Errorf("locked: %d, %d", accounts, addresses)
	}

	second(legacy.Unavailable(legacy.HashQueueFull, nil, 0)) // puts back what it held
	locked(t, g, "alice", there, 0)
	locked(t, g, "carol", here, 0)
	third(nil)
	first(legacy.Rejected(legacy.WrongPassword, nil))
	fail(t, g, "alice", here)
	locked(t, g, "alice", there, 30*time.Second)
	fail(t, g, "carol", here)
	locked(t, g, "bob", here, 20*time.Second)

	// A proof that holds forgets what failed, not what is held.
	clock.now = clock.now.Add(time.Minute)
	first, second = admit("alice"), admit("alice")
	first(nil)
	fail(t, g, "alice", here)
	locked(t, g, "alice", there, 30*time.Second)
	second(nil)
	locked(t, g, "alice", there, 0)
}

// TestManyAtOnce: of those who come at the same time as many are judged as may
// fail, and no failure is lost.
func TestManyAtOnce(t *testing.T) {
	g, _ := newGuard(t, lockout.Config{Failures: 10, Window: time.Hour})
	var all sync.WaitGroup
	var judged atomic.Int32
	for range 64 {
		all.Go(func() {
			if settle, err := g.Admit(here, "alice"); err == nil {
				judged.Add(1)
				settle(legacy.Rejected(legacy.WrongPassword, nil))
			}
		})
	}
	all.Wait()
	if judged.Load() != 10 {
		t.Errorf("%d of 64 were judged", judged.Load())
	}
	locked(t, g, "alice", here, 6*time.Minute)
}

// TestRightAtOnce: those who come together with a verdict that is there are not in
// each other's way, and it is counted for each.
func TestRightAtOnce(t *testing.T) {
	g, _ := newGuard(t, lockout.Config{Failures: 2, AddressFailures: 2, Window: time.Hour})
	fail(t, g, "alice", there)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range 64 {
		all.Go(func() {
			<-begin
			for range 50 {
				if err := g.Repeat(netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 8)}), nil, "alice"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	close(begin)
	all.Wait()
	if !g.Knows("alice", netip.MustParseAddr("10.0.0.7")) {
		t.Error("where the verdict was repeated the account is not known")
	}
	fail(t, g, "alice", here) // the failure before is forgotten
	locked(t, g, "alice", here, 0)
	fail(t, g, "alice", here)
	if err := g.Repeat(there, nil, "alice"); !errors.Is(err, legacy.ErrLockedOut) {
		t.Errorf("locked out, the verdict is repeated: %v", err)
	}
}

// TestRepeat: a failure that is heard of again counts for the address alone, and not
// where one may not be told.
func TestRepeat(t *testing.T) {
	g, _ := newGuard(t, lockout.Config{Failures: 2, AddressFailures: 3, Window: time.Minute})
	wrong := legacy.Rejected(legacy.WrongPassword, nil)
	fail(t, g, "alice", here)
	for range 2 {
		if err := g.Repeat(here, wrong, "alice"); err != nil {
			t.Error(err)
		}
	}
	locked(t, g, "alice", here, 20*time.Second)
	locked(t, g, "alice", there, 0)
	fail(t, g, "alice", there)
	if err := g.Repeat(there, wrong, "alice"); !errors.Is(err, legacy.ErrLockedOut) {
		t.Errorf("locked out, it is repeated: %v", err)
	}
	for range 3 { // and that counted nowhere
		locked(t, g, "bob", there, 0)
		if err := g.Repeat(there, errors.New("nothing was judged"), "bob"); err != nil {
			t.Error(err)
		}
	}
	if g.Knows("bob", there) {
		t.Error("known, and nothing was judged")
	}
}

// TestSeveralNames: each name of somebody's counts, and one that is locked out is
// enough.
func TestSeveralNames(t *testing.T) {
	g, _ := newGuard(t, lockout.Config{Failures: 2, AddressFailures: 20, Window: time.Minute})
	both := func() (func(error), error) { return g.Admit(here, "alice@example.com", "alice") }
	settle, err := both()
	if err != nil {
		t.Fatal(err)
	}
	settle(legacy.Rejected(legacy.WrongPassword, nil))
	fail(t, g, "alice", there)
	locked(t, g, "alice", there, 30*time.Second)
	locked(t, g, "alice@example.com", there, 0)
	if _, err := both(); !errors.Is(err, legacy.ErrLockedOut) {
		t.Errorf("one of two is locked out: %v", err)
	}
	if n := g.LockedAccounts(); n != 1 {
		t.Errorf("locked: %d", n)
	}
	fail(t, g, "bob", here)
	for range 2 {
		if settle, err := g.Admit(here, "bob@example.com", "robert"); err == nil {
			settle(legacy.Rejected(legacy.WrongPassword, nil))
		}
	}
	if n := g.LockedAccounts(); n != 2 { // one account, whose names are two
		t.Errorf("locked: %d", n)
	}
	if err := g.Repeat(there, nil, "carol@example.com", "carol"); err != nil || !g.Knows("carol", there) || g.Knows("carol@example.com", there) {
		t.Errorf("which of the names is known: %v", err)
	}
}

// TestKnows: an account is known where its proof has held, a /64 at a time, and
// where nothing is counted.
func TestKnows(t *testing.T) {
	g, _ := newGuard(t, lockout.Config{Failures: 3, Window: time.Minute})
	six := netip.MustParseAddr("2001:db8::1")
	pass(t, g, "alice", here)
	pass(t, g, "alice", six)
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
