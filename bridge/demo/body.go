package demo

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// maxBody bounds a request's body in bytes.
const maxBody = 1 << 20

// A body is what FastAPI makes of a request's body: a JSON value, or the text
// itself when it was not said to be JSON.
type body struct {
	missing bool
	value   any
}

// readBody reads a body; what is no JSON fails before anybody asks who sent it.
func readBody(w http.ResponseWriter, r *http.Request) (body, *answer) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return body{}, new(detail(http.StatusBadRequest, "There was an error parsing the body"))
	}
	if len(text) == 0 {
		return body{missing: true}, nil
	}
	if !saysJSON(r.Header.Get("Content-Type")) {
		return body{value: string(text)}, nil
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		at := len(text)
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) && !strings.HasPrefix(syntax.Error(), "unexpected end") {
			at = int(syntax.Offset) - 1
		}
		return body{}, new(invalid(object{
			{"type", "json_invalid"}, {"loc", []any{"body", at}}, {"msg", "JSON decode error"}, {"input", object{}},
			{"ctx", object{{"error", "Expecting value"}}},
		}))
	}
	return body{missing: value == nil, value: value}, nil
}

// saysJSON reads a content type as FastAPI does; none at all is JSON.
func saysJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

// invalid is FastAPI's answer to what does not validate.
func invalid(faults ...object) answer { return detail(http.StatusUnprocessableEntity, faults) }

func fault(kind, msg string, input any, loc ...any) object {
	return object{{"type", kind}, {"loc", append([]any{"body"}, loc...)}, {"msg", msg}, {"input", input}}
}

func missing(input any, loc ...any) object { return fault("missing", "Field required", input, loc...) }

// model reads the body as an object that has what is required and nothing else
// but what is optional.
func (b body) model(required, optional []string) (map[string]any, *answer) {
	if b.missing {
		return nil, new(invalid(missing(nil)))
	}
	members, ok := b.value.(map[string]any)
	if !ok {
		return nil, new(invalid(fault("model_attributes_type", "Input should be a valid dictionary or object to extract fields from", b.value)))
	}
	var faults []object
	for _, name := range required {
		if _, has := members[name]; !has {
			faults = append(faults, missing(members, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			faults = append(faults, fault("extra_forbidden", "Extra inputs are not permitted", members[name], name))
		}
	}
	if faults != nil {
		return nil, new(invalid(faults...))
	}
	return members, nil
}
