package session

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A jsonReader reads the JSON of Flask's serializer. It is our own because
// encoding/json is more lenient than Python where it matters: it takes a key
// twice, and makes one replacement character of every half of a pair.
type jsonReader struct {
	text   string
	at     int
	budget budget
}

// readJSON reads a session in Flask's tagged JSON.
func readJSON(text string) (Values, error) {
	if len(text) > maxText {
		return nil, unreadable("more than %d bytes", maxText)
	}
	if err := checkText(text); err != nil {
		return nil, err
	}
	r := jsonReader{text: text, budget: newBudget()}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.space(); r.at != len(text) {
		return nil, unreadable("JSON: something stands behind the session")
	}
	values, ok := v.(map[string]any)
	if !ok {
		return nil, unreadable("not a dict")
	}
	return values, nil
}

func (r *jsonReader) fail(what string) error {
	return unreadable("JSON: %s at byte %d", what, r.at)
}

func (r *jsonReader) space() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\n' || r.text[r.at] == '\t' || r.text[r.at] == '\r') {
		r.at++
	}
}

// peek is the next character that is no space, 0 at the end.
func (r *jsonReader) peek() byte {
	if r.space(); r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// take passes over c, or says that it is not there.
func (r *jsonReader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.at++
	return true
}

func (r *jsonReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, r.fail("nested too deeply")
	}
	if err := r.budget.item(0); err != nil {
		return nil, err
	}
	switch c := r.peek(); {
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"':
		return r.string()
	case c == '-' || '0' <= c && c <= '9':
		return r.number()
	}
	for word, v := range map[string]any{"null": nil, "true": true, "false": false} {
		if len(r.text)-r.at >= len(word) && r.text[r.at:r.at+len(word)] == word {
			r.at += len(word)
			return v, nil
		}
	}
	return nil, r.fail("no value")
}

func (r *jsonReader) object(depth int) (any, error) {
	r.at++
	m := map[string]any{}
	if r.take('}') {
		return m, nil
	}
	for {
		if r.peek() != '"' {
			return nil, r.fail("no key")
		}
		key, err := r.string()
		if err != nil {
			return nil, err
		}
		if _, doubled := m[key]; doubled {
			return nil, r.fail("a key for the second time")
		}
		if !r.take(':') {
			return nil, r.fail("no colon")
		}
		if m[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
		if r.take('}') {
			return untag(m)
		}
		if !r.take(',') {
			return nil, r.fail("neither comma nor brace")
		}
	}
}

func (r *jsonReader) array(depth int) (any, error) {
	r.at++
	list := []any{}
	if r.take(']') {
		return list, nil
	}
	for {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if r.take(']') {
			return list, nil
		}
		if !r.take(',') {
			return nil, r.fail("neither comma nor bracket")
		}
	}
}

// number reads an int64, or a float64 where there is a point or an exponent.
// Python has longer integers, and words for what is no number.
func (r *jsonReader) number() (any, error) {
	start := r.at
	digits := func() bool {
		first := r.at
		for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
			r.at++
		}
		return r.at > first
	}
	next := func(set string) bool {
		for i := range len(set) {
			if r.at < len(r.text) && r.text[r.at] == set[i] {
				r.at++
				return true
			}
		}
		return false
	}
	next("-")
	ok := next("0") || digits()
	whole := true
	if next(".") {
		whole, ok = false, digits() && ok
	}
	if next("eE") {
		next("+-")
		whole, ok = false, digits() && ok
	}
	if !ok {
		return nil, r.fail("a malformed number")
	}
	if whole {
		n, err := strconv.ParseInt(r.text[start:r.at], 10, 64)
		if err != nil {
			return nil, r.fail("a number beyond 64 bits")
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(r.text[start:r.at], 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, r.fail("a number beyond a float's")
	}
	return f, nil
}

func (r *jsonReader) string() (string, error) {
	r.at++
	var out []byte
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(out), r.budget.item(len(out))
		case c < ' ':
			return "", r.fail("a control character in text")
		case c != '\\':
			out = append(out, c)
		default:
			var err error
			if out, err = r.escape(out); err != nil {
				return "", err
			}
		}
	}
	return "", r.fail("text without an end")
}

func (r *jsonReader) escape(out []byte) ([]byte, error) {
	if r.at == len(r.text) {
		return nil, r.fail("half an escape")
	}
	c := r.text[r.at]
	r.at++
	if c == 'u' {
		u, ok := r.hex4()
		if ok && utf16.IsSurrogate(u) {
			// Only a pair is a character.
			low := rune(0)
			if r.at+2 <= len(r.text) && r.text[r.at:r.at+2] == `\u` {
				r.at += 2
				low, ok = r.hex4()
			}
			if u = utf16.DecodeRune(u, low); u == utf8.RuneError {
				ok = false
			}
		}
		if !ok {
			return nil, r.fail("a malformed escape")
		}
		return utf8.AppendRune(out, u), nil
	}
	for i, from := range []byte(`"\/bfnrt`) {
		if c == from {
			return append(out, "\"\\/\b\f\n\r\t"[i]), nil
		}
	}
	return nil, r.fail("an unknown escape")
}

func (r *jsonReader) hex4() (rune, bool) {
	if r.at+4 > len(r.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 16)
	r.at += 4
	return rune(n), err == nil
}
