package kerberos

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/spnego"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// benchPrincipals is how many different clients the benchmarks have.
const benchPrincipals = 1000

func benchRequests(b *testing.B, w world, noMutual bool) []kerberostest.Request {
	b.Helper()
	all := make([]kerberostest.Request, benchPrincipals)
	for i := range all {
		all[i] = w.request(b, kerberostest.Want{Client: fmt.Sprintf("user%d", i), NoMutual: noMutual})
	}
	return all
}

// forgetful is a Memory that begins anew when every request was seen.
type forgetful struct {
	inner atomic.Pointer[Memory]
	n     atomic.Int64
}

func (f *forgetful) Claim(ctx context.Context, key [32]byte, at, keep time.Time) (bool, error) {
	if f.n.Add(1)%benchPrincipals == 1 {
		f.inner.Store(NewMemory(0, nil))
	}
	_, err := f.inner.Load().Claim(ctx, key, at, keep)
	return true, err
}

// cpuTime begins the measurement and reports, when it ends, what the processor
// spent on an operation: on a machine that others use too, the clock on the wall
// tells little.
func cpuTime(b *testing.B) func() {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	b.ReportAllocs()
	runtime.GC()
	b.ResetTimer()
	before := spent()
	return func() { b.ReportMetric(float64(spent()-before)/1e3/float64(b.N), "cpu-µs/op") }
}

// BenchmarkAccept is the whole way from the header to the reply.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct {
		name     string
		noMutual bool
		frame    func(kerberostest.Request) []byte
	}{
		{"raw", true, kerberostest.Request.Raw},
		{"raw+AP-REP", false, kerberostest.Request.Raw},
		{"SPNEGO+AP-REP", false, func(r kerberostest.Request) []byte { return r.SPNEGO() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := &forgetful{}
			w := newWorld(b, func(cfg *Config) { cfg.Replays = f })
			var headers []string
			for _, r := range benchRequests(b, w, c.noMutual) {
				headers = append(headers, kerberostest.Header(c.frame(r)))
			}
			f.inner.Store(NewMemory(0, nil))
			var next atomic.Int64
			defer cpuTime(b)()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := w.Authenticate(context.Background(), legacy.Credential{Authorization: headers[next.Add(1)%benchPrincipals]}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkGokrb5 is gokrb5's own acceptance, without AP-REP, header and replay
// cache: less than ours does, on purpose.
func BenchmarkGokrb5(b *testing.B) {
	w := newWorld(b, nil)
	kt, err := keytab.Load(w.path)
	if err != nil {
		b.Fatal(err)
	}
	var tokens [][]byte
	for _, r := range benchRequests(b, w, true) {
		tokens = append(tokens, r.Raw())
	}
	var next atomic.Int64
	defer cpuTime(b)()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var token spnego.KRB5Token
			if err := token.Unmarshal(tokens[next.Add(1)%benchPrincipals]); err != nil {
				b.Error(err)
				return
			}
			if ok, err := token.APReq.Verify(kt, 5*time.Minute, types.HostAddress{}, nil); !ok {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkMemory is one claim while a million others are held; its bytes/held
// is what each of those takes.
func BenchmarkMemory(b *testing.B) {
	const held = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	now := time.Now()
	m := NewMemory(2*held+b.N, func() time.Time { return now })
	claim := func(i int) {
		var key [32]byte
		binary.BigEndian.PutUint64(key[:], uint64(i))
		at := now.Add(time.Duration(i%600-300) * time.Second) // spread over the window
		if first, err := m.Claim(context.Background(), key, at, at.Add(5*time.Minute)); !first || err != nil {
			b.Fatal(first, err)
		}
	}
	for i := range held {
		claim(i)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		claim(held + i)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/held, "bytes/held")
}
