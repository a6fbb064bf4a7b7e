package kerberos

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A ReplayCache remembers authenticators, so that each counts once. Replicas that
// shall refuse each other's share one. Safe for concurrent use.
type ReplayCache interface {
	// Claim says whether nobody claimed key before. It is one step: of many who
	// claim the same key at once, one is the first. At is the authenticator's own
	// time, the same at every claim of a key; keep is until when it could be
	// sent again. An error means that it cannot be told.
	Claim(ctx context.Context, key [32]byte, at, keep time.Time) (first bool, err error)
}

// defaultReplays is how many authenticators a [Memory] holds unless told
// otherwise. With the usual clock skew one counts for ten minutes at most, so
// that this is 7,000 requests a second.
const defaultReplays = 4 << 20

// ErrFull is what a [Memory] says that cannot hold more.
var ErrFull = errors.New("kerberos: the replay cache is full")

// A Memory is the [ReplayCache] of one process. It is exact: what was claimed
// stays claimed until it is too old to count, whatever the clock does. It starts
// empty, so that a restart forgets.
type Memory struct {
	limit int
	now   func() time.Time

	mu    sync.Mutex
	slots map[int64]*slot
	held  int
	// forgotten is the latest slot that was dropped: of what is not newer, only
	// slots that are still there can tell.
	forgotten int64
	pruned    time.Time
}

// A slot holds the authenticators of some seconds of client time. It goes as a
// whole, and its memory with it.
type slot struct {
	seen map[[16]byte]struct{}
	keep time.Time
}

// slotSeconds is what one slot covers.
const slotSeconds = 8

// NewMemory makes a Memory that holds limit authenticators; zero for four
// million. Now is the clock; nil for time.Now.
func NewMemory(limit int, now func() time.Time) *Memory {
	if limit <= 0 {
		limit = defaultReplays
	}
	if now == nil {
		now = time.Now
	}
	return &Memory{limit: limit, now: now, slots: map[int64]*slot{}, forgotten: -1 << 62}
}

// Claim implements [ReplayCache]. A full memory is [ErrFull]: what could be sent
// again is never forgotten to make room.
func (m *Memory) Claim(_ context.Context, key [32]byte, at, keep time.Time) (bool, error) {
	short := [16]byte(key[:16]) // 128 bits: nobody finds a second authenticator for one
	n := at.Unix() / slotSeconds
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prune()
	s := m.slots[n]
	switch {
	case s == nil && n <= m.forgotten:
		return false, nil // it may have been here
	case s != nil && s.has(short):
		return false, nil
	case m.held >= m.limit:
		return false, ErrFull
	case s == nil:
		s = &slot{seen: map[[16]byte]struct{}{}}
		m.slots[n] = s
	}
	s.seen[short] = struct{}{}
	m.held++
	// As long as anything of this slot could come, or a late one would be taken
	// for one that was forgotten.
	if end := time.Unix((n+1)*slotSeconds, 0).Add(keep.Sub(at)); end.After(s.keep) {
		s.keep = end
	}
	return true, nil
}

// Len is how many authenticators are remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prune()
	return m.held
}

func (s *slot) has(key [16]byte) bool {
	_, ok := s.seen[key]
	return ok
}

// prune drops what is too old, at most once a second.
func (m *Memory) prune() {
	now := m.now()
	if since := now.Sub(m.pruned); since >= 0 && since < time.Second {
		return
	}
	m.pruned = now
	for n, s := range m.slots {
		if now.After(s.keep) {
			delete(m.slots, n)
			m.held -= len(s.seen)
			m.forgotten = max(m.forgotten, n)
		}
	}
}
