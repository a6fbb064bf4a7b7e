package demo

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// How a token fails: 403, 401, and where Airflow's own code breaks, 500.
var (
	errInvalid = errors.New("invalid token")
	errExpired = errors.New("token expired")
	errCrash   = errors.New("internal server error")
)

const (
	leeway      = 10 * time.Second // [api_auth] jwt_leeway
	lifetime    = 24 * time.Hour   // [api_auth] jwt_expiration_time
	cliLifetime = time.Hour        // [api_auth] jwt_cli_expiration_time
)

// sign makes a token as Airflow 3.3.2 does, the manager's claims first.
func (a *airflow) sign(claims object, life time.Duration) string {
	var id [16]byte
	rand.Read(id[:])
	now := a.Now().Unix()
	claims = append(claims, object{
		{"jti", hex.EncodeToString(id[:])}, {"aud", a.Audience}, {"nbf", now}, {"exp", now + int64(life.Seconds())}, {"iat", now},
	}...)
	payload, _ := compact(claims) // strings and numbers
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS512","kid":"not-used","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(payload))
	return signed + "." + base64.RawURLEncoding.EncodeToString(a.mac(signed))
}

func (a *airflow) mac(signed string) []byte {
	mac := hmac.New(sha512.New, []byte(a.Secret))
	mac.Write([]byte(signed))
	return mac.Sum(nil)
}

// verify checks a token in the order of PyJWT 2.14 and Airflow's
// auth/tokens.py, which decides between "expired" and "invalid".
func (a *airflow) verify(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errInvalid
	}
	header, err1 := segment(parts[0], true)
	payload, err2 := segment(parts[1], true)
	signature, err3 := segment(parts[2], false)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, errInvalid
	}
	if h, err := parse(header); err != nil || !headerCounts(h) {
		return nil, errInvalid
	}
	if !hmac.Equal(signature, a.mac(parts[0]+"."+parts[1])) {
		return nil, errInvalid
	}
	claims, err := parse(payload)
	if err != nil {
		return nil, err
	}
	if err := a.timely(claims); err != nil {
		return nil, err
	}
	if !a.addressed(claims["aud"]) {
		return nil, errInvalid
	}
	for _, name := range []string{"sub", "jti"} {
		value, has := claims[name]
		if _, ok := value.(string); has && !ok {
			return nil, errInvalid
		}
	}
	if id, ok := claims["jti"].(string); ok && a.isRevoked(id) {
		return nil, errInvalid
	}
	return claims, nil
}

// segment decodes one part. Header and payload may carry the right padding.
func segment(text string, padded bool) ([]byte, error) {
	bare := text
	if padded && len(text)%4 == 0 {
		bare = strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
	}
	return base64.RawURLEncoding.Strict().DecodeString(bare)
}

// maxDepth is where Python's recursion ends.
const maxDepth = 950

// parse reads one JSON object, the last of doubled members. It is stricter than
// Python where that takes what is no JSON: NaN, Infinity, UTF-16.
func parse(text []byte) (map[string]any, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		return nil, errInvalid
	}
	if deep(text) {
		return nil, errCrash
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var members map[string]any
	if err := dec.Decode(&members); err != nil || members == nil {
		return nil, errInvalid
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errInvalid
	}
	return members, nil
}

// deep says whether brackets, those in strings included, nest too far.
func deep(text []byte) bool {
	depth := 0
	for _, b := range text {
		switch b {
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// headerCounts says whether PyJWT goes on with a header.
func headerCounts(h map[string]any) bool {
	kid, hasKid := h["kid"]
	if _, ok := kid.(string); hasKid && !ok {
		return false
	}
	if h["alg"] != "HS512" || h["b64"] == false {
		return false
	}
	crit, has := h["crit"]
	if !has {
		return true
	}
	names, ok := crit.([]any)
	if !ok || len(names) == 0 {
		return false
	}
	_, hasB64 := h["b64"]
	return hasB64 && !slices.ContainsFunc(names, func(name any) bool { return name != "b64" })
}

// timely checks iat, nbf and exp, which are all required, in this order.
func (a *airflow) timely(claims map[string]any) error {
	for _, name := range []string{"exp", "iat", "nbf"} {
		if claims[name] == nil {
			return errInvalid
		}
	}
	for _, name := range []string{"iat", "nbf"} {
		at, err := integer(claims[name])
		if err != nil {
			return err
		}
		if at.Cmp(seconds(a.Now().Add(leeway))) > 0 {
			return errInvalid
		}
	}
	exp, err := integer(claims["exp"])
	if err != nil {
		return err
	}
	if exp.Cmp(seconds(a.Now().Add(-leeway))) <= 0 {
		return errExpired
	}
	return nil
}

func seconds(t time.Time) *big.Int { return big.NewInt(t.Unix()) }

// addressed says whether aud, a string or a list of strings, is ours.
func (a *airflow) addressed(aud any) bool {
	list, ok := aud.([]any)
	if !ok {
		return aud == any(a.Audience)
	}
	found := false
	for _, one := range list {
		text, ok := one.(string)
		if !ok {
			return false
		}
		found = found || text == a.Audience
	}
	return found
}
