package demo_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// A recipe is one token of testdata/interop/tokens.json, where each stands with
// what a real Airflow 3.3.2 answered to it. What is empty is as in a good token.
type recipe struct {
	Name         string            `json:"name"`
	Manager      string            `json:"manager"`
	Header       map[string]string `json:"header"`
	Claims       map[string]string `json:"claims"`
	HeaderText   *string           `json:"header_text"`
	PayloadText  *string           `json:"payload_text"`
	UTF16        bool              `json:"utf16"`
	Secret       *string           `json:"secret"`
	MAC          string            `json:"mac"`
	Edit         map[string]string `json:"edit"`
	Shape        *string           `json:"shape"`
	Answer       string            `json:"answer"`
	CookieAnswer string            `json:"cookie_answer"`
}

func recipes(t *testing.T) []recipe {
	t.Helper()
	text, err := os.ReadFile("../../testdata/interop/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var list []recipe
	if err := dec.Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// token makes the token, as of now, for an Airflow with that secret and manager.
func (r recipe) token(now int64, secret, manager string) string {
	claims := map[string]string{
		"sub": `"1"`, "jti": strconv.Quote(rand.Text()), "aud": `"apache-airflow"`, "nbf": "<now+0>", "iat": "<now+0>", "exp": "<now+600>",
	}
	if manager == "simple" {
		maps.Copy(claims, map[string]string{"sub": `"admin"`, "role": `"admin"`, "teams": "[]"})
	}
	maps.Copy(claims, r.Claims)
	header := map[string]string{"alg": `"HS512"`, "typ": `"JWT"`}
	maps.Copy(header, r.Header)
	headerText, payload := members(header), members(claims)
	if r.HeaderText != nil {
		headerText = *r.HeaderText
	}
	if r.PayloadText != nil {
		payload = strings.Replace(*r.PayloadText, "*", payload[1:len(payload)-1], 1)
	}
	if payload = filled(payload, now); r.UTF16 {
		payload = inUTF16(payload)
	}
	for r.Edit["p"] == "bits" && len(payload)%3 == 0 {
		payload += " " // only an odd length has bits to spare
	}
	h := edited(base64.RawURLEncoding.EncodeToString([]byte(filled(headerText, now))), r.Edit["h"])
	p := edited(base64.RawURLEncoding.EncodeToString([]byte(payload)), r.Edit["p"])
	if r.Secret != nil {
		secret = *r.Secret
	}
	var s string
	if newHash := map[string]func() hash.Hash{"": sha512.New, "sha256": sha256.New, "sha384": sha512.New384}[r.MAC]; newHash != nil {
		mac := hmac.New(newHash, []byte(edited(secret, r.Edit["secret"])))
		mac.Write([]byte(h + "." + p))
		s = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	if r.Edit["s"] == "std" && !strings.ContainsAny(s, "-_") {
		return r.token(now, secret, manager) // this one reads alike in both alphabets
	}
	shape := "{h}.{p}.{s}"
	if r.Shape != nil {
		shape = *r.Shape
	}
	return strings.NewReplacer("{h}", h, "{p}", p, "{s}", edited(s, r.Edit["s"])).Replace(shape)
}

// members writes a JSON object of values that are JSON already.
func members(values map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] != "" {
			pairs = append(pairs, strconv.Quote(name)+":"+values[name])
		}
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

var placeholder = regexp.MustCompile(`<now([+-]\d+)>|<repeat (.) (\d+)>|<ff>`)

func filled(text string, now int64) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		m := placeholder.FindStringSubmatch(found)
		offset, _ := strconv.ParseInt(m[1], 10, 64)
		times, _ := strconv.Atoi(m[3])
		switch {
		case m[1] != "":
			return strconv.FormatInt(now+offset, 10)
		case m[2] != "":
			return strings.Repeat(m[2], times)
		}
		return "\xff"
	})
}

func edited(s, edit string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	name, value, _ := strings.Cut(edit, " ")
	switch name {
	case "pad":
		return s + strings.Repeat("=", (4-len(s)%4)%4)
	case "std":
		return strings.NewReplacer("-", "+", "_", "/").Replace(s)
	case "bits":
		last := len(s) - 1
		return s[:last] + string(alphabet[strings.IndexByte(alphabet, s[last])^1])
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
