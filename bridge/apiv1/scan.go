package apiv1

import (
	"bytes"
	"errors"
	"io"
)

// Bounds on what is held of an upstream's JSON.
const (
	chunkSize = 32 << 10 // read at a time
	maxName   = 256      // of a member that a declaration knows
	maxDepth  = 1000     // of containers in a value
	maxHeld   = 1 << 20  // of one value that is held, because its place or its bytes change
)

// errSyntax says that an upstream's answer is not the JSON that it was declared
// to be.
var errSyntax = errors.New("the upstream's answer is not the JSON that was expected")

// errTooLarge says that a value which must be held is beyond its bound.
var errTooLarge = errors.New("a value in the upstream's answer is too large")

// A scanner reads JSON from a stream, one value at a time, and holds no more of
// it than a chunk: a value of any size is passed on byte for byte while it
// comes. That is why it is our own: the readers of encoding/json, and of what
// will follow it, hold a whole string, and an XCom or a variable is one.
//
// It checks the structure that it walks through, not what numbers and strings
// say: these are Airflow's, and go on as they came.
type scanner struct {
	src     io.Reader
	buf     []byte
	at, end int
	name    []byte
	held    holder
	kinds   []byte // the brackets that are open in the value under way
}

func newScanner(src io.Reader) *scanner {
	return &scanner{src: src, buf: make([]byte, chunkSize)}
}

// more reads another chunk when the last one is used up.
func (s *scanner) more() error {
	if s.at < s.end {
		return nil
	}
	s.at, s.end = 0, 0
	for range 100 { // a reader that gives nothing again and again is broken
		n, err := s.src.Read(s.buf)
		s.end = n
		switch {
		case n > 0:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

// peek gives the first byte of what comes next, past white space.
func (s *scanner) peek() (byte, error) {
	for {
		for ; s.at < s.end; s.at++ {
			switch c := s.buf[s.at]; c {
			case ' ', '\t', '\r', '\n':
			default:
				return c, nil
			}
		}
		if err := s.more(); err != nil {
			return 0, err
		}
	}
}

// take consumes c, which must come next.
func (s *scanner) take(c byte) error {
	got, err := s.peek()
	if err != nil {
		return err
	}
	if got != c {
		return errSyntax
	}
	s.at++
	return nil
}

// done says whether the document has ended, as it must.
func (s *scanner) done() error {
	switch _, err := s.peek(); {
	case err == io.ErrUnexpectedEOF:
		return nil
	case err != nil:
		return err
	}
	return errSyntax
}

// object calls member for each member of the object that comes next, with a name
// that is good until something is read; member consumes the value.
func (s *scanner) object(member func(name []byte) error) error {
	return s.container('{', '}', func() error {
		if err := s.memberName(); err != nil {
			return err
		}
		return member(s.name)
	})
}

// array calls element before each element of the array that comes next; element
// consumes it.
func (s *scanner) array(element func() error) error { return s.container('[', ']', element) }

func (s *scanner) container(open, shut byte, each func() error) error {
	if err := s.take(open); err != nil {
		return err
	}
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c == shut {
		s.at++
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		switch c, err = s.peek(); {
		case err != nil:
			return err
		case c == shut:
			s.at++
			return nil
		case c != ',':
			return errSyntax
		}
		s.at++
	}
}

// memberName reads a name and its colon. One that is longer than any that a
// declaration knows, or written with escapes, is cut: nobody knows that one either.
func (s *scanner) memberName() error {
	switch c, err := s.peek(); {
	case err != nil:
		return err
	case c != '"':
		return errSyntax
	}
	text := s.buf[s.at+1 : s.end]
	if n := bytes.IndexByte(text, '"'); n >= 0 && n <= maxName && bytes.IndexByte(text[:n], '\\') < 0 && s.at+n+2 < s.end && s.buf[s.at+n+2] == ':' {
		s.name = text[:n]
		s.at += n + 3
		return nil
	}
	return s.longMemberName()
}

// prefix consumes text if that is what comes next, to the byte.
func (s *scanner) prefix(text []byte) bool {
	if !bytes.HasPrefix(s.buf[s.at:s.end], text) {
		return false
	}
	s.at += len(text)
	return true
}

// longMemberName reads a name that is not whole in this chunk, or not plain.
func (s *scanner) longMemberName() error {
	s.held = holder{buf: make([]byte, 0, maxName), max: maxName, cut: true}
	if err := s.text(&s.held); err != nil {
		return err
	}
	if err := s.take(':'); err != nil {
		return err
	}
	s.name = s.held.buf[1 : len(s.held.buf)-1]
	return nil
}

// null consumes the value that comes next if it is null.
func (s *scanner) null() (bool, error) {
	c, err := s.peek()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, s.skip()
}

// skip passes over the next value.
func (s *scanner) skip() error { return s.value(io.Discard) }

// hold appends the next value to dst. More than most bytes of it are errTooLarge.
func (s *scanner) hold(dst []byte, most int) ([]byte, error) {
	s.held = holder{buf: dst, max: len(dst) + most}
	err := s.value(&s.held)
	return s.held.buf, err
}

// value passes the next value to w, byte for byte.
func (s *scanner) value(w io.Writer) error {
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case c == '"':
		return s.text(w)
	case c == '{', c == '[':
		return s.nested(w)
	case c == '-', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z': // NaN and Infinity are Python's
		return s.literal(w)
	}
	return errSyntax
}

// literal passes on a number or a word.
func (s *scanner) literal(w io.Writer) error {
	for {
		from := s.at
		for s.at < s.end && literalByte(s.buf[s.at]) {
			s.at++
		}
		if _, err := w.Write(s.buf[from:s.at]); err != nil {
			return err
		}
		if s.at < s.end {
			return nil
		}
		switch err := s.more(); {
		case err == io.ErrUnexpectedEOF:
			return nil // the whole document, which its reader judges
		case err != nil:
			return err
		}
	}
}

func literalByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}

// view gives the next value without a copy, good until something is read, if it is
// a plain string that is whole in this chunk; else it reads nothing.
func (s *scanner) view() ([]byte, bool) {
	if s.at == s.end || s.buf[s.at] != '"' {
		return nil, false
	}
	text := s.buf[s.at+1 : s.end]
	n := bytes.IndexByte(text, '"')
	if n < 0 || bytes.IndexByte(text[:n], '\\') >= 0 {
		return nil, false
	}
	value := s.buf[s.at : s.at+n+2]
	s.at += n + 2
	return value, true
}

// text passes on a string.
func (s *scanner) text(w io.Writer) error {
	if value, ok := s.view(); ok {
		_, err := w.Write(value)
		return err
	}
	if _, err := w.Write(s.buf[s.at : s.at+1]); err != nil {
		return err
	}
	s.at++
	for {
		if err := s.more(); err != nil {
			return err
		}
		chunk := s.buf[s.at:s.end]
		quote := bytes.IndexByte(chunk, '"')
		if quote >= 0 {
			chunk = chunk[:quote+1]
		}
		if escape := bytes.IndexByte(chunk, '\\'); escape >= 0 {
			chunk, quote = chunk[:escape+1], -1
			s.at += len(chunk)
			if _, err := w.Write(chunk); err != nil {
				return err
			}
			if err := s.more(); err != nil {
				return err
			}
			chunk = s.buf[s.at : s.at+1] // the escaped byte is never the end
		}
		s.at += len(chunk)
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		if quote >= 0 {
			return nil
		}
	}
}

// nested passes on an object or an array.
func (s *scanner) nested(w io.Writer) error {
	s.kinds = s.kinds[:0]
	for from := s.at; ; {
		if s.at == s.end {
			if _, err := w.Write(s.buf[from:s.at]); err != nil {
				return err
			}
			if err := s.more(); err != nil {
				return err
			}
			from = s.at
		}
		switch c := s.buf[s.at]; c {
		case '"':
			if _, err := w.Write(s.buf[from:s.at]); err != nil {
				return err
			}
			if err := s.text(w); err != nil {
				return err
			}
			from = s.at
			continue
		case '{', '[':
			if len(s.kinds) == maxDepth {
				return errTooLarge
			}
			s.kinds = append(s.kinds, c)
		case '}', ']':
			last := len(s.kinds) - 1
			if s.kinds[last] != c-2 { // '{' and '[' stand two before their ends in ASCII
				return errSyntax
			}
			if s.kinds = s.kinds[:last]; last == 0 {
				s.at++
				_, err := w.Write(s.buf[from:s.at])
				return err
			}
		}
		s.at++
	}
}

// A holder keeps what is written to it up to its bound. More than that is
// errTooLarge, or cut off.
type holder struct {
	buf []byte
	max int
	cut bool
}

func (h *holder) Write(p []byte) (int, error) {
	room := h.max - len(h.buf)
	switch {
	case len(p) <= room:
		h.buf = append(h.buf, p...)
	case !h.cut:
		return 0, errTooLarge
	default:
		h.buf = append(h.buf, p[:room]...)
	}
	return len(p), nil
}
