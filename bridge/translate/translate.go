// Package translate turns old words into new ones: a principal and the user of
// that name in Airflow 3 become the claims that Airflow 3's auth manager reads.
// It is pure: no I/O, no clock. Claims are built from values, never from text,
// and a name is never taken apart: alice@A and alice@B are two people.
package translate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern"
)

// ErrNoRole says that none of the user's roles has a counterpart in the auth
// manager.
var ErrNoRole = errors.New("no role that the auth manager knows")

// Manager is one of Airflow 3's auth managers.
type Manager string

// The auth managers whose tokens the bridge can write.
const (
	FAB    Manager = "fab"
	Simple Manager = "simple"
)

// Config says how to translate.
type Config struct {
	// Manager is required.
	Manager Manager
	// Roles maps names of roles to one of simple's (viewer, user, op, admin, in
	// any case), beside Airflow 2's own Viewer, User, Op and Admin, which it may
	// map anew. The names are compared as a whole and letter by letter, for a
	// role "admin" of Airflow 2 is not its "Admin". Only for Simple: FAB reads
	// roles from its database. Nil means no further ones.
	Roles map[string]string
}

// Rules translate. They are safe for concurrent use.
type Rules struct {
	manager Manager
	roles   map[string]int // name of a role to its place in simpleRoles
}

// simpleRoles are those of the simple auth manager, the mightiest last
// (airflow/api_fastapi/auth/managers/simple/simple_auth_manager.py,
// SimpleAuthManagerRole).
var simpleRoles = [...]string{"viewer", "user", "op", "admin"}

// New makes Rules.
func New(cfg Config) (*Rules, error) {
	if cfg.Manager != FAB && cfg.Manager != Simple {
		return nil, fmt.Errorf("translate: no auth manager %q; there are %s and %s", cfg.Manager, FAB, Simple)
	}
	if cfg.Manager == FAB && len(cfg.Roles) > 0 {
		return nil, errors.New("translate: roles are mapped for simple alone; FAB reads them from its database")
	}
	r := &Rules{manager: cfg.Manager, roles: map[string]int{"Viewer": 0, "User": 1, "Op": 2, "Admin": 3}}
	for _, from := range slices.Sorted(maps.Keys(cfg.Roles)) {
		to := cfg.Roles[from]
		rank := rankOf(to)
		if rank < 0 {
			return nil, fmt.Errorf("translate: role %q is mapped to %q, which is none of %s", from, to, strings.Join(simpleRoles[:], ", "))
		}
		r.roles[from] = rank
	}
	return r, nil
}

// Claims says of p, who is user in Airflow 3, what the auth manager needs to
// hear. A principal with a Subject was judged by Airflow 3 itself: its own
// Subject, Roles and Teams count, and user is not looked at.
//
// Under FAB that is the row id, which must be one. Under simple, which believes
// the token, it is name, role and teams, in the letter case of the directory.
// The directory's role is the user's role, whatever Airflow 2 thought; where the
// directory gives none, the mightiest of the roles that came with the proof
// counts, as [Config.Roles] maps them. [ErrNoRole] when that leaves none.
func (r *Rules) Claims(p legacy.Principal, user legacy.User) (modern.Claims, error) {
	if p.Subject != "" {
		user = legacy.User{ID: p.Subject, Roles: p.Roles, Teams: p.Teams}
	}
	if r.manager == FAB {
		// Airflow reads the id with int(), to which " 1" and "+1" are 1 too.
		if id, err := strconv.ParseInt(user.ID, 10, 64); err != nil || id <= 0 || strconv.FormatInt(id, 10) != user.ID {
			return modern.Claims{}, errors.New("translate: the user's id is not that of a row")
		}
		return modern.Claims{Subject: user.ID}, nil
	}
	if user.ID == "" {
		return modern.Claims{}, errors.New("translate: a user without an id")
	}
	role, ok := strongest(user.Roles, rankOf)
	if len(user.Roles) == 0 {
		if role, ok = strongest(p.Roles, r.rank); ok {
			role = simpleRoles[r.rank(role)]
		}
	}
	if !ok {
		return modern.Claims{}, ErrNoRole
	}
	teams := append([]string{}, user.Teams...) // never null: simple writes a list
	return modern.Claims{Subject: user.ID, Extra: map[string]any{"role": role, "teams": teams}}, nil
}

// strongest gives the role that ranks highest, the first of equals, as it is spelled.
func strongest(roles []string, rank func(string) int) (role string, ok bool) {
	best := -1
	for _, name := range roles {
		if n := rank(name); n > best {
			role, best = name, n
		}
	}
	return role, best >= 0
}

// rankOf is the place of one of simple's own roles in any letter case, as the
// manager itself reads it, or -1.
func rankOf(role string) int {
	return slices.IndexFunc(simpleRoles[:], func(known string) bool { return strings.EqualFold(known, role) })
}

// rank is the place of a role that came with the proof, or -1.
func (r *Rules) rank(role string) int {
	if n, ok := r.roles[role]; ok {
		return n
	}
	return -1
}
