package kerberos

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// TestReplay: a request counts once, whatever it is wrapped in and whatever of
// it can be changed without a key (C-40).
func TestReplay(t *testing.T) {
	now := time.Now()
	clock := &now
	w := newWorld(t, func(c *Config) {
		c.Now = func() time.Time { return *clock }
		c.Replays = NewMemory(0, c.Now)
	})
	r := w.request(t, kerberostest.Want{Now: now})
	if _, err := w.send(t, kerberostest.Header(r.Raw())); err != nil {
		t.Fatal(err)
	}
	altered := func(edit func(*messages.APReq)) kerberostest.Request {
		var req messages.APReq
		if err := req.Unmarshal(r.APReq); err != nil {
			t.Fatal(err)
		}
		edit(&req)
		b, err := req.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return kerberostest.Request{APReq: b}
	}
	for name, token := range map[string][]byte{
		"as it was":            r.Raw(),
		"in SPNEGO":            r.SPNEGO(),
		"in Windows' SPNEGO":   r.SPNEGO(kerberostest.MSKrb5, kerberostest.Krb5),
		"service renamed":      altered(func(q *messages.APReq) { q.Ticket.SName = principalName("HTTP", "x") }).Raw(),
		"realm renamed":        altered(func(q *messages.APReq) { q.Ticket.Realm = "X" }).Raw(),
		"version changed":      altered(func(q *messages.APReq) { q.Ticket.EncPart.KVNO = 9; q.EncryptedAuthenticator.KVNO = 9 }).Raw(),
		"options changed":      altered(func(q *messages.APReq) { types.SetFlag(&q.APOptions, mutualRequired) }).Raw(),
		"service name emptied": altered(func(q *messages.APReq) { q.Ticket.SName = principalName() }).Raw(),
	} {
		if _, err := w.send(t, kerberostest.Header(token)); reasonOf(t, err) != legacy.Replayed {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Run("a second one of the same microsecond is another", func(t *testing.T) {
		if _, err := w.send(t, kerberostest.Header(w.request(t, kerberostest.Want{Now: now}).Raw())); err != nil {
			t.Error(err)
		}
	})
	t.Run("after the window", func(t *testing.T) {
		now = now.Add(5*time.Minute + time.Second)
		if _, err := w.send(t, kerberostest.Header(r.Raw())); reasonOf(t, err) != legacy.ClockSkew {
			t.Error(err)
		}
	})
}

// TestReplayFromTheFuture: an authenticator of a clock that runs ahead by almost
// the skew counts twice as long, and once all the same.
func TestReplayFromTheFuture(t *testing.T) {
	now := time.Now()
	start := now
	w := newWorld(t, func(c *Config) {
		c.Now = func() time.Time { return now }
		c.Replays = NewMemory(0, c.Now)
	})
	r := w.request(t, kerberostest.Want{Now: now.Add(5*time.Minute - time.Second)})
	if _, err := w.send(t, kerberostest.Header(r.Raw())); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{time.Second, 5 * time.Minute, 5*time.Minute + time.Second, 10*time.Minute - 3*time.Second} {
		now = start.Add(after)
		if _, err := w.send(t, kerberostest.Header(r.Raw())); reasonOf(t, err) != legacy.Replayed {
			t.Errorf("after %v: %v", after, err)
		}
	}
	now = start.Add(20 * time.Minute)
	if _, err := w.send(t, kerberostest.Header(r.Raw())); reasonOf(t, err) != legacy.ClockSkew {
		t.Errorf("much later: %v", err)
	}
	now = start.Add(5 * time.Minute) // somebody sets the clock back
	if _, err := w.send(t, kerberostest.Header(r.Raw())); reasonOf(t, err) != legacy.Replayed {
		t.Errorf("with the clock set back: %v", err)
	}
}

// TestReplayAtOnce: of 64 that come at once, one is the first.
func TestReplayAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	for range 5 {
		r := w.request(t, kerberostest.Want{})
		headers := []string{kerberostest.Header(r.Raw()), kerberostest.Header(r.SPNEGO())}
		var accepted, replayed atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 64 {
			wg.Go(func() {
				<-start
				_, err := w.Authenticate(context.Background(), legacy.Credential{Authorization: headers[i%2]})
				var refusal *legacy.Refusal
				switch {
				case err == nil:
					accepted.Add(1)
				case errors.As(err, &refusal) && refusal.Reason == legacy.Replayed:
					replayed.Add(1)
				}
			})
		}
		close(start)
		wg.Wait()
		if accepted.Load() != 1 || replayed.Load() != 63 {
			t.Errorf("%d accepted, %d replayed", accepted.Load(), replayed.Load())
		}
	}
}

func TestMemory(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := NewMemory(3, func() time.Time { return now })
	claim := func(n uint64, at time.Time) (bool, error) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], n)
		return m.Claim(t.Context(), sha256.Sum256(b[:]), at, at.Add(5*time.Minute))
	}
	want := func(what string, n uint64, at time.Time, first bool, failure error) {
		t.Helper()
		if got, err := claim(n, at); got != first || !errors.Is(err, failure) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	start := now
	want("first", 1, start, true, nil)
	want("again", 1, start, false, nil)
	want("another", 2, start.Add(3*time.Second), true, nil)
	want("a third", 3, start.Add(time.Minute), true, nil)
	want("one too many", 4, start.Add(2*time.Minute), false, ErrFull)
	want("a known one beyond the bound", 1, start, false, nil)

	now = start.Add(5*time.Minute + 4*time.Second)
	want("a late one of a slot that could still be needed", 5, start.Add(7*time.Second), false, ErrFull)
	now = start.Add(5*time.Minute + slotSeconds*time.Second + time.Second)
	want("room again", 6, start.Add(5*time.Minute), true, nil)
	want("one that was forgotten", 1, start, false, nil)
	want("one that stayed", 3, start.Add(time.Minute), false, nil)
	now = start.Add(-time.Hour)
	want("forgotten, the clock set back", 1, start, false, nil)
	now = start.Add(time.Hour)
	want("much later", 7, now, true, nil)
	if m.held != 1 || len(m.slots) != 1 {
		t.Errorf("it holds %d in %d slots", m.held, len(m.slots))
	}
}

// TestReplayCacheDown: a cache that cannot tell is not a no, and not a yes.
func TestReplayCacheDown(t *testing.T) {
	for _, c := range []struct {
		cache ReplayCache
		want  legacy.Reason
	}{{broken{}, legacy.SourceUnavailable}, {full(t), legacy.ReplayCacheFull}} {
		w := newWorld(t, func(cfg *Config) { cfg.Replays = c.cache })
		proof, err := w.send(t, kerberostest.Header(w.request(t, kerberostest.Want{}).Raw()))
		if !errors.Is(err, legacy.ErrUnavailable) || reasonOf(t, err) != c.want || proof.Reply != nil {
			t.Errorf("%v, %v", proof, err)
		}
	}
}

type broken struct{}

func (broken) Claim(context.Context, [32]byte, time.Time, time.Time) (bool, error) {
	return true, errors.New("out of reach")
}

func full(t *testing.T) *Memory {
	m := NewMemory(1, nil)
	if first, err := m.Claim(t.Context(), [32]byte{1}, time.Now(), time.Now().Add(time.Hour)); !first || err != nil {
		t.Fatal(err)
	}
	return m
}
