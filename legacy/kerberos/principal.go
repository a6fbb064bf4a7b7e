package kerberos

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds a principal in bytes. Airflow's own column takes 256 characters.
const maxName = 512

// A principal is a name of a realm. Its parts hold none of the characters that
// join them, so that its text means one principal alone (C-25).
type principal struct {
	parts []string
	realm string
}

// newPrincipal refuses a name that could be read as another one: empty parts,
// separators and escapes inside of a part, control and format characters, and
// anything beyond ASCII that is neither letter, mark nor digit.
func newPrincipal(parts []string, realm string) (principal, error) {
	size := len(realm)
	for _, part := range parts {
		size += 1 + len(part)
		if !plainPart(part) {
			return principal{}, fmt.Errorf("a part of the name, %.40q, is empty or holds what no name should", part)
		}
	}
	switch {
	case len(parts) == 0 || size > maxName:
		return principal{}, fmt.Errorf("a name of %d parts and %d bytes", len(parts), size)
	case !plainRealm(realm):
		return principal{}, fmt.Errorf("a realm, %.40q, that holds what no realm should", realm)
	}
	return principal{parts, realm}, nil
}

// String gives user@REALM or service/host@REALM.
func (p principal) String() string { return strings.Join(p.parts, "/") + "@" + p.realm }

func plainPart(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		switch {
		case r <= ' ' || r == 0x7f || strings.ContainsRune(`/@\`, r):
			return false
		case r > unicode.MaxASCII && !unicode.IsOneOf([]*unicode.RangeTable{unicode.Letter, unicode.Mark, unicode.Digit}, r):
			return false
		}
	}
	return true
}

// plainRealm is stricter: realms are domain names, whatever RFC 4120 section 6.1
// would allow.
func plainRealm(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !(unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-._", r))
	})
}

// reserved says why p may never be a user: principals of machines and of
// Kerberos itself, and the one that everybody can be (RFC 8062).
func (p principal) reserved() string {
	switch first := strings.ToLower(p.parts[0]); {
	case first == "host" && len(p.parts) > 1:
		return "a machine's own principal"
	case first == "wellknown":
		return "the anonymous principal"
	case first == "krbtgt" || first == "kadmin" || first == "kiprop":
		return "a principal of the KDC"
	}
	return ""
}

// A service is one item of the list of those whose tickets count: a first part
// alone, a whole name, or that with its realm.
type service struct {
	parts []string
	realm string
}

func parseServices(list []string) ([]service, error) {
	services := make([]service, 0, len(list))
	for _, item := range list {
		name, realm, hasRealm := strings.Cut(item, "@")
		parts := strings.Split(name, "/")
		if len(parts) > 2 || slices.ContainsFunc(parts, func(p string) bool { return !plainPart(p) }) || hasRealm && !plainRealm(realm) {
			return nil, fmt.Errorf("kerberos: %q is no service: write airflow, HTTP/host or HTTP/host@REALM", item)
		}
		services = append(services, service{parts, realm})
	}
	return services, nil
}

func (s service) matches(parts []string, realm string) bool {
	if s.realm != "" && s.realm != realm || len(parts) == 0 {
		return false
	}
	if len(s.parts) == 1 {
		return s.parts[0] == parts[0]
	}
	return slices.Equal(s.parts, parts)
}
