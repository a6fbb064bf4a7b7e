package apiv1

import "testing"

// TestSameJSON: what is taken for unchanged beside a secret's asterisks is unchanged.
func TestSameJSON(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"***", "***", true},
		{"***", `"***"`, false},
		{`{"a": 1.0, "b": "***"}`, `{"b":"***","a":1.0}`, true},
		{`{"a": "\u00e9"}`, `{"a": "é"}`, true},
		{`{"n": 12345678901234567890, "b": "***"}`, `{"n": 12345678901234567891, "b": "***"}`, false},
		{`{"n": 1}`, `{"n": 1.0}`, false},
		{`{"a": ["***"]}`, `{"a": ["***", "***"]}`, false},
		{`{"a": 1}`, `{"a": 1} {"b": 2}`, false},
		{"one", "two", false},
	} {
		if got := sameJSON(test.a, test.b); got != test.want {
			t.Errorf("%s and %s: %t, want %t", test.a, test.b, got, test.want)
		}
	}
}

// TestHidesSecret: what has a secret's asterisks in it is looked at twice, and nothing else.
func TestHidesSecret(t *testing.T) {
	for text, want := range map[string]bool{
		"***": true, `"***"`: true, `{"a": {"b": ["***"]}}`: true,
		"": false, "**": false, "****": false, "see *** there": false, `{"***": "a"}`: false, `{"a": "see ***"}`: false, "{": false, "null": false,
	} {
		if got := hidesSecret(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}
