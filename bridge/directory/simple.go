// Package directory knows Airflow 3's own users, by the ways other than FAB's
// tables, which are package fab's: the list of the simple auth manager, and
// Airflow 3 itself, asked through its own token API. It refuses to guess: a user
// listed twice, and an answer that does not prove whom it is about, are nobody.
package directory

import (
	"context"
	"fmt"

	"github.com/jetbridge/jetbridge/legacy"
)

// Simple is the directory of the simple auth manager: a list in its
// configuration. It is safe for concurrent use.
type Simple struct{ users map[string]legacy.User }

// NewSimple makes the directory of these users. A name that stands there twice
// is an error: Airflow would let the first one win whose password fits.
func NewSimple(users []legacy.User) (*Simple, error) {
	s := &Simple{users: make(map[string]legacy.User, len(users))}
	for _, u := range users {
		if _, twice := s.users[u.Name]; twice {
			return nil, fmt.Errorf("directory: the user %q is listed twice", u.Name)
		}
		s.users[u.Name] = u
	}
	return s, nil
}

// Lookup finds a user by the exact name: the simple auth manager tells Alice
// from alice (airflow/api_fastapi/auth/managers/simple). It implements
// [legacy.Directory].
func (s *Simple) Lookup(_ context.Context, name string) (legacy.User, error) {
	user, ok := s.users[name]
	if !ok {
		return legacy.User{}, legacy.Rejected(legacy.UnknownUser, nil)
	}
	return user, nil
}
