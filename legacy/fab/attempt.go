package fab

import (
	"context"
	"errors"
	"net/netip"

	"github.com/jetbridge/jetbridge/legacy"
)

// An attempt is one password, as the guard sees it. It counts for the name that
// was given, which is all there is of somebody unknown, and for the user whom
// that name leads to, or each address of theirs would be another set of guesses.
type attempt struct {
	guard       Guard  // nil: nothing is counted
	given, user string // folded; both the given one where nobody is found
	from        netip.Addr
}

func (u *Users) attempt(ctx context.Context, username string, r *row, err error) attempt {
	a := attempt{guard: u.guard, given: fold(username), from: legacy.ClientFrom(ctx)}
	a.user = a.given
	if err == nil {
		a.user = fold(r.user.Name)
	}
	return a
}

// errHidden is a user who is locked out where the given name is not. A client must
// not be told, or it would learn whose address it has guessed (C-24).
var errHidden = errors.New("fab: locked out by another name")

// known says whether the user has come from there before.
func (a attempt) known() bool { return a.guard == nil || a.guard.Knows(a.user, a.from) }

// stranger is the same attempt where nobody answers to the given name.
func (a attempt) stranger() attempt {
	a.user = a.given
	return a
}

// admit says whether the password may be judged; settle is told once what came of
// it. The error is that of a given name, or an address, that is locked out, or
// errHidden.
func (a attempt) admit() (settle func(error), err error) {
	switch {
	case a.guard == nil:
		return func(error) {}, nil
	case a.given == a.user:
		return a.guard.Admit(a.from, a.user)
	}
	if settle, err = a.guard.Admit(a.from, a.given, a.user); err == nil {
		return settle, nil
	}
	// How long the user is locked out is hidden too.
	if settle, err = a.guard.Admit(a.from, a.given); err != nil {
		return nil, err
	}
	settle(errHidden)
	return nil, errHidden
}

// count counts a verdict that was there before the attempt.
func (a attempt) count(verdict error) error {
	if verdict == nil && a.known() {
		return nil
	}
	settle, err := a.admit()
	if err != nil {
		return err
	}
	settle(verdict)
	return verdict
}
