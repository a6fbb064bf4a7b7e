package apiv1

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jetbridge/jetbridge/bridge/record"
)

// large is a request with a body of size bytes.
func large(size int) *http.Request {
	const head, tail = `{"conf":{"a":"`, `"}}`
	r := httptest.NewRequest("POST", "/api/v1/dags/d/dagRuns", strings.NewReader(head+strings.Repeat("x", size-len(head)-len(tail))+tail))
	r.Header.Set("Content-Type", "application/json")
	return r.WithContext(decided(r))
}

// TestBodyMemory: the largest body takes about twice its size, as it came and as it goes on.
func TestBodyMemory(t *testing.T) {
	h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
		if n, err := io.Copy(io.Discard, r.Body); n < maxBody || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		return response(r, "200\n\n{}")
	}))
	r, out := large(maxBody), httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.ServeHTTP(out, r)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; out.Code != 200 || used > maxBody*5/2 {
		t.Errorf("%d, and %.1f times the body was allocated", out.Code, float64(used)/maxBody)
	}
}

// TestRoomForBodies: large bodies wait for room, are told to come again when there is
// none, and keep no small one from going on.
func TestRoomForBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer, ended := make(chan bool), make(chan int)
		h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
			<-answer
			return response(r, "200\n\n{}")
		}))
		begin := func(size int) {
			out := httptest.NewRecorder()
			h.ServeHTTP(out, large(size))
			ended <- out.Code
		}
		for range maxBodies / maxBody {
			go begin(maxBody)
		}
		synctest.Wait()

		r, out, rec := large(maxBody), httptest.NewRecorder(), new(record.Record)
		h.ServeHTTP(out, r.WithContext(record.With(r.Context(), rec)))
		if out.Code != 503 || out.Header().Get("Retry-After") != "1" || rec.Reason != record.BodiesFull {
			t.Errorf("%d %v, recorded %q", out.Code, out.Header(), rec.Reason)
		}

		go begin(smallBody - 1)
		go begin(maxBody) // which waits
		synctest.Wait()
		for range maxBodies/maxBody + 2 {
			answer <- true
			if status := <-ended; status != 200 {
				t.Errorf("%d", status)
			}
		}
	})
}
