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
// The two are counted apart even where they are the same: what others have done by
// another name must show by neither.
type attempt struct {
	guard Guard  // nil: nothing is counted
	given string // folded
	user  string // a userKey; empty where nobody is found
	from  netip.Addr
}

func (u *Users) attempt(ctx context.Context, username string, r *row, err error) attempt {
	a := attempt{guard: u.guard, given: fold(username), from: legacy.ClientFrom(ctx)}
	if err == nil {
		a.user = userKey(r.user.Name)
	}
	return a
}

// userKey is what a user counts as, and no name that could be given: that has no NUL.
func userKey(name string) string { return "\x00" + fold(name) }

// errHidden is a user who is locked out where the given name is not, be it an address
// or the user's very name. A client must not be told, or it would learn whose address
// it has guessed (C-24).
var errHidden = errors.New("fab: locked out by another name")

// known says whether the user has come from there before.
func (a attempt) known() bool { return a.guard == nil || a.guard.Knows(a.user, a.from) }

// stranger is the same attempt where nobody answers to the given name.
func (a attempt) stranger() attempt {
	a.user = ""
	return a
}

// names are all that it counts for.
func (a attempt) names() []string {
	if a.user == "" {
		return []string{a.given}
	}
	return []string{a.given, a.user}
}

// admit says whether the password may be judged; settle is told once what came of
// it. The error is that of a given name, or an address, that is locked out, or
// errHidden.
func (a attempt) admit() (settle func(error), err error) {
	if a.guard == nil {
		return func(error) {}, nil
	}
	if settle, err = a.guard.Admit(a.from, a.names()...); err != nil {
		return nil, a.refused(err)
	}
	return settle, nil
}

// count counts a verdict that was there before the attempt, and gives it unless
// the attempt may not be told.
func (a attempt) count(verdict error) error {
	if a.guard == nil || verdict == nil && a.known() {
		return verdict
	}
	if err := a.guard.Repeat(a.from, verdict, a.names()...); err != nil {
		return a.refused(err)
	}
	return verdict
}

// refused is what the client is told of a lock-out.
func (a attempt) refused(err error) error {
	if a.user == "" {
		return err
	}
	// How long the user is locked out is hidden too.
	if err := a.guard.Repeat(a.from, errHidden, a.given); err != nil {
		return err
	}
	return errHidden
}
