package fab

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/lockout"
)

var (
	attacker = netip.MustParseAddr("192.0.2.1")
	client   = netip.MustParseAddr("192.0.2.2")
)

// A site is Users whose hashes take until they are released, with a guard that
// lets an account fail three times.
type site struct {
	*bench
	*Users
}

func newSite(t *testing.T, hashes HasherConfig) site {
	t.Helper()
	db, err := fabtest.New(t.Context(), fabtest.Config{SQLite: filepath.Join(t.TempDir(), "airflow.db")},
		fabtest.User{ID: 1, Name: "alice", Email: "alice@example.com", Hash: stored},
		fabtest.User{ID: 2, Name: "bob", Hash: stored},
		fabtest.User{ID: 3, Name: "gone", Hash: stored, Inactive: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(context.Background()) })
	read, err := airflowdb.Open(airflowdb.Config{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	now := func() time.Time { return time.Unix(1_000_000, 0) }
	guard, err := lockout.New(lockout.Config{Failures: 3, AddressFailures: 1000, Window: time.Hour, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, hashes)
	users, err := New(Config{DB: read, Hasher: b.Hasher, Guard: guard, Recheck: time.Hour, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "bob", "gone", "nobody", "alice@example.com"} {
		users.find(t.Context(), name) // so that no bubble waits for the database
	}
	return site{b, users}
}

// bubble runs f where it can wait until nothing moves.
func (s site) bubble(t *testing.T, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		s.release = make(chan struct{})
		f(t)
	})
}

func (s site) try(ctx context.Context, from netip.Addr, name, password string) legacy.Reason {
	_, err := s.VerifyPassword(legacy.WithClient(ctx, from), name, password)
	return says(err)
}

// TestGuessesAtOnce: of a hundred passwords for one account that come at the same
// time, three are judged, whatever the account is called; somebody who is not there
// or not active is locked out just so, and so is a user's address, which nobody
// is told whose it is (C-24).
func TestGuessesAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		spellings []string
		cost      int // hashes at most, of passwords or in place of them
	}{
		"there":          {[]string{"alice", "ALICE"}, 3},
		"not there":      {[]string{"nobody", "NOBODY"}, 3},
		"inactive":       {[]string{"gone", "Gone"}, 3},
		"by two names":   {[]string{"alice", "alice@example.com"}, 6},
		"by her address": {[]string{"alice@example.com"}, 3},
	} {
		s := newSite(t, HasherConfig{Concurrent: 8})
		s.bubble(t, func(t *testing.T) {
			var all sync.WaitGroup
			var locked, judged atomic.Int32
			hash := s.matching
			s.matching = func(h storedHash, password string) (bool, error) {
				if h.salt == "saltsalt" {
					judged.Add(1)
				}
				return hash(h, password)
			}
			for i := range 100 {
				all.Go(func() {
					if s.try(t.Context(), attacker, test.spellings[i%len(test.spellings)], strconv.Itoa(i)) == legacy.TooManyFailures {
						locked.Add(1)
					}
				})
			}
			synctest.Wait()
			cost := int(s.begun.Load())
			if n := int(locked.Load()); cost < 3 || cost > test.cost || n != 100-cost {
				t.Errorf("%s: %d are hashed, and meanwhile %d locked out", name, cost, n)
			}
			close(s.release)
			all.Wait()
			if n := judged.Load(); n > 3 || int(s.begun.Load()) != cost {
				t.Errorf("%s: %d were judged, %d hashed", name, n, s.begun.Load())
			}
			if got := s.try(t.Context(), attacker, test.spellings[0], "secret"); got != legacy.TooManyFailures {
				t.Errorf("%s: then the right one is answered %q", name, got)
			}
		})
	}
}

// TestGuessAndHangUp: who leaves before the answer has guessed all the same, and
// finds out no more by asking again.
func TestGuessAndHangUp(t *testing.T) {
	s := newSite(t, HasherConfig{Concurrent: 4})
	s.bubble(t, func(t *testing.T) {
		leaving, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() { s.try(leaving, attacker, "alice", strconv.Itoa(i)) })
		}
		synctest.Wait()
		leave()
		all.Wait()
		close(s.release)
		synctest.Wait()
		for _, password := range []string{"0", "secret"} {
			if got := s.try(t.Context(), attacker, "alice", password); got != legacy.TooManyFailures || s.begun.Load() != 3 {
				t.Errorf("after %d were judged %q is answered %q", s.begun.Load(), password, got)
			}
		}
	})
}

// TestManyClientsOfOneAccount: two hundred clients that come at once with the same
// good password, each at an address of its own, as after a restart, are one attempt
// and all get in; and so do as many others once the password is remembered. None of
// them but the first may be held against the others.
func TestManyClientsOfOneAccount(t *testing.T) {
	s := newSite(t, HasherConfig{})
	guard := &admitting{Guard: s.guard}
	s.guard = guard
	s.bubble(t, func(t *testing.T) {
		for network := range byte(2) {
			var all sync.WaitGroup
			begin := make(chan struct{})
			for i := range byte(200) {
				all.Go(func() {
					<-begin
					if got := s.try(t.Context(), netip.AddrFrom4([4]byte{10, 0, network, i}), "alice", "secret"); got != "" {
						t.Errorf("a client is answered %q", got)
					}
				})
			}
			close(begin)
			if network == 0 {
				synctest.Wait()
				close(s.release)
			}
			all.Wait()
		}
		if n, admitted := s.begun.Load(), guard.admitted.Load(); n != 1 || admitted != 1 {
			t.Errorf("%d were judged, and %d held for it", n, admitted)
		}
	})
}

// An admitting guard counts what it admits.
type admitting struct {
	Guard
	admitted atomic.Int32
}

func (a *admitting) Admit(from netip.Addr, accounts ...string) (func(error), error) {
	a.admitted.Add(1)
	return a.Guard.Admit(from, accounts...)
}

// TestElsewhere: a right password is remembered where its owner has been; from
// anywhere else it is a guess like any other, and wrong ones there lock nobody out
// who is known.
func TestElsewhere(t *testing.T) {
	s := newSite(t, HasherConfig{})
	s.bubble(t, func(t *testing.T) {
		close(s.release)
		for _, step := range []struct {
			from     netip.Addr
			password string
			want     legacy.Reason
		}{
			{client, "secret", ""}, {attacker, "0", legacy.WrongPassword}, {attacker, "1", legacy.WrongPassword}, {attacker, "2", legacy.WrongPassword},
			{attacker, "secret", legacy.TooManyFailures}, {client, "secret", ""}, {client, "3", legacy.TooManyFailures},
		} {
			if got := s.try(t.Context(), step.from, "alice", step.password); got != step.want {
				t.Errorf("%q from %s is answered %q, want %q", step.password, step.from, got, step.want)
			}
		}
		if n := s.begun.Load(); n != 4 {
			t.Errorf("%d hashes", n)
		}
	})
}

// TestOldPassword: a job that goes on with one old password locks nobody out but its
// own address, and its repeats cost no hash; whoever it names, there or not (C-24).
// Where too many others have failed it is told no more than anybody.
func TestOldPassword(t *testing.T) {
	for _, name := range []string{"alice", "alice@example.com", "gone", "nobody"} {
		s := newSite(t, HasherConfig{})
		s.bubble(t, func(t *testing.T) {
			close(s.release)
			for range 1000 {
				if got := s.try(t.Context(), attacker, name, "old"); got == legacy.TooManyFailures || got == "" {
					t.Fatalf("%s: the old password is answered %q", name, got)
				}
			}
			if n := s.begun.Load(); n != 1 {
				t.Errorf("%s: %d hashes", name, n)
			}
			if got := s.try(t.Context(), attacker, "bob", "secret"); got != legacy.TooManyFailures {
				t.Errorf("%s: then its address is answered %q", name, got)
			}
			for _, password := range []string{"1", "2"} { // the first old one counted
				if got := s.try(t.Context(), client, name, password); got == legacy.TooManyFailures {
					t.Errorf("%s: %q is answered %q", name, password, got)
				}
			}
			if got := s.try(t.Context(), client, name, "old"); got != legacy.TooManyFailures {
				t.Errorf("%s: locked out, the old password is answered %q", name, got)
			}
		})
	}
}

// TestNamesKeepQuiet: who has failed by somebody's name learns nothing by an address,
// nor the other way round: whether it is hers or nobody's, it is answered as if nobody
// had failed, until as many have by the second name. Then both are locked out (C-24).
func TestNamesKeepQuiet(t *testing.T) {
	for _, test := range []struct{ failed, asked string }{
		{"alice@example.com", "alice"}, {"nobody@example.com", "alice"},
		{"alice", "alice@example.com"}, {"alice", "nobody@example.com"},
	} {
		s := newSite(t, HasherConfig{})
		s.bubble(t, func(t *testing.T) {
			close(s.release)
			for i := range 3 {
				s.try(t.Context(), attacker, test.failed, strconv.Itoa(i))
			}
			for i := range 7 {
				_, err := s.VerifyPassword(legacy.WithClient(t.Context(), client), test.asked, "x"+strconv.Itoa(i))
				if got := errors.Is(err, legacy.ErrLockedOut); got != (i >= 3) || err == nil {
					t.Errorf("after failures of %s, number %d of %s is answered %v", test.failed, i+1, test.asked, err)
				}
			}
			if got := s.try(t.Context(), attacker, test.failed, "x"); got != legacy.TooManyFailures {
				t.Errorf("%s itself is answered %q", test.failed, got)
			}
		})
	}
}

// TestNamesTakeAsLong: an address costs as many hashes whether it is somebody's or
// nobody's: after a wrong password by the other name, and when the one that was wrong
// is asked again while she is locked out (C-24).
func TestNamesTakeAsLong(t *testing.T) {
	for _, address := range []string{"alice@example.com", "nobody@example.com"} {
		s := newSite(t, HasherConfig{})
		s.bubble(t, func(t *testing.T) {
			close(s.release)
			s.try(t.Context(), client, "bob", "x") // a hash has been seen
			for i, step := range []struct {
				name, password string
				hashes         int32
			}{
				{address, "w", 1}, {address, "w", 0}, {"alice", "w", 1}, {"alice", "v", 1}, {address, "v", 1},
				{"alice", "u", 1}, {address, "w", 0}, {address, "v", 0}, {address, "u", 1}, {address, "u", 0},
			} {
				before := s.begun.Load()
				if got := s.try(t.Context(), attacker, step.name, step.password); got == "" || s.begun.Load()-before != step.hashes {
					t.Errorf("%s, step %d: %d hashes, %q", address, i, s.begun.Load()-before, got)
				}
			}
		})
	}
}

// TestFlood: while one address sends more passwords than can be hashed, a client
// that is known waits for none of them, and one that is new for one of them. What
// finds no place is not held against anybody.
func TestFlood(t *testing.T) {
	s := newSite(t, HasherConfig{Concurrent: 1, Queue: 8})
	s.bubble(t, func(t *testing.T) {
		go func() { s.release <- struct{}{} }()
		if got := s.try(t.Context(), client, "alice", "secret"); got != "" {
			t.Fatal(got)
		}
		var all sync.WaitGroup
		flood := *s.Users
		flood.guard = nil // what the guard lets through is a matter of its own
		for i := range 100 {
			all.Go(func() { flood.VerifyPassword(legacy.WithClient(t.Context(), attacker), "gone", strconv.Itoa(i)) })
		}
		synctest.Wait()
		if s.Running() != 1 || s.Waiting() != 4 {
			t.Errorf("%d run and %d wait of a flood", s.Running(), s.Waiting())
		}
		for range 5 {
			if got := s.try(t.Context(), attacker, "bob", "secret"); got != legacy.HashQueueFull {
				t.Errorf("an address that has half of the queue is answered %q", got)
			}
		}
		if got := s.try(t.Context(), client, "Alice", "secret"); got != "" { // nothing is released
			t.Errorf("a known client is answered %q", got)
		}
		answer := make(chan legacy.Reason, 1)
		all.Go(func() { answer <- s.try(t.Context(), client, "bob", "secret") })
		synctest.Wait()
		for range 3 { // the one that is being hashed, the one whose turn it was, and bob's
			s.release <- struct{}{}
			synctest.Wait()
		}
		select {
		case got := <-answer:
			if got != "" {
				t.Errorf("a new client is answered %q", got)
			}
		default:
			t.Error("a new client waits for more than one of a flood")
		}
		close(s.release)
		all.Wait()
	})
}

// TestTwoFloods: while two addresses fill the queue, somebody new is let in. Who is
// put out for that hears that the queue is full, and it is held against nobody.
func TestTwoFloods(t *testing.T) {
	s := newSite(t, HasherConfig{Concurrent: 1, Queue: 4})
	s.bubble(t, func(t *testing.T) {
		var all sync.WaitGroup
		answers := map[string]legacy.Reason{}
		var mu sync.Mutex
		try := func(from netip.Addr, name, password string) {
			all.Go(func() {
				got := s.try(t.Context(), from, name, password)
				mu.Lock()
				defer mu.Unlock()
				answers[name+" "+password] = got
			})
			synctest.Wait()
		}
		for i := range 3 {
			try(attacker, "nobody", strconv.Itoa(i))
		}
		try(client, "alice", "0")
		try(client, "alice", "1")
		try(netip.MustParseAddr("192.0.2.3"), "bob", "secret")
		if got := answers["alice 1"]; got != legacy.HashQueueFull || s.Waiting() != 4 {
			t.Errorf("with %d waiting the last is answered %q", s.Waiting(), got)
		}
		close(s.release)
		all.Wait()
		if got, ok := answers["bob secret"]; got != "" || !ok {
			t.Errorf("somebody new is answered %q", got)
		}
		for _, password := range []string{"2", "3"} {
			if got := s.try(t.Context(), client, "alice", password); got != legacy.WrongPassword {
				t.Errorf("then %q is answered %q", password, got)
			}
		}
	})
}
