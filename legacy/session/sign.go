package session

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// The salts of the two kinds of cookie (flask/sessions.py, flask_session).
const (
	saltCookie   = "cookie-session"
	saltDatabase = "flask-session"
)

// A signer signs as itsdangerous does, by HMAC with SHA-1 under a key that is
// derived from the secret key and a salt. Several keys count; the first signs.
type signer struct{ keys [][]byte }

func newSigner(secretKeys []string, salt string) (signer, error) {
	if len(secretKeys) == 0 {
		return signer{}, errors.New("no secret key")
	}
	var s signer
	for _, secret := range secretKeys {
		if secret == "" {
			return signer{}, errors.New("an empty secret key")
		}
		s.keys = append(s.keys, mac([]byte(secret), salt))
	}
	return s, nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha1.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// sign puts the signature behind text.
func (s signer) sign(text string) string { return text + "." + encode(mac(s.keys[0], text)) }

// unsign gives what was signed.
func (s signer) unsign(value string) (string, error) {
	dot := strings.LastIndexByte(value, '.')
	if dot < 0 {
		return "", errMalformed
	}
	text := value[:dot]
	sum, err := decode(value[dot+1:])
	if err != nil || len(sum) != sha1.Size {
		return "", errMalformed
	}
	for _, key := range s.keys {
		if hmac.Equal(sum, mac(key, text)) {
			return text, nil
		}
	}
	return "", errSignature
}

// signAt puts the time between text and signature.
func (s signer) signAt(text string, now time.Time) string {
	return s.sign(text + "." + encode(timestamp(now)))
}

// unsignAt gives what was signed, and when, however long ago.
func (s signer) unsignAt(value string) (string, time.Time, error) {
	value, err := s.unsign(value)
	if err != nil {
		return "", time.Time{}, err
	}
	dot := strings.LastIndexByte(value, '.')
	if dot < 0 {
		return "", time.Time{}, errMalformed
	}
	stamp, err := decode(value[dot+1:])
	if err != nil || len(stamp) == 0 || len(stamp) > 5 || stamp[0] == 0 { // 2^40 s is the year 36812
		return "", time.Time{}, errMalformed
	}
	seconds := binary.BigEndian.Uint64(append(make([]byte, 8-len(stamp)), stamp...))
	return value[:dot], time.Unix(int64(seconds), 0).UTC(), nil
}

// unsignWithin is unsignAt of what is no older than lifetime, to the second, and
// not of the future.
func (s signer) unsignWithin(value string, lifetime time.Duration, now time.Time) (string, time.Time, error) {
	text, at, err := s.unsignAt(value)
	if err != nil {
		return "", time.Time{}, err
	}
	if err := checkAge(at, lifetime, now); err != nil {
		return "", time.Time{}, err
	}
	return text, at, nil
}

func checkAge(signed time.Time, lifetime time.Duration, now time.Time) error {
	if age := now.Unix() - signed.Unix(); age < 0 || age > int64(lifetime/time.Second) {
		return errExpired
	}
	return nil
}

// timestamp is the seconds since 1970, in as few bytes as hold them.
func timestamp(now time.Time) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(max(now.Unix(), 1)))
	for b[0] == 0 {
		b = b[1:]
	}
	return b
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode takes what encode makes and nothing else. Python takes padding, other
// characters and bits that are left over too, so that several texts mean one
// thing; none of them comes from Airflow.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // which Go's decoder passes over
		return nil, errMalformed
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errMalformed
	}
	return b, nil
}
