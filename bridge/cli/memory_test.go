package cli

import (
	"context"
	"runtime/debug"
	"testing"
)

// TestMemoryLimit: the limit leaves room above what is live, however much that
// is, or the collector would run without end.
func TestMemoryLimit(t *testing.T) {
	for _, live := range []uint64{0, 4 << 20, 100 << 20, 1 << 30, 64 << 30} {
		limit := memoryLimit(live)
		if limit < int64(live+live/4) || limit < int64(live)+room {
			t.Errorf("%d live: %d", live, limit)
		}
		if live > 200<<20 && limit > int64(live)*3/2 {
			t.Errorf("%d live: %d is as much as without a limit", live, limit)
		}
	}
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
