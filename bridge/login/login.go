// Package login lets a client log in the Airflow 2 way: GET /login/ is a form with
// a csrf_token, POST /login/ takes it back with a name and a password and answers
// with a session cookie, /logout/ ends the session. A script that was written for
// Airflow 2's web server goes on unchanged, and so does a person with a browser.
//
// Answers are those of Airflow 2.11 with the FAB provider, status by status: 400
// for a form whose token is not the session's, 302 back to the page for a password
// that is wrong, 429 beyond the rate, 302 to the start page for one
// that is right. There is no redirect parameter: "next" is not looked at (C-44).
//
// A login begins a session of a new id, whatever the visitor had before (C-22). A
// password is judged by the code that judges Basic, lock-out and queue included.
// Nothing is believed that comes in the query, from another origin, or in a body
// larger than any form.
//
// It writes what package session writes, a cookie or a row of Airflow 2's table
// "session", and nothing else. A cookie of that name that Airflow 3 has signed is
// left alone.
package login

import (
	"context"
	"errors"
	"net/http"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// Config is what a Handler needs. All but BasePath is required.
type Config struct {
	// Core knows where a request came from.
	Core *bridge.Core
	// Accounts judges names and passwords, in the database that the sessions belong
	// to. Errors as [legacy.Authenticator.Authenticate].
	Accounts interface {
		VerifyAccount(ctx context.Context, username, password string) (fab.Account, error)
	}
	// Logins begin and end sessions; Sessions judges their cookies.
	Logins   *session.Logins
	Sessions legacy.Authenticator
	// Limit counts the posts.
	Limit *Limit
	// BasePath is what clients put before /login/, such as "/airflow"; empty for
	// nothing.
	BasePath string
}

// A Handler answers /login/ and /logout/, with or without their final slash, in
// GET, HEAD and POST. It is safe for concurrent use.
type Handler struct {
	Config
	page page
}

// New makes a Handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Core == nil || cfg.Accounts == nil || cfg.Logins == nil || cfg.Sessions == nil || cfg.Limit == nil {
		return nil, errors.New("login: Core, Accounts, Logins, Sessions and Limit are required")
	}
	page, err := newPage()
	if err != nil {
		return nil, err
	}
	return &Handler{cfg, page}, nil
}

// scheme is what a login is recorded as: the way of proving who one is that it
// begins.
const scheme = string(legacy.Session)

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.page.headers(w.Header())
	path, post := r.URL.Path, r.Method == http.MethodPost
	if post { // who only looks has shown nothing
		record.From(r.Context()).Scheme = scheme
	}
	switch {
	case path == "/login" || path == "/logout":
		h.redirect(w, http.StatusPermanentRedirect, path+"/") // as Werkzeug does, by which a post stays one
	case path == "/logout/":
		h.logout(w, r, post)
	case post:
		h.login(w, r)
	default:
		h.show(w, r)
	}
}

// redirect sends the client to a page of ours, by its path alone: what host it
// asked for is not ours to say.
func (h *Handler) redirect(w http.ResponseWriter, status int, path string) {
	w.Header().Set("Location", h.BasePath+path)
	w.WriteHeader(status)
}

// failedQuery on the page's address says that a login failed. It shows a fixed
// sentence to whoever opens it, and needs no session that would keep it.
const failedQuery = "failed"

// show answers with the form; with who has logged in, too, where somebody has.
// Airflow 2 sends those to its start page, where their scripts would find a token;
// here there is none.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) {
	visit, err := h.Logins.Visit(r)
	if err != nil {
		h.refuse(w, r, nil, refusalOf(err))
		return
	}
	view := view{}
	if r.URL.RawQuery == failedQuery {
		view.Alert = invalidLogin
	}
	h.write(w, r, http.StatusOK, visit, view)
}

// login judges a posted form, in Airflow 2's order: the token before the rate, the
// rate before the password.
func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	ask := bridge.RequestOf(r, record.From(r.Context()).ID)
	visit, form, no := h.posted(w, r, ask)
	if no != nil {
		h.refuse(w, r, visit, no)
		return
	}
	d := bridge.DecisionFrom(r.Context())
	if wait := h.Limit.take(d.ClientAddr); wait > 0 {
		h.refuse(w, r, visit, tooOften(h.Limit.cfg, wait))
		return
	}
	if form.username == "" || form.password == "" {
		h.refuse(w, r, visit, incomplete(form.username))
		return
	}
	account, err := h.Accounts.VerifyAccount(legacy.WithClient(r.Context(), d.ClientAddr), form.username, form.password)
	if err == nil {
		err = visit.Begin(w, account, d.ClientAddr.String())
	}
	if err != nil {
		h.refuse(w, r, visit, refusalOf(legacy.Claimed(err, form.username)))
		return
	}
	record.From(r.Context()).Name = account.Name
	for _, line := range h.Core.EndToken(ask, d) {
		w.Header().Add("Set-Cookie", line)
	}
	for name, values := range h.Core.Policy.Headers() {
		w.Header()[name] = values
	}
	h.redirect(w, http.StatusFound, "/")
}

// logout ends the session. Airflow asks for a token from 2.10 on, and for a POST;
// before it a link did, which is taken here from our own pages and from who names no
// origin.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request, post bool) {
	ask := bridge.RequestOf(r, record.From(r.Context()).ID)
	var visit *session.Visit
	var no *refusal
	if post {
		visit, _, no = h.posted(w, r, ask)
	} else if no = h.sameOrigin(ask); no == nil {
		var err error
		if visit, err = h.Logins.Visit(r); err != nil {
			no = refusalOf(err)
		}
	}
	if no == nil {
		name := h.loggedIn(r.Context(), visit)
		if err := visit.End(w); err != nil {
			no = refusalOf(err)
		} else {
			record.From(r.Context()).Name = name
		}
	}
	if no != nil {
		h.refuse(w, r, visit, no)
		return
	}
	h.redirect(w, http.StatusFound, "/")
}

// loggedIn is the name of who has logged in to the session, as the API would find;
// empty for nobody, and where that cannot be told now.
func (h *Handler) loggedIn(ctx context.Context, visit *session.Visit) string {
	if visit == nil || visit.Cookie == "" || visit.Foreign {
		return ""
	}
	proof, err := h.Sessions.Authenticate(ctx, legacy.Credential{Scheme: legacy.Session, Cookie: visit.Cookie})
	if err != nil {
		return ""
	}
	return proof.Principal.Name
}

func (h *Handler) sameOrigin(ask bridge.Request) *refusal {
	if no := h.Core.SameOrigin(ask); no != nil {
		return &refusal{status: no.Problem.Status, reason: no.Reason, cause: no.Cause,
			alert: "This was asked by a page of another site, and refused."}
	}
	return nil
}
