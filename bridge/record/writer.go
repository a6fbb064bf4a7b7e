package record

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	flushBytes = 32 << 10    // of a Log, written as soon as so much waits
	flushEvery = time.Second // or after so long
	maxWaiting = 1 << 20     // and no more than this waits, some 2,500 lines
	closeLimit = 5 * time.Second
)

// A Writer takes whole lines and writes them from a goroutine of its own, so that
// whoever does not read them holds nobody up: lines beyond a megabyte that waits are
// lost, and counted. It is safe for concurrent use.
type Writer struct {
	out     io.Writer
	enough  int           // bytes that are written at once
	full    chan struct{} // so many wait
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
	err     error // of the last write, after stopped

	mu      sync.Mutex
	waiting []byte
	dropped uint64
	closed  bool
}

// NewWriter starts a Writer that waits for nothing but out. It is to be ended by
// [Writer.Close].
func NewWriter(out io.Writer) *Writer {
	w := newWriter(out, 1)
	go w.run()
	return w
}

func newWriter(out io.Writer, enough int) *Writer {
	return &Writer{
		out: out, enough: enough, full: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// Write keeps a line for later. It never fails.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.waiting)+len(line) > maxWaiting {
		w.dropped++
		return len(line), nil
	}
	w.waiting = append(w.waiting, line...)
	if len(w.waiting) >= w.enough {
		select {
		case w.full <- struct{}{}:
		default: // it knows
		}
	}
	return len(line), nil
}

func (w *Writer) run() {
	defer close(w.stopped)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var spare []byte
	for {
		select {
		case <-w.full:
			spare = w.flush(spare)
		case <-tick.C:
			spare = w.flush(spare)
		case <-w.stop:
			w.flush(spare)
			return
		}
	}
}

// flush writes what waits, while further lines gather in spare, and gives the
// written buffer back to be the next spare.
func (w *Writer) flush(spare []byte) []byte {
	w.mu.Lock()
	lines := w.waiting
	w.waiting = spare[:0]
	w.mu.Unlock()
	if len(lines) == 0 {
		return lines
	}
	var n int
	if n, w.err = w.out.Write(lines); w.err != nil {
		// Half a line is no line: what follows the last whole one is lost too.
		lost := bytes.Count(lines[min(n, len(lines)):], []byte{'\n'})
		w.mu.Lock()
		w.dropped += uint64(lost)
		w.mu.Unlock()
	}
	return lines
}

// Dropped counts the lines that were lost.
func (w *Writer) Dropped() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// Close writes what is left, for five seconds at most. Lines that come later are lost.
func (w *Writer) Close() error {
	w.once.Do(func() {
		w.mu.Lock()
		w.closed = true
		w.mu.Unlock()
		close(w.stop)
	})
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-w.stopped:
		return w.err
	case <-limit.C:
		return errors.New("record: the log took no more lines; the last ones are lost")
	}
}
