package session

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// agree wants of a reader and a writer of one format: what is read prints back to
// an equal session, and what is refused is refused with a known reason and
// nothing else.
func agree(t *testing.T, v Values, err error, write func(Values) ([]byte, error), read func([]byte) (Values, error)) {
	t.Helper()
	if err != nil {
		if v != nil || !errors.Is(err, errUnreadable) && !errors.Is(err, errNotOurs) && !errors.Is(err, errMalformed) {
			t.Fatalf("refused with %v, and yet %v", err, v)
		}
		return
	}
	text, err := write(v)
	if err != nil {
		t.Fatalf("%v was read, and cannot be written: %v", v, err)
	}
	if len(text) > maxText {
		return // escapes make text longer than it came; nobody saves that
	}
	again, err := read(text)
	if err != nil || !reflect.DeepEqual(v, again) {
		t.Fatalf("%#v was read, and %#v is read again: %v", v, again, err)
	}
}

func FuzzJSON(f *testing.F) {
	for _, v := range vectors(f, "row") {
		if data := v.data(f); data[0] == '{' {
			f.Add(string(data))
		}
	}
	f.Add(`{"a":[1,-0,1.5e3,"\ud83d\ude00",null,true,false],"b":{" di":{" t__":[]}}}`)
	f.Add(` { "a" : { " t" : [ { " b" : "AA==" } ] } } `)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := readJSON(text)
		agree(t, v, err, writeJSON, func(b []byte) (Values, error) { return readJSON(string(b)) })
	})
}

func FuzzPickle(f *testing.F) {
	for i, v := range vectors(f, "row", "pickle") {
		if data := v.data(f); data[0] == opProto && i%7 == 0 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := readPickle(data)
		agree(t, v, err, writePickle, readPickle)
		if err != nil {
			return
		}
		// Whatever a pickle holds, tagged JSON can hold too, if not as deeply.
		if text, err := writeJSON(v); err == nil && len(text) <= maxText {
			if again, err := readJSON(string(text)); err == nil && !reflect.DeepEqual(v, again) {
				t.Fatalf("%#v is %#v in JSON", v, again)
			}
		}
	})
}

func FuzzInflate(f *testing.F) {
	for _, text := range []string{"", "{}", strings.Repeat("x", 1000), strings.Repeat("ab", maxText)} {
		packed, err := deflate([]byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		text, err := inflate(packed)
		if err != nil {
			if text != nil || !errors.Is(err, errUnreadable) {
				t.Fatalf("%q, %v", text, err)
			}
			return
		}
		if len(text) > maxText {
			t.Fatalf("%d bytes", len(text))
		}
		again, err := deflate(text)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := inflate(again); err != nil || !bytes.Equal(text, back) {
			t.Fatalf("%q became %q: %v", text, back, err)
		}
	})
}

// FuzzCookie: a cookie that is not signed with a key that counts is refused, and
// one that is means one thing. The fuzzer's text comes both as a whole cookie and
// as a payload that is properly signed.
func FuzzCookie(f *testing.F) {
	s := testSigner(f, saltCookie)
	at := time.Unix(1_700_000_000, 0)
	for i, v := range vectors(f, "cookie") {
		if i%5 == 0 {
			f.Add(v.Value)
			payload, _, _ := strings.Cut(strings.TrimPrefix(v.Value, "."), ".")
			f.Add(payload)
		}
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, value := range []string{value, s.signAt(value, at)} {
			v, signed, err := s.readCookie(value, time.Hour, at)
			if err != nil {
				if v != nil {
					t.Fatalf("refused with %v, and yet %v", err, v)
				}
				continue
			}
			text, err := s.writeCookie(v, signed)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > maxCookie {
				continue
			}
			again, when, err := s.readCookie(text, time.Hour, at)
			if err != nil || !when.Equal(signed) || !reflect.DeepEqual(v, again) {
				t.Fatalf("%#v became %#v: %v", v, again, err)
			}
		}
	})
}
