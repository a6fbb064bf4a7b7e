// Package lockout slows down who guesses: it counts failed proofs for each
// account and for each address, and says when no more are judged for a while.
//
// A [Guard] has a bucket for each of them, full at first. A failure takes one
// out, and one comes back every window/failures; while a bucket is empty nothing
// is judged. So after a burst of failures there is one more guess every so often,
// and a lock-out ends by itself. Guesses that were judged at once may be more than
// a bucket held: it then owes them, and the lock-out is that much longer. A proof
// that holds fills its account's bucket.
//
// Accounts are the caller's canonical names: whatever spellings lead to one
// account must be one name here, and a name that nobody has is counted like any
// other, or the difference would tell who exists (C-24).
//
// A Guard knows from which addresses an account's proofs have held. There, what
// the caller remembers to be right need not be admitted, so that nobody can lock
// out a client that is known already; anywhere else a right guess is a guess.
//
// Memory is bounded: what was counted longest ago is forgotten first.
package lockout

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/jetbridge/jetbridge/legacy"
)

// What is counted at a time, of accounts and of addresses.
const defaultSize = 65_536

// Config says how many failures are too many. It is copied.
type Config struct {
	// Failures is how many an account may have in a row, AddressFailures an
	// address. Zero: they are not counted.
	Failures, AddressFailures int
	// Window is the time in which as many come back. Required.
	Window time.Duration
	// Size bounds what is counted, of each of the two, and twice as many are the
	// places that are known. Zero: 65,536.
	Size int
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// A Guard counts failures. Nil counts none. It is safe for concurrent use.
type Guard struct {
	now       func() time.Time
	accounts  *buckets[string]
	addresses *buckets[netip.Prefix]
	passed    *lru.Cache[uint64, struct{}] // digests of places
	seed      maphash.Seed
}

// place is a digest of an account and where its proof has held.
func (g *Guard) place(account string, from netip.Addr) uint64 {
	return maphash.Comparable(g.seed, struct {
		string
		netip.Prefix
	}{account, network(from)})
}

// New makes a Guard that has seen no failure.
func New(cfg Config) (*Guard, error) {
	if cfg.Failures < 0 || cfg.AddressFailures < 0 || cfg.Window <= 0 || cfg.Size < 0 {
		return nil, errors.New("lockout: a negative number, or no window")
	}
	if cfg.Size == 0 {
		cfg.Size = defaultSize
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	accounts, err := newBuckets[string](cfg.Failures, cfg.Window, cfg.Size)
	if err != nil {
		return nil, err
	}
	addresses, err := newBuckets[netip.Prefix](cfg.AddressFailures, cfg.Window, cfg.Size)
	if err != nil {
		return nil, err
	}
	passed, err := lru.New[uint64, struct{}](2 * cfg.Size)
	if err != nil {
		return nil, fmt.Errorf("lockout: %w", err)
	}
	return &Guard{cfg.Now, accounts, addresses, passed, maphash.MakeSeed()}, nil
}

// Knows says whether a proof of the account has held from there. True where
// nothing is counted.
func (g *Guard) Knows(account string, from netip.Addr) bool {
	if g == nil || g.accounts == nil && g.addresses == nil {
		return true
	}
	_, known := g.passed.Get(g.place(account, from))
	return known
}

// Admit says whether a proof may be judged. Its error is [legacy.ErrLockedOut]
// with the time after which it may; it does not say which of the two is locked.
func (g *Guard) Admit(account string, from netip.Addr) error {
	if g == nil {
		return nil
	}
	now := g.now()
	wait := max(g.accounts.wait(account, now), g.addresses.wait(network(from), now))
	if wait > 0 {
		return legacy.LockedOut(wait)
	}
	return nil
}

// Failed counts a proof that did not hold, and one whose verdict nobody waited
// for: whoever hangs up may come back for it.
//
// Whoever it was for may have several names that count.
func (g *Guard) Failed(from netip.Addr, accounts ...string) {
	if g != nil {
		now := g.now()
		for _, account := range accounts {
			g.accounts.take(account, now)
		}
		g.addresses.take(network(from), now)
	}
}

// Passed forgets the account's failures: its owner is here, and known from now
// on. Those of the address stay, or a guesser with an account of his own could
// begin anew at will.
func (g *Guard) Passed(account string, from netip.Addr) {
	if g != nil {
		g.accounts.forget(account)
		g.passed.Add(g.place(account, from), struct{}{})
	}
}

// Locked counts what is locked out now.
func (g *Guard) Locked() (accounts, addresses int) {
	if g == nil {
		return 0, 0
	}
	now := g.now()
	return g.accounts.empty(now), g.addresses.empty(now)
}

// network is what counts as one address: an IPv6 host has a whole /64.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap(); a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil { // no address: all who have none are one
		return netip.Prefix{}
	}
	return p
}

// buckets are what has failed lately. Nil holds none, and nothing fails.
type buckets[K comparable] struct {
	limit rate.Limit
	burst int
	known *lru.Cache[K, *rate.Limiter]
}

func newBuckets[K comparable](failures int, window time.Duration, size int) (*buckets[K], error) {
	if failures == 0 {
		return nil, nil
	}
	known, err := lru.New[K, *rate.Limiter](size)
	if err != nil {
		return nil, fmt.Errorf("lockout: %w", err)
	}
	return &buckets[K]{rate.Every(window / time.Duration(failures)), failures, known}, nil
}

// wait is the time until a failure is free again; zero when one is.
func (b *buckets[K]) wait(key K, now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	bucket, ok := b.known.Get(key)
	if !ok {
		return 0
	}
	if missing := 1 - bucket.TokensAt(now); missing > 0 {
		return time.Duration(missing / float64(b.limit) * float64(time.Second))
	}
	return 0
}

func (b *buckets[K]) take(key K, now time.Time) {
	if b == nil {
		return
	}
	bucket, ok := b.known.Get(key)
	if !ok {
		// Two at once may both find none; the one that is kept counts both.
		fresh := rate.NewLimiter(b.limit, b.burst)
		if old, found, _ := b.known.PeekOrAdd(key, fresh); found {
			bucket = old
		} else {
			bucket = fresh
		}
	}
	bucket.ReserveN(now, 1) // may go into debt
}

func (b *buckets[K]) forget(key K) {
	if b != nil {
		b.known.Remove(key)
	}
}

func (b *buckets[K]) empty(now time.Time) int {
	if b == nil {
		return 0
	}
	n := 0
	for _, bucket := range b.known.Values() {
		if bucket.TokensAt(now) < 1 {
			n++
		}
	}
	return n
}
