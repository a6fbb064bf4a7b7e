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
	room             = 32 << 20
	pace             = 250 * time.Millisecond // clients come back all at once
)

// memoryLimit is how much memory may be in use before garbage is collected, in
// bytes: for what was live after the last collection, and what Go needs beside
// the heap. Go's limit counts the latter too, and no collection makes it less:
// left out, it has the collector run without end.
func memoryLimit(live, beside uint64) int64 { return int64(room + beside + live + live/4) }

// A gauge reads what memoryLimit goes by.
type gauge []metrics.Sample

func newGauge() gauge {
	return gauge{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
	}
}

// read gives the live heap and what is beside the heap, in bytes: the stacks
// above all, of which each connection has some. False: this Go does not tell.
func (g gauge) read() (live, beside uint64, ok bool) {
	metrics.Read(g)
	for _, s := range g {
		if s.Value.Kind() != metrics.KindUint64 {
			return 0, 0, false
		}
	}
	total, heap := g[1].Value.Uint64(), uint64(0)
	for _, s := range g[2:] {
		heap += s.Value.Uint64()
	}
	return g[0].Value.Uint64(), total - min(total, heap), true
}

// paceGC has the garbage collector follow memoryLimit until ctx ends. It leaves
// everything as it is where the operator says how to (GOGC, GOMEMLIMIT).
func paceGC(ctx context.Context, environ []string) {
	for _, pair := range environ {
		if name, value, _ := strings.Cut(pair, "="); (name == "GOGC" || name == "GOMEMLIMIT") && value != "" {
			return
		}
	}
	percent := debug.SetGCPercent(smallHeapPercent)
	memory := newGauge()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		if live, beside, ok := memory.read(); ok {
			debug.SetMemoryLimit(memoryLimit(live, beside))
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
