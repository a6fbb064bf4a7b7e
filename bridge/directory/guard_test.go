package directory_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge/directory"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/lockout"
)

// TestGuard: whatever spelling is tried is one account, what is remembered to be
// right is a guess like any other where its owner has never been, and a verdict
// that nobody waits for counts (C-24).
func TestGuard(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	clock := func() time.Time { return now }
	guard, err := lockout.New(lockout.Config{Failures: 3, Window: time.Hour, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	a := newAirflow(t, says(201, issued))
	u := upstream(t, a, directory.UpstreamConfig{Guard: guard, Now: clock}, seven)
	here := legacy.WithClient(t.Context(), netip.MustParseAddr("192.0.2.1"))
	there := legacy.WithClient(t.Context(), netip.MustParseAddr("192.0.2.2"))
	try := func(ctx context.Context, name, word string, want error) {
		t.Helper()
		if _, err := u.VerifyPassword(ctx, name, word); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	try(here, "müller", password, nil)
	wrong := says(401, "")
	a.answer.Store(&wrong)
	for _, name := range []string{"MÜLLER", "muller ", "Mu\u0308ller"} {
		try(there, name, "guess", legacy.ErrRejected)
	}
	try(there, "muller", "guess", legacy.ErrLockedOut)
	try(there, "müller", password, legacy.ErrLockedOut)
	try(here, "müller", password, nil)

	asked, release := make(chan struct{}, 3), make(chan struct{})
	hangs := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-release
		w.WriteHeader(http.StatusUnauthorized)
	})
	a.answer.Store(&hangs)
	defer close(release)
	var left atomic.Int32
	for _, word := range []string{"1", "2", "3"} {
		ctx, hangUp := context.WithCancel(there)
		go func() { <-asked; left.Add(1); hangUp() }()
		try(ctx, "bob", word, legacy.ErrUnavailable)
	}
	try(there, "bob", "4", legacy.ErrLockedOut)
	if left.Load() != 3 {
		t.Errorf("%d were judged", left.Load())
	}
}

// TestOldPassword: a job that goes on with one old password locks nobody out but its
// own address, and is let in once it is the password again.
func TestOldPassword(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	clock := func() time.Time { return now }
	guard, err := lockout.New(lockout.Config{Failures: 3, AddressFailures: 20, Window: time.Hour, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	wrong, right := says(401, ""), says(201, issued)
	a := newAirflow(t, wrong)
	u := upstream(t, a, directory.UpstreamConfig{Guard: guard, Now: clock}, seven)
	job := legacy.WithClient(t.Context(), netip.MustParseAddr("192.0.2.1"))
	other := legacy.WithClient(t.Context(), netip.MustParseAddr("192.0.2.2"))
	try := func(ctx context.Context, word string, want error) {
		t.Helper()
		if _, err := u.VerifyPassword(ctx, "alice", word); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", word, err, want)
		}
	}
	for range 10 {
		try(job, "old", legacy.ErrRejected) // asked
		try(job, "old", legacy.ErrRejected) // remembered
		now = now.Add(10 * time.Second)
	}
	if n := a.asked.Load(); n != 10 {
		t.Errorf("Airflow was asked %d times", n)
	}
	try(job, "old", legacy.ErrLockedOut)
	a.answer.Store(&right)
	try(other, "new", nil)
	a.answer.Store(&wrong)
	for _, word := range []string{"1", "2", "3"} {
		try(other, word, legacy.ErrRejected)
	}
	now = now.Add(3 * time.Minute) // one of the address' failures comes back
	try(job, "old", legacy.ErrLockedOut)
	now = now.Add(17 * time.Minute) // and one of the account's
	a.answer.Store(&right)
	try(job, "old", nil)
	if !guard.Knows("alice", legacy.ClientFrom(job)) {
		t.Error("whose password is good again is not known")
	}
	a.answer.Store(&wrong)
	for _, word := range []string{"4", "5", "6"} {
		try(other, word, legacy.ErrRejected)
	}
	try(other, "7", legacy.ErrLockedOut)
	try(job, "old", nil)
}

// TestGraceIsForWhoIsKnown: during an outage nobody comes in from a place where the
// account is not known, whoever else is let in by then; after it they do.
func TestGraceIsForWhoIsKnown(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	clock := func() time.Time { return now }
	guard, err := lockout.New(lockout.Config{Failures: 2, Window: time.Hour, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	down, right := says(503, ""), says(201, issued)
	a := newAirflow(t, right)
	u := upstream(t, a, directory.UpstreamConfig{Guard: guard, Now: clock, Recheck: time.Minute, OutageGrace: 5 * time.Minute}, seven)
	known, stranger := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	try := func(from netip.Addr, want legacy.Reason) {
		t.Helper()
		if _, err := u.VerifyPassword(legacy.WithClient(t.Context(), from), "alice", password); reason(err) != want {
			t.Errorf("from %s: %v, want %q", from, err, want)
		}
	}
	try(known, "")
	a.answer.Store(&down)
	now = now.Add(2 * time.Minute)
	try(stranger, legacy.SourceUnavailable)
	try(known, "")
	try(stranger, legacy.SourceUnavailable)
	if guard.Knows("alice", stranger) {
		t.Error("a stranger is known")
	}
	a.answer.Store(&right)
	try(stranger, "")
	try(stranger, "")
}

// TestManyClients: two hundred clients of one account that come at once with the
// same good password, each at an address of its own, are let in, and so are as many
// others once the password is remembered. Only who has it exchanged is held against
// the others.
func TestManyClients(t *testing.T) {
	counts, err := lockout.New(lockout.Config{Failures: 3, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	guard := &admitting{Guard: counts}
	a := newAirflow(t, says(201, issued))
	u := upstream(t, a, directory.UpstreamConfig{Guard: guard}, seven)
	for network := range byte(2) {
		var all sync.WaitGroup
		begin := make(chan struct{})
		for i := range byte(200) {
			ctx := legacy.WithClient(t.Context(), netip.AddrFrom4([4]byte{10, 0, network, i}))
			all.Go(func() {
				<-begin
				if _, err := u.VerifyPassword(ctx, "alice", password); err != nil {
					t.Error(err)
				}
			})
		}
		close(begin)
		all.Wait()
	}
	if asked, admitted := a.asked.Load(), guard.admitted.Load(); admitted != asked {
		t.Errorf("%d exchanges, and %d held for them", asked, admitted)
	}
}

// An admitting guard counts what it admits.
type admitting struct {
	*lockout.Guard
	admitted atomic.Int32
}

func (a *admitting) Admit(from netip.Addr, accounts ...string) (func(error), error) {
	a.admitted.Add(1)
	return a.Guard.Admit(from, accounts...)
}

// TestPutOut: while two addresses fill the queue somebody new is let in, and who is
// put out for that hears that it is full.
func TestPutOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		airflow := transport(func(*http.Request) (*http.Response, error) {
			<-release
			return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(issued))}, nil
		})
		u, err := directory.NewUpstream(directory.UpstreamConfig{URL: "http://airflow/auth/token", Transport: airflow, Verify: seven, Concurrent: 1, Queue: 4})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		got := map[string]legacy.Reason{}
		var mu sync.Mutex
		for i, address := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"} {
			name := "user" + strconv.Itoa(i)
			all.Go(func() {
				_, err := u.VerifyPassword(legacy.WithClient(t.Context(), netip.MustParseAddr(address)), name, password)
				mu.Lock()
				defer mu.Unlock()
				got[name] = reason(err)
			})
			synctest.Wait()
		}
		close(release)
		all.Wait()
		want := map[string]legacy.Reason{"user0": "", "user1": "", "user2": "", "user3": "", "user4": legacy.HashQueueFull, "user5": ""}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A transport is an Airflow in memory.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }
