package recheck

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
)

var (
	no   = legacy.Rejected(legacy.UnknownUser, nil)
	down = legacy.Unavailable(legacy.SourceUnavailable, errors.New("down"), 0)
)

// A source answers what it is told to, and counts the questions.
type source struct {
	value string
	err   error
	asked int
}

func (s *source) ask(context.Context) (string, error) {
	s.asked++
	return s.value, s.err
}

// A clock stands still until it is moved.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newCache(t *testing.T, cfg Config) *Cache[string] {
	t.Helper()
	c, err := New[string](cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStory tells one key's life: each step moves the clock, sets what the
// source says, and wants an answer and a number of questions so far.
func TestStory(t *testing.T) {
	type step struct {
		after time.Duration
		value string
		err   error
		want  string
		is    error
		asked int
	}
	for name, steps := range map[string][]step{
		"young answers are not asked for again": {
			{0, "a", nil, "a", nil, 1},
			{4999 * time.Millisecond, "b", nil, "a", nil, 1},
			{time.Millisecond, "b", nil, "b", nil, 2},
		},
		"a rejection replaces the known answer at once and is remembered": {
			{0, "a", nil, "a", nil, 1},
			{5 * time.Second, "", no, "", legacy.ErrRejected, 2},
			{4 * time.Second, "a", nil, "", legacy.ErrRejected, 2},
			{time.Second, "a", nil, "a", nil, 3},
		},
		"no grace after a rejection": {
			{0, "a", nil, "a", nil, 1},
			{5 * time.Second, "", no, "", legacy.ErrRejected, 2},
			{5 * time.Second, "", down, "", legacy.ErrUnavailable, 3},
		},
		"an outage is outlived for the grace beyond the answer's own time, asking now and then": {
			{0, "a", nil, "a", nil, 1},
			{5 * time.Second, "", down, "a", nil, 2},
			{4 * time.Second, "", down, "a", nil, 2},
			{time.Second, "", down, "a", nil, 3}, // 10 s
			{52 * time.Second, "", down, "a", nil, 4},
			{2999 * time.Millisecond, "", down, "a", nil, 4},
			{time.Millisecond, "", down, "", legacy.ErrUnavailable, 5}, // 65 s
			{0, "", down, "", legacy.ErrUnavailable, 6},
			{0, "b", nil, "b", nil, 7},
		},
		"a source that comes back is believed": {
			{0, "a", nil, "a", nil, 1},
			{10 * time.Second, "", down, "a", nil, 2},
			{5 * time.Second, "b", nil, "b", nil, 3},
			{64 * time.Second, "", down, "b", nil, 4},
		},
		"nobody unknown comes in during an outage": {
			{0, "", down, "", legacy.ErrUnavailable, 1},
			{0, "", down, "", legacy.ErrUnavailable, 2},
		},
		"a fault is neither remembered nor covered by the grace": {
			{0, "a", nil, "a", nil, 1},
			{5 * time.Second, "", errors.ErrUnsupported, "", errors.ErrUnsupported, 2},
			{0, "b", nil, "b", nil, 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var src source
			clk := clock{time.Unix(1_000_000, 0)}
			c := newCache(t, Config{Grace: time.Minute, Now: clk.Now})
			for i, s := range steps {
				clk.now = clk.now.Add(s.after)
				src.value, src.err = s.value, s.err
				got, err := c.Get(t.Context(), "k", src.ask)
				if got != s.want || !errors.Is(err, s.is) || src.asked != s.asked {
					t.Fatalf("step %d: %q, %v after %d questions; want %q, %v after %d", i, got, err, src.asked, s.want, s.is, s.asked)
				}
			}
		})
	}
}

// The grace begins when the answer has run out, however long that takes.
func TestGraceBelowRecheck(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		src := source{value: "a"}
		clk := clock{time.Unix(1_000_000, 0)}
		c := newCache(t, Config{Recheck: 5 * time.Minute, Grace: grace, Now: clk.Now})
		if c.Holds("k") {
			t.Error("holds an answer before there is one")
		}
		c.Get(t.Context(), "k", src.ask)
		src.value, src.err = "", down
		clk.now = clk.now.Add(5*time.Minute + grace - 1)
		if got, err := c.Get(t.Context(), "k", src.ask); got != "a" || err != nil {
			t.Errorf("at the end of a grace of %s: %q, %v", grace, got, err)
		}
		clk.now = clk.now.Add(1)
		if got, err := c.Get(t.Context(), "k", src.ask); got != "" || !errors.Is(err, legacy.ErrUnavailable) {
			t.Errorf("after a grace of %s: %q, %v", grace, got, err)
		}
		if !c.Holds("k") {
			t.Error("an outage took the answer away")
		}
		src.err = no
		c.Get(t.Context(), "k", src.ask)
		if c.Holds("k") {
			t.Error("holds an answer that was rejected since")
		}
	}
}

func TestRejectedTime(t *testing.T) {
	src := source{err: no}
	clk := clock{time.Unix(1_000_000, 0)}
	c := newCache(t, Config{Recheck: 5 * time.Minute, Rejected: 5 * time.Second, Now: clk.Now})
	c.Get(t.Context(), "k", src.ask)
	clk.now = clk.now.Add(5 * time.Second)
	src.value, src.err = "a", nil
	if got, err := c.Get(t.Context(), "k", src.ask); got != "a" || err != nil {
		t.Errorf("after the time for rejections: %q, %v", got, err)
	}
}

// An answer is as old as its question, not as its arrival.
func TestAgeOfSlowAnswer(t *testing.T) {
	clk := clock{time.Unix(1_000_000, 0)}
	c := newCache(t, Config{Now: clk.Now})
	asked := 0
	slow := func(context.Context) (string, error) {
		asked++
		clk.now = clk.now.Add(4 * time.Second)
		return "a", nil
	}
	c.Get(t.Context(), "k", slow)
	clk.now = clk.now.Add(time.Second)
	c.Get(t.Context(), "k", slow)
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}

func TestOneQuestionForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, Config{})
		var asked atomic.Int32
		release := make(chan struct{})
		ask := func(context.Context) (string, error) {
			asked.Add(1)
			<-release
			return "a", nil
		}
		leaving, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Get(leaving, "k", ask); !errors.Is(err, legacy.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("who leaves gets %v", err)
			}
		})
		for range 10 {
			wg.Go(func() {
				if got, err := c.Get(t.Context(), "k", ask); got != "a" || err != nil {
					t.Errorf("who waits gets %q, %v", got, err)
				}
			})
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(release)
		wg.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestQuestionHasItsOwnTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, Config{Timeout: 3 * time.Second})
		start := time.Now()
		_, err := c.Get(t.Context(), "k", func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", legacy.Unavailable(legacy.SourceUnavailable, ctx.Err(), 0)
		})
		if d := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || d != 3*time.Second {
			t.Errorf("%v after %s", err, d)
		}
	})
}

func TestPanicIsARefusal(t *testing.T) {
	c := newCache(t, Config{})
	_, err := c.Get(t.Context(), "k", func(context.Context) (string, error) { panic("oops") })
	if err == nil || errors.Is(err, legacy.ErrRejected) || errors.Is(err, legacy.ErrUnavailable) {
		t.Errorf("got %v, want a fault", err)
	}
	if got, err := c.Get(t.Context(), "k", func(context.Context) (string, error) { return "a", nil }); got != "a" || err != nil {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

// Rejections of made-up names neither push out a known client nor grow without end.
func TestBounds(t *testing.T) {
	c := newCache(t, Config{Size: 2})
	good := source{value: "a"}
	c.Get(t.Context(), "known", good.ask)
	bad := source{err: no}
	for i := range maxRejected + 10 {
		c.Get(t.Context(), strconv.Itoa(i), bad.ask)
	}
	c.Get(t.Context(), "known", good.ask)
	if good.asked != 1 {
		t.Error("a known answer was pushed out by rejections")
	}
	if n := c.rejected.Len(); n != maxRejected {
		t.Errorf("%d rejections are kept, want %d", n, maxRejected)
	}
	c.Get(t.Context(), "b", good.ask)
	c.Get(t.Context(), "c", good.ask)
	if n := c.known.Len(); n != 2 {
		t.Errorf("%d answers are kept, want 2", n)
	}
}

// TestForget: what the caller changed counts at once, in an outage too, and a
// question from before does not bring it back.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, Config{Grace: time.Minute})
		src := source{value: "a"}
		c.Get(t.Context(), "k", src.ask)
		c.Get(t.Context(), "other", src.ask)
		c.Forget("k")
		if c.Holds("k") || !c.Holds("other") {
			t.Error("forgets the wrong one")
		}

		release := make(chan struct{})
		slow := func(answer string, err error) func(context.Context) (string, error) {
			return func(context.Context) (string, error) { <-release; return answer, err }
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if got, err := c.Get(t.Context(), "k", slow("a", nil)); got != "a" || err != nil {
				t.Errorf("who asked before gets %q, %v", got, err)
			}
		})
		wg.Go(func() { c.Get(t.Context(), "gone", slow("", no)) })
		synctest.Wait()
		c.Forget("k")
		src = source{value: "b"}
		if got, err := c.Get(t.Context(), "k", src.ask); got != "b" || err != nil || src.asked != 1 {
			t.Errorf("who asks after it gets %q, %v", got, err)
		}
		c.Forget("k")
		c.Forget("gone")
		close(release)
		wg.Wait()
		src = source{err: down}
		for _, key := range []string{"k", "gone"} {
			if got, err := c.Get(t.Context(), key, src.ask); !errors.Is(err, legacy.ErrUnavailable) {
				t.Errorf("%s in an outage: %q, %v", key, got, err)
			}
		}
		if got, err := c.Get(t.Context(), "other", src.ask); got != "a" || err != nil {
			t.Errorf("another one: %q, %v", got, err)
		}
	})
}

// TestForgetRejection: who was refused, and let in by the caller since, is let in.
func TestForgetRejection(t *testing.T) {
	c := newCache(t, Config{})
	src := source{err: no}
	c.Get(t.Context(), "k", src.ask)
	c.Forget("k")
	src = source{value: "a"}
	if got, err := c.Get(t.Context(), "k", src.ask); got != "a" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestRenew: a young answer is asked for again, and kept where the source is down.
func TestRenew(t *testing.T) {
	c := newCache(t, Config{Grace: time.Minute})
	src := source{value: "a"}
	c.Get(t.Context(), "k", src.ask)
	src.value = "b"
	if got, err := c.Renew(t.Context(), "k", src.ask); got != "b" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	src.err = down
	if got, err := c.Renew(t.Context(), "k", src.ask); got != "b" || err != nil {
		t.Errorf("in an outage: %q, %v", got, err)
	}
	src.err = no
	if _, err := c.Renew(t.Context(), "k", src.ask); !errors.Is(err, legacy.ErrRejected) || c.Holds("k") {
		t.Errorf("rejected: %v", err)
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	c := newCache(t, Config{})
	src := source{value: "a"}
	ask := src.ask
	c.Get(t.Context(), "k", ask)
	if n := testing.AllocsPerRun(100, func() { c.Get(t.Context(), "k", ask) }); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"negative recheck":             {Recheck: -1},
		"negative grace":               {Grace: -1},
		"negative size":                {Size: -1},
		"timeout beyond recheck":       {Recheck: time.Second, Timeout: 2 * time.Second},
		"rejections longer than known": {Recheck: time.Second, Rejected: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New[string](cfg); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// TestFresh: who is given no grace hears of the outage, whoever else is given some,
// and is the first to notice that it is over.
func TestFresh(t *testing.T) {
	clock := &clock{time.Unix(1_000_000, 0)}
	c := newCache(t, Config{Grace: time.Minute, Now: clock.Now})
	s := &source{value: "a"}
	want := func(get func(context.Context, string, func(context.Context) (string, error)) (string, error), value string, is error, asked int) {
		t.Helper()
		if got, err := get(t.Context(), "k", s.ask); got != value || !errors.Is(err, is) || s.asked != asked {
			t.Errorf("%q, %v after %d questions; want %q, %v after %d", got, err, s.asked, value, is, asked)
		}
	}
	want(c.Fresh, "a", nil, 1)
	clock.now = clock.now.Add(4 * time.Second)
	s.err = down
	want(c.Fresh, "a", nil, 1)
	clock.now = clock.now.Add(time.Second)
	want(c.Fresh, "", legacy.ErrUnavailable, 2)
	want(c.Get, "a", nil, 2)
	want(c.Fresh, "", legacy.ErrUnavailable, 3)
	s.err, s.value = nil, "b"
	want(c.Get, "a", nil, 3)
	want(c.Fresh, "b", nil, 4)
	want(c.Get, "b", nil, 4)
}
