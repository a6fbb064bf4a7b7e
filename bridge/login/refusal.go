package login

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// A refusal is a page that says no: what the client is told, and what the operator
// is.
type refusal struct {
	status  int
	alert   string
	hint    string // what to do; may be empty
	retry   time.Duration
	foreign bool // no form is of any use
	reason  record.Reason
	cause   error
	entered string // the name that was entered, to spare typing it again
}

// invalidLogin is FAB's own sentence, which scripts look for.
const invalidLogin = "Invalid login. Please try again."

// refusalOf puts an error of the sessions or of the passwords in words. A password
// that is wrong is a redirect, as in Airflow; it has no status of its own.
func refusalOf(err error) *refusal {
	no := &refusal{status: http.StatusInternalServerError, alert: "The request could not be answered.", reason: record.Fault, cause: err}
	why := (*legacy.Refusal)(nil)
	if errors.As(err, &why) {
		no.reason, no.retry = record.Reason(why.Reason), why.RetryAfter
	}
	switch {
	case errors.Is(err, session.ErrForeign):
		no.status, no.foreign, no.reason = http.StatusConflict, true, record.ForeignCookie
		no.alert = "This browser holds a session cookie that is not of this page, and that must not be replaced."
		no.hint = "Log in from a private window. Whoever runs jetbridge can end this for all: legacy.session.cookie_name gives the page a cookie of its own."
	case errors.Is(err, legacy.ErrLockedOut):
		no.status, no.alert = http.StatusTooManyRequests, "Too many attempts have failed. Try again later."
	case errors.Is(err, legacy.ErrRejected):
		no.status, no.alert = http.StatusFound, invalidLogin
	case errors.Is(err, legacy.ErrUnavailable):
		no.status, no.alert = http.StatusServiceUnavailable, "Nobody can log in at the moment. Try again shortly."
		no.retry = max(no.retry, time.Second)
	}
	return no
}

// badToken has Flask-WTF's own sentences.
func badToken(alert string) *refusal {
	return &refusal{status: http.StatusBadRequest, alert: alert, reason: record.FormToken,
		hint: "The form was too old, or your browser takes no cookies. Try again; a script must get this page first, keep its cookie, and post csrf_token."}
}

func tooOften(l LimitConfig, wait time.Duration) *refusal {
	return &refusal{status: http.StatusTooManyRequests, reason: record.RateLimited, retry: wait,
		alert: fmt.Sprintf("Too many attempts from your address: %d per %d second.", l.Posts, l.Per/time.Second),
		hint:  fmt.Sprintf("Try again in %d seconds.", seconds(wait))}
}

// incomplete is answered as Airflow does: with the form once more, as if it had not
// been posted.
func incomplete(username string) *refusal {
	return &refusal{status: http.StatusOK, alert: "Enter your user name and your password.", reason: record.BadRequest, entered: username}
}

func notAForm() *refusal {
	return &refusal{status: http.StatusUnsupportedMediaType, reason: record.BadRequest, alert: "This is not a form.",
		hint: "Post username, password and csrf_token as application/x-www-form-urlencoded."}
}

// badBody does not hand err on, which may quote what was posted.
func badBody(err error) *refusal {
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return &refusal{status: http.StatusRequestEntityTooLarge, reason: record.BadRequest, alert: "The form is larger than any name and password."}
	}
	return &refusal{status: http.StatusBadRequest, reason: record.BadRequest, alert: "The form could not be read."}
}

// seconds is a time to wait as Retry-After has it.
func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }
