package demo

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// maxDigits is Python's bound on the digits of an integer.
const maxDigits = 4300

// integer is Python's int() of a JSON value: numbers are cut to whole ones,
// strings are read, true is 1. What int() does not take at all is a crash.
func integer(value any) (*big.Int, error) {
	switch v := value.(type) {
	case bool:
		if v {
			return big.NewInt(1), nil
		}
		return new(big.Int), nil
	case string:
		if n, ok := pyInt(v); ok {
			return n, nil
		}
		return nil, errInvalid
	case json.Number:
		return number(v.String())
	}
	return nil, errCrash
}

func number(text string) (*big.Int, error) {
	if !strings.ContainsAny(text, ".eE") {
		if n, ok := pyInt(text); ok {
			return n, nil
		}
		return nil, errInvalid
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errCrash // infinity
	}
	n, _ := big.NewFloat(f).Int(nil)
	return n, nil
}

// pyInt is Python's int() of a string: spaces around, a sign, digits of any
// script, single underscores between them.
func pyInt(text string) (*big.Int, bool) {
	text = strings.TrimSpace(text)
	digits, negative := strings.CutPrefix(text, "-")
	if !negative {
		digits = strings.TrimPrefix(text, "+")
	}
	var ascii []byte
	last := '_' // so that none may come first
	for _, r := range digits {
		d, ok := digit(r)
		switch {
		case ok:
			ascii = append(ascii, d)
		case r != '_' || last == '_':
			return nil, false
		}
		last = r
	}
	if last == '_' || len(ascii) > maxDigits {
		return nil, false
	}
	n, ok := new(big.Int).SetString(string(ascii), 10)
	if ok && negative {
		n.Neg(n)
	}
	return n, ok
}

// digit gives the ASCII digit of a decimal digit: in Unicode's ranges of them,
// each run of ten begins with zero.
func digit(r rune) (byte, bool) {
	for _, set := range unicode.Nd.R16 {
		if rune(set.Lo) <= r && r <= rune(set.Hi) {
			return byte('0' + (r-rune(set.Lo))%10), true
		}
	}
	for _, set := range unicode.Nd.R32 {
		if rune(set.Lo) <= r && r <= rune(set.Hi) {
			return byte('0' + (r-rune(set.Lo))%10), true
		}
	}
	return 0, false
}

// truthy is Python's bool() of a JSON value.
func truthy(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case json.Number:
		f, err := strconv.ParseFloat(v.String(), 64)
		return err != nil || f != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}
