package route

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// maxPath bounds a path in bytes as it came: well above Airflow's longest keys,
// percent-encoded, and well below its server's 64 KiB.
const maxPath = 16 << 10

// A path is a path as the upstream's server reads it: decoded once and cleaned
// in no way (uvicorn's httptools_impl.py).
type path struct {
	text string
	// slash is the place of the first slash in text that came encoded;
	// math.MaxInt when there is none.
	slash int
}

// read decodes a path once, and refuses what some server on the way may take
// for another path.
func read(raw string) (path, error) {
	p := path{text: raw, slash: math.MaxInt}
	if raw == "" || raw[0] != '/' || len(raw) > maxPath {
		return p, fmt.Errorf("%w: not a path, or longer than %d bytes", ErrBadPath, maxPath)
	}
	escapes := 0
	for i := range len(raw) {
		// A server cuts "#" off, others encode it; "?" never comes here.
		if b := raw[i]; b <= ' ' || b >= 0x7f || b == '#' || b == '?' {
			return p, fmt.Errorf("%w: %q", ErrBadPath, b)
		} else if b == '%' {
			escapes++
		}
	}
	if escapes > 0 {
		if err := p.decode(raw, escapes); err != nil {
			return p, err
		}
	}
	return p, p.inspect()
}

// decode fills text from raw, which holds so many percent signs.
func (p *path) decode(raw string, escapes int) error {
	buf := make([]byte, 0, max(0, len(raw)-2*escapes))
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		if b == '%' {
			var ok bool
			if b, ok = unescape(raw[i:]); !ok {
				return fmt.Errorf("%w: a percent sign that encodes nothing", ErrBadPath)
			}
			i += 2
			if b == '/' {
				p.slash = min(p.slash, len(buf))
			}
		}
		buf = append(buf, b)
	}
	p.text = string(buf)
	// Python decodes what is no UTF-8 to U+FFFD, others read overlong slashes in it.
	if !utf8.Valid(buf) {
		return fmt.Errorf("%w: not UTF-8", ErrBadPath)
	}
	// The upstream decodes once; dots that a second decoding would bring to
	// light are refused because nobody sends them in good faith. (C-12)
	if strings.IndexByte(p.text, '%') >= 0 && dotted(again(p.text)) {
		return fmt.Errorf("%w: dot segment under two encodings", ErrBadPath)
	}
	return nil
}

// inspect looks through the decoded text.
func (p *path) inspect() error {
	dots := false
	for i := range len(p.text) {
		switch b := p.text[i]; {
		case b < ' ', b == 0x7f, b == '\\':
			return fmt.Errorf("%w: %q", ErrBadPath, b)
		case b == '.' && p.text[i-1] == '/':
			dots = true
		}
	}
	if dots && dotted(p.text) {
		return fmt.Errorf("%w: dot segment", ErrBadPath)
	}
	return nil
}

// dotted says whether a segment of p is "." or "..", also with the parameters
// that some servers cut off at ";".
func dotted(p string) bool {
	for segment := range strings.SplitSeq(p, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// again decodes what can be decoded and leaves the rest.
func again(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if d, ok := unescape(s[i:]); c == '%' && ok {
			c = d
			i += 2
		}
		b.WriteByte(c)
	}
	return strings.ReplaceAll(b.String(), `\`, "/")
}

// unescape reads the percent escape that s begins with.
func unescape(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	hi, ok1 := unhex(s[1])
	lo, ok2 := unhex(s[2])
	return hi<<4 | lo, ok1 && ok2
}

func unhex(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}

// fold writes p as a server would see it that ignores case, empty segments and
// the parameters of a segment.
func fold(p string) string {
	p = strings.ToLower(p)
	if strings.Contains(p, ";") {
		segments := strings.Split(p, "/")
		for i := range segments {
			segments[i], _, _ = strings.Cut(segments[i], ";")
		}
		p = strings.Join(segments, "/")
	}
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}
