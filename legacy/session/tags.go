package session

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// The keys by which Flask marks what JSON has no type for: an object of one such
// key is a value of another type (flask/json/tag.py).
const (
	tagTuple  = " t"
	tagBytes  = " b"
	tagMarkup = " m"
	tagUUID   = " u"
	tagTime   = " d"
	tagDict   = " di" // a dict whose only key is a tag
)

func isTag(key string) bool {
	switch key {
	case tagTuple, tagBytes, tagMarkup, tagUUID, tagTime, tagDict:
		return true
	}
	return false
}

// untag makes of an object what it stands for.
func untag(m map[string]any) (any, error) {
	if len(m) != 1 {
		return m, nil
	}
	for tag, v := range m {
		text, isText := v.(string)
		switch {
		case !isTag(tag):
			return m, nil
		case tag == tagTuple:
			if list, ok := v.([]any); ok {
				return Tuple(list), nil
			}
		case tag == tagDict:
			if inner, ok := v.(map[string]any); ok && len(inner) == 1 {
				for key, value := range inner {
					if plain, ok := strings.CutSuffix(key, "__"); ok && isTag(plain) {
						return map[string]any{plain: value}, nil
					}
				}
			}
		case isText:
			if made, ok := untagText(tag, text); ok {
				return made, nil
			}
		}
	}
	return nil, unreadable("JSON: a tag without what belongs to it")
}

func untagText(tag, text string) (any, bool) {
	switch tag {
	case tagMarkup:
		return Markup(text), true
	case tagBytes:
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		return b, err == nil && !strings.ContainsAny(text, "\r\n")
	case tagUUID:
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != 16 {
			return nil, false
		}
		return UUID(b), true
	}
	t, err := time.Parse(http.TimeFormat, text)
	return t.UTC(), err == nil
}

// writeJSON writes as Flask does: no spaces, sorted keys, ASCII alone.
func writeJSON(v Values) ([]byte, error) { return appendJSON(nil, v, 0) }

func appendJSON(out []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, unreadable("nested too deeply")
	}
	switch v := v.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	case int:
		return strconv.AppendInt(out, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(out, v, 10), nil
	case float64:
		return appendFloat(out, v)
	case string:
		return appendText(out, v)
	case Markup:
		return appendTagged(out, tagMarkup, string(v))
	case []byte:
		return appendTagged(out, tagBytes, base64.StdEncoding.EncodeToString(v))
	case UUID:
		return appendTagged(out, tagUUID, hex.EncodeToString(v[:]))
	case time.Time:
		return appendTagged(out, tagTime, v.UTC().Format(http.TimeFormat))
	case Tuple:
		out, err := appendList(append(out, `{" t":`...), v, depth+1)
		return append(out, '}'), err
	case []any:
		return appendList(out, v, depth)
	case map[string]any:
		return appendDict(out, v, depth)
	}
	return nil, unreadable("a value of the type %T", v)
}

func appendList(out []byte, list []any, depth int) ([]byte, error) {
	out = append(out, '[')
	for i, item := range list {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendJSON(out, item, depth+1); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func appendDict(out []byte, m map[string]any, depth int) ([]byte, error) {
	suffix := ""
	if len(m) == 1 && isTag(sortedKeys(m)[0]) {
		out, suffix = append(out, `{" di":`...), "__"
		depth++
	}
	out = append(out, '{')
	for i, key := range sortedKeys(m) {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendText(out, key+suffix); err != nil {
			return nil, err
		}
		if out, err = appendJSON(append(out, ':'), m[key], depth+1); err != nil {
			return nil, err
		}
	}
	if suffix != "" {
		out = append(out, '}')
	}
	return append(out, '}'), nil
}

func appendTagged(out []byte, tag, text string) ([]byte, error) {
	out = append(append(append(out, `{"`...), tag...), `":`...)
	out, err := appendText(out, text)
	return append(out, '}'), err
}

// appendFloat writes as Python's repr does.
func appendFloat(out []byte, f float64) ([]byte, error) {
	size := math.Abs(f)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return nil, unreadable("a float that is no number")
	case size != 0 && (size < 1e-4 || size >= 1e16):
		return strconv.AppendFloat(out, f, 'e', -1, 64), nil
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return append(out, text...), nil
}

const hexDigits = "0123456789abcdef"

// appendText writes text in quotes; what is not ASCII is escaped, in pairs where
// it needs two.
func appendText(out []byte, s string) ([]byte, error) {
	if err := checkText(s); err != nil {
		return nil, err
	}
	out = append(out, '"')
	for _, c := range s {
		if i := strings.IndexRune("\"\\\b\f\n\r\t", c); i >= 0 {
			out = append(out, '\\', `"\bfnrt`[i])
			continue
		}
		if ' ' <= c && c < 0x7f {
			out = append(out, byte(c))
			continue
		}
		units := []rune{c}
		if c > 0xffff {
			high, low := utf16.EncodeRune(c)
			units = []rune{high, low}
		}
		for _, u := range units {
			out = append(out, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
		}
	}
	return append(out, '"'), nil
}
