// Package token mints and verifies the JWTs of Airflow 3's core API.
//
// A [Key] accepts what Airflow 3.3.2 accepts with PyJWT 2.14, and tells
// [modern.ErrExpired] from [modern.ErrInvalid] in the same order of checks
// (airflow/api_fastapi/auth/tokens.py, jwt/api_jws.py, jwt/api_jwt.py): shape,
// header, signature, required claims, iat, nbf, exp, iss, aud, sub, jti. It has
// one algorithm, its own; what the header says is compared with it and chooses
// nothing. Keys and addresses inside a token (jwk, jku, x5u, kid) are never
// used.
//
// It refuses some tokens that Airflow takes, none of which Airflow makes:
//
//   - longer than 8 KiB, or JSON nested deeper than 16;
//   - JSON with a name twice, NaN or Infinity, a byte order mark or an encoding
//     other than UTF-8, or text that is not Unicode (ill-formed UTF-8, half a
//     surrogate pair, U+FFFD which cannot be told from them);
//   - any "crit" header, where PyJWT knows the one extension "b64";
//   - an empty "sub";
//   - a time beyond 2^53 seconds, or written as text in digits other than
//     ASCII or with an underscore in it.
//
// Where Airflow answers 500 (a time that is a list, or 1e400), a Key says
// ErrInvalid. Revocation is the upstream's to check: a Key knows nothing of it.
//
// The text of the secret is the key: it is not base64, even where it looks so.
package token

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jetbridge/jetbridge/modern"
)

// Airflow's own defaults, and the bound on what is parsed.
const (
	defaultAudience = "apache-airflow"
	defaultLeeway   = 10 * time.Second
	defaultBackdate = 5 * time.Second
	maxTokenSize    = 8 << 10
)

// Config says how tokens are signed and what they must say.
type Config struct {
	// Secret is the UTF-8 text of Airflow's [api_auth] jwt_secret. Required.
	// Text that is a PEM, SSH or JSON key is refused, as PyJWT refuses it.
	Secret []byte
	// Algorithm is HS256, HS384 or HS512. Empty means HS512, Airflow's default.
	Algorithm string
	// Audience is Airflow's [api_auth] jwt_audience, one string whatever is in
	// it. Empty means "apache-airflow".
	Audience string
	// Issuers are Airflow's [api_auth] jwt_issuer: the first is minted, all are
	// accepted. None means that tokens carry no issuer and any is accepted.
	Issuers []string
	// Leeway is for clocks that differ, on exp, nbf and iat. Zero means 10 s,
	// Airflow's default; negative means none.
	Leeway time.Duration
	// Backdate is how far before now a minted token says that it was issued,
	// for an upstream whose clock is behind. Zero means 5 s; negative means
	// none.
	Backdate time.Duration
	// Required are extra claims without which a token is invalid, because the
	// auth manager reads them: "role" under simple. Nil means none.
	Required []string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// A Key mints and verifies tokens. It is safe for concurrent use.
type Key struct {
	method   *jwt.SigningMethodHMAC
	secret   []byte
	audience string
	issuers  []string
	leeway   time.Duration
	backdate time.Duration
	required []string
	now      func() time.Time
}

// New makes a Key from a copy of c.
func New(c Config) (*Key, error) {
	method, err := methodFor(c.Algorithm)
	if err != nil {
		return nil, err
	}
	if err := checkSecret(c.Secret); err != nil {
		return nil, err
	}
	if slices.Contains(c.Issuers, "") {
		return nil, errors.New("token: an issuer is empty")
	}
	for _, name := range c.Required {
		if isRegistered(name) {
			return nil, fmt.Errorf("token: %q is a registered claim and cannot be an extra one", name)
		}
	}
	k := &Key{
		method:   method,
		secret:   bytes.Clone(c.Secret),
		audience: c.Audience,
		issuers:  slices.Clone(c.Issuers),
		leeway:   orDefault(c.Leeway, defaultLeeway),
		backdate: orDefault(c.Backdate, defaultBackdate),
		required: slices.Clone(c.Required),
		now:      c.Now,
	}
	if k.audience == "" {
		k.audience = defaultAudience
	}
	if k.now == nil {
		k.now = time.Now
	}
	return k, nil
}

// Mint signs a token for c.Subject with c.Extra, good for lifetime from now, and
// returns it with the claims that [Key.Verify] will read in it. The registered
// claims of c other than Subject are not looked at.
//
// It fails, in words fit for a log, when the lifetime is under a second, when
// c.Extra names a registered claim or lacks a required one, and when what it
// would sign is not what Verify accepts.
func (k *Key) Mint(c modern.Claims, lifetime time.Duration) (string, modern.Claims, error) {
	if lifetime < time.Second {
		return "", modern.Claims{}, fmt.Errorf("token: lifetime %v is under a second", lifetime)
	}
	for name := range c.Extra {
		if isRegistered(name) {
			return "", modern.Claims{}, fmt.Errorf("token: extra claim %q is a registered one", name)
		}
	}
	now := k.now()
	issued := now.Add(-k.backdate).Unix()
	claims := jwt.MapClaims{
		"jti": newID(),
		"sub": c.Subject,
		"aud": k.audience,
		"iat": issued,
		"nbf": issued,
		"exp": now.Add(lifetime).Unix(),
	}
	if len(k.issuers) > 0 {
		claims["iss"] = k.issuers[0]
	}
	maps.Copy(claims, c.Extra)

	unsigned := jwt.NewWithClaims(k.method, claims)
	unsigned.Header["kid"] = "not-used" // as Airflow 3.3 writes beside a shared secret
	signed, err := unsigned.SignedString(k.secret)
	if err != nil {
		return "", modern.Claims{}, fmt.Errorf("token: sign: %w", err)
	}
	// Verify refuses what encoding/json repairs in silence: text that is not
	// Unicode would make another subject than the one asked for.
	full, err := k.Verify(signed)
	if err != nil {
		return "", modern.Claims{}, fmt.Errorf("token: mint: %w", err)
	}
	return signed, full, nil
}

// Verify judges a token as it came, and returns what it says. Its error is
// [modern.ErrExpired] or [modern.ErrInvalid], with a cause fit for a log: no
// part of the token is in it.
//
// Numbers in Claims.Extra are [encoding/json.Number].
func (k *Key) Verify(signed string) (modern.Claims, error) {
	payload, err := k.open(signed)
	if err != nil {
		return modern.Claims{}, fmt.Errorf("%w: %v", modern.ErrInvalid, err)
	}
	return k.judge(payload, k.now())
}

func methodFor(algorithm string) (*jwt.SigningMethodHMAC, error) {
	switch algorithm {
	case "", "HS512":
		return jwt.SigningMethodHS512, nil
	case "HS384":
		return jwt.SigningMethodHS384, nil
	case "HS256":
		return jwt.SigningMethodHS256, nil
	}
	return nil, fmt.Errorf("token: algorithm %q cannot sign with a secret; HS256, HS384 and HS512 can", algorithm)
}

// checkSecret refuses what PyJWT's HMACAlgorithm.prepare_key refuses: with such
// a secret Airflow answers every request with 500, and a public key as a secret
// is no secret.
func checkSecret(secret []byte) error {
	if len(secret) == 0 {
		return errors.New("token: the secret is empty")
	}
	for _, prefix := range []string{"ssh-", "ecdsa-sha2-"} {
		if bytes.HasPrefix(secret, []byte(prefix)) {
			return errors.New("token: the secret is an SSH key")
		}
	}
	if bytes.Contains(secret, []byte("-----BEGIN ")) {
		return errors.New("token: the secret is a PEM file")
	}
	if object, err := decodeObject(secret); err == nil && object["kty"] != nil {
		return errors.New("token: the secret is a JSON web key")
	}
	return nil
}

func orDefault(d, whenZero time.Duration) time.Duration {
	if d == 0 {
		return whenZero
	}
	return max(d, 0)
}
