package kerberos

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rules turn principals into names, as auth_to_local in krb5.conf does. No rules
// at all keep the whole principal.
type rules []rule

// A rule is one DEFAULT or RULE.
type rule struct {
	// realm is the one that DEFAULT strips; empty in a RULE.
	realm string
	// parts is how many a principal must have; format then makes the text of it
	// that selects, whole, must match.
	parts   int
	format  string
	selects *regexp.Regexp // nil: everything
	edits   []edit
}

// An edit is sed's s/from/to/, with to as it stands.
type edit struct {
	from *regexp.Regexp
	to   string
	all  bool
}

const badRule = `kerberos: auth_to_local: %q: %w; write DEFAULT or RULE:[1:$1@$0](.*@EXAMPLE\.COM)s/@.*//`

func parseRules(list []string, realm string) (rules, error) {
	var parsed rules
	for _, text := range list {
		r, err := parseRule(strings.TrimSpace(text), realm)
		if err != nil {
			return nil, fmt.Errorf(badRule, text, err)
		}
		parsed = append(parsed, r)
	}
	return parsed, nil
}

var head = regexp.MustCompile(`^\[([1-9]):([^\]]+)\]`)

func parseRule(text, realm string) (rule, error) {
	var r rule
	if text == "DEFAULT" {
		r.realm = realm
		return r, nil
	}
	rest, ok := strings.CutPrefix(text, "RULE:")
	m := head.FindStringSubmatch(rest)
	if !ok || m == nil {
		return r, errors.New("neither DEFAULT nor RULE:[n:format]")
	}
	r.parts, r.format, rest = int(m[1][0]-'0'), m[2], rest[len(m[0]):]
	if err := r.checkFormat(); err != nil {
		return r, err
	}
	if strings.HasPrefix(rest, "(") {
		end := closing(rest)
		if end < 0 {
			return r, errors.New("a parenthesis is not closed")
		}
		var err error
		// The whole text must match, as in MIT's aname_do_match.
		if r.selects, err = regexp.CompilePOSIX("^(" + rest[1:end] + ")$"); err != nil {
			return r, err
		}
		rest = rest[end+1:]
	}
	for rest != "" {
		var e edit
		var err error
		if e, rest, err = parseEdit(rest); err != nil {
			return r, err
		}
		r.edits = append(r.edits, e)
	}
	return r, nil
}

func (r rule) checkFormat() error {
	for i := 0; i < len(r.format); i++ {
		if r.format[i] != '$' {
			continue
		}
		if i++; i == len(r.format) || r.format[i] < '0' || int(r.format[i]-'0') > r.parts {
			return fmt.Errorf("in the format, $ must be followed by 0 (the realm) to %d", r.parts)
		}
	}
	return nil
}

// closing finds the parenthesis that closes the first one.
func closing(s string) int {
	depth, class := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// parseEdit reads one s/from/to/ or s/from/to/g off the front.
func parseEdit(s string) (edit, string, error) {
	s = strings.TrimLeft(s, " ")
	parts := strings.SplitN(s, "/", 4)
	if len(parts) < 4 || parts[0] != "s" || parts[1] == "" {
		return edit{}, "", errors.New("behind the expression only s/from/to/ and s/from/to/g may stand")
	}
	from, err := regexp.CompilePOSIX(parts[1])
	if err != nil {
		return edit{}, "", err
	}
	rest, all := strings.CutPrefix(parts[3], "g")
	return edit{from: from, to: parts[2], all: all}, rest, nil
}

// name gives the name of p, by the first rule that fits; false when none does,
// or what it makes is no name.
func (rs rules) name(p principal) (string, bool) {
	if len(rs) == 0 {
		return p.String(), true
	}
	for _, r := range rs {
		if name, ok := r.apply(p); ok {
			return name, isName(name)
		}
	}
	return "", false
}

func (r rule) apply(p principal) (string, bool) {
	if r.realm != "" {
		return p.parts[0], len(p.parts) == 1 && p.realm == r.realm
	}
	if len(p.parts) != r.parts {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(r.format); i++ {
		if r.format[i] != '$' {
			b.WriteByte(r.format[i])
			continue
		}
		i++
		if n := int(r.format[i] - '0'); n == 0 {
			b.WriteString(p.realm)
		} else {
			b.WriteString(p.parts[n-1])
		}
	}
	name := b.String()
	if r.selects != nil && !r.selects.MatchString(name) {
		return "", false
	}
	for _, e := range r.edits {
		if e.all {
			name = e.from.ReplaceAllLiteralString(name, e.to)
		} else if at := e.from.FindStringIndex(name); at != nil {
			name = name[:at[0]] + e.to + name[at[1]:]
		}
	}
	return name, true
}

func isName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// clashes tries the rules on likely principals of each realm and says which two
// become one name. It cannot find every clash, since rules can tell any two
// names apart; it finds those that forget the realm, an instance or a host.
func (rs rules) clashes(realms []string) []string {
	if len(rs) == 0 {
		return nil
	}
	var warnings []string
	owner := map[string]principal{}
	kinds := map[string]bool{}
	for _, realm := range realms {
		for _, parts := range [][]string{{"alice"}, {"alice", "admin"}, {"alice", "host.example.com"}, {"etl", "a.example.com"}, {"etl", "b.example.com"}} {
			p := principal{parts, realm}
			name, ok := rs.name(p)
			if !ok {
				continue
			}
			first, taken := owner[name]
			if !taken {
				owner[name] = p
				continue
			}
			kind := strconv.FormatBool(first.realm == realm) + strconv.Itoa(len(first.parts)) + strconv.Itoa(len(parts))
			if !kinds[kind] {
				kinds[kind] = true
				warnings = append(warnings, fmt.Sprintf("auth_to_local makes one name of two principals: %s and %s both become %q, and act as the same user", first, p, name))
			}
		}
	}
	return warnings
}
