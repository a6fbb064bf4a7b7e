// Package problem is the only place that turns a refusal into an answer. It
// speaks the two dialects that clients know: Airflow 3's `{"detail": …}` and, on
// /api/v1, Airflow 2's problem document. What a client is told never says why a
// credential failed; that is the record's to keep.
package problem

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Dialect is the shape of an answer.
type Dialect int

// The dialects. The zero value is Airflow 3's.
const (
	V2 Dialect = iota // Airflow 3: FastAPI's HTTPException
	V1                // Airflow 2: RFC 7807, as connexion wrote it
)

// A Problem is an answer that refuses.
type Problem struct {
	Status int
	// Title is what a V1 answer calls it; empty for the status's own name.
	Title string
	// Detail is one or two sentences for whoever reads the answer: that it was
	// refused, and how to do it right.
	Detail string
	// Verbatim says that Airflow gives this very answer: nothing is added to
	// its bytes.
	Verbatim bool
	// RequestID is what to ask the operator about; also in X-Request-Id.
	RequestID string
}

// What Airflow 3 itself answers (airflow/api_fastapi/core_api/security.py).
var (
	NotAuthenticated = Problem{Status: http.StatusUnauthorized, Detail: "Not authenticated", Verbatim: true}
	TokenExpired     = Problem{Status: http.StatusUnauthorized, Detail: "Token Expired", Verbatim: true}
	InvalidToken     = Problem{Status: http.StatusForbidden, Detail: "Invalid JWT token", Verbatim: true}
)

// ErrorHeader names, on an answer of 502, 503 or 504, what the bridge itself
// could not do: an upstream's own 503 does not have it.
const ErrorHeader = "X-Jetbridge-Error"

// Write answers a request of that method with p. Version is that of the Airflow
// 2 whose documentation a V1 answer points to; empty for its newest. Headers
// that are set already stay. A Problem that is no error, the zero one first of
// all, is answered as 500: nothing that was refused may look like a success.
func Write(w http.ResponseWriter, method string, d Dialect, version string, p Problem) {
	if http.StatusText(p.Status) == "" || p.Status < 400 {
		p.Status, p.Detail = http.StatusInternalServerError, "Internal Server Error"
	}
	body, contentType := p.v2(), "application/json"
	if d == V1 {
		body, contentType = p.v1(version), "application/problem+json"
	}
	h := w.Header()
	if d == V1 && h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store") // as Airflow 2 from 2.9.2 on says on every answer
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if p.RequestID != "" {
		h.Set("X-Request-Id", p.RequestID)
	}
	w.WriteHeader(p.Status)
	if method != http.MethodHead {
		_, _ = w.Write(body) // the client's going away is nobody's error
	}
}

func (p Problem) text() string {
	if p.Verbatim || p.RequestID == "" {
		return p.Detail
	}
	return p.Detail + " (request id " + p.RequestID + ")"
}

func (p Problem) v2() []byte {
	return marshal(struct {
		Detail string `json:"detail"`
	}{p.text()}, "")
}

// anchor is the section of Airflow 2's documentation on errors
// (airflow/api_connexion/exceptions.py).
func anchor(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "BadRequest"
	case http.StatusUnauthorized:
		return "Unauthenticated"
	case http.StatusForbidden:
		return "PermissionDenied"
	case http.StatusNotFound:
		return "NotFound"
	case http.StatusMethodNotAllowed:
		return "MethodNotAllowed"
	case http.StatusConflict:
		return "AlreadyExists"
	case http.StatusInternalServerError:
		return "Unknown"
	}
	return ""
}

// v1 has the bytes that Airflow 2 writes: sorted names, two spaces, a newline
// at the end, and detail null where it says no more than the status. A status
// that Airflow 2 does not know has no section to point to (RFC 7807 section 4.2).
func (p Problem) v1(version string) []byte {
	section := "about:blank"
	if a := anchor(p.Status); a != "" {
		section = docs(version) + "stable-rest-api-ref.html#section/Errors/" + a
	}
	var detail *string
	if !p.Verbatim {
		text := p.text()
		detail = &text
	}
	title := p.Title
	if title == "" {
		title = http.StatusText(p.Status)
	}
	body := marshal(struct {
		Detail *string `json:"detail"`
		Status int     `json:"status"`
		Title  string  `json:"title"`
		Type   string  `json:"type"`
	}{detail, p.Status, title, section}, "  ")
	return append(body, '\n')
}

// docs is the documentation that an Airflow 2 of that version points to
// (airflow/utils/docs.py): a version with "dev", "a" or "b" in it has none of
// its own. Without a version it is the newest.
func docs(version string) string {
	if version == "" {
		version = "stable"
	} else if strings.Contains(version, "dev") || strings.ContainsAny(version, "ab") {
		return "http://apache-airflow-docs.s3-website.eu-central-1.amazonaws.com/docs/apache-airflow/stable/"
	}
	return "https://airflow.apache.org/docs/apache-airflow/" + version + "/"
}

// marshal leaves <, > and & as they are, as Python does.
func marshal(v any, indent string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if enc.Encode(v) != nil {
		return nil // plain strings and numbers always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
