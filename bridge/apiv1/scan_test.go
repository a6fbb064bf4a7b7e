package apiv1

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestScannerPassesValues: what is valid goes on byte for byte, however it comes.
func TestScannerPassesValues(t *testing.T) {
	long := strings.Repeat("x", 3*chunkSize)
	for _, value := range []string{
		`null`, `true`, `-1.50e+10`, `12345678901234567890`, `""`, `"<é\"\\\u0000>"`, `{}`, `[]`, `[[],{}]`,
		`{ "b" : 1.0 , "a":[ 1,"]}" ] }`, `"` + long + `"`, `["` + long + `\\"]`, `{"` + long + `":1}`,
	} {
		for name, r := range map[string]io.Reader{
			"at once":       strings.NewReader("  " + value + "\n"),
			"byte by byte":  iotest.OneByteReader(strings.NewReader("  " + value + "\n")),
			"with the end":  iotest.DataErrReader(strings.NewReader(value)),
			"without space": strings.NewReader(value),
		} {
			var out bytes.Buffer
			s := newScanner(r)
			if err := s.value(&out); err != nil || out.String() != value {
				t.Errorf("%s: %.40q became %.40q: %v", name, value, out.String(), err)
			}
			if err := s.done(); err != nil {
				t.Errorf("%s: %.40q: %v", name, value, err)
			}
		}
	}
}

func TestScannerRefuses(t *testing.T) {
	for text, want := range map[string]error{
		``: io.ErrUnexpectedEOF, `{`: io.ErrUnexpectedEOF, `{"a"`: io.ErrUnexpectedEOF, `{"a":1`: io.ErrUnexpectedEOF,
		`{"a":"`: io.ErrUnexpectedEOF, `{"a":"\`: io.ErrUnexpectedEOF, `{"a":[1,`: io.ErrUnexpectedEOF,
		`[1]`: errSyntax, `{1:2}`: errSyntax, `{"a" 1}`: errSyntax, `{"a":1 "b":2}`: errSyntax, `{"a":}`: errSyntax, `{"a":[}}`: errSyntax,
		`{"a":1,}`: errSyntax, `<html>`: errSyntax, `{} {}`: errSyntax,
		`{"a":` + strings.Repeat("[", maxDepth+1): errTooLarge,
	} {
		s := newScanner(strings.NewReader(text))
		err := s.object(func([]byte) error { return s.skip() })
		if err == nil {
			err = s.done()
		}
		if !errors.Is(err, want) {
			t.Errorf("%.30q: %v, want %v", text, err, want)
		}
	}
}

// TestScannerHolds: what is held has a bound, and what is passed has none.
func TestScannerHolds(t *testing.T) {
	s := newScanner(strings.NewReader(`"` + strings.Repeat("x", 98) + `"`))
	if held, err := s.hold(nil, 100); err != nil || len(held) != 100 {
		t.Errorf("%d bytes held: %v", len(held), err)
	}
	s = newScanner(strings.NewReader(`"` + strings.Repeat("x", 99) + `"`))
	if _, err := s.hold(nil, 100); !errors.Is(err, errTooLarge) {
		t.Errorf("more than the bound is held: %v", err)
	}
}

// FuzzScanner: no input panics, and every JSON object passes byte for byte, its
// members told apart as encoding/json tells them.
func FuzzScanner(f *testing.F) {
	f.Add([]byte(`{"a": 1.0, "b\u0041": [{"c": "]\\\""}], "a": null}`))
	f.Add([]byte(`{"a":"` + strings.Repeat("\\n", 100) + `"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var whole bytes.Buffer
		s := newScanner(iotest.OneByteReader(bytes.NewReader(text)))
		err := s.value(&whole)
		if err == nil {
			err = s.done()
		}
		if !json.Valid(text) {
			return
		}
		if err != nil || !bytes.Equal(whole.Bytes(), bytes.TrimSpace(text)) {
			t.Fatalf("%q became %q: %v", text, whole.Bytes(), err)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || want == nil {
			return
		}
		s = newScanner(bytes.NewReader(text))
		err = s.object(func(name []byte) error {
			name = bytes.Clone(name)
			value, err := s.hold(nil, len(text))
			known, ok := want[string(name)]
			if ok && err == nil && !json.Valid(value) {
				t.Errorf("%s: %q, want %q", name, value, known)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRewrite: whatever an upstream says, what a client gets as a success is JSON
// with the declared members, if what the upstream said was.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte(`{"dag_id":"a","logical_date":null,"run_after":"2026-01-01T00:00:00Z","conf":{"b":1.0},"run_type":"new","state":"running"}`))
	f.Add([]byte(`{"conf":null,"conf":{},"triggered_by":7,"run_type":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var b bytes.Buffer
		o, s := newOut(&b), newScanner(bytes.NewReader(text))
		err := dagRun().rewrite(s, o)
		if err == nil {
			err = s.done()
		}
		if err != nil || !json.Valid(text) {
			return
		}
		_ = o.Flush()
		var got map[string]json.RawMessage
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%q became %q: %v", text, b.Bytes(), err)
		}
		if got != nil && len(got) != len(dagRun().fields) {
			t.Errorf("%d members, want %d", len(got), len(dagRun().fields))
		}
	})
}
