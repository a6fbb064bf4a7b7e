package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestEveryBit: a cookie of which any bit is another is refused or means the
// same, and so is one that is cut or continued anywhere.
func TestEveryBit(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	cookies := testSigner(t, saltCookie)
	ids := testSigner(t, saltDatabase)
	for _, v := range vectors(t, "cookie", "row") {
		if v.Airflow != "2.11.1" || !v.Accepted || v.Kind == "cookie" && v.Now != 1_700_000_000 {
			continue
		}
		read := func(value string) (any, error) { return ids.unsign(value) }
		if v.Kind == "cookie" {
			read = func(value string) (any, error) {
				session, _, err := cookies.readCookie(value, time.Hour, at)
				return session, err
			}
		}
		want, err := read(v.Value)
		if err != nil {
			continue // one of those that we are stricter with
		}
		if len(v.Value) > 500 {
			continue // the short ones have every part
		}
		try := func(value string) {
			got, err := read(value)
			if err == nil && !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %q means %v", v.name(), value, got)
			}
		}
		for i := range v.Value {
			for bit := range 8 {
				b := []byte(v.Value)
				b[i] ^= 1 << bit
				try(string(b))
			}
			try(v.Value[:i])
			try(v.Value[:i] + v.Value[i+1:])
			try(v.Value[:i] + "." + v.Value[i:])
			try(v.Value[:i] + "A" + v.Value[i:])
			try(v.Value[:i] + "\n" + v.Value[i:])
		}
	}
}

// TestBombs: little that would become much is refused, and soon.
func TestBombs(t *testing.T) {
	bomb, err := deflate(bytes.Repeat([]byte("a"), 64<<20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inflate(bomb); !errors.Is(err, errUnreadable) {
		t.Errorf("zlib: %v", err)
	}
	deep := func(open, end string) string { return strings.Repeat(open, 10_000) + strings.Repeat(end, 10_000) }
	for name, text := range map[string]string{
		"lists":   `{"a":` + deep("[", "]") + `}`,
		"objects": `{"a":` + deep(`{"a":`, "}") + `}`,
		"tuples":  `{"a":` + deep(`{" t":[`, "]}") + `}`,
		"numbers": `{"a":[` + strings.Repeat("1,", 30_000) + `1]}`,
		"digits":  `{"a":` + strings.Repeat("1", 100_000) + `}`,
		"long":    `{"a":"` + strings.Repeat("a", maxText) + `"}`,
	} {
		if _, err := readJSON(text); !errors.Is(err, errUnreadable) {
			t.Errorf("JSON of %s: %v", name, err)
		}
	}
	pickle := func(ops ...string) []byte { return []byte("\x80\x04" + strings.Join(ops, "") + ".") }
	long := "X" + string(binary.LittleEndian.AppendUint32(nil, 60_000)) + strings.Repeat("a", 60_000)
	for name, data := range map[string][]byte{
		"tuples":             pickle("}X\x01\x00\x00\x00aN", strings.Repeat("\x85", 10_000), "s"),
		"a list in itself":   pickle("}X\x01\x00\x00\x00a]\x94h\x00as"),
		"a list twice":       pickle("}X\x01\x00\x00\x00a]\x94]\x94h\x00ah\x00as"),
		"a dict in itself":   pickle("}\x94X\x01\x00\x00\x00ah\x00s"),
		"text over and over": pickle("}X\x01\x00\x00\x00a]("+long+"\x94", strings.Repeat("h\x00", 1000), "es"),
		"marks":              pickle(strings.Repeat("(", 30_000)),
		"memos":              pickle("N", strings.Repeat("\x94", 30_000)),
		"a length that lies": pickle("}X\xff\xff\xff\xff"),
		"a frame":            pickle("\x95\xff\xff\xff\xff\xff\xff\xff\xff"),
		"a long number":      pickle("}X\x01\x00\x00\x00a\x8a\xff" + strings.Repeat("\x01", 255) + "s"),
		"nothing":            {},
		"protocol 2":         []byte("\x80\x02}."),
		"protocol 6":         []byte("\x80\x06}."),
		"no stop":            []byte("\x80\x04}"),
		"behind the stop":    []byte("\x80\x04}.}"),
		"two values":         pickle("}}"),
		"a mark for a value": pickle("("),
		"a class":            pickle("cmarkupsafe\nMarkup\n"),
		"a class in a list":  pickle("}X\x01\x00\x00\x00a]cmarkupsafe\nMarkup\nas"),
		"a class in a dict":  pickle("}X\x01\x00\x00\x00acmarkupsafe\nMarkup\ns"),
		"a call":             pickle("}X\x01\x00\x00\x00acos\nsystem\nX\x02\x00\x00\x00id\x85Rs"),
		"Markup's escape":    pickle("}X\x01\x00\x00\x00acmarkupsafe\nescape\nX\x02\x00\x00\x00id\x85Rs"),
		"a subclass's name":  pickle("}X\x01\x00\x00\x00acmarkupsafe\nMarkup.format\nX\x02\x00\x00\x00id\x85Rs"),
		"Markup of a list":   pickle("}X\x01\x00\x00\x00acmarkupsafe\nMarkup\n]\x85Rs"),
		"build":              pickle("}}b"),
		"a persistent id":    pickle("Pid\n"),
		"an instance":        pickle("(ios\nsystem\n"),
		"an extension":       pickle("\x82\x01"),
		"a key that is none": pickle("}K\x01K\x01s"),
		"a key twice":        pickle("}(X\x01\x00\x00\x00aNX\x01\x00\x00\x00aNu"),
		"half a surrogate":   pickle("}X\x01\x00\x00\x00aX\x03\x00\x00\x00\xed\xa0\x80s"),
		"not a number":       pickle("}X\x01\x00\x00\x00aG\x7f\xf8\x00\x00\x00\x00\x00\x00s"),
		"a list at the top":  pickle("]"),
	} {
		if v, err := readPickle(data); !errors.Is(err, errUnreadable) || v != nil {
			t.Errorf("pickle of %s: %v, %v", name, v, err)
		}
	}
	for name, text := range map[string]string{
		"a key twice": `{"a":1,"a":2}`, "half a surrogate": `{"a":"\ud800"}`, "two halves of one kind": `{"a":"\ud800\ud800"}`,
		"not a number": `{"a":NaN}`, "infinity": `{"a":1e999}`, "a leading zero": `{"a":01}`, "a comma too many": `{"a":1,}`,
		"a tuple of a text": `{"a":{" t":"x"}}`, "bytes that are none": `{"a":{" b":"!"}}`, "bytes in lines": "{\"a\":{\" b\":\"AAAA\\n\"}}",
		"a time that is none": `{"a":{" d":"yesterday"}}`, "an identifier that is none": `{"a":{" u":"zz"}}`, "an escape of nothing": `{"a":{" di":{}}}`,
		"an escape of what needs none": `{"a":{" di":{"x__":1}}}`, "a list": `[]`, "a tuple": `{" t":[]}`, "a control character": "{\"a\":\"\x01\"}",
		"two": `{}{}`, "nothing": ``, "not UTF-8": "{\"a\":\"\xff\"}", "half": `{"a"`, "a bare key": `{a:1}`, "single quotes": `{'a':1}`, "a word": `{"a":tru}`,
	} {
		if v, err := readJSON(text); !errors.Is(err, errUnreadable) || v != nil {
			t.Errorf("JSON with %s: %v, %v", name, v, err)
		}
	}
}

// TestNotOurs: Airflow 3 writes msgpack into a table of the same name.
func TestNotOurs(t *testing.T) {
	for name, data := range map[string][]byte{
		"null": nil, "empty": {}, "an empty map": {0x80}, "six keys": []byte("\x86\xaa_permanent\xc3\xa6_fresh\xc3\xa8_user_id\x01"),
		"sixteen keys": []byte("\xde\x00\x10"), "text": []byte("hello"),
	} {
		if v, err := readRow(data); !errors.Is(err, errNotOurs) || v != nil {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

// TestLoginOf: who logged in, by either key and type, and nobody else.
func TestLoginOf(t *testing.T) {
	for name, c := range map[string]struct {
		v    Values
		want int64
		err  bool
	}{
		"2.3 and later":          {Values{"_user_id": int64(7)}, 7, false},
		"as text":                {Values{"_user_id": "7"}, 7, false},
		"2.0 to 2.2":             {Values{"user_id": "12"}, 12, false},
		"both":                   {Values{"_user_id": int64(3), "user_id": "4"}, 3, false},
		"nobody":                 {Values{"_permanent": true}, 0, true},
		"none":                   {Values{"_user_id": nil}, 0, true},
		"true, which is 1":       {Values{"_user_id": true}, 0, true},
		"a float":                {Values{"_user_id": 7.0}, 0, true},
		"a space":                {Values{"_user_id": " 7"}, 0, true},
		"a sign":                 {Values{"_user_id": "+7"}, 0, true},
		"an underscore":          {Values{"_user_id": "1_0"}, 0, true},
		"another script's digit": {Values{"_user_id": "\u0667"}, 0, true},
		"a leading zero":         {Values{"_user_id": "07"}, 0, true},
		"empty":                  {Values{"_user_id": ""}, 0, true},
		"a list":                 {Values{"_user_id": []any{int64(7)}}, 0, true},
		"none, and the old key":  {Values{"_user_id": nil, "user_id": "4"}, 0, true},
	} {
		got, err := loginOf(c.v)
		if (err != nil) != c.err || got.UserID != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
