package session

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"
	"time"
)

// readCookie reads the value of a signed cookie, and says when it was signed
// (SecureCookieSessionInterface in flask/sessions.py).
func (s signer) readCookie(value string, lifetime time.Duration, now time.Time) (Values, time.Time, error) {
	if len(value) > maxCookie {
		return nil, time.Time{}, errMalformed
	}
	payload, signed, err := s.unsignWithin(value, lifetime, now)
	if err != nil {
		return nil, signed, err
	}
	payload, compressed := strings.CutPrefix(payload, ".")
	text, err := decode(payload)
	if err == nil && compressed {
		text, err = inflate(text)
	}
	if err != nil {
		return nil, signed, err
	}
	v, err := readJSON(string(text))
	return v, signed, err
}

// writeCookie makes the value of a signed cookie. It is compressed where that
// makes it shorter (URLSafeSerializerMixin in itsdangerous/url_safe.py).
func (s signer) writeCookie(v Values, now time.Time) (string, error) {
	text, err := writeJSON(v)
	if err != nil {
		return "", err
	}
	packed, err := deflate(text)
	if err != nil {
		return "", err
	}
	payload := encode(text)
	if len(packed) < len(text)-1 {
		payload = "." + encode(packed)
	}
	return s.signAt(payload, now), nil
}

// inflate undoes zlib. More than a session can be is a bomb.
func inflate(packed []byte) ([]byte, error) {
	in := bytes.NewReader(packed)
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, unreadable("zlib: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxText+1))
	switch {
	case err != nil:
		return nil, unreadable("zlib: %w", err)
	case len(text) > maxText:
		return nil, unreadable("more than %d bytes when inflated", maxText)
	case in.Len() > 0:
		return nil, unreadable("something stands behind the compressed session")
	}
	return text, nil
}

func deflate(text []byte) ([]byte, error) {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
