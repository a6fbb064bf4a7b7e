package apiv1

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge/record"
)

// Bounds on a request's body, which is held, since its members change.
const (
	maxBody    = 4 << 20
	maxBodies  = 32 << 20 // of all large ones together; about twice that is in use for them
	smallBody  = 64 << 10
	roomWait   = time.Second // for the others to give room back
	maxMembers = 256         // the operations have 20 at most
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
func (b *body) set(name, value string) { b.put(name, json.RawMessage(value)) }

// put is set for a value that is not copied.
func (b *body) put(name string, value json.RawMessage) {
	for i := range *b {
		if (*b)[i].name == name {
			(*b)[i].value = value
			return
		}
	}
	*b = append(*b, member{name, value})
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
	size := len("{}")
	for _, m := range b {
		size += len(quoted(m.name)) + len(m.value) + len(":,")
	}
	out := append(make([]byte, 0, size), '{')
	for i, m := range b {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, quoted(m.name)...), ':')
		out = append(out, m.value...)
	}
	return append(out, '}')
}

// readBody reads the object that the client sent, with Airflow 2's words for what
// is none.
func (c *call) readBody() (body, error) {
	if kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, &problemError{status: http.StatusUnsupportedMediaType,
			detail: "Invalid Content-type, expected JSON data: send Content-Type: application/json"}
	}
	raw, err := c.readRaw()
	if err != nil {
		return nil, err
	}
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0:
		return nil, badRequest("", "Request body must not be empty")
	case !json.Valid(raw):
		return nil, badRequest("", "Request body is not valid JSON")
	case raw[0] != '{':
		return nil, badRequest("", "The request's body is not of type 'object'")
	}
	b, err := membersOf(raw)
	if err != nil {
		return nil, badRequest("", "The request's body has too many properties.")
	}
	return b, nil
}

// readRaw reads what the client sent. What is more than small it reads when there is
// room for it, so that many large bodies at once do not use up the memory; small ones,
// which nearly all are, never wait for that.
func (c *call) readRaw() ([]byte, error) {
	if c.r.ContentLength > maxBody {
		return nil, errLongBody
	}
	src := http.MaxBytesReader(nil, c.r.Body, maxBody)
	var text []byte
	var err error
	if c.r.ContentLength >= 0 {
		if c.r.ContentLength > smallBody {
			if err := c.holdRoom(); err != nil {
				return nil, err
			}
		}
		text = make([]byte, c.r.ContentLength)
		_, err = io.ReadFull(src, text)
	} else if text, err = io.ReadAll(io.LimitReader(src, smallBody)); err == nil && len(text) == smallBody {
		if err := c.holdRoom(); err != nil {
			return nil, err
		}
		var rest []byte
		rest, err = io.ReadAll(src)
		text = append(text, rest...)
	}
	switch tooLarge := (*http.MaxBytesError)(nil); {
	case errors.As(err, &tooLarge):
		return nil, errLongBody
	case err != nil:
		return nil, badRequest("", "The request's body could not be read.")
	}
	return text, nil
}

var errLongBody = &problemError{status: http.StatusRequestEntityTooLarge, detail: "The request's body is too large: more than 4 MiB."}

// holdRoom takes room for one large body, which the call has until its end.
func (c *call) holdRoom() error {
	room := int64(maxBody)
	if c.r.ContentLength > 0 {
		room = c.r.ContentLength
	}
	ctx, stop := context.WithTimeout(c.r.Context(), roomWait)
	defer stop()
	if err := c.bodies.Acquire(ctx, room); err != nil {
		return &problemError{status: http.StatusServiceUnavailable, retryAfter: []string{"1"}, reason: record.BodiesFull,
			detail: "Too many large requests at once. Try again later."}
	}
	c.room = room
	return nil
}

// membersOf takes an object apart that is valid JSON; its values are parts of raw. Of
// a name that comes twice the last value counts, as in Python. It gives [errSyntax]
// for what is no object, [errTooLarge] for one of too many members.
func membersOf(raw []byte) (body, error) {
	b := body{} // an object of nothing is one too
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errSyntax
	}
	for rest := bytes.TrimLeft(raw[1:], space); len(rest) > 0 && rest[0] != '}'; {
		if len(b) == maxMembers {
			return nil, errTooLarge
		}
		label, after := firstValue(rest)
		_, after, _ = bytes.Cut(after, []byte{':'})
		value, after := firstValue(bytes.TrimLeft(after, space))
		var name string
		if json.Unmarshal(label, &name) != nil {
			return nil, errSyntax
		}
		b.put(name, value)
		rest = bytes.TrimLeft(after, space+",")
	}
	return b, nil
}

// space is white space in JSON.
const space = " \t\r\n"

// firstValue parts valid JSON after its first value.
func firstValue(text []byte) (value, rest []byte) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
			if !quoted && depth == 0 {
				return text[:i+1], text[i+1:]
			}
		case quoted:
		case c == '{', c == '[':
			depth++
		case (c == '}' || c == ']') && depth > 1:
			depth--
		case (c == '}' || c == ']') && depth == 1:
			return text[:i+1], text[i+1:]
		case depth == 0 && strings.IndexByte(space+",:}]", c) >= 0:
			return text[:i], text[i:]
		}
	}
	return text, nil
}
