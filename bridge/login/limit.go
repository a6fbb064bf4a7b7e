package login

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/jetbridge/jetbridge/legacy"
)

// Airflow's own default, "5 per 40 second" (AUTH_RATE_LIMIT of the FAB provider).
const (
	limitPosts = 5
	limitTime  = 40 * time.Second
)

// limitSize bounds the addresses that are counted. What was counted longest ago is
// forgotten first.
const limitSize = 16_384

// A Limit bounds how often one address may post the login form: 5 times in the 40
// seconds that begin with the first, whatever came of it. It is Flask-Limiter's
// fixed window, but an IPv6 host is not given a new one with each address of its
// own. What a Limit has counted outlives the Handlers that share it. It is safe for
// concurrent use.
type Limit struct {
	now     func() time.Time
	mu      sync.Mutex
	windows *lru.Cache[netip.Prefix, window]
}

// A window is how many posts have come from an address, until it ends.
type window struct {
	posts int
	end   time.Time
}

// NewLimit makes a Limit that has counted nothing; now is the clock, nil for
// time.Now.
func NewLimit(now func() time.Time) (*Limit, error) {
	if now == nil {
		now = time.Now
	}
	windows, err := lru.New[netip.Prefix, window](limitSize)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	return &Limit{now: now, windows: windows}, nil
}

// take counts a post from there. It gives the time until the next may come, when
// this one may not; else zero.
func (l *Limit) take(from netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	network, now := legacy.Network(from), l.now()
	w, there := l.windows.Get(network)
	if !there || !now.Before(w.end) {
		w = window{end: now.Add(limitTime)}
	}
	if w.posts >= limitPosts {
		return w.end.Sub(now)
	}
	w.posts++
	l.windows.Add(network, w)
	return 0
}
