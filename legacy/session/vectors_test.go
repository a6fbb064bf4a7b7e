package session

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// vectorKey is the secret key under which testdata/session/make.py signs.
const vectorKey = "airflow-bridge-test-key"

// A vector is what the libraries of one Airflow made, and what they say of it.
type vector struct {
	Airflow, Kind, What, Value, Sid, Data string
	Now                                   int64
	Accepted                              bool
	Session                               json.RawMessage // values with their types; null when it is not accepted
}

func vectors(t testing.TB, kinds ...string) []vector {
	t.Helper()
	text, err := os.ReadFile("../../testdata/session/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all, some []vector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		for _, kind := range kinds {
			if v.Kind == kind {
				some = append(some, v)
			}
		}
	}
	return some
}

func (v vector) name() string { return v.Airflow + " " + v.Kind + " " + v.What }

func (v vector) data(t testing.TB) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(v.Data)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// typed writes a value with its types, as make.py does.
func typed(v any) any {
	switch v := v.(type) {
	case nil:
		return []any{"none"}
	case bool:
		return []any{"bool", v}
	case int64:
		return []any{"int", fmt.Sprint(v)}
	case float64:
		return []any{"float", v}
	case string:
		return []any{"str", v}
	case Markup:
		return []any{"markup", string(v)}
	case []byte:
		return []any{"bytes", base64.StdEncoding.EncodeToString(v)}
	case UUID:
		s := hex.EncodeToString(v[:])
		return []any{"uuid", s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]}
	case time.Time:
		return []any{"datetime", v.Format(time.RFC3339)}
	case Tuple:
		return []any{"tuple", typedList(v)}
	case []any:
		return []any{"list", typedList(v)}
	case map[string]any:
		pairs := []any{}
		for _, key := range sortedKeys(v) {
			pairs = append(pairs, []any{key, typed(v[key])})
		}
		return []any{"dict", pairs}
	}
	return fmt.Sprintf("%T", v)
}

func typedList(list []any) []any {
	out := []any{}
	for _, item := range list {
		out = append(out, typed(item))
	}
	return out
}

// want is the session that the library found.
func (v vector) want(t testing.TB) any {
	t.Helper()
	var want any
	if err := json.Unmarshal(v.Session, &want); err != nil {
		t.Fatal(err)
	}
	return readFloats(t, want)
}

// readFloats makes numbers of Python's hexadecimal floats.
func readFloats(t testing.TB, v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	if len(list) == 2 && list[0] == "float" {
		var f float64
		text := list[1].(string)
		if !strings.ContainsAny(text, "p") {
			t.Fatalf("%q is no float", text)
		}
		if _, err := fmt.Sscan(text, &f); err != nil {
			t.Fatal(err)
		}
		return []any{"float", f}
	}
	for i := range list {
		list[i] = readFloats(t, list[i])
	}
	return list
}

func testSigner(t testing.TB, salt string) signer {
	t.Helper()
	s, err := newSigner([]string{"the newest key, which signs", vectorKey}, salt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stricter are cookies that the library takes and we do not: each is another
// spelling of one that we take, which no library writes.
func stricter() map[string]string {
	m := map[string]string{"2.2 cookie of the future": "itsdangerous before 2.0 looked at nothing but too great an age"}
	for _, airflow := range []string{"2.2", "2.6", "2.10", "2.11.0", "2.11.1"} {
		m[airflow+" cookie padded"] = "Python takes padding that itsdangerous leaves away"
		m[airflow+" cookie bits left over"] = "Python does not look at the last two bits of a signature"
	}
	return m
}

// TestCookieVectors: each cookie of a real Flask is read as Flask reads it, or
// refused when Flask refuses it.
func TestCookieVectors(t *testing.T) {
	unused := stricter()
	s := testSigner(t, saltCookie)
	all := vectors(t, "cookie")
	if len(all) < 200 {
		t.Fatalf("only %d vectors", len(all))
	}
	for _, v := range all {
		got, signed, err := s.readCookie(v.Value, time.Hour, time.Unix(v.Now, 0))
		if _, listed := unused[v.name()]; listed && v.Accepted && err != nil {
			delete(unused, v.name())
			continue
		}
		if (err == nil) != v.Accepted {
			t.Errorf("%s: %v; the library accepts: %v", v.name(), err, v.Accepted)
			continue
		}
		if err != nil {
			continue
		}
		if signed.Unix() != 1_700_000_000 {
			t.Errorf("%s: signed at %v", v.name(), signed)
		}
		if want := v.want(t); !reflect.DeepEqual(want, typed(got)) {
			t.Errorf("%s:\ngot  %v\nwant %v", v.name(), typed(got), want)
		}
	}
	for name := range unused {
		t.Errorf("%s is listed as a difference, and is none", name)
	}
}

// TestRowVectors: each row of a real Flask-Session, and each pickle, is read as
// Python reads it, unless it holds what no session does.
func TestRowVectors(t *testing.T) {
	all := vectors(t, "row", "pickle")
	if len(all) < 300 {
		t.Fatalf("only %d vectors", len(all))
	}
	for _, v := range all {
		got, err := readRow(v.data(t))
		if (err == nil) != v.Accepted {
			t.Errorf("%s: %v; should be accepted: %v", v.name(), err, v.Accepted)
			continue
		}
		if err != nil {
			if !errors.Is(err, errUnreadable) || got != nil {
				t.Errorf("%s: %v, %v", v.name(), got, err)
			}
			continue
		}
		if want := v.want(t); !reflect.DeepEqual(want, typed(got)) {
			t.Errorf("%s:\ngot  %v\nwant %v", v.name(), typed(got), want)
		}
	}
}

// TestRowCookieVectors: the signed id in each cookie is that of its row.
func TestRowCookieVectors(t *testing.T) {
	s := testSigner(t, saltDatabase)
	for _, v := range vectors(t, "row") {
		if id, err := s.unsign(v.Value); err != nil || id != v.Sid {
			t.Errorf("%s: %q, %v", v.name(), id, err)
		}
		if v.Value != (signer{s.keys[1:]}).sign(v.Sid) {
			t.Errorf("%s: we sign it otherwise", v.name())
		}
	}
}

// TestWrittenAsFlaskDoes: what was read is written to the very bytes again, JSON
// that is: pickle has many ways to say one thing.
func TestWrittenAsFlaskDoes(t *testing.T) {
	s := signer{testSigner(t, saltCookie).keys[1:]}
	same, other := 0, 0
	for _, v := range vectors(t, "cookie") {
		if !v.Accepted {
			continue
		}
		got, signed, err := s.readCookie(v.Value, time.Hour, time.Unix(v.Now, 0))
		if err != nil {
			continue
		}
		value, err := s.writeCookie(got, signed)
		switch {
		case err != nil:
			t.Errorf("%s: %v", v.name(), err)
		case value == v.Value:
			same++
		case strings.HasPrefix(v.Value, "."): // Go's deflate is not zlib's
			other++
		default:
			t.Errorf("%s: we write\n%s, Flask\n%s", v.name(), value, v.Value)
		}
	}
	if same < 80 || other == 0 {
		t.Errorf("%d are the same, %d compressed otherwise", same, other)
	}
	for _, v := range vectors(t, "row") {
		if v.Airflow == "2.11.1" {
			got, err := readRow(v.data(t))
			if err != nil {
				t.Fatal(err)
			}
			if text, err := writeJSON(got); err != nil || string(text) != string(v.data(t)) {
				t.Errorf("%s: we write %s, %v", v.name(), text, err)
			}
		}
	}
}

// TestReferenceVectors are those of the documentation that this was made after.
func TestReferenceVectors(t *testing.T) {
	key := func(salt string) string { return hex.EncodeToString(mac([]byte(vectorKey), salt)) }
	if key(saltCookie) != "e4f06a6835409f4af8f61c85b6b1299205d8d184" || key(saltDatabase) != "28f5ab60c648c79af5d2c01578b3409f2070d86a" {
		t.Error("the derived keys are others")
	}
	c, d := signer{testSigner(t, saltCookie).keys[1:]}, testSigner(t, saltDatabase)
	const plain = "eyJfcGVybWFuZW50Ijp0cnVlLCJfdXNlcl9pZCI6MX0.ZVPxAA.a--1WeojLDaM8JPMxIOld7vEMzs"
	at := time.Unix(1_700_000_000, 0)
	if value, err := c.writeCookie(Values{"_permanent": true, "_user_id": int64(1)}, at); value != plain || err != nil {
		t.Errorf("%s, %v", value, err)
	}
	for seconds, want := range map[int]error{0: nil, 60: nil, 61: errExpired, -1: errExpired} {
		if _, _, err := c.readCookie(plain, time.Minute, at.Add(time.Duration(seconds)*time.Second)); !errors.Is(err, want) {
			t.Errorf("after %d s: %v", seconds, err)
		}
	}
	const long = ".eJyNjksOwjAMRO-SdRdOnC-XqRzHFojSorRdIe5OxII1mt2M3ui9zKxd9qu5HP2Uycy3Zi4GY_SRKGStNoGvwMVqxOYCOSHUsVrEHL3H0WQ_NkDnXREQZ4kbgsPCkFNgqILsE7QUCIW5QbVFC1fyiK260BSROIlqs0oxhSRmiDylP2iV9fipnbv0r5-dDO9d52O7yzp0Qf_LuF02pkUGM8D3BxKLSmw.ZVPxAA.cW_lZ7puEMiCxSM-0eh12CSUuGM"
	got, _, err := c.readCookie(long, time.Minute, at)
	if err != nil || got["_id"] != clientID("127.0.0.1", "curl/8.5.0") || got["csrf_token"] != strings.Repeat("0f", 20) {
		t.Errorf("%v, %v", got, err)
	}
	for _, value := range []string{
		"3f2504e0-4f89-41d3-9a0c-0305e82c3301.gDcpDhaNU-CsODkv9xS0pNmlkro",
		"Zk1p7vJrQx0aYtq3n8s2bW5cE9dLuMfHhGgTtRrPpOo.Y36sACGNrE-gbnWMOPKdudeJ2zM",
	} {
		if _, err := d.unsign(value); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
	for text, want := range map[string]any{
		"80049511000000000000007d948c085f757365725f6964944b01732e":           int64(1),
		"80049512000000000000007d948c085f757365725f6964944d2c01732e":         int64(300),
		"80049514000000000000007d948c085f757365725f6964944a70110100732e":     int64(70000),
		"80049516000000000000007d948c085f757365725f6964948a050000008000732e": int64(1) << 31,
		"80049513000000000000007d948c085f757365725f6964948c013194732e":       "1",
		"80037d710028580a0000005f7065726d616e656e7471018858060000005f667265736871028858080000005f757365725f696471034b0158030000005f69647104580800000061626162616261627105580a000000637372665f746f6b656e710658080000003066306630663066710758060000006c6f63616c6571085802000000656e7109752e": int64(1),
	} {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := readRow(data); err != nil || v["_user_id"] != want {
			t.Errorf("%s: %v, %v", text, v, err)
		}
	}
}
