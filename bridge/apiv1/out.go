package apiv1

import (
	"bufio"
	"io"
)

// An out writes JSON as Airflow 2 laid it out, two spaces a level, since not
// every client of it has a parser. What goes on as it came keeps its own bytes.
type out struct {
	*bufio.Writer
	depth int

	held    []byte // of all objects under way: values whose place or bytes change
	pending []pending
	values  [maxSources][]byte
	made    []byte
}

func newOut(w io.Writer) *out { return &out{Writer: bufio.NewWriterSize(w, chunkSize)} }

const indent = "                                                                "

// element begins the next member or element of a container that has n so far.
func (o *out) element(n int) {
	if n > 0 {
		_ = o.WriteByte(',')
	}
	o.line()
}

// member begins the next member of an object that has n so far.
func (o *out) member(n int, name string) {
	o.element(n)
	_ = o.WriteByte('"')
	_, _ = o.WriteString(name)
	_, _ = o.WriteString(`": `)
}

func (o *out) line() {
	_ = o.WriteByte('\n')
	_, _ = o.WriteString(indent[:min(2*o.depth, len(indent))])
}

// open begins an object or array, shut ends one that has n members or elements.
// Errors of writing are bufio's to keep, until they are asked for.
func (o *out) open(c byte) {
	_ = o.WriteByte(c)
	o.depth++
}

func (o *out) shut(c byte, n int) {
	o.depth--
	if n > 0 {
		o.line()
	}
	_ = o.WriteByte(c)
}
