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
		if token = Trim(token); token != "" && strings.EqualFold(scheme, "bearer") {
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
			if ok && Trim(key) == name {
				value = unquote(Trim(v))
			}
		}
	}
	return value
}

// Trim takes away what Python's str.strip takes from a header, which its servers
// decode as Latin-1: byte by byte, so that a lone 0xA0 is white space. Whoever
// trims otherwise finds another cookie than Airflow does.
func Trim(s string) string {
	for s != "" && space(s[0]) {
		s = s[1:]
	}
	for s != "" && space(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func space(b byte) bool {
	return b == ' ' || '\t' <= b && b <= '\r' || 0x1c <= b && b <= 0x1f || b == 0x85 || b == 0xa0
}

// unquote takes a cookie's quotes away. Escapes stay: a token has none, so that
// whatever has one is refused.
func unquote(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}
