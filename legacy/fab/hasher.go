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
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"

	"github.com/jetbridge/jetbridge/legacy"
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

// queueRetry is when a client that found the queue full may ask again.
const queueRetry = 2 * time.Second

// HasherConfig is what a [Hasher] needs. It is copied.
type HasherConfig struct {
	// Iterations is the count of a stored PBKDF2 hash that has none:
	// 150,000 under Werkzeug 1, 600,000 under 2.3 to 3.0, 1,000,000 since 3.1.
	// Zero: [DefaultIterations].
	Iterations int
	// Concurrent bounds the hashes that are computed at a time. Zero: one less
	// than GOMAXPROCS, and at least one, so that known clients keep a core.
	Concurrent int
	// Queue bounds the hashes that wait to be computed. Zero: 64.
	Queue int
	// Known bounds the verified passwords that are remembered. Zero: 131,072.
	Known int
}

// A Hasher compares passwords with stored hashes, a bounded number at a time.
// It belongs to the process: all verifiers share one, and it outlives a reload
// of the configuration. It is safe for concurrent use.
//
// It remembers what it found under a keyed digest of user, password and stored
// hash, which stays true for ever: whoever changes the password changes the
// stored hash. No password is kept.
type Hasher struct {
	iterations int
	slots      *semaphore.Weighted
	queue      int
	secret     [sha256.Size]byte
	right      *lru.Cache[digest, struct{}]
	wrong      *lru.Cache[digest, struct{}]
	methods    *lru.Cache[string, storedHash] // a decoy for each seen last
	unseen     storedHash                     // the decoy while none was seen

	mu       sync.Mutex
	running  map[digest]*comparison
	waiting  int // comparisons without a slot
	matching func(storedHash, string) (bool, error)
}

type digest [sha256.Size]byte

// A comparison is one hash that is being computed, for all who wait for it.
type comparison struct {
	waiters int                // guarded by Hasher.mu, as is
	queued  bool               // waits for a slot
	giveUp  context.CancelFunc // ends that wait
	done    chan struct{}
	match   bool
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
		iterations: cfg.Iterations, slots: semaphore.NewWeighted(int64(cfg.Concurrent)), queue: cfg.Queue,
		running: map[digest]*comparison{}, matching: storedHash.matches,
	}
	rand.Read(h.secret[:])
	var err error
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

// knows says whether password is remembered to be user's, with that stored hash.
func (h *Hasher) knows(user, password, stored string) bool {
	_, known := h.right.Get(h.digest(user, password, stored))
	return known
}

// check says whether password is user's, whose stored hash is given. Its error
// is ErrRejected for a hash that it does not read, ErrUnavailable when the queue
// is full or ctx ends. A comparison that has begun runs to its end.
func (h *Hasher) check(ctx context.Context, user, password, stored string) (bool, error) {
	key := h.digest(user, password, stored)
	if _, known := h.right.Get(key); known {
		return true, nil
	}
	parsed, err := parseHash(stored, h.iterations)
	if err != nil {
		return false, legacy.Rejected(legacy.UnknownHashFormat, err)
	}
	if _, seen := h.methods.Get(parsed.method); !seen {
		h.methods.Add(parsed.method, storedHash{method: parsed.method, salt: strings.Repeat("x", len(parsed.salt)), derive: parsed.derive})
	}
	return h.compare(ctx, key, parsed, password)
}

// waste costs what check does for a user who exists. Its error is ErrUnavailable.
func (h *Hasher) waste(ctx context.Context, user, password string) error {
	decoy := h.decoy(user)
	_, err := h.compare(ctx, h.digest(user, password, decoy.method), decoy, password)
	return err
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

func (h *Hasher) compare(ctx context.Context, key digest, stored storedHash, password string) (bool, error) {
	if _, known := h.wrong.Get(key); known {
		return false, nil
	}
	c, err := h.join(key, stored, password)
	if err != nil {
		return false, err
	}
	select {
	case <-c.done:
		return c.match, c.err
	case <-ctx.Done():
		h.leave(key, c)
		return false, legacy.Unavailable(legacy.SourceUnavailable, ctx.Err(), 0)
	}
}

// join gives the comparison of that key, which begins with the first who asks.
func (h *Hasher) join(key digest, stored storedHash, password string) (*comparison, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.running[key]; ok {
		c.waiters++
		return c, nil
	}
	free := h.slots.TryAcquire(1)
	if !free && h.waiting >= h.queue {
		return nil, legacy.Unavailable(legacy.HashQueueFull, nil, queueRetry)
	}
	queued, giveUp := context.WithCancel(context.Background())
	c := &comparison{waiters: 1, queued: !free, giveUp: giveUp, done: make(chan struct{})}
	h.running[key] = c
	if c.queued {
		h.waiting++
	}
	go func() {
		defer close(c.done)
		defer giveUp()
		defer h.forget(key, c)
		if !free {
			if c.err = h.await(queued, c); c.err != nil {
				return
			}
		}
		defer h.slots.Release(1)
		c.match, c.err = h.finish(key, stored, password)
	}()
	return c, nil
}

// leave takes one waiter away. With the last one goes a comparison that still
// waits for its slot: a client that hangs up must not keep others out.
func (h *Hasher) leave(key digest, c *comparison) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.waiters--; c.waiters == 0 && c.queued {
		c.giveUp()
		delete(h.running, key) // who comes now begins anew
	}
}

// await waits for a slot.
func (h *Hasher) await(ctx context.Context, c *comparison) error {
	err := h.slots.Acquire(ctx, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting--
	c.queued = false
	if err != nil {
		return legacy.Unavailable(legacy.SourceUnavailable, err, 0)
	}
	return nil
}

// finish computes the hash, and remembers what came of it.
func (h *Hasher) finish(key digest, stored storedHash, password string) (match bool, err error) {
	defer func() {
		if recover() != nil { // nobody above this goroutine would
			match, err = false, errors.New("fab: panic while hashing")
		}
	}()
	match, err = h.matching(stored, password)
	switch {
	case err != nil:
	case match:
		h.right.Add(key, struct{}{})
	default:
		h.wrong.Add(key, struct{}{})
	}
	return match, err
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
