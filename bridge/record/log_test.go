package record_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge/record"
)

// A sheet is what a log wrote, and how often.
type sheet struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (s *sheet) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.text.Write(p)
}

func (s *sheet) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func newLog(t testing.TB, out io.Writer, format string) *record.Log {
	t.Helper()
	l, err := record.NewLog(record.LogConfig{Out: out, Format: format})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestLine(t *testing.T) {
	var out sheet
	l := newLog(t, &out, "")
	r := full()
	r.Retried = true
	l.Record(r)
	l.Record(&record.Record{Reason: record.Fault, Err: strings.Repeat("e", 2000)})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(out.String()))
	var first, second map[string]any
	if err := errors.Join(dec.Decode(&first), dec.Decode(&second)); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	want := map[string]any{
		"time": "2026-11-22T03:04:05Z", "level": "INFO", "msg": "request", "id": "0123456789abcdef01234567", "method": "GET",
		"path": "/api/v2/dags/hello", "family": "/api/v2/dags", "class": "dual", "host": "airflow.example:8080", "client": "192.0.2.7",
		"agent": "curl/8.5.0", "scheme": "basic", "verdict": "pass_minted", "name": "viewer", "subject": "3", "jti": "5b0a",
		"status": 200.0, "upstream_us": 1500.0, "duration_us": 2000.0, "sent": 1018.0, "origin": "upstream", "retried": true,
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	want = map[string]any{"level": "ERROR", "msg": "request", "status": 0.0, "reason": "fault", "err": strings.Repeat("e", 1024)}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("a nearly empty record: %s", diff)
	}
}

// C-45: whatever a client puts into its texts, a request is one line, and
// nothing in it steers a terminal.
func TestNobodyBreaksTheLine(t *testing.T) {
	for _, evil := range []string{
		"x\nlevel=ERROR msg=forged", "x\r\n{\"forged\":true}", "x\x00\x1b[2J\x07", "x\u2028y\u0085z", "x\u009b31m", "x\x7f",
		"x\u202egnp", `x" forged="1`, "x\xff\xfe", strings.Repeat("\n", 1000), `\n`, "a=b c",
	} {
		for _, format := range []string{"json", "text"} {
			var out sheet
			l := newLog(t, &out, format)
			l.Record(&record.Record{
				ID: evil, Method: evil, Path: evil, Host: evil, Agent: evil, Claimed: evil, Name: evil, Subject: evil, TokenID: evil, Err: evil,
			})
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			line, ok := strings.CutSuffix(out.String(), "\n")
			if !ok || strings.ContainsFunc(line, func(r rune) bool {
				return r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u202e'
			}) || strings.Contains(line, `x" forged=`) {
				t.Errorf("%s, %.20q: %.200q", format, evil, line)
			}
			var fields map[string]any
			if format == "json" && (json.Unmarshal([]byte(line), &fields) != nil || fields["forged"] != nil) {
				t.Errorf("%.20q: %s", evil, line)
			}
			if len(line) > 10*6*256+6*1024 {
				t.Errorf("%s, %.20q: %d bytes", format, evil, len(line))
			}
		}
	}
}

func TestLinesWaitForASecondOrAFullBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sheet
		l := newLog(t, &out, "json")
		l.Record(full())
		synctest.Wait()
		if out.String() != "" {
			t.Error("a write for one line")
		}
		time.Sleep(time.Second + time.Millisecond) // the bubble's clock
		synctest.Wait()
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("%d lines after a second", n)
		}
		for range 500 {
			l.Record(full())
		}
		synctest.Wait()
		if n := strings.Count(out.String(), "\n"); n < 60 || out.writes > 20 {
			t.Errorf("%d lines, %d writes while 500 came", n, out.writes)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 501 || l.Dropped() != 0 {
			t.Errorf("%d lines in the end, %d dropped", n, l.Dropped())
		}
	})
}

// A stuck is a full disk: its writes take until it is let go.
type stuck struct{ letGo chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.letGo
	return len(p), nil
}

func TestAStuckWriterHoldsNobodyUp(t *testing.T) {
	out := stuck{make(chan struct{})}
	l := newLog(t, out, "json")
	const lines = 20_000
	for range lines {
		l.Record(full())
	}
	if n := l.Dropped(); n < 10_000 || n >= lines {
		t.Errorf("%d of %d dropped", n, lines)
	}
	close(out.letGo)
}

// TestAStuckWriterDoesNotKeepTheProcess: its end waits for the last lines, not for ever.
func TestAStuckWriterDoesNotKeepTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := stuck{make(chan struct{})}
		l, err := record.NewLog(record.LogConfig{Out: out})
		if err != nil {
			t.Fatal(err)
		}
		l.Record(full())
		begun := time.Now()
		if err := l.Close(); err == nil || time.Since(begun) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		close(out.letGo)
		synctest.Wait()
	})
}

// TestWriter: lines are written as they come. Whoever does not read them holds nobody
// up, nor the process' end for longer than five seconds.
func TestWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sheet
		w := record.NewWriter(&out)
		for i := range 3 {
			fmt.Fprintln(w, "line", i)
			synctest.Wait()
			if n := strings.Count(out.String(), "\n"); n != i+1 {
				t.Errorf("%d lines after %d", n, i+1)
			}
		}
		if err := w.Close(); err != nil || w.Dropped() != 0 {
			t.Errorf("%v, %d dropped", err, w.Dropped())
		}
		unread := stuck{make(chan struct{})}
		w = record.NewWriter(unread)
		for i := range 20_000 {
			fmt.Fprintln(w, strings.Repeat("x", 99))
			if i == 0 {
				synctest.Wait() // it is being written, alone
			}
		}
		begun := time.Now()
		if err := w.Close(); err == nil || time.Since(begun) != 5*time.Second || w.Dropped() < 9_000 || w.Dropped() > 11_000 {
			t.Errorf("%v after %s, %d dropped", err, time.Since(begun), w.Dropped())
		}
		close(unread.letGo)
		synctest.Wait()
	})
}

type broken struct{ n int }

func (b broken) Write(p []byte) (int, error) {
	return bytes.IndexByte(p, '\n') + b.n, errors.New("disk full")
}

func TestABrokenWriterIsCountedNotFatal(t *testing.T) {
	for n, want := range map[int]uint64{0: 3, 1: 2, 5: 2} { // half a line is lost as a whole
		l := newLog(t, broken{n}, "text")
		for range 3 {
			l.Record(full())
		}
		if err := l.Close(); err == nil || l.Dropped() != want {
			t.Errorf("%v, %d dropped, want %d", err, l.Dropped(), want)
		}
		l.Record(full())
		if l.Dropped() != want+1 {
			t.Errorf("a line after the end: %d dropped", l.Dropped())
		}
	}
}

func TestManyWriters(t *testing.T) {
	var out sheet
	l := newLog(t, &out, "json")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 100 {
				r := full()
				r.ID = fmt.Sprintf("%d-%d", i, j)
				l.Record(r)
			}
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		var fields struct{ ID, Name string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields.Name != "viewer" {
			t.Fatalf("%v: %s", err, line)
		}
		seen[fields.ID] = true
	}
	if len(seen) != 800 {
		t.Errorf("%d different lines", len(seen))
	}
}

func TestNewLogRefuses(t *testing.T) {
	for _, cfg := range []record.LogConfig{{}, {Out: io.Discard, Format: "xml"}} {
		if l, err := record.NewLog(cfg); err == nil || l != nil {
			t.Errorf("%+v: accepted", cfg)
		}
	}
}

func BenchmarkLog(b *testing.B) {
	for _, format := range []string{"json", "text"} {
		b.Run(format, func(b *testing.B) {
			l, r := newLog(b, io.Discard, format), full()
			b.ReportAllocs()
			for b.Loop() {
				l.Record(r)
			}
		})
	}
}
