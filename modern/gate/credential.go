package gate

import (
	"errors"
	"net/http"
	"strings"
)

// DefaultCookie is the cookie in which Airflow 3 keeps a browser's token.
const DefaultCookie = "_token"

// ErrTwoAuthorizations is the error of [Credential] for a request with more than
// one Authorization header: which of them counts would be up to the server
// behind.
var ErrTwoAuthorizations = errors.New("more than one Authorization header")

// Source says where a request carried its token.
type Source int

// The sources of a token.
const (
	None Source = iota
	Bearer
	Cookie
)

// Credential finds the one token of a request that Airflow 3.3.2 would judge
// (airflow/api_fastapi/core_api/security.py get_user): that of an Authorization
// header of the scheme Bearer, in any case, and without one that of the named
// cookie. A header of another scheme, or with nothing behind the scheme, is
// passed over. Of several cookies of that name the last counts, even when it is
// empty (starlette/requests.py). The token is judged by nobody yet.
func Credential(h http.Header, cookie string) (token string, from Source, err error) {
	authorizations := h["Authorization"]
	if len(authorizations) > 1 {
		return "", None, ErrTwoAuthorizations
	}
	if len(authorizations) == 1 {
		// One space parts scheme and token; a tab does not.
		scheme, token, _ := strings.Cut(authorizations[0], " ")
		if token = strings.TrimSpace(token); token != "" && strings.EqualFold(scheme, "bearer") {
			return token, Bearer, nil
		}
	}
	if token := cookieValue(h["Cookie"], cookie); token != "" {
		return token, Cookie, nil
	}
	return "", None, nil
}

// cookieValue reads cookies as starlette does and net/http does not: the last of
// a name wins, and no character makes a cookie disappear.
func cookieValue(lines []string, name string) string {
	var value string
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			key, v, ok := strings.Cut(pair, "=")
			if ok && strings.TrimSpace(key) == name {
				value = unquote(strings.TrimSpace(v))
			}
		}
	}
	return value
}

// unquote takes a cookie's quotes away. Escapes stay: a token has none, so that
// whatever has one is refused.
func unquote(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}
