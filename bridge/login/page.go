package login

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"

	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/session"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

// A page is the one page that there is: a form, with or without a sentence above it.
type page struct {
	body *template.Template
	csp  string
}

// A view is what the page shows.
type view struct {
	Style template.CSS
	// Token is the form's; there is no form without one.
	Token string
	// Name is who has logged in; empty for nobody.
	Name string
	// Entered is the name that was entered before.
	Entered string
	// Alert says what went wrong, Hint what to do, ID what to ask the operator about.
	Alert, Hint, ID string
}

func newPage() (page, error) {
	body, err := template.New("page").Parse(pageHTML)
	sum := sha256.Sum256([]byte(pageCSS))
	// No scripts, nothing from elsewhere, in nobody's frame. What follows a posted form
	// is Airflow's start page, which is of the same origin.
	csp := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return page{body, csp}, err
}

// headers are those of every answer. The referrer stays: a browser that may not name
// it names no origin either, and a post without one is what is guarded against.
func (p page) headers(h http.Header) {
	h.Set("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0") // as FAB's no_cache
	h.Set("Content-Security-Policy", p.csp)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex, nofollow")
}

// refuse answers with what went wrong, above a form for another try. A password that
// was wrong sends the client back to the form, as in Airflow.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, visit *session.Visit, no *refusal) {
	rec := record.From(r.Context())
	rec.Reason = no.reason
	if no.cause != nil {
		rec.Err = no.cause.Error()
		if why := (*legacy.Refusal)(nil); errors.As(no.cause, &why) {
			rec.Claimed = why.Claimed
		}
	}
	if no.status == http.StatusFound {
		h.redirect(w, no.status, "/login/?"+failedQuery)
		return
	}
	if no.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(seconds(no.retry)))
	}
	view := view{Alert: no.alert, Hint: no.hint, Entered: no.entered}
	if no.status >= 400 {
		view.ID = rec.ID
	}
	if no.foreign {
		visit = nil
	}
	h.write(w, r, no.status, visit, view)
}

// write writes the page, with a form where there is a visit.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, visit *session.Visit, v view) {
	if visit != nil {
		token, err := visit.Token(w)
		if err != nil {
			h.refuse(w, r, nil, refusalOf(err))
			return
		}
		v.Token, v.Name = token, h.loggedIn(r.Context(), visit)
	}
	v.Style = template.CSS(pageCSS)
	var b bytes.Buffer
	if err := h.page.body.Execute(&b, v); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // the client's going away is nobody's error
	}
}
