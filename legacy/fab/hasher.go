package fab

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/queue"
)

// What a zero field of HasherConfig means.
const (
	// DefaultIterations is what Werkzeug 2.0 to 2.2 takes for a PBKDF2 hash
	// without a count: the one that Airflow 2.3 to 2.11.0 runs with.
	DefaultIterations = 260_000

	defaultQueue = 64
	defaultKnown = 1 << 17
)

// maxWrong bounds the wrong passwords that are remembered. They have a place of
// their own, so that guessing does not push out known clients.
const maxWrong = 4096

// maxMethods bounds the kinds of stored hashes that decoys imitate: a table has
// one or two, of the Werkzeugs that wrote it.
const maxMethods = 4

// HasherConfig is what a [Hasher] needs. It is copied.
type HasherConfig struct {
	// Iterations is the count of a stored PBKDF2 hash that has none:
	// 150,000 under Werkzeug 1, 600,000 under 2.3 to 3.0, 1,000,000 since 3.1.
	// Zero: [DefaultIterations].
	Iterations int
	// Concurrent bounds the hashes that are computed at a time. Zero: one less
	// than GOMAXPROCS, and at least one, so that known clients keep a core.
	Concurrent int
	// Queue bounds the hashes that wait to be computed, by turns of the addresses
	// that ask for them; one address may ask for half of them. Zero: 64.
	Queue int
	// Known bounds the verified passwords that are remembered. Zero: 131,072.
	Known int
}

// A Hasher compares passwords with stored hashes, a bounded number at a time.
// It belongs to the process: all verifiers share one, and it outlives a reload
// of the configuration. It is safe for concurrent use.
//
// It remembers what it found under a keyed digest of user, password and stored
// hash, and of the given name for what is wrong, which stays true for ever: whoever changes the password changes the
// stored hash. No password is kept.
type Hasher struct {
	iterations int
	queue      *queue.Queue
	secret     [sha256.Size]byte
	right      *lru.Cache[digest, struct{}]
	wrong      *lru.Cache[digest, struct{}]
	methods    *lru.Cache[string, storedHash] // a decoy for each seen last
	unseen     storedHash                     // the decoy while none was seen

	mu       sync.Mutex
	running  map[digest]*comparison
	matching func(storedHash, string) (bool, error)
}

type digest [sha256.Size]byte

// A comparison is one hash that is being computed, for all who wait for it.
type comparison struct {
	waiters int                // guarded by Hasher.mu, as is
	begun   bool               // has a slot
	giveUp  context.CancelFunc // ends the wait for one
	done    chan struct{}
	err     error
}

// NewHasher makes a Hasher.
func NewHasher(cfg HasherConfig) (*Hasher, error) {
	if cfg.Iterations < 0 || cfg.Iterations > maxIterations || cfg.Concurrent < 0 || cfg.Queue < 0 || cfg.Known < 0 {
		return nil, fmt.Errorf("fab: a negative number, or more than %d iterations", maxIterations)
	}
	if cfg.Iterations == 0 {
		cfg.Iterations = DefaultIterations
	}
	if cfg.Concurrent == 0 {
		cfg.Concurrent = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if cfg.Queue == 0 {
		cfg.Queue = defaultQueue
	}
	if cfg.Known == 0 {
		cfg.Known = defaultKnown
	}
	h := &Hasher{
		iterations: cfg.Iterations, running: map[digest]*comparison{}, matching: storedHash.matches,
	}
	rand.Read(h.secret[:])
	var err error
	if h.queue, err = queue.New(queue.Config{Concurrent: cfg.Concurrent, Waiting: cfg.Queue}); err != nil {
		return nil, fmt.Errorf("fab: %w", err)
	}
	if h.right, err = lru.New[digest, struct{}](cfg.Known); err != nil {
		return nil, fmt.Errorf("fab: %w", err)
	}
	if h.wrong, err = lru.New[digest, struct{}](maxWrong); err != nil {
		return nil, fmt.Errorf("fab: %w", err)
	}
	if h.methods, err = lru.New[string, storedHash](maxMethods); err != nil {
		return nil, fmt.Errorf("fab: %w", err)
	}
	if h.unseen, err = parseHash(defaultScrypt+"$decoy$", cfg.Iterations); err != nil {
		return nil, err
	}
	return h, nil
}

// errWrong is a password that does not match.
var errWrong = legacy.Rejected(legacy.WrongPassword, nil)

// check judges a password of a user whose stored hash is given. What is remembered
// waits for nothing, and is not counted if it is right and the guard knows the user
// there. Its error is [legacy.ErrRejected], for a hash that it does not read too,
// which is not counted; [legacy.ErrUnavailable] when the queue is full or ctx ends;
// or the attempt's. A comparison that has begun runs to its end, and is counted
// then: who hangs up has guessed all the same.
func (h *Hasher) check(ctx context.Context, a attempt, password, stored string) error {
	right := h.digest(a.user, password, stored)
	if _, known := h.right.Get(right); known {
		return a.count(nil)
	}
	parsed, err := parseHash(stored, h.iterations)
	if err != nil {
		return legacy.Rejected(legacy.UnknownHashFormat, err)
	}
	if _, seen := h.methods.Get(parsed.method); !seen {
		h.methods.Add(parsed.method, storedHash{method: parsed.method, salt: strings.Repeat("x", len(parsed.salt)), derive: parsed.derive})
	}
	return h.compare(ctx, a, question{parsed, password, right, h.guess(a, password, stored)})
}

// A question is whether a password is the one of a stored hash.
type question struct {
	stored   storedHash
	password string
	right    digest // under which it is remembered that it is
	guess    digest // or that it is not, and under which it is asked
}

// guess is of the given name too: a password that is known to be wrong by one name
// must take as long by another, or it would tell that they are one user's (C-24).
func (h *Hasher) guess(a attempt, password, stored string) digest {
	return h.digest(a.given, a.user, password, stored)
}

// waste costs and counts what check does for a wrong password of somebody who
// has one. Its error is never nil.
func (h *Hasher) waste(ctx context.Context, a attempt, password string) error {
	decoy := h.decoy(a.given)
	if err := h.compare(ctx, a, question{stored: decoy, password: password, guess: h.digest(a.given, password, decoy.method)}); err != nil {
		return err
	}
	return errWrong // nothing matches a decoy
}

// hide is waste for somebody who is locked out by another name. What they have got
// wrong already costs no hash again, as it would not if they were nobody. What is asked
// here for the first time is judged by nobody, and so costs another one, which a decoy
// would not, when it is asked again after the lock-out.
func (h *Hasher) hide(ctx context.Context, a attempt, password, stored string) error {
	if _, known := h.wrong.Get(h.guess(a, password, stored)); known {
		return a.stranger().count(errWrong)
	}
	return h.waste(ctx, a.stranger(), password)
}

// decoy is a hash of one of the methods that stored hashes have. It is the same
// for a user as long as that method is among those seen last and no better one
// has joined them: a stored hash does not change its method from one try to the
// next either, whoever else has logged in.
func (h *Hasher) decoy(user string) storedHash {
	decoy, best := h.unseen, digest{}
	for _, d := range h.methods.Values() {
		if score := h.digest(user, d.method); bytes.Compare(score[:], best[:]) > 0 {
			decoy, best = d, score
		}
	}
	return decoy
}

func (h *Hasher) compare(ctx context.Context, a attempt, q question) error {
	if _, known := h.wrong.Get(q.guess); known {
		return a.count(errWrong)
	}
	c, first, err := h.join(a, q)
	if err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		h.leave(q.guess, c)
		return legacy.Unavailable(legacy.SourceUnavailable, ctx.Err(), 0)
	}
	if !first && (c.err == nil || errors.Is(c.err, legacy.ErrRejected)) {
		return a.count(c.err) // somebody else's attempt has shown it
	}
	return c.err
}

// join gives the comparison of that guess. It begins with the first who asks, and
// is that one's attempt.
func (h *Hasher) join(a attempt, q question) (c *comparison, first bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.running[q.guess]; ok {
		c.waiters++
		return c, false, nil
	}
	settle, err := a.admit()
	if err != nil {
		return nil, false, err
	}
	place, err := h.queue.Enter(a.from)
	if err != nil {
		settle(err)
		return nil, false, err
	}
	ctx, giveUp := context.WithCancel(context.Background())
	c = &comparison{waiters: 1, giveUp: giveUp, done: make(chan struct{})}
	h.running[q.guess] = c
	go func() {
		defer close(c.done)
		defer giveUp()
		defer func() { settle(c.err) }()
		defer h.forget(q.guess, c)
		defer place.Leave()
		if c.err = h.await(ctx, place, c); c.err == nil {
			c.err = h.finish(q)
		}
	}()
	return c, true, nil
}

// leave takes one waiter away. With the last one goes a comparison that still
// waits for its slot: a client that hangs up must not keep others out.
func (h *Hasher) leave(key digest, c *comparison) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.waiters--; c.waiters == 0 && !c.begun {
		c.giveUp()
		delete(h.running, key) // who comes now begins anew
	}
}

// await waits for a slot.
func (h *Hasher) await(ctx context.Context, place *queue.Place, c *comparison) error {
	err := place.Wait(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.waiters == 0 { // its turn came as the last of them left
		err = context.Canceled
	}
	switch {
	case errors.Is(err, legacy.ErrUnavailable): // put out of a full queue
		return err
	case err != nil:
		return legacy.Unavailable(legacy.SourceUnavailable, err, 0)
	}
	c.begun = true
	return nil
}

// finish computes the hash, and remembers what came of it.
func (h *Hasher) finish(q question) (err error) {
	defer func() {
		if recover() != nil { // nobody above this goroutine would
			err = errors.New("fab: panic while hashing")
		}
	}()
	match, err := h.matching(q.stored, q.password)
	switch {
	case err != nil:
		return err
	case match:
		h.right.Add(q.right, struct{}{})
		return nil
	}
	h.wrong.Add(q.guess, struct{}{})
	return errWrong
}

func (h *Hasher) forget(key digest, c *comparison) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running[key] == c {
		delete(h.running, key)
	}
}

// digest is the keyed digest under which a finding is remembered.
func (h *Hasher) digest(parts ...string) (d digest) {
	mac := hmac.New(sha256.New, h.secret[:])
	for _, part := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		mac.Write(n[:])
		mac.Write([]byte(part))
	}
	mac.Sum(d[:0])
	return d
}
