package apiv1

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// An operation says how one operation of Airflow 2's REST API is spoken over
// Airflow 3's: what differs, and nothing else. What all of them have in common is
// not said again (see the package's comment).
type operation struct {
	// id is its operationId in Airflow 2's description; also what it is counted by.
	id string
	// at is its method and its path below /api/v1. A parameter that ends in "..."
	// takes the rest of the path, slashes included, but for one at its beginning.
	at string
	// to is the upstream's method and path. Empty: at, below /api/v2.
	to string
	// also are further paths of the upstream's that do asks, with blanks between.
	also string
	// query names the query parameters, "old>new" where Airflow 3 calls one
	// otherwise, "old>-" for one that is accepted and means nothing. What a parameter
	// of that name means everywhere is in paramOf.
	query string
	// order names what order_by may be where Airflow 3 calls it otherwise, "old>new".
	order string
	// body names the members of the request's body, "old>new" where Airflow 3 calls one
	// otherwise, "old>-" for one that is accepted and does not go on, and "?" after the
	// old name where it may be null. What a member of that name must be everywhere is in
	// kindOf.
	body string
	// answer is what becomes of the upstream's answer. Nil: it has no body.
	answer shape
	// status is that of a success that do answers with, where it is not 200. Without
	// do it is 204 where answer is nil, and otherwise the upstream's, and 200 for 201.
	status int
	// missing is Airflow 2's title for a 404, with the path's parameters in braces.
	// Empty: Not Found.
	missing string
	// empty says that Airflow 2 answered an empty list where Airflow 3 knows of
	// something that is not there.
	empty bool
	// prepare changes a call that is about to be made, or refuses it.
	prepare func(*call) error
	// do makes the call in the place of the one that is made otherwise.
	do func(*call) error
	// manager is the auth manager of Airflow 3's that has the operation. Empty: each.
	manager string
}

// families are the declarations, in the order of Airflow 2's own description
// where one family is concerned.
func families() []operation {
	return slices.Concat(dags(), dagRuns(), tasks(), taskInstances(), xcoms(), sources(), datasets(), queuedEvents(),
		variables(), connections(), pools(), dagStats(), events(), instance(), users(), monitoring())
}

// A template is an operation's path taken apart.
type template struct {
	*operation
	method   string
	segments []segment
	rest     bool // the last segment takes what is left
	upstream target
}

// takesBody says whether a request of the operation has a body.
func (t *template) takesBody() bool {
	return t.method == http.MethodPost || t.method == http.MethodPatch
}

// A segment is literal text, or a parameter's name.
type segment struct {
	text  string
	param bool
}

// A target is a method and a path of the upstream's.
type target struct {
	method, path string
}

const (
	v1Prefix = "/api/v1"
	v2Prefix = "/api/v2"
)

func templatesOf(operations []operation) []*template {
	templates := make([]*template, 0, len(operations))
	for i := range operations {
		op := &operations[i]
		t := &template{operation: op}
		var path string
		t.method, path, _ = strings.Cut(op.at, " ")
		t.segments, t.rest = segmentsOf(path)
		path = strings.ReplaceAll(path, "...}", "}")
		t.upstream = target{t.method, v2Prefix + path}
		if op.to != "" {
			t.upstream.method, t.upstream.path, _ = strings.Cut(op.to, " ")
		}
		templates = append(templates, t)
	}
	// Where a path fits two, the one with the text first.
	slices.SortStableFunc(templates, func(a, b *template) int {
		return slices.CompareFunc(a.segments, b.segments, func(x, y segment) int {
			switch {
			case x.param == y.param:
				return cmp.Compare(x.text, y.text)
			case x.param:
				return 1
			}
			return -1
		})
	})
	return templates
}

func segmentsOf(path string) (segments []segment, rest bool) {
	for text := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		name, param := strings.CutPrefix(text, "{")
		if param {
			name = strings.TrimSuffix(name, "}")
			name, rest = strings.CutSuffix(name, "...")
		}
		segments = append(segments, segment{name, param})
	}
	return segments, rest
}

// match fits the path's segments, escaped as they came, to the template.
func (t *template) match(escaped, decoded []string) (map[string]string, bool) {
	if len(escaped) < len(t.segments) || len(escaped) > len(t.segments) && !t.rest {
		return nil, false
	}
	for i, s := range t.segments {
		if !s.param && s.text != decoded[i] || s.param && decoded[i] == "" {
			return nil, false
		}
		// Airflow decodes before it matches: with a slash in it, a name would make
		// another operation's path there, which is done in another way.
		if rest := t.rest && i == len(t.segments)-1; s.param && !rest && strings.Contains(decoded[i], "/") {
			return nil, false
		}
	}
	params := map[string]string{}
	for i, s := range t.segments {
		if s.param {
			params[s.text] = escaped[i]
		}
	}
	if t.rest {
		last := len(t.segments) - 1
		params[t.segments[last].text] = strings.Join(escaped[last:], "/")
	}
	return params, true
}

// fill puts escaped parameters into an upstream's path.
func fill(path string, params map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(path, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		var name string
		name, path, _ = strings.Cut(rest, "}")
		b.WriteString(params[name])
	}
}

// renames takes a list of "old>new" apart. A name without ">" stays as it is.
func renames(text string) map[string]string {
	names := map[string]string{}
	for _, name := range strings.Fields(text) {
		old, new, found := strings.Cut(name, ">")
		if !found {
			new = old
		}
		names[old] = new
	}
	return names
}
