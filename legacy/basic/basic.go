// Package basic is HTTP Basic authentication (RFC 7617) as Airflow 2 spoke it,
// lenient where its Werkzeug was. [Parse] reads the header; an [Authenticator]
// hands name and password to whoever can judge them. It remembers nothing: that
// is the verifier's affair.
//
// It refuses what Airflow refused: an empty name or password, bytes that are not
// UTF-8 (a client that sends ISO 8859-1, as Python's requests does, never got in
// with anything beyond ASCII), and a header beyond 8 KiB.
package basic

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/jetbridge/jetbridge/legacy"
)

// maxHeader bounds the header's value, in bytes.
const maxHeader = 8 << 10

// spaces separate the scheme from the rest.
const spaces = " \t\n\v\f\r"

// Config is what an [Authenticator] needs.
type Config struct {
	// Verifier judges names and passwords. It has no default.
	Verifier legacy.PasswordVerifier
}

// An Authenticator judges Basic credentials. It is safe for concurrent use.
type Authenticator struct{ verifier legacy.PasswordVerifier }

// New makes an Authenticator.
func New(cfg Config) (*Authenticator, error) {
	if cfg.Verifier == nil {
		return nil, errors.New("basic: no verifier")
	}
	return &Authenticator{cfg.Verifier}, nil
}

// Scheme implements [legacy.Authenticator].
func (*Authenticator) Scheme() legacy.Scheme { return legacy.Basic }

// Challenge implements [legacy.Authenticator]: the word alone, for Airflow 2
// named no realm (airflow/api/auth/backend/basic_auth.py).
func (*Authenticator) Challenge() string { return "Basic" }

// Authenticate implements [legacy.Authenticator].
func (a *Authenticator) Authenticate(ctx context.Context, c legacy.Credential) (legacy.Proof, error) {
	user, password, ok := Parse(c.Authorization)
	if !ok {
		return legacy.Proof{}, legacy.Rejected(legacy.MalformedCredential, nil)
	}
	p, err := a.verifier.VerifyPassword(ctx, user, password)
	if err != nil {
		return legacy.Proof{}, legacy.Claimed(err, user)
	}
	p.Scheme = legacy.Basic
	return legacy.Proof{Principal: p}, nil
}

// Parse reads the value of an Authorization header as Werkzeug 2.2 does
// (parse_authorization_header in werkzeug/http.py), which takes all that later
// ones take: the scheme in any letter case, any white space around it, base64
// with anything strewn in. ok is false for another scheme, and for a name or
// password that is empty or not UTF-8; user and password are empty then.
func Parse(header string) (user, password string, ok bool) {
	if len(header) > maxHeader {
		return "", "", false
	}
	header = strings.TrimLeft(header, spaces)
	end := strings.IndexAny(header, spaces)
	if end < 0 || !strings.EqualFold(header[:end], "basic") {
		return "", "", false
	}
	pair, ok := decode(header[end:])
	if !ok {
		return "", "", false
	}
	user, password, _ = strings.Cut(pair, ":")
	if user == "" || password == "" || !utf8.ValidString(pair) {
		return "", "", false
	}
	return user, password, true
}

// decode is Python's base64.b64decode (binascii.a2b_base64): what is not of the
// alphabet is skipped, the right padding ends the text wherever it comes, and
// the bits that are left over are not looked at. Text beyond ASCII is refused,
// as Python refuses it.
func decode(s string) (string, bool) {
	out := make([]byte, 0, len(s)*3/4)
	var bits uint32
	quad, pads := 0, 0 // characters since the last whole group; padding behind them
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return "", false
		case c == '=':
			if pads++; quad >= 2 && quad+pads >= 4 {
				return string(out), isASCII(s[i:])
			}
			continue
		}
		v := sextet(c)
		if v < 0 {
			continue
		}
		pads = 0
		bits = bits<<6 | uint32(v)
		if quad++; quad > 1 {
			out = append(out, byte(bits>>(8-2*quad)))
		}
		quad %= 4
	}
	return string(out), quad == 0
}

// sextet is the value of a character of the alphabet, or -1.
func sextet(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}
