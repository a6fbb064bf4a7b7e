// Package recheck remembers the answers of a source that may be down: a
// database, a directory, somebody else's token API.
//
// A [Cache] promises three things. An answer is never older than
// [Config.Recheck] while the source answers, so that whoever is switched off
// there is out within that time. While the source cannot tell
// ([legacy.ErrUnavailable]), an answer that has run out is given for another
// [Config.Grace], and nobody else comes in. And a question is asked once for all
// who wait for its answer. What the caller itself changed it has the cache
// [Cache.Forget].
//
// It refuses to guess: an error of another kind is handed on and not
// remembered, and a panic becomes such an error.
package recheck

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/jetbridge/jetbridge/legacy"
)

// What a zero field of Config means.
const (
	defaultRecheck = 5 * time.Second
	defaultTimeout = 5 * time.Second
	defaultSize    = 1 << 17
)

// maxRejected bounds the rejections that are remembered. They have a place of
// their own: names that a stranger makes up must not push out known clients.
const maxRejected = 4096

// Config is what a [Cache] needs. It is copied.
type Config struct {
	// Recheck is how long an answer is given without asking again. Zero: 5 s.
	Recheck time.Duration
	// Rejected is how long a rejection is given without asking again; at most
	// Recheck. Zero: as Recheck.
	Rejected time.Duration
	// Grace is how much longer an answer is used while the source cannot tell: it
	// counts from when the answer ran out, a Recheck after the source was asked
	// for it. Zero: not beyond Recheck.
	Grace time.Duration
	// Size bounds the number of known answers; the one longest unused goes
	// first. Zero: 131,072.
	Size int
	// Timeout bounds one question; at most Recheck, or an answer could be older
	// than that when it arrives. Zero: 5 s, or Recheck if that is less.
	Timeout time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// A Cache keeps answers of type V, which are shared by all who ask and must not
// be changed. It is safe for concurrent use.
type Cache[V any] struct {
	cfg      Config
	known    *lru.Cache[string, known[V]]
	rejected *lru.Cache[string, rejected]
	flight   singleflight.Group
	// writing guards what is put into known and rejected, and forgotten, which counts
	// the calls of Forget.
	writing   sync.Mutex
	forgotten int
}

type known[V any] struct {
	value V
	asked time.Time // when the question was put that the source answered last
	until time.Time // until then it is given without asking
}

type rejected struct {
	err   error
	until time.Time
}

// New makes an empty Cache.
func New[V any](cfg Config) (*Cache[V], error) {
	if cfg.Recheck < 0 || cfg.Rejected < 0 || cfg.Grace < 0 || cfg.Size < 0 || cfg.Timeout < 0 {
		return nil, errors.New("recheck: a negative time or size")
	}
	if cfg.Recheck == 0 {
		cfg.Recheck = defaultRecheck
	}
	if cfg.Rejected == 0 {
		cfg.Rejected = cfg.Recheck
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = min(defaultTimeout, cfg.Recheck)
	}
	if cfg.Rejected > cfg.Recheck || cfg.Timeout > cfg.Recheck {
		return nil, fmt.Errorf("recheck: neither the timeout (%s) nor the time for rejections (%s) may exceed the recheck (%s)",
			cfg.Timeout, cfg.Rejected, cfg.Recheck)
	}
	if cfg.Size == 0 {
		cfg.Size = defaultSize
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	good, err := lru.New[string, known[V]](cfg.Size)
	if err != nil {
		return nil, fmt.Errorf("recheck: %w", err)
	}
	bad, err := lru.New[string, rejected](maxRejected)
	if err != nil {
		return nil, fmt.Errorf("recheck: %w", err)
	}
	return &Cache[V]{cfg: cfg, known: good, rejected: bad}, nil
}

// Get gives the answer under key: a remembered one, or what ask says now. ask
// must say the same for equal keys; it gets a context of its own, which does not
// end when ctx does, and its error is [legacy.ErrRejected],
// [legacy.ErrUnavailable] or a fault. Get returns that error, or
// [legacy.ErrUnavailable] when ctx ends first.
func (c *Cache[V]) Get(ctx context.Context, key string, ask func(context.Context) (V, error)) (V, error) {
	a, err := c.get(ctx, key, false, ask)
	return a.value, err
}

// Fresh is Get for those to whom the grace of an outage is not given: an answer that
// has run out is asked for again, and while the source cannot tell they hear so.
func (c *Cache[V]) Fresh(ctx context.Context, key string, ask func(context.Context) (V, error)) (V, error) {
	a, err := c.get(ctx, key, true, ask)
	if err == nil && a.outage != nil {
		var none V
		return none, a.outage
	}
	return a.value, err
}

// An answer is what all who wait for it are given.
type answer[V any] struct {
	value  V
	outage error // why it is an old one; nil when it is not
}

func (c *Cache[V]) get(ctx context.Context, key string, fresh bool, ask func(context.Context) (V, error)) (answer[V], error) {
	now := c.cfg.Now()
	if k, ok := c.known.Get(key); ok && now.Before(k.until) && (!fresh || now.Before(k.asked.Add(c.cfg.Recheck))) {
		return answer[V]{value: k.value}, nil
	}
	if r, ok := c.rejected.Get(key); ok && now.Before(r.until) {
		return answer[V]{}, r.err
	}
	return c.join(ctx, key, ask)
}

// Renew asks, or waits for who is asking, however young the remembered answer is.
// In an outage it is as [Cache.Get].
func (c *Cache[V]) Renew(ctx context.Context, key string, ask func(context.Context) (V, error)) (V, error) {
	a, err := c.join(ctx, key, ask)
	return a.value, err
}

// join asks, or waits for who is asking.
func (c *Cache[V]) join(ctx context.Context, key string, ask func(context.Context) (V, error)) (answer[V], error) {
	said := c.flight.DoChan(key, func() (any, error) { return c.ask(key, ask) })
	select {
	case a := <-said:
		if a.Err != nil {
			return answer[V]{}, a.Err
		}
		return a.Val.(answer[V]), nil
	case <-ctx.Done():
		return answer[V]{}, legacy.Unavailable(legacy.SourceUnavailable, ctx.Err(), 0)
	}
}

// Holds says whether an answer is remembered under key, however old: whether
// [Cache.Get] may have one during an outage.
func (c *Cache[V]) Holds(key string) bool { return c.known.Contains(key) }

// Forget has whoever calls [Cache.Get] from now on ask anew, an outage or not: for a
// caller that has just changed what the source says under key. A question that was
// put before is answered to those who wait for it, and not remembered.
func (c *Cache[V]) Forget(key string) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.forgotten++ // of any key: to ask once more is no harm to another
	c.known.Remove(key)
	c.rejected.Remove(key)
	c.flight.Forget(key)
}

func (c *Cache[V]) forgets() int {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.forgotten
}

// ask puts one question and remembers the answer. The answer is as old as the
// question: what the source saw may have changed before its word arrived.
func (c *Cache[V]) ask(key string, ask func(context.Context) (V, error)) (answer[V], error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Timeout)
	defer cancel()
	asked, before := c.cfg.Now(), c.forgets()
	value, err := guarded(ctx, ask)
	c.writing.Lock()
	defer c.writing.Unlock()
	switch {
	case errors.Is(err, legacy.ErrUnavailable):
		return c.outage(key, err)
	case c.forgotten != before: // the source may have been asked before it was changed
	case err == nil:
		c.rejected.Remove(key)
		c.known.Add(key, known[V]{value, asked, asked.Add(c.cfg.Recheck)})
	case errors.Is(err, legacy.ErrRejected):
		c.known.Remove(key)
		c.rejected.Add(key, rejected{err, asked.Add(c.cfg.Rejected)})
	}
	return answer[V]{value: value}, err
}

// outage answers while the source cannot tell. The known answer is then given
// without asking for another Recheck, or every request would wait for a source
// that hangs.
func (c *Cache[V]) outage(key string, err error) (answer[V], error) {
	k, ok := c.known.Peek(key)
	if !ok {
		return answer[V]{}, err
	}
	now, end := c.cfg.Now(), k.asked.Add(c.cfg.Recheck+c.cfg.Grace)
	if !now.Before(end) {
		return answer[V]{}, err
	}
	k.until = now.Add(c.cfg.Recheck)
	if end.Before(k.until) {
		k.until = end
	}
	c.known.Add(key, k)
	return answer[V]{k.value, err}, nil
}

// guarded turns a panic into an error: [singleflight.Group.DoChan] would end the
// process with it.
func guarded[V any](ctx context.Context, ask func(context.Context) (V, error)) (value V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("recheck: panic: %v", p)
		}
	}()
	return ask(ctx)
}
