package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// OpenID is the backend google_openid, and every other issuer of ID tokens.
type OpenID struct {
	// Issuers are those that are believed. Empty only while the backend is not used.
	Issuers []Issuer `yaml:"issuers"`
	// Leeway is the clock skew that the times of a token are allowed.
	Leeway time.Duration `yaml:"leeway"`
}

// Google is the issuer whose tokens Airflow 2 knew.
const Google = "https://accounts.google.com"

// An Issuer is one whose ID tokens count.
type Issuer struct {
	// Issuer is its identifier, compared as a whole with iss.
	Issuer string
	// Audience are ours, of which a token must name one; never empty.
	Audience []string
	// Keys is the address of its key set, empty for discovery; KeyFile an
	// absolute file that holds it instead.
	Keys, KeyFile string
	// CAFile is an absolute file with the authorities that its TLS is signed by;
	// empty for the system's.
	CAFile string
	// Algorithms are those that count; nil for RS256 and ES256.
	Algorithms []string
	// Claim names the user; empty for email.
	Claim string
	// Users says who the holder of a name is; others go by their own.
	Users map[string]string
	// Require are claims that must have this text, be that truth value, or hold it.
	Require map[string]string
	// InsecureUnverifiedEmail takes addresses that the issuer has not verified.
	InsecureUnverifiedEmail bool
}

// asIssuer takes a mapping, or from a variable "issuer audience".
func asIssuer(r raw) (Issuer, error) {
	var i Issuer
	if r.kind == text {
		var audience string
		if i.Issuer, audience, _ = strings.Cut(r.text, " "); strings.TrimSpace(audience) == "" {
			return i, errors.New("each item must be {issuer: …, audience: …}, in a variable: issuer audience")
		}
		i.Audience = []string{strings.TrimSpace(audience)}
		return i, nil
	}
	if r.kind != mapping {
		return i, errors.New("each item must be {issuer: …, audience: …}")
	}
	for _, p := range r.pairs {
		if err := i.set(p.name, p.value); err != nil {
			return i, fmt.Errorf("%s of an issuer: %w", p.name, err)
		}
	}
	if i.Issuer == "" || len(i.Audience) == 0 {
		return i, errors.New("each issuer needs issuer and audience")
	}
	return i, nil
}

func (i *Issuer) set(name string, r raw) (err error) {
	switch name {
	case "issuer":
		i.Issuer, err = asText(r)
	case "audience":
		i.Audience, err = asTexts(r)
	case "keys":
		i.Keys, err = asText(r)
	case "key_file":
		i.KeyFile, err = asText(r)
	case "ca_file":
		i.CAFile, err = asText(r)
	case "algorithms":
		i.Algorithms, err = asTexts(r)
	case "claim":
		i.Claim, err = asText(r)
	case "users":
		i.Users, err = asMap(r)
	case "require":
		i.Require, err = asMap(r)
	case "insecure_unverified_email":
		i.InsecureUnverifiedEmail, err = asBool(r)
	default:
		err = errors.New("unknown key; here may stand algorithms, audience, ca_file, claim, insecure_unverified_email, issuer, key_file, keys, require, users")
	}
	return err
}

// asTexts takes one text, or a list of them.
func asTexts(r raw) ([]string, error) {
	if r.kind == text {
		one, err := asText(r)
		return []string{one}, err
	}
	return asList(r, asItem)
}
