package apiv1

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A memberKind is what a member of a request's body must be.
type memberKind int

const (
	isText   memberKind = iota
	isTime              // a date and time, as text
	isFlag              // a boolean, and nothing that only looks like one
	isWhole             // a number without a fraction
	isNumber            // a number
	isTexts             // an array of texts and nulls
	isArray             // an array of anything
	isObject            // an object of anything
)

// kindOf says what a member of that name must be, wherever it comes.
func kindOf(name string) memberKind {
	switch name {
	case "dry_run", "include_deferred", "include_downstream", "include_future", "include_parentdag", "include_past", "include_subdags",
		"include_upstream", "is_paused", "only_failed", "only_running", "reset_dag_runs":
		return isFlag
	case "page_limit", "page_offset", "port", "slots":
		return isWhole
	case "duration_gte", "duration_lte":
		return isNumber
	case "dag_ids", "dag_run_ids", "executor", "pool", "queue", "state[]", "states", "task_ids":
		return isTexts
	case "actions", "roles":
		return isArray
	case "conf", "extra{}":
		return isObject
	case "data_interval_end", "data_interval_start", "end_date", "end_date_gte", "end_date_lte",
		"execution_date_gte", "execution_date_lte", "start_date", "start_date_gte", "start_date_lte":
		return isTime
	}
	return isText
}

// schema is the type of Airflow 2's description of it.
func (k memberKind) schema() string {
	switch k {
	case isFlag:
		return "boolean"
	case isWhole:
		return "integer"
	case isNumber:
		return "number"
	case isTexts, isArray:
		return "array"
	case isObject:
		return "object"
	}
	return "string"
}

// fits says whether a JSON value is of the kind.
func (k memberKind) fits(raw json.RawMessage) bool {
	switch k {
	case isFlag:
		return string(raw) == "true" || string(raw) == "false"
	case isWhole:
		return bytes.ContainsAny(raw[:1], "-0123456789") && !bytes.ContainsAny(raw, ".eE")
	case isNumber:
		return bytes.ContainsAny(raw[:1], "-0123456789")
	case isTexts:
		var all []*string
		return raw[0] == '[' && json.Unmarshal(raw, &all) == nil
	case isArray:
		return raw[0] == '['
	case isObject:
		return raw[0] == '{'
	}
	return raw[0] == '"'
}

// misfit begins to say that a value is not of the kind. Where it may be a secret, or is
// long, it is not said.
func (k memberKind) misfit(raw json.RawMessage) string {
	if (k == isFlag || k == isWhole || k == isNumber) && len(raw) <= 64 {
		return inPython(raw) + " is not"
	}
	return "Not"
}

// A memberOf is a member of a request's body, as it was declared.
type memberOf struct {
	name, upstream string
	kind           memberKind
	null           bool // it may be null
}

// membersIn takes an operation's declared body apart: "old", "old>new", each with "?"
// after the old name where it may be null. The brackets of "state[]" and "extra{}",
// which are texts elsewhere, tell their kind.
func membersIn(declared string) (all []memberOf) {
	for word := range strings.FieldsSeq(declared) {
		var m memberOf
		old, new, renamed := strings.Cut(word, ">")
		old, m.null = strings.CutSuffix(old, "?")
		m.kind = kindOf(old)
		m.name = strings.TrimRight(old, "[]{}")
		if m.upstream = new; !renamed {
			m.upstream = m.name
		}
		all = append(all, m)
	}
	return all
}

// translate makes the upstream's body of a client's. Like Airflow 2 it refuses a
// member that the operation has not: Airflow 3 may know it and do more. What is of
// another kind it refuses too, since Airflow 3 reads "no" and 0 as false.
func (b body) translate(declared string) (body, error) {
	known := map[string]memberOf{}
	for _, m := range membersIn(declared) {
		known[m.name] = m
	}
	translated := body{}
	for _, sent := range b {
		m, ok := known[sent.name]
		switch {
		case !ok:
			return nil, badRequest("", "{"+inPython([]byte(quoted(shortened(sent.name))))+": ['Unknown field.']}")
		case m.null && string(sent.value) == "null":
		case !m.kind.fits(sent.value):
			return nil, badRequest("", m.kind.misfit(sent.value)+" of type '"+m.kind.schema()+"' - '"+m.name+"'")
		case m.kind == isTime && !startsWithYear(sent.value):
			return nil, badRequest("", "{'"+m.name+"': ['Not a valid datetime.']}")
		}
		if m.upstream != nowhere {
			translated = append(translated, member{m.upstream, sent.value})
		}
	}
	return translated, nil
}

// startsWithYear tells a date from the seconds since 1970, for which Airflow 3 takes a
// text of digits.
func startsWithYear(raw json.RawMessage) bool {
	const year = `"2006-`
	return len(raw) > len(year) && raw[len(year)-1] == '-' && len(bytes.Trim(raw[1:len(year)-1], "0123456789")) == 0
}

// shortened bounds a name that is said back.
func shortened(name string) string {
	const most = 64
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}
