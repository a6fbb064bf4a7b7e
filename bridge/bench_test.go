package bridge_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
)

// BenchmarkDecide is what one decision costs, for clients that are known.
func BenchmarkDecide(b *testing.B) {
	w := bridgetest.New(b)
	token := w.Sign(b, "9", time.Hour)
	for name, header := range map[string]http.Header{
		"basic":  {"Authorization": {bridgetest.Basic("alice", "alice")}},
		"bearer": {"Authorization": {"Bearer " + token}},
		"cookie": {"Cookie": {"theme=dark; _token=" + token}},
	} {
		b.Run(name, func(b *testing.B) {
			req := bridgetest.Ask("GET", dags)
			req.Header = header.Clone()
			for _, more := range []string{"Accept", "User-Agent", "Accept-Encoding", "Content-Type"} {
				req.Header.Set(more, "x")
			}
			b.ReportAllocs()
			for b.Loop() {
				if d := w.Core.Decide(context.Background(), req); d.Verdict == bridge.Refuse {
					b.Fatal(d.Cause)
				}
			}
		})
	}
}
