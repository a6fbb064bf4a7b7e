package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/fab"
)

// An AuthenticatorConfig is what an [Authenticator] needs. It is copied.
type AuthenticatorConfig struct {
	// Sessions reads cookies: a [CookieStore] or a [DatabaseStore]. Required.
	Sessions interface {
		Login(ctx context.Context, value string) (Login, error)
	}
	// Users are those of the database that the sessions belong to. Required.
	Users interface {
		Account(ctx context.Context, id int64) (fab.Account, error)
		// RenewAccount is the same past what is remembered.
		RenewAccount(ctx context.Context, id int64) (fab.Account, error)
	}
	// EndOnPasswordChange refuses a cookie once the password is another one than
	// when it was signed, which Airflow 2 does not for signed cookies. It is
	// noticed of sessions that were made here, and of a user of whom an earlier
	// credential was judged here after the cookie was signed.
	EndOnPasswordChange bool
	// Size bounds the users whose passwords are remembered so. Zero: 131,072.
	Size int
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// An Authenticator judges session cookies. It is safe for concurrent use.
type Authenticator struct {
	cfg       AuthenticatorConfig
	mu        sync.Mutex
	passwords *lru.Cache[int64, password]
}

// A password is what was seen of an account's.
type password struct {
	fingerprint string
	seen        time.Time // when the database last said that it is this one
	before      time.Time // when it last said that it is the one before; zero for never
	renewed     time.Time // when the database was last asked out of turn
}

// renewTime is the least time between two questions about one user out of turn. A
// session that has ended might be shown again and again.
const renewTime = time.Second

// NewAuthenticator makes an Authenticator.
func NewAuthenticator(cfg AuthenticatorConfig) (*Authenticator, error) {
	if cfg.Sessions == nil || cfg.Users == nil {
		return nil, errors.New("session: Sessions and Users are required")
	}
	if cfg.Size == 0 {
		cfg.Size = 1 << 17
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	passwords, err := lru.New[int64, password](cfg.Size)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &Authenticator{cfg: cfg, passwords: passwords}, nil
}

// Scheme implements [legacy.Authenticator].
func (*Authenticator) Scheme() legacy.Scheme { return legacy.Session }

// Challenge implements [legacy.Authenticator]: nobody can be asked for a cookie.
func (*Authenticator) Challenge() string { return "" }

// Authenticate implements [legacy.Authenticator]. Neither the csrf_token, nor
// _fresh, nor _id are looked at, as Airflow's own backend does not
// (airflow/api/auth/backend/session.py).
func (a *Authenticator) Authenticate(ctx context.Context, c legacy.Credential) (legacy.Proof, error) {
	if c.Cookie == "" || len(c.Cookie) > maxCookie {
		return legacy.Proof{}, legacy.Rejected(legacy.MalformedCredential, nil)
	}
	login, err := a.cfg.Sessions.Login(ctx, c.Cookie)
	if err != nil {
		return legacy.Proof{}, err
	}
	account, err := a.cfg.Users.Account(ctx, login.UserID)
	if err == nil && a.cfg.EndOnPasswordChange && login.Password != "" && login.Password != account.Password && a.mayRenew(login.UserID) {
		// It may be the answer that is old: of before a change, and the login after it.
		account, err = a.cfg.Users.RenewAccount(ctx, login.UserID)
	}
	switch {
	case err != nil:
		return legacy.Proof{}, err
	case !account.Active:
		return legacy.Proof{}, legacy.Claimed(legacy.Rejected(legacy.InactiveUser, nil), account.Name)
	case a.cfg.EndOnPasswordChange && a.ended(login, account):
		return legacy.Proof{}, legacy.Claimed(legacy.Rejected(legacy.SessionEnded, nil), account.Name)
	}
	return legacy.Proof{Principal: legacy.Principal{Name: account.Name, Scheme: legacy.Session, Roles: account.Roles}}, nil
}

// mayRenew bounds the questions out of turn to one in each [renewTime] and user.
func (a *Authenticator) mayRenew(id int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, _ := a.passwords.Get(id)
	now := a.cfg.Now()
	if !p.renewed.IsZero() && now.Sub(p.renewed) < renewTime {
		return false
	}
	p.renewed = now
	a.passwords.Add(id, p)
	return true
}

// ended says whether the password is known to have changed since the session
// logged in, or its cookie was signed last.
func (a *Authenticator) ended(login Login, account fab.Account) bool {
	if login.Password != "" && login.Password != account.Password {
		return true
	}
	if login.Signed.IsZero() {
		return false // Airflow deletes the rows of sessions
	}
	p := a.seen(login.UserID, account)
	// A session made here is known by its fingerprint.
	return login.Password == "" && login.Signed.Before(p.before)
}

// seen remembers what the database now says of a user's password.
func (a *Authenticator) seen(id int64, account fab.Account) password {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, _ := a.passwords.Get(id)
	switch {
	case !p.seen.Before(account.Read): // an older answer changes nothing back
		return p
	case p.fingerprint == account.Password:
		p.seen = account.Read
	default:
		p.fingerprint, p.seen, p.before = account.Password, account.Read, p.seen
	}
	a.passwords.Add(id, p)
	return p
}
