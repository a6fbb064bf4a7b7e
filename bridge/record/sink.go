package record

import (
	"unicode"
	"unicode/utf8"
)

// Fanout hands each record to several sinks, in order.
type Fanout []Sink

// Record implements [Sink].
func (f Fanout) Record(r *Record) {
	for _, s := range f {
		s.Record(r)
	}
}

// Bounds of a text in bytes. Most of them come from the client.
const (
	maxText  = 256
	maxError = 1024
)

// Clip bounds a text that came from outside to what a line may hold: 256 bytes
// of UTF-8, with U+FFFD for what could steer a terminal and that encoders leave
// alone. What they escape themselves, such as a line feed, stays.
func Clip(s string) string { return clip(s, maxText) }

func clip(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	for i := range len(s) {
		if s[i] >= 0x7f {
			return clean(s, limit)
		}
	}
	return s
}

// clean replaces what is no UTF-8, DEL, the C1 controls and the marks that
// reorder a line.
func clean(s string, limit int) string {
	buf := make([]byte, 0, limit)
	for _, r := range s {
		if r >= 0x7f && !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		if len(buf)+utf8.RuneLen(r) > limit {
			break
		}
		buf = utf8.AppendRune(buf, r)
	}
	return string(buf)
}
