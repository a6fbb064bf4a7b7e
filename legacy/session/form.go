package session

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Forms make and judge the hidden csrf_token of a page's form as Flask-WTF does
// (flask_wtf/csrf.py): the session's csrf_token, signed. They are safe for
// concurrent use.
type Forms struct {
	signer signer
	own    signer // of tokens that no session holds
}

// NewForms makes Forms under Airflow's secret keys, as in [Config].
func NewForms(secretKeys []string) (*Forms, error) {
	own, err := newSigner(secretKeys, saltForm)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	f := Forms{own: own}
	for _, secret := range secretKeys {
		// itsdangerous' "django-concat", which is a serializer's default.
		key := sha1.Sum([]byte("wtf-csrf-token" + "signer" + secret))
		f.signer.keys = append(f.signer.keys, key[:])
	}
	return &f, nil
}

// derived is the csrf_token of a session that holds none, by its cookie.
func (f *Forms) derived(cookie string) string {
	return hex.EncodeToString(mac(f.own.keys[0], cookie))
}

// Token is what the form of a session hides.
func (f *Forms) Token(v Values, now time.Time) (string, error) {
	own, ok := v[keyForm].(string)
	if !ok {
		return "", errors.New("session: a session without a csrf_token")
	}
	text, err := json.Marshal(own)
	if err != nil {
		return "", fmt.Errorf("session: %w", err)
	}
	return f.signer.signAt(encode(text), now), nil
}

// ErrForm says that a form was not made for the session that it came with.
var ErrForm = errors.New("session: the form's token is not the session's")

// Check judges the token that came with a form. Its error is [ErrForm]. A token
// does not age, as Airflow has it (WTF_CSRF_TIME_LIMIT in webserver_config.py is
// not set, and the session's own age counts).
func (f *Forms) Check(v Values, token string) error {
	own, ok := v[keyForm].(string)
	if !ok || len(token) > maxCookie {
		return ErrForm
	}
	payload, _, err := f.signer.unsignAt(token)
	if err != nil {
		return ErrForm
	}
	text, err := decode(payload)
	var said string
	if err != nil || json.Unmarshal(text, &said) != nil || !hmac.Equal([]byte(said), []byte(own)) {
		return ErrForm
	}
	return nil
}

// LoggedIn are the values of a session in which that user has just logged in:
// what Airflow 2 keeps of it, and the account's fab.Account.Password beside the id,
// which Airflow hands on, to the next user of the session too. It has a csrf_token of
// its own.
func LoggedIn(userID int64, password, address, agent string) Values {
	return Values{
		keyForever: true, keyFresh: true, keyUser: userID, keyPassword: passwordOf(userID, password), keyClient: clientID(address, agent), keyForm: newFormToken(),
	}
}

// clientID is Flask-Login's session identifier: the SHA-512 of what Python prints
// for the bytes of address and user agent (flask_login/utils.py).
func clientID(address, agent string) string {
	said := "None"
	if agent != "" {
		said = pythonBytes(agent)
	}
	sum := sha512.Sum512([]byte(pythonBytes(address) + "|" + said))
	return hex.EncodeToString(sum[:])
}

// pythonBytes is how Python prints bytes.
func pythonBytes(s string) string {
	quote := byte('\'')
	for _, c := range []byte(s) {
		if c == '"' {
			quote = '\''
			break
		}
		if c == '\'' {
			quote = '"'
		}
	}
	out := []byte{'b', quote}
	for _, c := range []byte(s) {
		switch {
		case c == quote || c == '\\':
			out = append(out, '\\', c)
		case c == '\t':
			out = append(out, `\t`...)
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c < ' ' || c >= 0x7f:
			out = append(out, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			out = append(out, c)
		}
	}
	return string(append(out, quote))
}
