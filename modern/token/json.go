package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep a header or payload may be nested.
const maxDepth = 16

var errJSON = errors.New("not one JSON object")

// decodeObject reads exactly one JSON object, in which every name stands once
// at every level and all text is Unicode. Numbers stay as they are written.
func decodeObject(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errJSON
	}
	return object, nil
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("JSON nested too deep")
	}
	t, err := d.Token()
	if err != nil {
		return nil, errJSON // the decoder's own words quote the input
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return decodeMembers(d, depth)
		}
		return decodeElements(d, depth)
	case string:
		return t, checkText(t)
	}
	return t, nil
}

func decodeMembers(d *json.Decoder, depth int) (any, error) {
	object := make(map[string]any)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, errJSON
		}
		name, ok := t.(string)
		if !ok {
			return nil, errJSON
		}
		if err := checkText(name); err != nil {
			return nil, err
		}
		if _, twice := object[name]; twice {
			return nil, errors.New("JSON with a name twice")
		}
		if object[name], err = decodeValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	return object, end(d)
}

func decodeElements(d *json.Decoder, depth int) (any, error) {
	array := []any{}
	for d.More() {
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	return array, end(d)
}

func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errJSON
	}
	return nil
}

// checkText refuses U+FFFD, which is what the decoder makes of bad UTF-8 and of
// half a surrogate pair: two different texts must not read alike.
func checkText(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return errors.New("JSON text that is not Unicode")
	}
	return nil
}
