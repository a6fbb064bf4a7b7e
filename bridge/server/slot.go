package server

import (
	"net/http"
	"sync"
	"sync/atomic"
)

// A slot serves by the handler that is in force.
type slot struct {
	current atomic.Pointer[snapshot]

	mu         sync.Mutex     // over set and end
	ended      bool           // no handler will be in force again
	unreleased sync.WaitGroup // handlers that were in force
}

// A snapshot is a handler and how many hold it: the slot while it is in force,
// and each request that it serves.
type snapshot struct {
	http.Handler
	holders  atomic.Int64
	released func()
}

func (s *slot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := s.hold()
	if h == nil {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	defer h.let()
	h.ServeHTTP(w, r)
}

// hold takes hold of the handler in force; nil when there is none any more.
func (s *slot) hold() *snapshot {
	for {
		h := s.current.Load()
		if h == nil {
			return nil
		}
		// One that nobody holds was put out of force since: it may be closed.
		for n := h.holders.Load(); n > 0; n = h.holders.Load() {
			if h.holders.CompareAndSwap(n, n+1) {
				return h
			}
		}
	}
}

// let gives up one hold.
func (h *snapshot) let() {
	if h.holders.Add(-1) == 0 {
		// Not in the request's own goroutine: its answer may leave only when
		// its handler has returned.
		go h.released()
	}
}

func (s *slot) set(h http.Handler, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if release == nil {
		release = func() {}
	}
	if s.ended {
		go release()
		return
	}
	s.unreleased.Add(1)
	next := &snapshot{Handler: h, released: func() {
		defer s.unreleased.Done()
		release()
	}}
	next.holders.Store(1)
	if before := s.current.Swap(next); before != nil {
		before.let()
	}
}

// end puts the handler out of force for good. The channel is closed when every
// handler there was is released.
func (s *slot) end() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended = true; s.current.Load() != nil {
		s.current.Swap(nil).let()
	}
	done := make(chan struct{})
	go func() {
		s.unreleased.Wait()
		close(done)
	}()
	return done
}
