package login

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/jetbridge/jetbridge/legacy"
)

// limitSize bounds the addresses that are counted. What was counted longest ago is
// forgotten first.
const limitSize = 16_384

// A LimitConfig is what a [Limit] needs. It is copied.
type LimitConfig struct {
	// Posts of one address go through in the time Per that begins with the first.
	// Zero: all do, and nothing is counted.
	Posts int
	// Per has no default.
	Per time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// A Limit bounds how often one address may post the login form, whatever came of it.
// It is Flask-Limiter's fixed window, but an IPv6 host is not given a new one with
// each address of its own. What a Limit has counted outlives the Handlers that share
// it. It is safe for concurrent use.
type Limit struct {
	cfg     LimitConfig
	mu      sync.Mutex
	windows *lru.Cache[netip.Prefix, window]
}

// A window is how many posts have come from an address, until it ends.
type window struct {
	posts int
	end   time.Time
}

// NewLimit makes a Limit that has counted nothing.
func NewLimit(cfg LimitConfig) (*Limit, error) {
	if cfg.Posts < 0 || cfg.Posts > 0 && cfg.Per <= 0 {
		return nil, errors.New("login: a negative number of posts, or no time to count them in")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	windows, err := lru.New[netip.Prefix, window](limitSize)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	return &Limit{cfg: cfg, windows: windows}, nil
}

// take counts a post from there. It gives the time until the next may come, when
// this one may not; else zero.
func (l *Limit) take(from netip.Addr) time.Duration {
	if l.cfg.Posts == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	network, now := legacy.Network(from), l.cfg.Now()
	w, there := l.windows.Get(network)
	if !there || !now.Before(w.end) {
		w = window{end: now.Add(l.cfg.Per)}
	}
	if w.posts >= l.cfg.Posts {
		return w.end.Sub(now)
	}
	w.posts++
	l.windows.Add(network, w)
	return 0
}
