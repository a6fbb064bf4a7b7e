package token

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/modern"
)

// open checks shape, header and signature, and returns the payload's JSON
// (PyJWS._load, _validate_headers and _verify_signature).
func (k *Key) open(signed string) (map[string]any, error) {
	if len(signed) > maxTokenSize {
		return nil, fmt.Errorf("longer than %d bytes", maxTokenSize)
	}
	if strings.Count(signed, ".") != 2 {
		return nil, errors.New("not three segments")
	}
	input := signed[:strings.LastIndexByte(signed, '.')]
	head, body, _ := strings.Cut(input, ".")

	header, err := decodeSegment(head)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := k.checkHeader(header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	signature, err := decodeBase64(signed[len(input)+1:])
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if err := k.method.Verify(input, signature, k.secret); err != nil {
		return nil, err
	}
	payload, err := decodeSegment(body)
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return payload, nil
}

func (k *Key) checkHeader(header map[string]any) error {
	if alg, _ := header["alg"].(string); alg != k.method.Alg() {
		return errors.New("another algorithm than the key's")
	}
	if kid, present := header["kid"]; present {
		if _, ok := kid.(string); !ok {
			return errors.New("kid is not text")
		}
	}
	if _, present := header["crit"]; present {
		return errors.New("a critical extension is not understood")
	}
	if b64, ok := header["b64"].(bool); ok && !b64 {
		return errors.New("a payload that is not encoded is not understood")
	}
	return nil
}

// judge reads the claims in the order of PyJWT._validate_claims, which decides
// whether a token with two faults is expired or invalid.
func (k *Key) judge(payload map[string]any, now time.Time) (modern.Claims, error) {
	var c modern.Claims
	invalid := func(cause string) (modern.Claims, error) {
		return modern.Claims{}, fmt.Errorf("%w: %s", modern.ErrInvalid, cause)
	}
	for _, name := range []string{"exp", "iat", "nbf"} {
		if payload[name] == nil {
			return invalid("no " + name)
		}
	}
	var err error
	if c.IssuedAt, err = readTime(payload["iat"]); err != nil {
		return invalid("iat: " + err.Error())
	}
	if c.IssuedAt.After(now.Add(k.leeway)) {
		return invalid("issued in the future")
	}
	if c.NotBefore, err = readTime(payload["nbf"]); err != nil {
		return invalid("nbf: " + err.Error())
	}
	if c.NotBefore.After(now.Add(k.leeway)) {
		return invalid("not good yet")
	}
	if c.ExpiresAt, err = readTime(payload["exp"]); err != nil {
		return invalid("exp: " + err.Error())
	}
	if !c.ExpiresAt.After(now.Add(-k.leeway)) {
		return modern.Claims{}, fmt.Errorf("%w at %s", modern.ErrExpired, c.ExpiresAt.Format(time.RFC3339))
	}

	c.Issuer, _ = payload["iss"].(string)
	if len(k.issuers) > 0 && !slices.Contains(k.issuers, c.Issuer) {
		return invalid("another issuer, or none")
	}
	if c.Audience = readAudience(payload["aud"]); !slices.Contains(c.Audience, k.audience) {
		return invalid("another audience, or none")
	}
	if c.Subject, _ = payload["sub"].(string); c.Subject == "" {
		return invalid("no subject, or one that is not text")
	}
	if id, present := payload["jti"]; present {
		var ok bool
		if c.ID, ok = id.(string); !ok {
			return invalid("jti is not text")
		}
	}
	for _, name := range k.required {
		if _, present := payload[name]; !present {
			return invalid("no " + name)
		}
	}
	c.Extra = extra(payload)
	return c, nil
}

// maxSeconds bounds a time to what every JSON implementation reads alike (RFC
// 8259 section 6).
const maxSeconds = 1 << 53

// readTime takes what Python's int() takes of a JSON value: a number with its
// fraction cut off, a number written as text, and a boolean.
func readTime(v any) (time.Time, error) {
	var seconds int64
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil || math.Abs(f) > maxSeconds {
			return time.Time{}, errors.New("out of range")
		}
		seconds = int64(f)
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil || n > maxSeconds || n < -maxSeconds {
			return time.Time{}, errors.New("not a number")
		}
		seconds = n
	case bool:
		if v {
			seconds = 1
		}
	default:
		return time.Time{}, errors.New("not a number")
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// readAudience gives the audiences of a string or of a list of strings, and
// none for anything else: one member that is not text spoils the list.
func readAudience(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		all := make([]string, len(v))
		for i, member := range v {
			text, ok := member.(string)
			if !ok {
				return nil
			}
			all[i] = text
		}
		return all
	}
	return nil
}

// isRegistered knows the registered claims (RFC 7519 section 4.1).
func isRegistered(name string) bool {
	switch name {
	case "iss", "sub", "aud", "exp", "nbf", "iat", "jti":
		return true
	}
	return false
}

// extra takes the registered claims out of payload and returns the rest, nil
// when nothing is left.
func extra(payload map[string]any) map[string]any {
	for name := range payload {
		if isRegistered(name) {
			delete(payload, name)
		}
	}
	if len(payload) == 0 {
		return nil
	}
	return payload
}

func decodeSegment(segment string) (map[string]any, error) {
	text, err := decodeBase64(segment)
	if err != nil {
		return nil, err
	}
	return decodeObject(text)
}

// decodeBase64 reads base64url without padding, in its one canonical spelling
// (PyJWS._decode_base64url_segment). encoding/base64 alone passes over line ends.
func decodeBase64(segment string) ([]byte, error) {
	if strings.ContainsAny(segment, "\r\n") {
		return nil, errors.New("not base64url")
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	return text, nil
}

// newID makes a jti: 32 hex digits without dashes, the width of Airflow's
// revoked_token.jti.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails (crypto/rand)
	return hex.EncodeToString(id[:])
}
