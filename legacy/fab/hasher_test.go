package fab

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/jetbridge/jetbridge/legacy"
)

// stored is the hash of "secret"; the fake below does not look at it.
const stored = "pbkdf2:sha256:1000$saltsalt$86047d1ecaad2aea56c699eff32f7d4eb3c36a34d3ffd3dc49394d69fa5d2d74"

// A bench is a Hasher whose hashes take until they are released.
type bench struct {
	*Hasher
	begun   atomic.Int32
	running atomic.Int32
	most    atomic.Int32
	release chan struct{}
}

func newBench(t *testing.T, cfg HasherConfig) *bench {
	t.Helper()
	h, err := NewHasher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Hasher: h, release: make(chan struct{})}
	h.matching = func(_ storedHash, password string) (bool, error) {
		b.begun.Add(1)
		if n := b.running.Add(1); n > b.most.Load() {
			b.most.Store(n)
		}
		<-b.release
		b.running.Add(-1)
		return password == "secret", nil
	}
	return b
}

// by is an attempt of somebody at no address, whom nobody counts.
func by(account string) attempt { return attempt{given: account, user: account} }

// says gives an error's reason; empty for nil.
func says(err error) legacy.Reason {
	var r *legacy.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	if err != nil {
		return "fault"
	}
	return ""
}

func TestHashesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, HasherConfig{Concurrent: 2, Queue: 10})
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				a := by("u")
				a.from = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) // each a line of one
				if err := b.check(t.Context(), a, strconv.Itoa(i), stored); says(err) != legacy.WrongPassword {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		err := b.check(t.Context(), by("u"), "one too many", stored)
		var r *legacy.Refusal
		if !errors.As(err, &r) || !errors.Is(err, legacy.ErrUnavailable) || r.Reason != legacy.HashQueueFull || r.RetryAfter <= 0 {
			t.Errorf("a full queue says %v", err)
		}
		if err := b.waste(t.Context(), by("nobody"), "x"); !errors.Is(err, legacy.ErrUnavailable) {
			t.Errorf("a full queue says %v to somebody unknown", err)
		}
		close(b.release)
		wg.Wait()
		if b.begun.Load() != 12 || b.most.Load() != 2 {
			t.Errorf("%d hashes, %d at a time; want 12, 2", b.begun.Load(), b.most.Load())
		}
	})
}

func TestDefaultLeavesACore(t *testing.T) {
	b := newBench(t, HasherConfig{})
	want := max(1, runtime.GOMAXPROCS(0)-1)
	for range want + 1 {
		if _, err := b.queue.Enter(netip.Addr{}); err != nil {
			t.Fatal(err)
		}
	}
	if b.Running() != want || b.Waiting() != 1 {
		t.Errorf("%d run and %d wait, not %d and 1", b.Running(), b.Waiting(), want)
	}
}

// The same question is hashed once, then known, right or wrong.
func TestOneHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			password string
			want     legacy.Reason
		}{{"secret", ""}, {"wrong", legacy.WrongPassword}} {
			b := newBench(t, HasherConfig{})
			var wg sync.WaitGroup
			ask := func() {
				if err := b.check(t.Context(), by("u"), test.password, stored); says(err) != test.want {
					t.Errorf("%s: %v", test.password, err)
				}
			}
			for range 10 {
				wg.Go(ask)
			}
			synctest.Wait()
			close(b.release)
			wg.Wait()
			ask()
			if n := b.begun.Load(); n != 1 {
				t.Errorf("%s: %d hashes", test.password, n)
			}
			for _, other := range [][3]string{{"v", test.password, stored}, {"u", test.password + "x", stored}, {"u", test.password, stored + "0"}, {"us", test.password[1:], stored}} {
				b.check(t.Context(), by(other[0]), other[1], other[2])
			}
			if n := b.begun.Load(); n != 5 {
				t.Errorf("%s: other user, password or stored hash: %d hashes", test.password, n)
			}
		}
	})
}

// A hash that has begun is finished and remembered; one that waits goes with
// the last who waits for it.
func TestLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, HasherConfig{Concurrent: 1, Queue: 1})
		leaving, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, user := range []string{"begun", "queued", "queued"} {
			wg.Go(func() {
				if err := b.check(leaving, by(user), "secret", stored); !errors.Is(err, legacy.ErrUnavailable) || !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", user, err)
				}
			})
			synctest.Wait()
		}
		leave()
		wg.Wait()
		synctest.Wait()
		// The queue has room again, for the same question too.
		wg.Go(func() {
			if err := b.check(t.Context(), by("queued"), "secret", stored); err != nil {
				t.Errorf("asked anew: %v", err)
			}
		})
		synctest.Wait()
		close(b.release)
		wg.Wait()
		if err := b.check(t.Context(), by("begun"), "secret", stored); err != nil {
			t.Errorf("begun: %v", err)
		}
		if n := b.begun.Load(); n != 2 {
			t.Errorf("%d hashes, want 2", n)
		}
	})
}

// Somebody unknown costs what a known user costs, the same at every try.
func TestDecoy(t *testing.T) {
	h, err := NewHasher(HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var methods []string
	h.matching = func(s storedHash, _ string) (bool, error) {
		methods = append(methods, s.method)
		return false, nil
	}
	// cost is the method that one more wrong password costs that user.
	try := 0
	cost := func(user string) string {
		t.Helper()
		before := len(methods)
		for range 2 { // as a wrong password is, remembered
			h.waste(t.Context(), by(user), strconv.Itoa(try))
		}
		if try++; len(methods) != before+1 {
			t.Fatalf("%d hashes for one password", len(methods)-before)
		}
		return methods[before]
	}
	const cheap, dear = "scrypt:128:8:1", "pbkdf2:sha256:1000"
	if got := cost("nobody"); got != "scrypt:32768:8:1" {
		t.Errorf("before any hash was seen: %s", got)
	}
	h.check(t.Context(), by("u"), "x", stored)
	if got := cost("nobody"); got != dear {
		t.Errorf("after one method was seen: %s", got)
	}

	// Of two methods each user has one, whoever logged in last.
	h.check(t.Context(), by("v"), "x", cheap+"$s$00")
	users := map[string]int{}
	for i := range 64 {
		name := "nobody" + strconv.Itoa(i)
		first := cost(name)
		h.check(t.Context(), by("u"), name, stored)
		second := cost(name)
		h.check(t.Context(), by("v"), name, cheap+"$s$00")
		if third := cost(name); second != first || third != first {
			t.Errorf("%s costs %s, then %s, then %s", name, first, second, third)
		}
		users[first]++
	}
	if len(users) != 2 || users[cheap] == 0 || users[dear] == 0 {
		t.Errorf("the decoys are %v, want some of each method", users)
	}

	// Not so many methods as a table may hold are kept.
	for i := range 2 * maxMethods {
		h.check(t.Context(), by("w"), "x", "pbkdf2:sha1:"+strconv.Itoa(i+1)+"$s$00")
	}
	if n := h.methods.Len(); n != maxMethods {
		t.Errorf("%d methods are kept, want %d", n, maxMethods)
	}
}

// Guessing does not push out known clients.
func TestGuessing(t *testing.T) {
	b := newBench(t, HasherConfig{Known: 1})
	close(b.release)
	b.check(t.Context(), by("u"), "secret", stored)
	for i := range maxWrong + 1 {
		b.check(t.Context(), by("u"), strconv.Itoa(i), stored)
	}
	before := b.begun.Load()
	b.check(t.Context(), by("u"), "secret", stored)
	if b.begun.Load() != before || b.wrong.Len() != maxWrong {
		t.Errorf("hashed again, or %d wrong ones are kept", b.wrong.Len())
	}
}

func TestPanicRefuses(t *testing.T) {
	h, err := NewHasher(HasherConfig{Concurrent: 1})
	if err != nil {
		t.Fatal(err)
	}
	h.matching = func(storedHash, string) (bool, error) { panic("secret") }
	for range 2 { // the slot is free again
		if err := h.check(t.Context(), by("u"), "secret", stored); says(err) != "fault" {
			t.Errorf("%v", err)
		}
	}
}

func BenchmarkKnown(b *testing.B) {
	h, err := NewHasher(HasherConfig{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := h.check(b.Context(), by("u"), "secret", stored); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFirst is what the first check of a password costs beside its hash.
func BenchmarkFirst(b *testing.B) {
	const whole = defaultScrypt + "$salt$00"
	parsed, err := parseHash(whole, DefaultIterations)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("the hash itself", func(b *testing.B) {
		for b.Loop() {
			if _, err := parsed.matches("wrong"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("the check", func(b *testing.B) {
		h, err := NewHasher(HasherConfig{})
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; b.Loop(); i++ {
			if err := h.check(b.Context(), by(strconv.Itoa(i)), "wrong", whole); says(err) != legacy.WrongPassword {
				b.Fatal(err)
			}
		}
	})
}
