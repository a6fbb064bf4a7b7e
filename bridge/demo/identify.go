package demo

import (
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// A role says what somebody may do, as levels of the simple auth manager; FAB's
// roles of the same names allow the same here.
type role int

const (
	nobody  role = iota // a public route
	anybody             // whoever has a token
	viewer
	editor // simple's USER
	operator
	admin
)

// A principal is whom a token names.
type principal struct {
	id, name string
	role     role
	broken   bool // simple: a role that Airflow looks up and does not find
}

// may refuses whoever is below the role.
func (p principal) may(needed role) *answer {
	if needed == anybody {
		return nil
	}
	if p.broken {
		return new(crashed())
	}
	if p.role < needed {
		return new(detail(http.StatusForbidden, "Forbidden"))
	}
	return nil
}

// identify finds who sent a request: a Bearer first, whose failure is final,
// then the _token cookie. A cookie that is no good is deleted on every answer
// (core_api/security.py and auth/middlewares/refresh_token.py of 3.3.2).
func (a *airflow) identify(w http.ResponseWriter, r *http.Request) (principal, *answer) {
	bearer, cookie, hasCookie := credentials(r)
	var byCookie principal
	var refusal *answer
	if hasCookie {
		byCookie, refusal = a.principal(cookie)
		if refusal != nil {
			deleteCookie(w, tokenCookie)
		}
	}
	if bearer != "" {
		return a.principal(bearer)
	}
	if cookie == "" {
		return principal{}, new(detail(http.StatusUnauthorized, "Not authenticated"))
	}
	return byCookie, refusal
}

// credentials reads the first Authorization line and the last _token.
func credentials(r *http.Request) (bearer, cookie string, hasCookie bool) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "bearer") {
		bearer = strings.TrimSpace(rest)
	}
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, ok := strings.Cut(pair, "=")
			if ok && strings.TrimSpace(name) == tokenCookie {
				value = strings.TrimSpace(value)
				if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
					value = value[1 : len(value)-1]
				}
				cookie, hasCookie = value, true
			}
		}
	}
	return bearer, cookie, hasCookie
}

const tokenCookie = "_token"

func deleteCookie(w http.ResponseWriter, name string) {
	w.Header().Add("Set-Cookie", name+`=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax`)
}

// principal verifies a token and asks the auth manager whom it names.
func (a *airflow) principal(token string) (principal, *answer) {
	claims, err := a.verify(token)
	var p principal
	if err == nil {
		if a.fab() {
			p, err = fabUser(claims)
		} else {
			p, err = simpleUser(claims)
		}
	}
	if err == nil {
		return p, nil
	}
	no := detail(http.StatusForbidden, "Invalid JWT token")
	switch err {
	case errExpired:
		no = detail(http.StatusUnauthorized, "Token Expired")
	case errCrash:
		no = crashed()
	}
	return principal{}, &no
}

// fabUser finds the row that sub names, by Python's int().
func fabUser(claims map[string]any) (principal, error) {
	sub, ok := claims["sub"].(string)
	if !ok {
		return principal{}, errInvalid
	}
	id, ok := pyInt(sub)
	if !ok {
		return principal{}, errInvalid
	}
	if !id.IsInt64() {
		return principal{}, errCrash // SQLite's OverflowError
	}
	for _, u := range Users() {
		if id.Cmp(big.NewInt(int64(u.ID))) == 0 {
			return principal{id: fmt.Sprint(u.ID), name: u.Name, role: roleOf(u.Role)}, nil
		}
	}
	return principal{}, errInvalid
}

// simpleUser believes the token: the name need not exist, and the role counts
// when it is needed.
func simpleUser(claims map[string]any) (principal, error) {
	sub, ok := claims["sub"].(string)
	value, has := claims["role"]
	if !ok || !has {
		return principal{}, errInvalid
	}
	p := principal{id: sub, name: sub, role: anybody}
	switch name := value.(type) {
	case string:
		p.role = roleOf(strings.ToUpper(name))
		p.broken = name != "" && p.role == anybody
	default:
		p.broken = truthy(value)
	}
	return p, nil
}

func roleOf(name string) role {
	switch strings.ToUpper(name) {
	case "VIEWER":
		return viewer
	case "USER":
		return editor
	case "OP":
		return operator
	case "ADMIN":
		return admin
	}
	return anybody
}

// revoke remembers the ids of the tokens that came with a logout.
func (a *airflow) revoke(r *http.Request) {
	bearer, cookie, _ := credentials(r)
	now := a.Now()
	a.mu.Lock()
	for id, end := range a.revoked {
		if end.Before(now) {
			delete(a.revoked, id)
		}
	}
	a.mu.Unlock()
	for _, token := range []string{bearer, cookie} {
		claims, err := a.verify(token)
		if err != nil {
			continue
		}
		if id, ok := claims["jti"].(string); ok {
			a.mu.Lock()
			a.revoked[id] = now.Add(lifetime + time.Minute)
			a.mu.Unlock()
		}
	}
}

func (a *airflow) isRevoked(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, revoked := a.revoked[id]
	return revoked
}
