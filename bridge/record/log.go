package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// LogConfig is how request lines are written.
type LogConfig struct {
	// Out takes the lines, several at a time but never part of one. Required.
	Out io.Writer
	// Format is "json" or "text"; empty for "json".
	Format string
}

// A Log writes one line per request. Lines wait in memory until enough of them
// are there or a second has gone by, since a write for each would cost a
// quarter of the throughput. A writer that does not keep up, or fails, loses
// lines, which [Log.Dropped] counts; it never holds a request up.
type Log struct {
	handler slog.Handler
	out     *Writer
	attrs   sync.Pool // of *[]slog.Attr
}

// NewLog starts a log, which is to be ended by [Log.Close].
func NewLog(cfg LogConfig) (*Log, error) {
	if cfg.Out == nil {
		return nil, errors.New("record: Out is required")
	}
	l := &Log{}
	l.attrs.New = func() any {
		attrs := make([]slog.Attr, 0, 24)
		return &attrs
	}
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	out := newWriter(cfg.Out, flushBytes)
	switch cfg.Format {
	case "", "json":
		l.handler = slog.NewJSONHandler(out, options)
	case "text":
		l.handler = slog.NewTextHandler(out, options)
	default:
		return nil, fmt.Errorf("record: log format %q is neither json nor text", cfg.Format)
	}
	l.out = out
	go out.run()
	return l, nil
}

// Record implements [Sink].
func (l *Log) Record(r *Record) {
	attrs := l.attrs.Get().(*[]slog.Attr)
	*attrs = appendAttrs((*attrs)[:0], r)
	level := slog.LevelInfo
	if r.Reason == Fault {
		level = slog.LevelError
	}
	line := slog.NewRecord(r.Start, level, "request", 0)
	// A group without a name is written in line, and takes the attributes
	// without copying them.
	line.AddAttrs(slog.Attr{Value: slog.GroupValue(*attrs...)})
	// The only error there is comes from the writer, which has none.
	_ = l.handler.Handle(context.Background(), line)
	clear(*attrs) // the pool must not keep a request's texts alive
	l.attrs.Put(attrs)
}

// Dropped counts the lines that were lost.
func (l *Log) Dropped() uint64 { return l.out.Dropped() }

// Close writes what is left, for five seconds at most: whoever does not read the
// lines must not keep the process from its end. Lines that come later are lost.
func (l *Log) Close() error { return l.out.Close() }

// appendAttrs lists what is known of r; what is empty is left out.
func appendAttrs(a []slog.Attr, r *Record) []slog.Attr {
	text := func(key, value string) {
		if value != "" {
			a = append(a, slog.String(key, Clip(value)))
		}
	}
	number := func(key string, value int64) {
		if value != 0 {
			a = append(a, slog.Int64(key, value))
		}
	}
	text("id", r.ID)
	text("method", r.Method)
	text("path", r.Path)
	a = append(a, slog.Int("status", r.Status))
	text("verdict", r.Verdict)
	text("reason", string(r.Reason))
	text("class", r.Class)
	text("family", r.Family)
	text("operation", r.Operation)
	text("scheme", r.Scheme)
	text("claimed", r.Claimed)
	text("name", r.Name)
	text("subject", r.Subject)
	text("jti", r.TokenID)
	if r.Client.IsValid() {
		text("client", r.Client.String())
	}
	text("host", r.Host)
	text("agent", r.Agent)
	text("origin", r.Origin)
	number("sent", r.Sent)
	number("upstream_us", r.Upstream.Microseconds())
	number("duration_us", r.Duration.Microseconds())
	if r.Retried {
		a = append(a, slog.Bool("retried", true))
	}
	if r.Err != "" {
		a = append(a, slog.String("err", clip(r.Err, maxError)))
	}
	return a
}
