// Package fab reads the user tables that Airflow's FAB auth manager keeps:
// ab_user, ab_role and what lies between them, of Airflow 2 or 3.
//
// [Users] is a [legacy.Directory], which knows users by name alone, and a
// [legacy.PasswordVerifier], which like Airflow's own Basic authentication also
// takes an e-mail address for a name; it finds the holder of an address for ID
// tokens too. What it read is remembered for seconds
// (see [legacy/recheck]), and a verified password for as long as it stays the
// same, so that a known client costs neither a query nor a hash.
//
// Two names are the same when they differ in the case of ASCII letters alone, in
// every database. Airflow folds as its database does, and that may be Unicode's
// way, by which "admİn" is "admin": somebody else.
//
// It writes nothing: neither login counts nor new users. It refuses a name that
// two rows answer to, an inactive user, and a password hash that Werkzeug 2 or 3
// would not write or that costs more than the bounds allow.
//
// A refused password costs one hash, for somebody unknown too: of a method that
// users here have, and of the same one whoever else has logged in. The time of
// the hash does not tell who exists; that of a query may.
//
// [legacy/recheck]: https://pkg.go.dev/github.com/jetbridge/jetbridge/legacy/recheck
package fab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/recheck"
)

// Bounds on what a client may ask for, in bytes.
const (
	maxName     = 512 // as wide as ab_user.username
	maxPassword = 8 << 10
)

// layoutRecheck is how long it is believed what the tables are like: that changes
// with an upgrade of Airflow.
const layoutRecheck = time.Minute

// Config is what [Users] needs. It is copied.
type Config struct {
	// DB holds the tables. It has no default, and stays the caller's to close.
	DB *airflowdb.DB
	// Hasher compares passwords. Nil: the Users are a directory only, and verify
	// no password.
	Hasher *Hasher
	// Recheck is the time within which a changed password, a deactivated user or
	// another set of roles counts. Zero: 5 s.
	Recheck time.Duration
	// OutageGrace is how much longer than Recheck known users go on while the
	// database cannot be asked. Zero: not at all.
	OutageGrace time.Duration
	// Guard is asked before a password is compared, and told what came of it. Nil:
	// none is.
	Guard Guard
	// Size bounds the users that are remembered. Zero: 131,072.
	Size int
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// A Guard counts failures, of the name that a client gave and of the user whom
// it leads to (package lockout). What it admits is settled once, with what came of
// it: nil, [legacy.ErrRejected], or another error when nothing was judged. What was
// judged before is repeated: that is to admit and to settle it at once, and of what
// is wrong it counts for the address alone. What is remembered to be right is not
// counted where the guard knows the user.
type Guard interface {
	Knows(account string, from netip.Addr) bool
	Admit(from netip.Addr, accounts ...string) (settle func(error), err error)
	Repeat(from netip.Addr, verdict error, accounts ...string) error
}

// Users are the rows of ab_user. They are safe for concurrent use.
type Users struct {
	db      *airflowdb.DB
	hasher  *Hasher
	guard   Guard
	rows    *recheck.Cache[*row]
	layouts *recheck.Cache[layout]
	now     func() time.Time
}

// A row is a user as the database has it.
type row struct {
	user     legacy.User
	password string    // the stored hash; empty for none
	mark     string    // the fingerprint of the two, where sessions ask for it again and again
	read     time.Time // when the database was asked, or before
}

// New prepares reading; it asks the database nothing.
func New(cfg Config) (*Users, error) {
	if cfg.DB == nil {
		return nil, errors.New("fab: no database")
	}
	rows, err := recheck.New[*row](recheck.Config{Recheck: cfg.Recheck, Grace: cfg.OutageGrace, Size: cfg.Size, Now: cfg.Now})
	if err != nil {
		return nil, fmt.Errorf("fab: %w", err)
	}
	layouts, err := recheck.New[layout](recheck.Config{Recheck: layoutRecheck, Size: 1, Now: cfg.Now})
	if err != nil {
		return nil, fmt.Errorf("fab: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Users{db: cfg.DB, hasher: cfg.Hasher, guard: cfg.Guard, rows: rows, layouts: layouts, now: cfg.Now}, nil
}

// Lookup finds the user of that name, in whatever ASCII case, active or not.
// It implements [legacy.Directory].
func (u *Users) Lookup(ctx context.Context, name string) (legacy.User, error) {
	if err := checkName(name); err != nil {
		return legacy.User{}, err
	}
	r, err := u.named(ctx, name)
	if err != nil {
		return legacy.User{}, err
	}
	return r.user, nil
}

// VerifyPassword judges a name, or else an e-mail address, and a password
// (auth_user_db of Airflow's security manager). The principal's name is the
// row's, and its roles are the user's in this database. It implements
// [legacy.PasswordVerifier].
func (u *Users) VerifyPassword(ctx context.Context, username, password string) (legacy.Principal, error) {
	r, err := u.verify(ctx, username, password)
	if err != nil {
		return legacy.Principal{}, err
	}
	return r.principal(), nil
}

// VerifyAccount is VerifyPassword for who begins a session: it gives the row whose
// password was compared, so that the fingerprint is that of the very same one.
func (u *Users) VerifyAccount(ctx context.Context, username, password string) (Account, error) {
	r, err := u.verify(ctx, username, password)
	if err != nil {
		return Account{}, err
	}
	return r.account(), nil
}

// verify gives the row that name and password belong to.
func (u *Users) verify(ctx context.Context, username, password string) (*row, error) {
	if u.hasher == nil {
		return nil, errors.New("fab: no hasher to verify a password with")
	}
	if err := checkName(username); err != nil {
		return nil, err
	}
	if password == "" || len(password) > maxPassword || !utf8.ValidString(password) {
		return nil, legacy.Rejected(legacy.MalformedCredential, nil)
	}
	r, err := u.find(ctx, username)
	if err != nil && !errors.Is(err, legacy.ErrRejected) {
		return nil, err
	}
	a := u.attempt(ctx, username, r, err)
	if err == nil {
		err = u.compare(ctx, a, r, password)
	}
	if errors.Is(err, legacy.ErrRejected) && !hasReason(err, legacy.WrongPassword) {
		err = orElse(u.hasher.waste(ctx, a, password), err)
	}
	if errors.Is(err, errHidden) {
		err = orElse(u.hasher.hide(ctx, a, password, r.password), legacy.Rejected(legacy.TooManyFailures, nil))
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// orElse gives the refusal once it has cost and counted what a wrong password does,
// or why it could not.
func orElse(wasted, refusal error) error {
	if !errors.Is(wasted, legacy.ErrRejected) {
		return wasted
	}
	return refusal
}

// compare judges the password of a user who is there.
func (u *Users) compare(ctx context.Context, a attempt, r *row, password string) error {
	switch {
	case !r.user.Active:
		return legacy.Rejected(legacy.InactiveUser, nil)
	case r.password == "":
		return legacy.Rejected(legacy.NoPassword, nil)
	}
	return u.hasher.check(ctx, a, password, r.password)
}

func (r *row) principal() legacy.Principal {
	return legacy.Principal{Name: r.user.Name, Scheme: legacy.Basic, Roles: r.user.Roles}
}

// LookupEmail finds the user of exactly that e-mail address, active or not, as
// Airflow's find_user(email=…) does. Errors as [Users.Lookup].
func (u *Users) LookupEmail(ctx context.Context, address string) (legacy.User, error) {
	if err := checkName(address); err != nil {
		return legacy.User{}, err
	}
	r, err := u.rows.Get(ctx, ownerKey(address), func(ctx context.Context) (*row, error) { return u.read(ctx, address, owner) })
	if err != nil {
		return legacy.User{}, err
	}
	return r.user, nil
}

// An Account is a user of this database, and what tells whether the password
// changed.
type Account struct {
	legacy.User
	// Password is a fingerprint of the stored hash, from which neither the hash nor
	// the password can be found; the same for as long as the hash is the same.
	Password string
	// Read is a time at which the database said so.
	Read time.Time
}

// Account finds the user of a row of ab_user, active or not. An id says nothing
// outside the database that it is of. Errors as [Users.Lookup].
func (u *Users) Account(ctx context.Context, id int64) (Account, error) {
	return u.accountBy(ctx, id, u.rows.Get)
}

// RenewAccount is Account past what is remembered, for who knows that the row must
// have changed. It is for the caller to bound how often.
func (u *Users) RenewAccount(ctx context.Context, id int64) (Account, error) {
	return u.accountBy(ctx, id, u.rows.Renew)
}

// A getter is how a row is got: [recheck.Cache.Get] or [recheck.Cache.Renew].
type getter = func(ctx context.Context, key string, ask func(context.Context) (*row, error)) (*row, error)

func (u *Users) accountBy(ctx context.Context, id int64, get getter) (Account, error) {
	if id < 1 || id > math.MaxInt32 { // ids are INTEGER
		return Account{}, legacy.Rejected(legacy.UnknownUser, nil)
	}
	r, err := get(ctx, idKey(strconv.FormatInt(id, 10)), func(ctx context.Context) (*row, error) { return u.readID(ctx, id) })
	if err != nil {
		return Account{}, err
	}
	return r.account(), nil
}

func (r *row) account() Account {
	mark := r.mark
	if mark == "" {
		mark = r.fingerprint()
	}
	return Account{User: r.user, Password: mark, Read: r.read}
}

func (r *row) fingerprint() string {
	sum := sha256.Sum256([]byte(idKey(r.user.ID) + r.password)) // Werkzeug's salts of 16 letters cannot be guessed
	return hex.EncodeToString(sum[:12])
}

// checkName refuses what no row can be called, before anybody is asked.
func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return legacy.Rejected(legacy.MalformedCredential, nil)
	}
	return nil
}

// find gives the row of that username or else of that e-mail address. An address
// that is known goes first: in an outage it needs no other answer.
func (u *Users) find(ctx context.Context, name string) (*row, error) {
	if u.rows.Holds(addressKey(name)) {
		if r, err := u.addressed(ctx, name); !isUnknown(err) {
			return r, err
		}
	}
	r, err := u.named(ctx, name)
	if isUnknown(err) {
		return u.addressed(ctx, name)
	}
	return r, err
}

// named gives the row of that username. All its spellings share one answer:
// those who make them up must not push out other users.
func (u *Users) named(ctx context.Context, name string) (*row, error) {
	name = fold(name)
	return u.rows.Get(ctx, name, func(ctx context.Context) (*row, error) { return u.read(ctx, name, username) })
}

// addressed gives the row of that e-mail address, unless it is somebody's name.
func (u *Users) addressed(ctx context.Context, address string) (*row, error) {
	return u.rows.Get(ctx, addressKey(address), func(ctx context.Context) (*row, error) { return u.read(ctx, address, login) })
}

// addressKey is no name: that has no NUL.
func addressKey(address string) string { return "\x00" + address }

// ownerKey is neither.
func ownerKey(address string) string { return "\x00\x00" + address }

// idKey is none of them: an address has no NUL.
func idKey(id string) string { return "\x00\x00\x00" + id }

func isUnknown(err error) bool { return hasReason(err, legacy.UnknownUser) }

func hasReason(err error, why legacy.Reason) bool {
	var r *legacy.Refusal
	return errors.As(err, &r) && r.Reason == why
}

// fold lowers the ASCII letters of a name, and no other.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, name)
}
