// Package lockout slows down who guesses: it counts failed proofs for each
// account and for each address, and says when no more are judged for a while.
//
// A [Guard] has a bucket for each of them, full at first. A failure takes one
// out, and one comes back every window/failures; while a bucket is empty nothing
// is judged. So after a burst of failures there is one more guess every so often,
// and a lock-out ends by itself. What is being judged is held against the bucket
// until it is settled, so that no more are judged at once than one after another.
// A proof that holds fills its account's bucket.
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
	"slices"
	"sync"
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
	now    func() time.Time
	passed *lru.Cache[uint64, struct{}] // digests of places
	seed   maphash.Seed

	mu        sync.Mutex
	accounts  *buckets[string]
	addresses *buckets[netip.Prefix]
}

// place is a digest of an account and where its proof has held.
func (g *Guard) place(account string, network netip.Prefix) uint64 {
	return maphash.Comparable(g.seed, struct {
		string
		netip.Prefix
	}{account, network})
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
	return &Guard{now: cfg.Now, passed: passed, seed: maphash.MakeSeed(), accounts: accounts, addresses: addresses}, nil
}

// Knows says whether a proof of the account has held from there. True where
// nothing is counted.
func (g *Guard) Knows(account string, from netip.Addr) bool {
	if g == nil || g.accounts == nil && g.addresses == nil {
		return true
	}
	_, known := g.passed.Get(g.place(account, legacy.Network(from)))
	return known
}

// Admit says whether a proof may be judged, for whoever it is: they may have
// several names that count, of which the last is the account's own. That is what
// Knows is asked of, and what is counted as locked out. Its error is [legacy.ErrLockedOut] with the time after
// which it may; it does not say whether a name is locked out or the address.
//
// Without an error settle must be called once, with what came of it: nil for a
// proof that holds, [legacy.ErrRejected] for one that does not; with any other
// error nothing was judged, and nothing is counted. Until then the proof counts
// as a failure, or many at once would be judged where one may be.
func (g *Guard) Admit(from netip.Addr, accounts ...string) (settle func(error), err error) {
	if g == nil {
		return func(error) {}, nil
	}
	network, accounts := legacy.Network(from), slices.Clone(accounts)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.admits(network, accounts); err != nil {
		return nil, err
	}
	judged := g.hold(network, accounts)
	return func(verdict error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		judged(verdict)
	}, nil
}

// Repeat is Admit and its settle at once, for a verdict that was there before. None
// who brings one holds up the others: of a hundred clients that come together with
// the right password nobody has failed. Who hears for a second time that a proof does
// not hold has learnt nothing, and it counts for the address alone: one client with
// an old password locks its account out for nobody.
func (g *Guard) Repeat(from netip.Addr, verdict error, accounts ...string) error {
	if g == nil {
		return nil
	}
	network := legacy.Network(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.admits(network, accounts); err != nil {
		return err
	}
	if errors.Is(verdict, legacy.ErrRejected) {
		accounts = nil
	}
	g.hold(network, accounts)(verdict)
	return nil
}

// admits says whether none of them is locked out. As hold, and what that returns,
// it is called under the lock.
func (g *Guard) admits(network netip.Prefix, accounts []string) error {
	now := g.now()
	wait := g.addresses.wait(network, now)
	for _, account := range accounts {
		wait = max(wait, g.accounts.wait(account, now))
	}
	if wait > 0 {
		return legacy.LockedOut(wait)
	}
	return nil
}

// hold keeps a token of each back until it is told the verdict.
func (g *Guard) hold(network netip.Prefix, accounts []string) (settle func(error)) {
	held := make([]*bucket, len(accounts))
	for i, account := range accounts {
		held[i] = g.accounts.hold(account)
		held[i].alias(i < len(accounts)-1)
	}
	address := g.addresses.hold(network)
	return func(verdict error) {
		now, failed := g.now(), errors.Is(verdict, legacy.ErrRejected)
		for i, account := range accounts {
			if verdict == nil {
				g.accounts.refill(held[i])
			}
			g.accounts.settle(account, held[i], failed, now)
		}
		if n := len(accounts); verdict == nil && n > 0 { // its owner is here, and known from now on
			g.passed.Add(g.place(accounts[n-1], network), struct{}{})
		}
		// What the address has failed at stays, or a guesser with an account of
		// his own could begin anew at will.
		g.addresses.settle(network, address, failed, now)
	}
}

// LockedAccounts counts the accounts that are locked out now.
func (g *Guard) LockedAccounts() int {
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.accounts.empty(g.now())
}

// LockedAddresses counts the addresses that are locked out now.
func (g *Guard) LockedAddresses() int {
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.addresses.empty(g.now())
}

// buckets are what has failed lately. Nil holds none, and nothing fails.
type buckets[K comparable] struct {
	limit rate.Limit
	burst int
	known *lru.Cache[K, *bucket]
}

// A bucket has a token for each failure that is left; some may be held.
type bucket struct {
	tokens *rate.Limiter
	held   int
	other  bool // it is that of another name of an account
}

// missing is how much less there is than one that is neither taken nor held.
func (k *bucket) missing(now time.Time) float64 {
	return 1 + float64(k.held) - k.tokens.TokensAt(now)
}

func (k *bucket) alias(other bool) {
	if k != nil {
		k.other = other
	}
}

func newBuckets[K comparable](failures int, window time.Duration, size int) (*buckets[K], error) {
	if failures == 0 {
		return nil, nil
	}
	known, err := lru.New[K, *bucket](size)
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
	k, ok := b.known.Get(key)
	if !ok {
		return 0
	}
	if missing := k.missing(now); missing > 0 {
		return time.Duration(missing / float64(b.limit) * float64(time.Second))
	}
	return 0
}

// hold keeps one token back until it is settled what becomes of it.
func (b *buckets[K]) hold(key K) *bucket {
	if b == nil {
		return nil
	}
	k, ok := b.known.Get(key)
	if !ok {
		k = &bucket{tokens: rate.NewLimiter(b.limit, b.burst)}
		b.known.Add(key, k)
	}
	k.held++
	return k
}

func (b *buckets[K]) refill(k *bucket) {
	if b != nil {
		k.tokens = rate.NewLimiter(b.limit, b.burst)
	}
}

// settle takes the token that was held, or puts it back. What is full again need
// not be remembered.
func (b *buckets[K]) settle(key K, k *bucket, failed bool, now time.Time) {
	if b == nil {
		return
	}
	k.held--
	if failed {
		k.tokens.AllowN(now, 1)
	}
	if current, ok := b.known.Peek(key); ok && current == k && k.held == 0 && k.tokens.TokensAt(now) >= float64(b.burst) {
		b.known.Remove(key)
	}
}

func (b *buckets[K]) empty(now time.Time) int {
	if b == nil {
		return 0
	}
	n := 0
	for _, k := range b.known.Values() {
		if !k.other && k.missing(now) > 0 {
			n++
		}
	}
	return n
}
