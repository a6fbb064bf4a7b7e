package session

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/sessions"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/fab"
)

// LoginsConfig is what [Logins] need. It is copied.
type LoginsConfig struct {
	// Store keeps the sessions: a [CookieStore] or a [DatabaseStore], which must be
	// writable. Required.
	Store sessions.Store
	// SecretKeys are those of the store. At least one.
	SecretKeys []string
	// CookieName is the name of the sessions' cookie. Empty: "session", as in Airflow.
	CookieName string
	// ForeignKeys are the secret keys of somebody else who sets a cookie of that name,
	// as Airflow 3's FAB does. Empty: nobody does.
	ForeignKeys []string
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Logins begin and end the sessions of a login page, in either store, without
// showing whose interface that is. They are safe for concurrent use.
type Logins struct {
	cfg   LoginsConfig
	forms *Forms
	// foreign sign the cookies that must stay, of either kind.
	foreign []signer
}

// NewLogins makes Logins.
func NewLogins(cfg LoginsConfig) (*Logins, error) {
	if cfg.Store == nil {
		return nil, errors.New("session: no store")
	}
	if cfg.CookieName == "" {
		cfg.CookieName = "session"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	forms, err := NewForms(cfg.SecretKeys)
	if err != nil {
		return nil, err
	}
	l := &Logins{cfg: cfg, forms: forms}
	if len(cfg.ForeignKeys) == 0 {
		return l, nil
	}
	for _, salt := range []string{saltCookie, saltDatabase} {
		s, err := newSigner(cfg.ForeignKeys, salt)
		if err != nil {
			return nil, fmt.Errorf("session: somebody else's keys: %w", err)
		}
		l.foreign = append(l.foreign, s)
	}
	return l, nil
}

// A Visit is one request to the login page, and the session that it came with. It
// is for one goroutine.
type Visit struct {
	// Cookie is the value of the session's cookie as it was shown; empty for none.
	Cookie string
	// Foreign says that the cookie is signed with one of [LoginsConfig.ForeignKeys].
	// Nothing here sets another in its place, or takes it away.
	Foreign bool

	logins  *Logins
	r       *http.Request
	session *sessions.Session
	fresh   bool // nobody has its cookie yet
}

// ErrForeign says that a cookie of the sessions' name is somebody else's, as
// [Visit.Foreign] has it.
var ErrForeign = errors.New("session: the cookie of that name is somebody else's")

// Visit reads the session of r. Without one, or with one that does not count, it is
// a new session: a cookie under a key that was given up is in nobody's way. Its
// error is [legacy.ErrUnavailable].
func (l *Logins) Visit(r *http.Request) (*Visit, error) {
	made, err := l.cfg.Store.New(r, l.cfg.CookieName)
	if errors.Is(err, legacy.ErrUnavailable) {
		return nil, err
	}
	v := &Visit{logins: l, r: r, session: made}
	v.Cookie, _ = shown(r, l.cfg.CookieName)
	v.fresh = v.Cookie == "" || err != nil
	v.Foreign = l.isForeign(v.Cookie)
	if err != nil && !errors.Is(err, legacy.ErrRejected) {
		return nil, err
	}
	if _, ok := made.Values[keyForm].(string); !ok {
		// Of a session without any page so far. To save it would put its end off, and
		// undo a logout that comes meanwhile: the token follows from the cookie.
		made.Values[keyForm] = l.forms.derived(v.Cookie)
	}
	return v, nil
}

// isForeign looks at the signature alone: what has run out is its owner's to judge.
func (l *Logins) isForeign(value string) bool {
	for _, s := range l.foreign {
		if _, err := s.unsign(value); len(value) <= maxCookie && err == nil {
			return true
		}
	}
	return false
}

// Token is what a form hides that is shown on this visit. The visitor needs the
// session's cookie with it, which Token sets if it is new; [ErrForeign] where that
// would take another's place. A session that is there already stays as it is.
func (v *Visit) Token(w http.ResponseWriter) (string, error) {
	if v.Foreign {
		return "", ErrForeign
	}
	if v.fresh {
		if err := v.save(w); err != nil {
			return "", err
		}
		v.fresh = false
	}
	return v.logins.forms.Token(v.values(), v.logins.cfg.Now())
}

// Check judges the token that came with a form, as [Forms.Check].
func (v *Visit) Check(token string) error { return v.logins.forms.Check(v.values(), token) }

// Begin begins a session, of an id that nobody has seen before, in which the owner
// of the account has just logged in from that address. What the visitor had in the
// session before is not taken over; it stays, with its token, where there is an
// error: [ErrForeign] or [legacy.ErrUnavailable].
func (v *Visit) Begin(w http.ResponseWriter, account fab.Account, address string) error {
	if v.Foreign {
		return ErrForeign
	}
	id, ok := decimal(account.ID)
	if !ok {
		return fmt.Errorf("session: the account's id %q is no number", account.ID)
	}
	before := v.session
	v.session = sessions.NewSession(before.Store(), before.Name()) // C-22, C-23: the one before may be known to others
	v.session.Options = before.Options
	fill(v.session, LoggedIn(id, account.Password, address, v.r.UserAgent()))
	if err := v.save(w); err != nil {
		v.session = before // whose form is shown again
		return err
	}
	return nil
}

// End ends the session, and takes the cookie from the visitor, be it one that does
// not count. There is nothing to do for who has none. Its error is
// [legacy.ErrUnavailable].
func (v *Visit) End(w http.ResponseWriter) error {
	if v.Foreign || v.Cookie == "" {
		return nil
	}
	v.session.Options.MaxAge = -1
	if v.session.IsNew { // nobody's session ends by it
		http.SetCookie(w, sessions.NewCookie(v.session.Name(), "", v.session.Options))
		return nil
	}
	return v.save(w)
}

func (v *Visit) values() Values {
	token, _ := v.session.Values[keyForm].(string)
	return Values{keyForm: token}
}

// save says "cannot tell now" of a table that cannot be written to: the database is
// out of reach, or the right to is missing.
func (v *Visit) save(w http.ResponseWriter) error {
	err := v.session.Save(v.r, w)
	if err != nil && !errors.Is(err, legacy.ErrUnavailable) {
		err = legacy.Unavailable(legacy.SourceUnavailable, err, 0)
	}
	return err
}
