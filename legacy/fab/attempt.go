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
	guard       Guard
	given, user string // folded; both the given one where nobody is found
	from        netip.Addr
	hidden      bool // the user is locked out, the given name is not
}

func (u *Users) attempt(ctx context.Context, username string, r *row, err error) attempt {
	a := attempt{guard: u.guard, given: fold(username), from: legacy.ClientFrom(ctx)}
	a.user = a.given
	if err == nil {
		a.user = fold(r.user.Name)
	}
	return a
}

// known says whether the user has come from there before.
func (a attempt) known() bool { return a.guard == nil || a.guard.Knows(a.user, a.from) }

// admit says whether the password may be judged: its error is that of a given
// name, or an address, that is locked out. Of a user who alone is, a client must
// not be told, or it would learn whose address it has guessed (C-24): that is
// hidden.
func (a *attempt) admit() error {
	if a.guard == nil {
		return nil
	}
	if err := a.guard.Admit(a.given, a.from); err != nil {
		return err
	}
	a.hidden = a.user != a.given && a.guard.Admit(a.user, a.from) != nil
	return nil
}

// settle tells the guard what came of it. A verdict that the client did not wait
// for counts as a failure: it is reached all the same, and remembered.
func (a attempt) settle(ctx context.Context, err error) {
	switch {
	case a.guard == nil:
	case err == nil:
		a.guard.Passed(a.user, a.from)
		if a.given != a.user {
			a.guard.Passed(a.given, a.from)
		}
	case errors.Is(err, legacy.ErrRejected), errors.Is(ctx.Err(), context.Canceled):
		if a.hidden || a.user == a.given { // of a hidden one nothing was judged
			a.guard.Failed(a.from, a.given)
		} else {
			a.guard.Failed(a.from, a.given, a.user)
		}
	}
}
