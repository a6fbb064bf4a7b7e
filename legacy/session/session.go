// Package session reads and writes the sessions of Airflow 2: the cookie that
// its web server gives a browser, and what stands behind it.
//
// There are two kinds, as [webserver] session_backend has it. With securecookie
// ([CookieStore]) the cookie is the whole session: Flask's tagged JSON, maybe
// compressed, signed by itsdangerous with a time. With database
// ([DatabaseStore]) it is a signed id, and the session is a row of Airflow's
// table "session", in pickle up to 2.11.0 and in tagged JSON from 2.11.1 on.
// Both are a gorilla [sessions.Store]: a Go program can use either with gorilla
// alone, and shares its sessions with a real Airflow 2, in both directions.
//
// An [Authenticator] makes a principal of such a cookie: the name that the old
// database has for the user who logged in.
//
// What stands in a session is [Values]. It refuses whatever Airflow 2 would not
// have written: the pickle reader knows a closed set of opcodes, none of which
// can call anything, and every reader has bounds on size, depth and number. Rows
// of Airflow 3, which writes msgpack into a table of the same name, are not
// ours: such a session is unknown, never a fault.
//
// [sessions.Store]: https://pkg.go.dev/github.com/gorilla/sessions#Store
package session

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jetbridge/jetbridge/legacy"
)

// Values are a session: texts, and under each of them nil, a bool, int64,
// float64, string, []byte, []any, [Tuple], [Markup], [UUID], a time.Time of whole
// seconds in UTC, or map[string]any of the same.
type Values = map[string]any

// A Tuple is Python's: a flash is one of category and message.
type Tuple []any

// Markup is text that Flask takes for HTML which is safe as it is.
type Markup string

// A UUID is Python's uuid.UUID. Pickled rows never hold one, nor a time.
type UUID [16]byte

// The keys of Values that say who logged in: from Airflow 2.3 on (Flask-Login
// 0.5), and before it. The other ones are what Flask and its like keep there.
const (
	keyUser     = "_user_id"
	keyOldUser  = "user_id"
	keyPassword = "_jetbridge_password" // of ours: see [LoggedIn]
	keyForm     = "csrf_token"
	keyForever  = "_permanent"
	keyFresh    = "_fresh"
	keyClient   = "_id"
)

// Bounds on what is read.
const (
	maxCookie = 16 << 10  // a cookie's value; browsers keep 4 KiB
	maxText   = 256 << 10 // a session's JSON, inflated, and a row
	maxDepth  = 32
	maxItems  = 20_000
)

// A reading fails for one of these reasons, which [refusal] makes known.
var (
	errMalformed  = errors.New("not a cookie of this kind")
	errSignature  = errors.New("not signed with a key that counts")
	errExpired    = errors.New("too old")
	errUnreadable = errors.New("cannot be read")
	errNotOurs    = errors.New("no session of Airflow 2's")
)

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errUnreadable, fmt.Errorf(format, args...))
}

// refusal says why a session does not count, in legacy's words.
func refusal(err error) error {
	for _, r := range []struct {
		err error
		why legacy.Reason
	}{
		{errMalformed, legacy.MalformedCredential}, {errSignature, legacy.SessionInvalid}, {errExpired, legacy.SessionExpired},
		{errUnreadable, legacy.SessionUnreadable}, {errNotOurs, legacy.SessionUnknown},
	} {
		if errors.Is(err, r.err) {
			return legacy.Rejected(r.why, err)
		}
	}
	return legacy.Unavailable(legacy.SourceUnavailable, err, 0)
}

// A Login is what a session says of who logged in.
type Login struct {
	// UserID is a row of ab_user in the database that the session belongs to.
	UserID int64
	// Password is that account's fab.Account.Password when it logged in; empty where
	// Airflow made the session, which keeps no such thing, or where another user has
	// logged in at Airflow since, which keeps what it does not know.
	Password string
	// Signed is when the cookie was signed last; zero for a session in a database.
	Signed time.Time
}

// loginOf finds who logged in.
func loginOf(v Values) (Login, error) {
	id, there := v[keyUser]
	if !there {
		id, there = v[keyOldUser]
	}
	if !there || id == nil {
		return Login{}, legacy.Rejected(legacy.SessionAnonymous, nil)
	}
	switch id := id.(type) {
	case int64:
		return Login{UserID: id, Password: passwordIn(v, id)}, nil
	case string:
		n, ok := decimal(id)
		if ok {
			return Login{UserID: n, Password: passwordIn(v, n)}, nil
		}
	}
	return Login{}, refusal(unreadable("%s is no number", keyUser))
}

// passwordOf is what keyPassword holds: whose fingerprint it is, and the fingerprint.
func passwordOf(id int64, fingerprint string) string {
	return strconv.FormatInt(id, 10) + ":" + fingerprint
}

// passwordIn is that user's fingerprint in the session, if it holds one.
func passwordIn(v Values, id int64) string {
	kept, _ := v[keyPassword].(string)
	if fingerprint, its := strings.CutPrefix(kept, passwordOf(id, "")); its {
		return fingerprint
	}
	return ""
}

// decimal reads an id as Airflow writes it, and in no other way.
func decimal(s string) (int64, bool) {
	if s == "" || len(s) > 18 || s[0] == '0' && s != "0" {
		return 0, false
	}
	var n int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// A budget bounds what one session may hold.
type budget struct{ items, text int }

func newBudget() budget { return budget{maxItems, maxText} }

// item takes one value out of the budget, and its text.
func (b *budget) item(text int) error {
	b.items--
	b.text -= text
	if b.items < 0 || b.text < 0 {
		return unreadable("more than %d values or %d bytes", maxItems, maxText)
	}
	return nil
}

func checkText(s string) error {
	if !utf8.ValidString(s) {
		return unreadable("text that is not UTF-8")
	}
	return nil
}

// sortedKeys gives the names of v in order.
func sortedKeys(v map[string]any) []string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
