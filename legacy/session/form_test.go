package session

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

// TestForms: the hidden token of a real Flask-WTF belongs to its session, ours is
// the same to the byte, and no other counts.
func TestForms(t *testing.T) {
	forms, err := NewForms([]string{vectorKey, "an older key"})
	if err != nil {
		t.Fatal(err)
	}
	all := vectors(t, "form")
	if len(all) != 5 {
		t.Fatalf("%d vectors", len(all))
	}
	for _, v := range all {
		var pairs []any
		if err := json.Unmarshal(v.Session, &pairs); err != nil {
			t.Fatal(err)
		}
		session := Values{}
		for _, pair := range pairs[1].([]any) {
			p := pair.([]any)
			session[p[0].(string)] = p[1].([]any)[1]
		}
		if err := forms.Check(session, v.Value); err != nil {
			t.Errorf("%s: %v", v.name(), err)
		}
		if token, err := forms.Token(session, time.Unix(v.Now, 0)); err != nil || token != v.Value {
			t.Errorf("%s: we make %q, %v", v.name(), token, err)
		}
		for what, bad := range map[string]string{"nothing": "", "cut": v.Value[:len(v.Value)-1], "the session's own": session[keyForm].(string), "altered": "x" + v.Value[1:]} {
			if err := forms.Check(session, bad); !errors.Is(err, ErrForm) {
				t.Errorf("%s, %s: %v", v.name(), what, err)
			}
		}
		if err := forms.Check(Values{keyForm: "another"}, v.Value); !errors.Is(err, ErrForm) {
			t.Errorf("%s, of another session: %v", v.name(), err)
		}
		if err := forms.Check(Values{}, v.Value); !errors.Is(err, ErrForm) {
			t.Errorf("%s, of a session without any: %v", v.name(), err)
		}
	}
}

// TestClientID: as Python prints bytes.
func TestClientID(t *testing.T) {
	const want = "36646aa58fb1704b0c91f63d25a2ea3f646133864435a284f63032429e0e21acd30239c0875c0be3c470d75a3eccd0b19f9cba433db25df33ac7effd1fa6757e"
	if got := clientID("127.0.0.1", "curl/8.5.0"); got != want {
		t.Error(got)
	}
	for in, want := range map[string]string{
		`a`: `b'a'`, `it's`: `b"it's"`, `"it's"`: `b'"it\'s"'`, "\\\n\t\r\x00\xff": `b'\\\n\t\r\x00\xff'`, `"`: `b'"'`, ``: `b''`,
	} {
		if got := pythonBytes(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}
