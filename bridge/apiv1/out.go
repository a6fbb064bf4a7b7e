package apiv1

import "io"

// An out writes JSON as Airflow 2 laid it out, two spaces a level, since not
// every client of it has a parser. What goes on as it came keeps its own bytes. An
// error of writing is kept until Flush tells it, and nothing is written after it.
type out struct {
	w     io.Writer
	buf   []byte
	err   error
	depth int

	held    []byte // of all objects under way: values whose place or bytes change
	pending []pending
	values  [maxSources][]byte
	made    []byte
	rows    sequences
}

func newOut(w io.Writer) *out { return &out{w: w, buf: make([]byte, 0, chunkSize)} }

// Buffered is how much waits to be written.
func (o *out) Buffered() int { return len(o.buf) }

// Flush writes what waits.
func (o *out) Flush() error {
	if len(o.buf) > 0 && o.err == nil {
		_, o.err = o.w.Write(o.buf)
	}
	o.buf = o.buf[:0]
	return o.err
}

// room makes some for n bytes.
func (o *out) room(n int) {
	if len(o.buf)+n > cap(o.buf) {
		_ = o.Flush() // kept
	}
}

// Write passes on what does not fit into the buffer at all.
func (o *out) Write(p []byte) (int, error) {
	o.room(len(p))
	if len(p) > cap(o.buf) {
		if o.err == nil {
			_, o.err = o.w.Write(p)
		}
		return len(p), o.err
	}
	o.buf = append(o.buf, p...)
	return len(p), o.err
}

// text writes a short text.
func (o *out) text(s string) {
	o.room(len(s))
	o.buf = append(o.buf, s...)
}

const indent = "\n                                                                "

// element begins the next member or element of a container that has n so far.
func (o *out) element(n int) {
	o.room(len(indent) + 1)
	if n > 0 {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, indent[:min(1+2*o.depth, len(indent))]...)
}

// member begins the next member of an object that has n so far.
func (o *out) member(n int, name string) {
	o.element(n)
	o.room(len(name) + len(`"": `))
	o.buf = append(append(append(o.buf, '"'), name...), `": `...)
}

// open begins an object or array, shut ends one that has n members or elements.
func (o *out) open(c byte) {
	o.room(1)
	o.buf = append(o.buf, c)
	o.depth++
}

func (o *out) shut(c byte, n int) {
	o.depth--
	if n > 0 {
		o.element(0)
	}
	o.room(1)
	o.buf = append(o.buf, c)
}
