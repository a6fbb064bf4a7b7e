package interop

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// A recipe makes one token of tokens.json. Empty fields are those of a good token. Values of Header and Claims are
// JSON text, an empty one leaves the member out; in them and in the two texts <now+5> is a moment, <repeat x 99> is
// repetition and <ff> the byte 0xFF. In PayloadText {*} is the object of the claims, {*,…} adds to it.
type recipe struct {
	Name        string            `json:"name"`
	Manager     string            `json:"manager"` // only for this auth manager
	Header      map[string]string `json:"header"`
	Claims      map[string]string `json:"claims"`
	HeaderText  *string           `json:"header_text"`
	PayloadText *string           `json:"payload_text"`
	UTF16       bool              `json:"utf16"`
	Secret      *string           `json:"secret"`
	MAC         string            `json:"mac"`
	// Edit changes the encoded header h, payload p or signature s, or the secret: see edited.
	Edit  map[string]string `json:"edit"`
	Shape *string           `json:"shape"` // instead of {h}.{p}.{s}
	// Answer is what a real Airflow 3.3.2 said: OK, EXP (401 Token Expired), BAD (403 Invalid JWT token), NA (401 Not
	// authenticated), FORB (403 Forbidden) or 500. CookieAnswer is there where a cookie differs.
	Answer       string `json:"answer"`
	CookieAnswer string `json:"cookie_answer"`
}

func readRecipes(t *testing.T) []recipe {
	t.Helper()
	text, err := os.ReadFile("tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var recipes []recipe
	if err := decoder.Decode(&recipes); err != nil {
		t.Fatal(err)
	}
	return recipes
}

var macs = map[string]func() hash.Hash{"": sha512.New, "sha256": sha256.New, "sha384": sha512.New384, "none": nil}

// token makes the token for a, a new one each time.
func (r recipe) token(a *Airflow) string {
	claims := map[string]string{
		"sub": `"1"`, "jti": fmt.Sprintf("%q", randomHex()), "aud": `"apache-airflow"`,
		"nbf": "<now+0>", "iat": "<now+0>", "exp": "<now+600>",
	}
	if a.Manager == Simple {
		maps.Copy(claims, map[string]string{"sub": `"admin"`, "role": `"admin"`, "teams": "[]"})
	}
	maps.Copy(claims, r.Claims)
	header := map[string]string{"alg": `"HS512"`, "typ": `"JWT"`}
	maps.Copy(header, r.Header)

	headerText, payload := object(header), object(claims)
	if r.HeaderText != nil {
		headerText = *r.HeaderText
	}
	if r.PayloadText != nil {
		members := payload[1 : len(payload)-1]
		payload = strings.Replace(*r.PayloadText, "*", members, 1)
	}
	payload = filled(payload)
	if r.UTF16 {
		payload = inUTF16(payload)
	}
	for r.Edit["p"] == "bits" && len(payload)%3 == 0 {
		payload += " " // bits to flip are there only at the end of an odd length
	}
	h := edited(base64.RawURLEncoding.EncodeToString([]byte(filled(headerText))), r.Edit["h"])
	p := edited(base64.RawURLEncoding.EncodeToString([]byte(payload)), r.Edit["p"])
	secret := a.Secret
	if r.Secret != nil {
		secret = *r.Secret
	}
	var s string
	if newHash := macs[r.MAC]; newHash != nil {
		mac := hmac.New(newHash, []byte(edited(secret, r.Edit["secret"])))
		mac.Write([]byte(h + "." + p))
		s = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	if r.Edit["s"] == "std" && !strings.ContainsAny(s, "-_") {
		return r.token(a) // nothing to spell otherwise in this one
	}
	shape := "{h}.{p}.{s}"
	if r.Shape != nil {
		shape = *r.Shape
	}
	return strings.NewReplacer("{h}", h, "{p}", p, "{s}", edited(s, r.Edit["s"])).Replace(shape)
}

// object writes members as a JSON object, in the order of their names.
func object(members map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if members[name] != "" {
			key, _ := json.Marshal(name)
			pairs = append(pairs, string(key)+":"+members[name])
		}
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

var placeholder = regexp.MustCompile(`<(now)([+-]\d+)>|<(repeat) (.) (\d+)>|<(ff)>`)

func filled(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		m := placeholder.FindStringSubmatch(found)
		switch {
		case m[1] != "":
			offset, _ := strconv.ParseInt(m[2], 10, 64)
			return strconv.FormatInt(time.Now().Unix()+offset, 10)
		case m[3] != "":
			count, _ := strconv.Atoi(m[5])
			return strings.Repeat(m[4], count)
		}
		return "\xff"
	})
}

// base64url is the alphabet in its order.
const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// edited applies one edit: "pad", "std" (the other base64 alphabet), "bits" (the unused bits of the last character),
// "cut N", "insert X" or "append X".
func edited(s, edit string) string {
	name, value, _ := strings.Cut(edit, " ")
	switch name {
	case "pad":
		return s + strings.Repeat("=", (4-len(s)%4)%4)
	case "std":
		return strings.NewReplacer("-", "+", "_", "/").Replace(s)
	case "bits":
		last := len(s) - 1
		return s[:last] + string(base64url[strings.IndexByte(base64url, s[last])^1])
	case "cut":
		n, _ := strconv.Atoi(value)
		return s[:len(s)-n]
	case "insert":
		return s[:10] + value + s[10:]
	case "append":
		return s + value
	}
	return s
}

func inUTF16(text string) string {
	b := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return string(b)
}

func randomHex() string {
	var id [16]byte
	rand.Read(id[:])
	return fmt.Sprintf("%x", id)
}
