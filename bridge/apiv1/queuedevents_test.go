package apiv1

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestQueuedBounds: what waits for more assets than a page, or more often than can be
// held, is an answer that cannot be read, and nobody is asked for each of them.
func TestQueuedBounds(t *testing.T) {
	events := func(n int, asset func(i int) int) string {
		rows := make([]string, n)
		for i := range rows {
			rows[i] = fmt.Sprintf(`{"dag_id":"d","asset_id":%d,"created_at":"2026-11-27T12:00:00Z"}`, asset(i))
		}
		return `{"queued_events":[` + strings.Join(rows, ",") + `],"total_entries":1}`
	}
	itself := func(i int) int { return i }
	two := func(i int) int { return i % 2 }
	for _, c := range []struct {
		name          string
		events        string
		status, asked int
	}{
		{"as many assets as a page", events(maxPage, itself), 200, maxPage},
		{"one more", events(maxPage+1, itself), 502, 0},
		{"many events of two", events(maxQueued, two), 200, 2},
		{"one more", events(maxQueued+1, two), 502, 0},
	} {
		var asks atomic.Int32
		out := get(t, asked(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/queuedEvents") {
				return response(r, "200\n\n"+c.events)
			}
			asks.Add(1)
			return response(r, "200\n\n"+`{"id":1,"uri":"s3://a"}`)
		}), "/api/v1/dags/d/datasets/queuedEvent")
		if out.Code != c.status || int(asks.Load()) != c.asked {
			t.Errorf("%s: %d after %d assets, want %d after %d", c.name, out.Code, asks.Load(), c.status, c.asked)
		}
	}
}
