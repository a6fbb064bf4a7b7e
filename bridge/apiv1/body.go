package apiv1

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// Bounds on a request's body, which is held, since its members change.
const (
	maxBody    = 32 << 20
	maxMembers = 256 // the operations have 20 at most
)

// A body is a JSON object whose members keep their order and their bytes.
type body []member

type member struct {
	name  string
	value json.RawMessage
}

// get gives the value of a member, nil where there is none.
func (b body) get(name string) json.RawMessage {
	for _, m := range b {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// set replaces a member's value, or adds it.
func (b *body) set(name, value string) {
	for i := range *b {
		if (*b)[i].name == name {
			(*b)[i].value = json.RawMessage(value)
			return
		}
	}
	*b = append(*b, member{name, json.RawMessage(value)})
}

// drop takes a member away.
func (b *body) drop(name string) {
	*b = slices.DeleteFunc(*b, func(m member) bool { return m.name == name })
}

// orElse puts value where the client did not say name.
func (b *body) orElse(name, value string) {
	if b.get(name) == nil {
		b.set(name, value)
	}
}

// flag reads a boolean, and otherwise without one.
func (b body) flag(name string, otherwise bool) bool {
	if raw := b.get(name); raw != nil {
		return string(raw) == "true"
	}
	return otherwise
}

// text reads a string; false where there is none.
func (b body) text(name string) (string, bool) {
	var s string
	raw := b.get(name)
	return s, raw != nil && json.Unmarshal(raw, &s) == nil && string(raw) != "null"
}

func (b body) bytes() []byte {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range b {
		if i > 0 {
			out.WriteByte(',')
		}
		name, _ := json.Marshal(m.name)
		out.Write(name)
		out.WriteByte(':')
		out.Write(m.value)
	}
	out.WriteByte('}')
	return out.Bytes()
}

// readBody reads the object that a client sent, with Airflow 2's words for what
// is none.
func readBody(r *http.Request) (body, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, &problemError{status: http.StatusUnsupportedMediaType,
			detail: "Invalid Content-type, expected JSON data: send Content-Type: application/json"}
	}
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &problemError{status: http.StatusRequestEntityTooLarge, detail: "The request's body is too large."}
	} else if err != nil {
		return nil, badRequest("", "The request's body could not be read.")
	}
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0:
		return nil, badRequest("", "Request body must not be empty")
	case !json.Valid(raw):
		return nil, badRequest("", "Request body is not valid JSON")
	case raw[0] != '{':
		return nil, badRequest("", "The request's body is not of type 'object'")
	}
	return membersOf(raw)
}

// membersOf takes a valid object apart. Of a name that comes twice the last
// value counts, as in Python.
func membersOf(raw []byte) (body, error) {
	b := body{} // an object of nothing is one too
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, err := dec.Token()
	for err == nil && dec.More() {
		if len(b) == maxMembers {
			return nil, badRequest("", "The request's body has too many properties.")
		}
		var name json.Token
		if name, err = dec.Token(); err != nil {
			break
		}
		var value json.RawMessage
		if err = dec.Decode(&value); err == nil {
			b.set(name.(string), string(value))
		}
	}
	if err != nil {
		return nil, badRequest("", "Request body is not valid JSON")
	}
	return b, nil
}
