package openid

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json"

	"github.com/jetbridge/jetbridge/legacy"
)

// algorithmNames are those that an issuer may be configured with: no "none",
// and nothing symmetric, for then who can verify can sign (C-31).
func algorithmNames() []string {
	return []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}
}

func algorithms() []jose.SignatureAlgorithm {
	names := algorithmNames()
	all := make([]jose.SignatureAlgorithm, len(names))
	for i, name := range names {
		all[i] = jose.SignatureAlgorithm(name)
	}
	return all
}

// verifies says whether a key is one that signatures can be verified with.
func verifies(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// unverifiedIssuer reads who a token says it is from. It tells nothing about the
// token but who has to judge it, and so it is as strict as who does: a token that
// it cannot read is nobody's.
func unverifiedIssuer(token string, listed map[string]*issuer) (string, bool) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return "", false
	}
	_, rest, _ := strings.Cut(token, ".")
	segment, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return "", false
	}
	if !mentions(payload, listed) {
		return "", false
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if strict.Unmarshal(payload, &claims) != nil {
		return "", false
	}
	return claims.Issuer, claims.Issuer != ""
}

// mentions says whether an issuer's name can be in the text: it stands there as
// it is, unless something is escaped. Airflow's own tokens, with every request of
// a new client, need no more than that.
func mentions(payload []byte, listed map[string]*issuer) bool {
	if bytes.IndexByte(payload, '\\') >= 0 {
		return true
	}
	for name := range listed {
		if bytes.Contains(payload, []byte(name)) {
			return true
		}
	}
	return false
}

// claims are what a verified token says.
type claims map[string]any

// readClaims decodes names as they are written, each once (C-37).
func readClaims(token *oidc.IDToken) (claims, error) {
	var raw json.RawMessage
	if err := token.Claims(&raw); err != nil {
		return nil, legacy.Rejected(legacy.IDTokenInvalid, errors.New("the claims are not JSON"))
	}
	var c claims
	if err := strict.Unmarshal(raw, &c); err != nil || !utf8.Valid(raw) {
		return nil, legacy.Rejected(legacy.IDTokenInvalid, errors.New("the claims are not one JSON object with every name once"))
	}
	return c, nil
}

// judge checks audience, times and what the configuration requires.
func (a *Authenticator) judge(i *issuer, c claims) error {
	invalid := func(format string, args ...any) error {
		return legacy.Rejected(legacy.IDTokenInvalid, fmt.Errorf(format, args...))
	}
	now := a.cfg.Now()
	issued, ok := c.time("iat")
	if !ok {
		return invalid("no iat")
	}
	if issued.After(now.Add(a.cfg.Leeway)) {
		return invalid("issued in the future")
	}
	expires, ok := c.time("exp")
	if !ok {
		return invalid("no exp")
	}
	if expires.Before(now.Add(-a.cfg.Leeway)) {
		return legacy.Rejected(legacy.IDTokenExpired, fmt.Errorf("at %s", expires.Format(time.RFC3339)))
	}
	if _, there := c["nbf"]; there {
		if begins, ok := c.time("nbf"); !ok || begins.After(now.Add(a.cfg.Leeway)) {
			return invalid("not good yet")
		}
	}
	if !i.forUs(c) {
		return invalid("another audience, or none")
	}
	for name, want := range i.Require {
		if !holds(c[name], want) {
			return invalid("the claim %s is not as the configuration requires", name)
		}
	}
	return nil
}

// forUs says whether an audience is ours. Of several the one that the token was
// given to must be ours too, where the token says so (OpenID Connect Core 1.0
// section 3.1.3.7). Airflow 2 took a Google token with one audience alone.
func (i *issuer) forUs(c claims) bool {
	switch aud := c["aud"].(type) {
	case string:
		return slices.Contains(i.Audience, aud)
	case []any:
		if i.URL == Google || !slices.ContainsFunc(i.Audience, func(ours string) bool { return holds(aud, ours) }) {
			return false
		}
		azp, there := c["azp"]
		if !there || len(aud) < 2 {
			return true
		}
		party, _ := azp.(string)
		return slices.Contains(i.Audience, party)
	}
	return false
}

// holds says whether a claim is that text, or a list with it.
func holds(claim any, want string) bool {
	switch claim := claim.(type) {
	case string:
		return claim == want
	case []any:
		return slices.Contains(claim, any(want))
	case bool:
		return fmt.Sprint(claim) == want
	}
	return false
}

// maxSeconds bounds a time to what every JSON implementation reads alike (RFC
// 8259 section 6).
const maxSeconds = 1 << 53

// time reads a NumericDate (RFC 7519 section 2).
func (c claims) time(name string) (time.Time, bool) {
	seconds, ok := c[name].(float64)
	if !ok || math.IsNaN(seconds) || math.Abs(seconds) > maxSeconds {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// principal names the user.
func (a *Authenticator) principal(ctx context.Context, i *issuer, c claims) (legacy.Proof, error) {
	name, ok := c[i.Name].(string)
	if !ok || !plainName(name) {
		return legacy.Proof{}, legacy.Rejected(legacy.IDTokenInvalid, fmt.Errorf("the claim %s names nobody", i.Name))
	}
	rejected := func(why legacy.Reason, cause error) (legacy.Proof, error) {
		return legacy.Proof{}, legacy.Claimed(legacy.Rejected(why, cause), name)
	}
	if i.Name == Email {
		if verified := c["email_verified"]; verified != true && verified != "true" && !i.InsecureUnverifiedEmail {
			return rejected(legacy.IDTokenInvalid, errors.New("the issuer has not verified the e-mail address"))
		}
		if strings.Count(name, "@") != 1 {
			return rejected(legacy.IDTokenInvalid, errors.New("not one e-mail address"))
		}
	}
	if user, listed := i.Users[name]; listed {
		return proofOf(user), nil
	}
	if i.Name != Email || a.cfg.Emails == nil {
		return proofOf(name), nil
	}
	user, err := a.cfg.Emails.LookupEmail(ctx, name)
	if err != nil {
		return legacy.Proof{}, legacy.Claimed(err, name)
	}
	if !user.Active {
		return rejected(legacy.InactiveUser, nil)
	}
	proof := proofOf(user.Name)
	proof.Principal.Roles = user.Roles
	return proof, nil
}

func proofOf(name string) legacy.Proof {
	return legacy.Proof{Principal: legacy.Principal{Name: name, Scheme: legacy.OpenID}}
}

// plainName refuses what no user is called: control characters and names beyond
// the width of ab_user's columns.
func plainName(name string) bool {
	return name != "" && len(name) <= 512 && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
