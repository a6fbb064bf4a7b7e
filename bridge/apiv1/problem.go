package apiv1

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// A problemError is an answer that refuses, in Airflow 2's words.
type problemError struct {
	status int
	title  string // empty: the status's
	detail string
	// retryAfter are the values of the header of that name.
	retryAfter []string
	// reason is the record's where the bridge itself failed; empty for none.
	reason record.Reason
	cause  error // for the record alone
}

func (e *problemError) Error() string { return e.detail }

func badRequest(title, detail string) error {
	return &problemError{status: http.StatusBadRequest, title: title, detail: detail}
}

func notFound(title, detail string) error {
	return &problemError{status: http.StatusNotFound, title: title, detail: detail}
}

// maxProblem bounds what is read of an upstream's refusal.
const maxProblem = 64 << 10

// refusalOf makes Airflow 2's refusal of one of Airflow 3's.
func refusalOf(status int, body []byte) *problemError {
	e := &problemError{status: status, detail: detailOf(body)}
	switch {
	case status == http.StatusUnprocessableEntity:
		e.status = http.StatusBadRequest
	case status < 400 || http.StatusText(status) == "":
		return &problemError{status: http.StatusBadGateway, detail: fmt.Sprintf("Airflow 3 answered %d, which the bridge does not expect here.", status)}
	}
	if e.detail == "" {
		e.detail = http.StatusText(e.status)
	}
	return e
}

// detailOf reads {"detail": …}: a text, what was wrong with each part of the
// request, or what the database said. Of the last its statement is left out.
func detailOf(body []byte) string {
	var answer struct{ Detail json.RawMessage }
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(answer.Detail, &text) == nil {
		return text
	}
	var faults []json.RawMessage
	if json.Unmarshal(answer.Detail, &faults) == nil {
		var texts []string
		for _, f := range faults {
			texts = append(texts, faultOf(f))
		}
		return strings.Join(texts, "; ")
	}
	var conflict struct{ Reason string }
	_ = json.Unmarshal(answer.Detail, &conflict) // what cannot be read has no reason
	return conflict.Reason
}

func faultOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var fault struct {
		Loc []any
		Msg string
	}
	_ = json.Unmarshal(raw, &fault) // what cannot be read is left out
	var where []string
	for _, l := range fault.Loc {
		where = append(where, fmt.Sprint(l))
	}
	return strings.TrimPrefix(strings.Join(where, ".")+": "+fault.Msg, ": ")
}

// write answers r with e, and records what the bridge itself could not do.
func (e *problemError) write(w http.ResponseWriter, r *http.Request, version string) {
	rec := record.From(r.Context())
	p := problem.Problem{Status: e.status, Title: e.title, Detail: e.detail}
	if e.reason != "" {
		rec.Reason, rec.Origin, p.RequestID = e.reason, "bridge", rec.ID
		w.Header().Set(problem.ErrorHeader, string(e.reason))
	}
	if e.cause != nil {
		rec.Err = reasonOf(e.cause)
	}
	if e.retryAfter != nil {
		w.Header()["Retry-After"] = e.retryAfter
	}
	problem.Write(w, r.Method, problem.V1, version, p)
}

// An awayError is the transport's: the upstream gave no answer.
type awayError struct{ error }

func (e awayError) Unwrap() error { return e.error }

// problemOf is what to answer for an error; nil where that is for [Config.Fail] to say.
// What is left is an answer that began and could not be read: what was asked for may
// have been done then, so nobody is told that the upstream was not there.
func problemOf(r *http.Request, err error) *problemError {
	var e *problemError
	var away awayError
	var slow net.Error
	switch {
	case errors.As(err, &e):
		return e
	case r.Context().Err() != nil, errors.As(err, &away), errors.As(err, &slow) && slow.Timeout():
		return nil
	}
	e = &problemError{status: http.StatusBadGateway, reason: record.UpstreamUnreadable, cause: err,
		detail: "Airflow 3 answered, and the bridge could not read its answer."}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		e.detail += " What was asked for may have been done."
	}
	return e
}
