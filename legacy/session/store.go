package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/sessions"
	lru "github.com/hashicorp/golang-lru/v2"
)

// A Store is a [CookieStore] or a [DatabaseStore]: gorilla's, with what an
// [Authenticator] asks beside it.
type Store interface {
	sessions.Store
	// Login says who logged in, of a cookie's value. Its error is
	// [legacy.ErrRejected] or [legacy.ErrUnavailable].
	Login(ctx context.Context, value string) (Login, error)
}

// defaultLifetime is Airflow's ([webserver] session_lifetime_minutes).
const defaultLifetime = 43200 * time.Minute

// Config is what both kinds of store need. It is copied.
type Config struct {
	// SecretKeys are Airflow's [webserver] secret_key, to the byte: the first
	// signs, each counts. At least one.
	SecretKeys []string
	// Lifetime is how long a session lasts after it was saved, in whole seconds.
	// Zero: 30 days, which is Airflow's own default.
	Lifetime time.Duration
	// Secure keeps cookies that are set to https.
	Secure bool
	// SameSite of cookies that are set. Zero: Lax.
	SameSite http.SameSite
	// Size bounds the sessions that are remembered, so that a known one is not read
	// again. Zero: 131,072.
	Size int
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

func (c Config) resolved() (Config, error) {
	if c.Lifetime < 0 || c.Lifetime%time.Second != 0 {
		return c, errors.New("session: the lifetime must be whole seconds")
	}
	if c.Lifetime == 0 {
		c.Lifetime = defaultLifetime
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	if c.Size == 0 {
		c.Size = 1 << 17
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// options are those of a session that is made here.
func (c Config) options() *sessions.Options {
	return &sessions.Options{Path: "/", MaxAge: int(c.Lifetime / time.Second), Secure: c.Secure, HttpOnly: true, SameSite: c.SameSite}
}

// setCookie writes the cookie in Flask's form, which has no Max-Age. A negative
// age deletes it.
func (c Config) setCookie(w http.ResponseWriter, s *sessions.Session, value string) {
	o := s.Options
	cookie := &http.Cookie{
		Name: s.Name(), Value: value, Path: o.Path, Domain: o.Domain, Secure: o.Secure, HttpOnly: o.HttpOnly, SameSite: o.SameSite, Partitioned: o.Partitioned,
	}
	switch {
	case o.MaxAge < 0:
		cookie.Value, cookie.MaxAge, cookie.Expires = "", -1, time.Unix(0, 0)
	case o.MaxAge > 0:
		cookie.Expires = c.Now().Add(time.Duration(o.MaxAge) * time.Second)
	}
	http.SetCookie(w, cookie)
}

// shown is the value of the request's cookie of that name: of several the first,
// and without quotes around it, as Werkzeug reads them. [http.Request.Cookie] would
// pass over one that it finds odd, and so give another one than what the API judges.
func shown(r *http.Request, name string) (string, bool) {
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if its, value, ok := strings.Cut(pair, "="); ok && trimmed(its) == name {
				value = unquoted(trimmed(value))
				return value, value != ""
			}
		}
	}
	return "", false
}

// trimmed is Python's str.strip of a header, whose bytes are Latin-1.
func trimmed(s string) string {
	space := func(b byte) bool {
		return b == ' ' || '\t' <= b && b <= '\r' || 0x1c <= b && b <= 0x1f || b == 0x85 || b == 0xa0
	}
	for s != "" && space(s[0]) {
		s = s[1:]
	}
	for s != "" && space(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func unquoted(value string) string {
	if inner, ok := strings.CutPrefix(value, `"`); ok && strings.HasSuffix(inner, `"`) {
		return inner[:len(inner)-1]
	}
	return value
}

// valuesOf gives what s holds, whose keys must be texts.
func valuesOf(s *sessions.Session) (Values, error) {
	v := make(Values, len(s.Values))
	for key, value := range s.Values {
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("session: the key %v is no text", key)
		}
		v[name] = value
	}
	return v, nil
}

func fill(s *sessions.Session, v Values) {
	s.Values = make(map[any]any, len(v))
	for name, value := range v {
		s.Values[name] = value
	}
}

// A CookieStore keeps sessions in signed cookies. It implements [sessions.Store]
// and is safe for concurrent use.
//
// [sessions.Store]: https://pkg.go.dev/github.com/gorilla/sessions#Store
type CookieStore struct {
	cfg    Config
	signer signer
	// known are the logins of cookies that were read, by the digest of the value.
	known *lru.Cache[[sha256.Size]byte, Login]
}

// NewCookieStore makes a CookieStore.
func NewCookieStore(cfg Config) (*CookieStore, error) {
	cfg, err := cfg.resolved()
	if err != nil {
		return nil, err
	}
	s, err := newSigner(cfg.SecretKeys, saltCookie)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	known, err := lru.New[[sha256.Size]byte, Login](cfg.Size)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &CookieStore{cfg, s, known}, nil
}

// Get gives the request's session of that cookie's name: the same one each time
// that the request asks.
func (s *CookieStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New reads the session in the request's cookie. Without one it is a new session
// that holds what Flask and Flask-WTF put into each, a csrf_token; so it is for a
// cookie that does not count, with a [legacy.ErrRejected] that says why.
func (s *CookieStore) New(r *http.Request, name string) (*sessions.Session, error) {
	made := sessions.NewSession(s, name)
	made.Options, made.IsNew = s.cfg.options(), true
	fill(made, Values{keyForever: true, keyForm: newFormToken()})
	value, ok := shown(r, name)
	if !ok {
		return made, nil
	}
	v, _, err := s.signer.readCookie(value, s.cfg.Lifetime, s.cfg.Now())
	if err != nil {
		return made, refusal(err)
	}
	fill(made, v)
	made.IsNew = false
	return made, nil
}

// Save sets the cookie, or deletes it when the session's MaxAge is negative. It
// says so if the session cannot be written as Flask would, or would be longer
// than can be read.
func (s *CookieStore) Save(_ *http.Request, w http.ResponseWriter, made *sessions.Session) error {
	if made.Options.MaxAge < 0 {
		s.cfg.setCookie(w, made, "")
		return nil
	}
	v, err := valuesOf(made)
	if err != nil {
		return err
	}
	value, err := s.signer.writeCookie(v, s.cfg.Now())
	if err != nil {
		return err
	}
	if len(value) > maxCookie {
		return fmt.Errorf("session: a cookie of %d bytes is longer than %d", len(value), maxCookie)
	}
	s.cfg.setCookie(w, made, value)
	return nil
}

// Login says who logged in, of a cookie's value. Its error is
// [legacy.ErrRejected].
func (s *CookieStore) Login(_ context.Context, value string) (Login, error) {
	key := digest(value)
	if login, ok := s.known.Get(key); ok { // only its age can have changed
		if err := checkAge(login.Signed, s.cfg.Lifetime, s.cfg.Now()); err != nil {
			return Login{}, refusal(err)
		}
		return login, nil
	}
	v, signed, err := s.signer.readCookie(unquoted(value), s.cfg.Lifetime, s.cfg.Now())
	if err != nil {
		return Login{}, refusal(err)
	}
	login, err := loginOf(v)
	if err != nil {
		return Login{}, err
	}
	login.Signed = signed
	s.known.Add(key, login)
	return login, nil
}

// usual is as long as cookies usually are, in bytes.
const usual = 1 << 10

// digest hashes a cookie; one of the usual length is not copied to the heap for it.
func digest(value string) [sha256.Size]byte {
	if len(value) > usual {
		return sha256.Sum256([]byte(value))
	}
	var buf [usual]byte
	return sha256.Sum256(buf[:copy(buf[:], value)])
}

// newFormToken is what Flask-WTF draws for a session's forms.
func newFormToken() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // which ends the program rather than fail
	return hex.EncodeToString(b)
}
