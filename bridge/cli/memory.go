package cli

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
)

// Go collects garbage whenever the heap has doubled. With next to nothing on it
// that is hundreds of times a second under load, a tenth of the time that a
// request takes; with a hundred thousand clients on it, it doubles their memory.
// So a small heap may grow five-fold, and a large one by a quarter and some room.
const (
	smallHeapPercent = 400
	room             = 48 << 20
)

// memoryLimit is how much memory may be in use before garbage is collected, for
// what was live after the last collection, in bytes.
func memoryLimit(live uint64) int64 { return int64(room + live + live/4) }

// paceGC has the garbage collector follow memoryLimit until ctx ends. It leaves
// everything as it is where the operator says how to (GOGC, GOMEMLIMIT).
func paceGC(ctx context.Context, environ []string) {
	for _, pair := range environ {
		if name, value, _ := strings.Cut(pair, "="); (name == "GOGC" || name == "GOMEMLIMIT") && value != "" {
			return
		}
	}
	percent := debug.SetGCPercent(smallHeapPercent)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		metrics.Read(live)
		if live[0].Value.Kind() == metrics.KindUint64 {
			debug.SetMemoryLimit(memoryLimit(live[0].Value.Uint64()))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			debug.SetGCPercent(percent)
			debug.SetMemoryLimit(math.MaxInt64)
			return
		}
	}
}
