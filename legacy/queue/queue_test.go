package queue_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/queue"
)

var (
	flooder = netip.MustParseAddr("192.0.2.1")
	alice   = netip.MustParseAddr("192.0.2.2")
	bob     = netip.MustParseAddr("2001:db8::1")
)

func newQueue(t *testing.T, concurrent, waiting int) *queue.Queue {
	t.Helper()
	q, err := queue.New(queue.Config{Concurrent: concurrent, Waiting: waiting})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func enter(t *testing.T, q *queue.Queue, from netip.Addr) *queue.Place {
	t.Helper()
	p, err := q.Enter(from)
	if err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	return p
}

func full(t *testing.T, q *queue.Queue, from netip.Addr) {
	t.Helper()
	if _, err := q.Enter(from); !isFull(err) {
		t.Errorf("%s: %v, want a full queue", from, err)
	}
}

func isFull(err error) bool {
	var r *legacy.Refusal
	return errors.Is(err, legacy.ErrUnavailable) && errors.As(err, &r) && r.Reason == legacy.HashQueueFull && r.RetryAfter > 0
}

// TestTurns: whoever sends one waits for one of a flood, not for the flood, and
// the flood's own go on in their order.
func TestTurns(t *testing.T) {
	q := newQueue(t, 1, 12)
	names := map[*queue.Place]string{}
	add := func(name string, from netip.Addr) *queue.Place {
		p := enter(t, q, from)
		names[p] = name
		return p
	}
	now := add("flood 0", flooder)
	for i := range 5 {
		add(fmt.Sprint("flood ", i+1), flooder)
	}
	add("alice 1", alice)
	add("bob 1", bob)
	add("alice 2", alice)

	turn := make(chan *queue.Place)
	var all sync.WaitGroup
	for p := range names {
		if p != now {
			all.Go(func() {
				if err := p.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				turn <- p
			})
		}
	}
	var got []string
	for range 8 {
		now.Leave()
		now = <-turn
		got = append(got, names[now])
	}
	now.Leave()
	all.Wait()
	want := []string{"flood 1", "alice 1", "bob 1", "flood 2", "alice 2", "flood 3", "flood 4", "flood 5"}
	if !slices.Equal(got, want) {
		t.Errorf("the turns were\n%q, want\n%q", got, want)
	}
	if running, waiting := q.Load(); running != 0 || waiting != 0 {
		t.Errorf("at the end %d run and %d wait", running, waiting)
	}
}

// TestFull: an address has at most half of the places, a /64 is one address, and
// all together have no more than there are.
func TestFull(t *testing.T) {
	q := newQueue(t, 2, 4)
	for range 4 {
		enter(t, q, bob)
	}
	full(t, q, netip.MustParseAddr("2001:db8::ffff"))
	enter(t, q, alice)
	last := enter(t, q, alice)
	full(t, q, alice)
	if running, waiting := q.Load(); running != 2 || waiting != 4 {
		t.Errorf("%d run and %d wait", running, waiting)
	}
	last.Leave()
	enter(t, q, flooder)
	full(t, q, alice) // bob's line is no longer than hers would be
	if running, waiting := q.Load(); running != 2 || waiting != 4 {
		t.Errorf("%d run and %d wait", running, waiting)
	}

	small := newQueue(t, 1, 1)
	enter(t, small, alice)
	enter(t, small, alice) // half of one is one
	for _, cfg := range []queue.Config{{}, {Concurrent: 1}, {Waiting: 1}, {Concurrent: -1, Waiting: 1}} {
		if _, err := queue.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestTwoFloods: two addresses that fill the queue keep nobody out who sends less:
// the last of the longest line goes, and hears what a full queue says. Among lines
// that are as short as can be nobody goes.
func TestTwoFloods(t *testing.T) {
	q := newQueue(t, 1, 8)
	second := netip.MustParseAddr("192.0.2.3")
	now := enter(t, q, flooder)
	var floods [2][]*queue.Place
	for range 4 {
		floods[0] = append(floods[0], enter(t, q, flooder))
		floods[1] = append(floods[1], enter(t, q, second))
	}
	full(t, q, flooder)
	hers := enter(t, q, alice)
	if err := floods[1][3].Wait(t.Context()); !isFull(err) {
		t.Errorf("who is put out hears %v", err)
	}
	floods[1][3].Leave() // does nothing
	full(t, q, second)   // it has no more to put out than others
	for i := range 5 {   // each to a line of its own, until all of them are short
		enter(t, q, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	if running, waiting := q.Load(); running != 1 || waiting != 8 {
		t.Errorf("%d run and %d wait", running, waiting)
	}
	full(t, q, bob)
	for _, flood := range floods {
		for i, p := range flood[1:] {
			if err := p.Wait(t.Context()); !isFull(err) {
				t.Errorf("number %d of a flood hears %v", i+2, err)
			}
		}
	}
	// The first of each goes on, and nobody waits for more than that.
	for _, p := range []*queue.Place{floods[0][0], floods[1][0], hers} {
		now.Leave()
		if err := p.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		now = p
	}
}

// TestLeaving: who leaves gives the place to the next, once, working or waiting.
func TestLeaving(t *testing.T) {
	q := newQueue(t, 1, 8)
	working, first, second := enter(t, q, alice), enter(t, q, alice), enter(t, q, bob)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := first.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait longer gets %v", err)
	}
	first.Leave()
	if running, waiting := q.Load(); running != 1 || waiting != 1 {
		t.Errorf("%d run and %d wait", running, waiting)
	}
	working.Leave()
	working.Leave()
	if err := second.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	third := enter(t, q, alice)
	second.Leave()
	if err := third.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	third.Leave()
	enter(t, q, bob)
	enter(t, q, bob)
	if running, waiting := q.Load(); running != 1 || waiting != 1 {
		t.Errorf("with one at a time %d run and %d wait", running, waiting)
	}
}
