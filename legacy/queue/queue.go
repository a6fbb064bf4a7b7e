// Package queue has a bounded number of costly things done at a time, and those
// who wait take turns by address: whoever sends a thousand passwords waits for
// their own, and somebody who sends one is next.
//
// A [Queue] that is full puts the last of its longest line out for whoever comes to a
// shorter one, so that no few can fill it, and refuses who comes to none shorter. An
// address has half of the places at most.
package queue

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
)

// retry is when a client that found no place may ask again.
const retry = 2 * time.Second

// Config says how much is done at a time. It is copied.
type Config struct {
	// Concurrent bounds what is done at a time, Waiting what waits for it; an
	// address ([legacy.Network]) has at most half of Waiting, and one at least.
	// Both are required.
	Concurrent, Waiting int
}

// A Queue is safe for concurrent use.
type Queue struct {
	room, share int

	mu      sync.Mutex
	free    int
	running int
	waiting int
	lines   map[netip.Prefix][]*Place
	turns   []netip.Prefix // those that have a line, whose turn is next first
}

// New makes a Queue in which nobody is.
func New(cfg Config) (*Queue, error) {
	if cfg.Concurrent < 1 || cfg.Waiting < 1 {
		return nil, errors.New("queue: nothing may be done, or wait")
	}
	return &Queue{
		room: cfg.Waiting, share: max(1, cfg.Waiting/2), free: cfg.Concurrent, lines: map[netip.Prefix][]*Place{},
	}, nil
}

// A Place is that of one who was let in. Its methods are for one goroutine.
type Place struct {
	queue *Queue
	from  netip.Prefix
	turn  chan struct{} // closed when it has come
	out   chan struct{} // closed when it was put out
	gone  bool
}

// Enter takes a place for somebody at that address, without waiting. Its error is
// [legacy.ErrUnavailable] with [legacy.HashQueueFull]. Every place must be left.
func (q *Queue) Enter(from netip.Addr) (*Place, error) {
	p := &Place{queue: q, from: legacy.Network(from), turn: make(chan struct{}), out: make(chan struct{})}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.free > 0 { // then nobody waits
		q.free--
		q.begin(p)
		return p, nil
	}
	line := q.lines[p.from]
	if len(line) >= q.share || q.waiting >= q.room && !q.makeRoom(len(line)+1) {
		return nil, full()
	}
	if len(line) == 0 {
		q.turns = append(q.turns, p.from)
	}
	q.lines[p.from] = append(line, p)
	q.waiting++
	return p, nil
}

// full is what those hear who find no place, or lose it.
func full() error { return legacy.Unavailable(legacy.HashQueueFull, nil, retry) }

// makeRoom puts the last of the longest line out if that is longer than a line of n.
func (q *Queue) makeRoom(n int) bool {
	var from netip.Prefix // of the longest, the one whose turn is last
	for _, other := range q.turns {
		if len(q.lines[other]) >= len(q.lines[from]) {
			from = other
		}
	}
	line := q.lines[from]
	last := len(line) - 1
	if len(line) <= n {
		return false
	}
	line[last].gone = true
	close(line[last].out)
	q.lines[from] = slices.Delete(line, last, last+1) // others are left: n is one at least
	q.waiting--
	return true
}

// Wait returns nil when p's turn has come. It returns what Enter does in a full queue
// when p was put out, or ctx's error; p is left then.
func (p *Place) Wait(ctx context.Context) error {
	select {
	case <-p.turn:
		return nil
	case <-p.out:
		return full()
	case <-ctx.Done():
		p.Leave()
		return ctx.Err()
	}
}

// Leave gives the place to the next. Leaving again does nothing.
func (p *Place) Leave() {
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.gone {
		return
	}
	p.gone = true
	if i := slices.Index(q.lines[p.from], p); i >= 0 {
		q.waiting--
		if q.lines[p.from] = slices.Delete(q.lines[p.from], i, i+1); len(q.lines[p.from]) == 0 {
			q.turns = slices.DeleteFunc(q.turns, func(other netip.Prefix) bool { return other == p.from })
			delete(q.lines, p.from)
		}
		return
	}
	q.running--
	if len(q.turns) == 0 {
		q.free++
		return
	}
	q.next()
}

// next lets the first of the address begin whose turn it is.
func (q *Queue) next() {
	from := q.turns[0]
	line := q.lines[from]
	first := line[0]
	q.turns = slices.Delete(q.turns, 0, 1)
	if line = slices.Delete(line, 0, 1); len(line) == 0 {
		delete(q.lines, from)
	} else {
		q.lines[from] = line
		q.turns = append(q.turns, from)
	}
	q.waiting--
	q.begin(first)
}

func (q *Queue) begin(p *Place) {
	q.running++
	close(p.turn)
}

// Load is how much is being done, and how much waits.
func (q *Queue) Load() (running, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running, q.waiting
}
