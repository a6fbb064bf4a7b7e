package cli

import (
	"context"
	"runtime/debug"
	"sync"
	"testing"
)

// TestMemoryLimit: the limit leaves room above what is live and what is beside
// the heap, however much that is, or the collector would run without end.
func TestMemoryLimit(t *testing.T) {
	for _, live := range []uint64{0, 4 << 20, 100 << 20, 1 << 30, 64 << 30} {
		for _, beside := range []uint64{0, 10 << 20, 1 << 30} {
			limit := memoryLimit(live, beside) - int64(beside)
			if limit < int64(live+live/4) || limit < int64(live)+room {
				t.Errorf("%d live, %d beside: %d", live, beside, limit)
			}
			if live > 200<<20 && limit > int64(live)*3/2 {
				t.Errorf("%d live: %d is as much as without a limit", live, limit)
			}
		}
	}
}

// TestStacksAreBeside: what waiting connections have on their stacks is no
// garbage, and must not be taken for it.
func TestStacksAreBeside(t *testing.T) {
	const goroutines, stack = 256, 128 << 10
	memory := newGauge()
	_, before, ok := memory.read()
	if !ok {
		t.Fatal("this Go does not tell")
	}
	var deep, done sync.WaitGroup
	end := make(chan struct{})
	for range goroutines {
		deep.Add(1)
		done.Go(func() {
			occupy(stack)
			deep.Done()
			<-end
		})
	}
	deep.Wait()
	_, after, _ := memory.read()
	close(end)
	done.Wait()
	if after < before+goroutines*stack/2 {
		t.Errorf("%d goroutines of %d bytes: %d beside the heap, %d before", goroutines, stack, after, before)
	}
}

// occupy grows the stack of its goroutine to n bytes at least.
func occupy(n int) byte {
	var frame [1 << 10]byte
	if n > 0 {
		frame[n%len(frame)] = occupy(n - len(frame))
	}
	return frame[n&1]
}

// TestPaceGC: it ends with its context and leaves no trace, and does nothing for
// an operator who has a word in it.
func TestPaceGC(t *testing.T) {
	percent := debug.SetGCPercent(100)
	defer debug.SetGCPercent(percent)
	paceGC(t.Context(), []string{"GOGC=50"}) // returns
	paceGC(t.Context(), []string{"GOMEMLIMIT=100MiB"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	paceGC(ctx, []string{"GOGC="})
	if now := debug.SetGCPercent(100); now != 100 {
		t.Errorf("the percentage stays %d", now)
	}
	if limit := debug.SetMemoryLimit(-1); limit != 1<<63-1 {
		t.Errorf("the limit stays %d", limit)
	}
}
