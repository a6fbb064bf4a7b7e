// Package migration says how far the end of the old ways has come: which scheme
// may act today, and what its users are told about it. It is asked with the
// names of schemes and decides by its [Policy] alone; it knows no request.
package migration

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mode is the state of the whole migration.
type Mode string

// The modes. While the bridge only observes, in front of Airflow 2, no Policy
// is asked.
const (
	Observe Mode = "observe"
	Dual    Mode = "dual"     // a JWT, or a legacy credential
	JWTOnly Mode = "jwt_only" // a JWT
)

// Config says what a Policy allows.
type Config struct {
	// Mode is Dual or JWTOnly. Required.
	Mode Mode
	// DeprecatedSince is when legacy credentials became deprecated, or will.
	// Zero means that clients are not told.
	DeprecatedSince time.Time
	// Sunset is when they will cease to be taken; it is announced, and ends
	// nothing by itself. Not before DeprecatedSince. Zero means no date.
	Sunset time.Time
	// Link is the http or https address of the page that tells people what to
	// do. Empty means none.
	Link string
	// TokenSchemes are the schemes that may be exchanged for a token at POST
	// /auth/token, whatever the mode. Nil means all; empty means none.
	TokenSchemes []string
}

// A Policy is the migration's state in one configuration. It is immutable and
// safe for concurrent use.
type Policy struct {
	mode         Mode
	allTokens    bool
	tokenSchemes []string
	headers      http.Header
}

// New makes a Policy.
func New(c Config) (*Policy, error) {
	switch c.Mode {
	case Dual, JWTOnly:
	case Observe:
		return nil, errors.New("migration: mode observe forwards to Airflow 2 and has no policy")
	default:
		return nil, fmt.Errorf("migration: mode %q is none of dual, jwt_only", c.Mode)
	}
	if !c.Sunset.IsZero() && c.Sunset.Before(c.DeprecatedSince) {
		return nil, errors.New("migration: the sunset is before the deprecation")
	}
	headers, err := announce(c)
	if err != nil {
		return nil, err
	}
	return &Policy{
		mode:         c.Mode,
		allTokens:    c.TokenSchemes == nil,
		tokenSchemes: slices.Clone(c.TokenSchemes),
		headers:      headers,
	}, nil
}

// Mode is the mode of the configuration.
func (p *Policy) Mode() Mode { return p.mode }

// Allows says whether a legacy scheme may act on a dual route.
func (p *Policy) Allows(scheme string) bool { return p.mode == Dual && scheme != "" }

// AllowsToken says whether a legacy scheme may be exchanged for a token. It does
// not depend on the mode: in jwt_only this is the way to a token.
func (p *Policy) AllowsToken(scheme string) bool {
	return scheme != "" && (p.allTokens || slices.Contains(p.tokenSchemes, scheme))
}

// Headers are for the answer to every request that a legacy credential was used
// on, exchanges for a token included: Deprecation (RFC 9745), Sunset (RFC 8594)
// and a Link of the relation deprecation, as far as each is configured. The
// caller owns what it gets.
func (p *Policy) Headers() http.Header { return p.headers.Clone() }

func announce(c Config) (http.Header, error) {
	h := make(http.Header)
	if !c.DeprecatedSince.IsZero() {
		// A structured field Date (RFC 9651 section 3.3.7), not an HTTP date.
		h.Set("Deprecation", "@"+strconv.FormatInt(c.DeprecatedSince.Unix(), 10))
	}
	if !c.Sunset.IsZero() {
		h.Set("Sunset", c.Sunset.UTC().Format(http.TimeFormat))
	}
	if c.Link != "" {
		u, err := url.Parse(c.Link)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsFunc(c.Link, endsBrackets) {
			return nil, fmt.Errorf("migration: link %q is no http address", c.Link)
		}
		h.Set("Link", "<"+c.Link+`>; rel="deprecation"; type="text/html"`)
	}
	return h, nil
}

// endsBrackets knows the characters that no address has unescaped (RFC 3986
// appendix C), some of which would end the header's <…>.
func endsBrackets(r rune) bool {
	return r <= ' ' || r >= 0x7f || r == '<' || r == '>' || r == '"'
}
