package apiv1

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// manyAssets is an Airflow 3 with 55 active assets whose URIs have s3://b in them,
// which gives ten at a time. The asset at a place has just that URI.
func manyAssets(at int, calls *atomic.Int32) asked {
	return func(r *http.Request) (*http.Response, error) {
		calls.Add(1)
		q := r.URL.Query()
		if q.Get("only_active") != "true" {
			return response(r, "200\n\n"+`{"assets":[],"total_entries":0}`)
		}
		offset, _ := strconv.Atoi(q.Get("offset"))
		var rows []string
		for i := offset; i < min(offset+10, 55); i++ {
			uri := "s3://b/" + strconv.Itoa(i)
			if i == at {
				uri = "s3://b"
			}
			rows = append(rows, fmt.Sprintf(`{"id":%d,"uri":%q}`, i, uri))
		}
		return response(r, "200\n\n"+`{"assets":[`+strings.Join(rows, ",")+`],"total_entries":55}`)
	}
}

// TestFindAsset: a URI is found among all that have it in theirs, and never another.
func TestFindAsset(t *testing.T) {
	for _, c := range []struct{ at, status, calls int }{
		{3, 200, 1},
		{54, 200, 6},
		{-1, 404, 7}, // and among those that no Dag has any more
	} {
		var calls atomic.Int32
		out := get(t, manyAssets(c.at, &calls), "/api/v1/datasets/s3%3A%2F%2Fb")
		if out.Code != c.status || int(calls.Load()) != c.calls {
			t.Errorf("at %d: %d after %d calls, want %d after %d", c.at, out.Code, calls.Load(), c.status, c.calls)
		}
		if want := fmt.Sprintf(`"id": %d,`, c.at); c.status == 200 && !strings.Contains(out.Body.String(), want) {
			t.Errorf("no %s in %s", want, out.Body)
		}
	}
}

// TestFindAssetFails: what the search cannot look at is no "not found".
func TestFindAssetFails(t *testing.T) {
	for _, c := range []struct {
		name, last string
		status     int
	}{
		{"refused", "403\n\n" + `{"detail":"Forbidden"}`, 403},
		{"broken", "200\n\n{", 502},
		{"without a URI", "200\n\n" + `{"assets":[{"id":1}],"total_entries":1}`, 502},
	} {
		var calls atomic.Int32
		many := manyAssets(-1, &calls)
		out := get(t, asked(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("offset") == "50" {
				return response(r, c.last)
			}
			return many(r)
		}), "/api/v1/datasets/s3%3A%2F%2Fb")
		if out.Code != c.status {
			t.Errorf("%s: %d, want %d: %s", c.name, out.Code, c.status, out.Body)
		}
	}
}

// TestClientLeavesSearch: a search stops when the client goes.
func TestClientLeavesSearch(t *testing.T) {
	ctx, leave := context.WithCancel(context.Background())
	var calls atomic.Int32
	many := manyAssets(-1, &calls)
	h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Has("offset") {
			if calls.Add(1) == 1+maxAtOnce {
				leave()
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return many(r)
	}))
	r := httptest.NewRequest("GET", "/api/v1/datasets/s3%3A%2F%2Fb", nil).WithContext(ctx)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(decided(r)))
	if n := calls.Load(); n != 1+maxAtOnce {
		t.Errorf("%d calls were begun, want %d", n, 1+maxAtOnce)
	}
}

// TestAssetsBeyondNumber: a count that cannot be is an answer that cannot be read, and
// no room is made for it.
func TestAssetsBeyondNumber(t *testing.T) {
	for _, total := range []string{"400000001", "9000000000000000000", "9223372036854775807", "1e99"} {
		out := get(t, says(`{"assets":[{"id":1,"uri":"s3://other"}],"total_entries":`+total+`}`), "/api/v1/datasets/s3%3A%2F%2Fa")
		if out.Code != 502 {
			t.Errorf("%s: %d", total, out.Code)
		}
	}
}
