// Package moderntest makes tokens, good and bad, for tests: with the standard
// library alone, so that it shares no fault with modern/token.
//
// A [Case] is a recipe. [Cases] gives the table tokens.json, in which every
// recipe stands with the answer of a real Airflow 3.3.2
// (modern/token/testdata/pyjwt/make.py asks it again) and, where the bridge
// differs on purpose, with the bridge's own. The zero Case is a good token:
//
//	token := moderntest.Case{Set: map[string]string{"sub": `"7"`}}.Token(secret, now)
//
// In a recipe's header and claims <+300> and <-5> are moments in Unix seconds,
// counted from now. Recipes are text, so that they can be ill-formed.
package moderntest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What is said of a token.
const (
	OK      = "ok"
	Expired = "expired" // 401 Token Expired
	Invalid = "invalid" // 403 Invalid JWT token
	Fault   = "fault"   // 500, Airflow alone
)

// A Case is the recipe of one token. Empty fields are those of a good one.
type Case struct {
	Name string
	// Manager is "simple" for a token that the simple auth manager reads, which
	// needs a role.
	Manager string
	// Issuers are what the verifier is configured with.
	Issuers []string
	// Header and Claims replace the whole text; Set replaces or adds single
	// claims by their JSON text.
	Header, Claims string
	Set            map[string]string
	// Encoding of the claims' text: "latin-1", or empty for UTF-8.
	Encoding string
	// Sign replaces the secret, Hash ("sha256") SHA-512.
	Sign, Hash string
	// Shape puts the token together from %h, %p and %s; %S is the signature in
	// a spelling that is not canonical, %t without its last characters.
	Shape string
	// Answer is Airflow's; Ours is the bridge's, when it is another.
	Answer, Ours string
}

//go:embed tokens.json
var tokens []byte

// Cases reads the table, and the secret that its answers were given with.
func Cases(tb testing.TB) (secret string, cases []Case) {
	tb.Helper()
	var table struct {
		Secret string
		Cases  []Case
	}
	if err := json.Unmarshal(tokens, &table); err != nil {
		tb.Fatal(err)
	}
	return table.Secret, table.Cases
}

// Want is the answer that the bridge must give.
func (c Case) Want() string {
	if c.Ours != "" {
		return c.Ours
	}
	return c.Answer
}

// Token makes the token.
func (c Case) Token(secret string, now time.Time) string {
	header := `{"alg":"HS512","typ":"JWT"}`
	if c.Header != "" {
		header = c.Header
	}
	h, p := encode(at(header, now)), encode(c.claims(now))
	if c.Sign != "" {
		secret = c.Sign
	}
	s := c.signature(h+"."+p, secret)
	shape := "%h.%p.%s"
	if c.Shape != "" {
		shape = c.Shape
	}
	last := len(s) - 1
	return strings.NewReplacer(
		"%h", h, "%p", p, "%s", s, "%S", s[:last]+string(s[last]+1), "%t", s[:last-1],
	).Replace(shape)
}

func (c Case) claims(now time.Time) string {
	if c.Claims != "" {
		return at(c.Claims, now)
	}
	members := map[string]string{
		"sub": `"1"`,
		"jti": `"0123456789abcdef0123456789abcdef"`,
		"aud": `"apache-airflow"`,
		"iat": "<-5>",
		"nbf": "<-5>",
		"exp": "<+300>",
	}
	maps.Copy(members, c.Set)
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		pairs = append(pairs, `"`+name+`":`+members[name])
	}
	text := at("{"+strings.Join(pairs, ",")+"}", now)
	if c.Encoding != "latin-1" {
		return text
	}
	var latin []byte
	for _, r := range text {
		latin = append(latin, byte(r))
	}
	return string(latin)
}

func (c Case) signature(input, secret string) string {
	newHash := sha512.New
	if c.Hash == "sha256" {
		newHash = sha256.New
	}
	mac := hmac.New(newHash, []byte(secret))
	mac.Write([]byte(input))
	return encode(string(mac.Sum(nil)))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

var moment = regexp.MustCompile(`<([+-]\d+)>`)

// at fills in the moments.
func at(template string, now time.Time) string {
	return moment.ReplaceAllStringFunc(template, func(m string) string {
		offset, _ := strconv.ParseInt(m[1:len(m)-1], 10, 64)
		return strconv.FormatInt(now.Unix()+offset, 10)
	})
}
