package fab_test

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
)

// A line is a way to a server that can be cut and mended.
type line struct {
	net.Listener
	to string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &line{Listener: l, to: to}
	t.Cleanup(func() { l.Close(); n.set(true) })
	go n.run()
	return n
}

func (n *line) run() {
	for {
		near, err := n.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", n.to)
		n.mu.Lock()
		if err != nil || n.cut {
			near.Close()
			if far != nil {
				far.Close()
			}
		} else {
			n.conns = append(n.conns, near, far)
			go func() { io.Copy(near, far); near.Close() }()
			go func() { io.Copy(far, near); far.Close() }()
		}
		n.mu.Unlock()
	}
}

// set cuts the line, with all that is on it, or mends it.
func (n *line) set(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	if cut {
		for _, c := range n.conns {
			c.Close()
		}
		n.conns = nil
	}
}

// TestDatabaseGoneAndBack: without the database nobody new is judged, which is no
// "no"; who is known goes on for the bounded time; and when it is back all are
// served again by the same Users.
func TestDatabaseGoneAndBack(t *testing.T) {
	db := newDatabase(t, fabtest.Config{Postgres: postgres(t)}, people...)
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	way := newLine(t, u.Host)
	u.Host = way.Addr().String()
	db.URL = u.String()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	users := newUsers(t, db, fab.Config{OutageGrace: time.Minute, Now: func() time.Time { return now }})
	verify := func(name, password string) error {
		_, err := users.VerifyPassword(t.Context(), name, password)
		return err
	}
	if err := verify("alice", "secret"); err != nil {
		t.Fatal(err)
	}

	way.set(true)
	if err := verify("alice", "secret"); err != nil {
		t.Errorf("a known client, at once: %v", err)
	}
	if err := verify("bob", "other"); !errors.Is(err, legacy.ErrUnavailable) {
		t.Errorf("an unknown one: %v", err)
	}
	now = now.Add(5*time.Second + 59*time.Second) // within recheck and grace
	if err := verify("alice", "secret"); err != nil {
		t.Errorf("a known client, within the grace: %v", err)
	}
	if err := verify("alice", "wrong"); !errors.Is(err, legacy.ErrRejected) {
		t.Errorf("a wrong password of a known client: %v", err)
	}
	now = now.Add(2 * time.Second)
	if err := verify("alice", "secret"); !errors.Is(err, legacy.ErrUnavailable) {
		t.Errorf("a known client, after it: %v", err)
	}

	way.set(false)
	for _, p := range []struct{ name, password string }{{"alice", "secret"}, {"bob", "other"}} {
		if err := verify(p.name, p.password); err != nil {
			t.Errorf("%s, when it is back: %v", p.name, err)
		}
	}
}
