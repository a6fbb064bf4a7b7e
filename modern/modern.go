// Package modern holds what the new world accepts: the JWTs of Airflow 3's core
// API. It defines the claims and the two ways in which a token fails; minting,
// verifying and the gate live in the packages below.
package modern

import (
	"errors"
	"time"
)

// Claims are what a token says of its bearer.
type Claims struct {
	// Subject is the user as Airflow 3's auth manager knows it: the decimal
	// row id under FAB, the name under simple.
	Subject string
	// Extra holds what else the auth manager reads (role and teams under
	// simple); nil when nothing. It cannot override a registered claim. It is
	// not changed once the Claims exist.
	Extra map[string]any

	// The registered claims (RFC 7519 section 4.1), filled by minting and
	// verifying, empty before. Times are UTC with a resolution of one second.
	ID        string
	Issuer    string
	Audience  []string
	IssuedAt  time.Time
	NotBefore time.Time
	ExpiresAt time.Time
}

// How a token fails, as Airflow 3 tells it to a client: 401 "Token Expired" for
// the first, 403 "Invalid JWT token" for the second. Whatever is wrong beside
// plain expiry is invalid, a token from the future included.
var (
	ErrExpired = errors.New("token expired")
	ErrInvalid = errors.New("invalid token")
)
