package kerberos

import (
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	for _, c := range []struct {
		rules     string // parted by a bar with spaces
		principal string
		want      string // empty: no name
	}{
		{"", "alice@A.TEST", "alice@A.TEST"},
		{"", "svc/host@A.TEST", "svc/host@A.TEST"},
		{"DEFAULT", "alice@A.TEST", "alice"},
		{"DEFAULT", "alice@B.TEST", ""},
		{"DEFAULT", "svc/host@A.TEST", ""},
		{`RULE:[1:$1@$0](.*@B\.TEST)s/@.*/-b/ | DEFAULT`, "alice@B.TEST", "alice-b"},
		{`RULE:[1:$1@$0](.*@B\.TEST)s/@.*/-b/ | DEFAULT`, "alice@A.TEST", "alice"},
		{`RULE:[1:$1@$0](B\.TEST)s/@.*//`, "alice@B.TEST", ""}, // the whole text must match
		{`RULE:[1:$1@$0](alice|.*@B\.TEST)s/@.*//`, "alice@C.TEST", ""},
		{`RULE:[2:$1.$2@$0]`, "svc/host@A.TEST", "svc.host@A.TEST"},
		{`RULE:[2:$1](etl)`, "etl/host@A.TEST", "etl"},
		{`RULE:[2:$1](etl)`, "web/host@A.TEST", ""},
		{`RULE:[1:$1]s/a/x/`, "banana@A.TEST", "bxnana"},
		{`RULE:[1:$1]s/a/x/g`, "banana@A.TEST", "bxnxnx"},
		{`RULE:[1:$1]s/a/$0/`, "banana@A.TEST", "b$0nana"}, // as it stands
		{`RULE:[1:$1]s/a/x/gs/x/y/`, "banana@A.TEST", "bynxnx"},
		{`RULE:[1:$1](a(b|c)d)`, "acd@A.TEST", "acd"},
		{`RULE:[1:$1](a[)]d)`, "a)d@A.TEST", "a)d"},
		{`RULE:[1:$1]s/.*//`, "alice@A.TEST", ""},
		{"RULE:[1:$1]s/alice/a\tb/", "alice@A.TEST", ""},
	} {
		var list []string
		if c.rules != "" {
			list = strings.Split(c.rules, " | ")
		}
		rs, err := parseRules(list, "A.TEST")
		if err != nil {
			t.Errorf("%s: %v", c.rules, err)
			continue
		}
		name, realm, _ := strings.Cut(c.principal, "@")
		if got, ok := rs.name(principal{strings.Split(name, "/"), realm}); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s makes %q (%v) of %s, want %q", c.rules, got, ok, c.principal, c.want)
		}
	}
}

func TestBadRules(t *testing.T) {
	for _, text := range []string{
		"", "default", "DEFAULT ALL", "RULE:", "RULE:[0:$1]", "RULE:[1:]", "RULE:[1:$2]", "RULE:[1:$]", "RULE:[1:$x]",
		"RULE:[1:$1](", "RULE:[1:$1](a", "RULE:[1:$1]([)", "RULE:[1:$1](a))", "RULE:[1:$1]s/a/b", "RULE:[1:$1]s//b/", "RULE:[1:$1]y/a/b/",
		"RULE:[1:$1]s/(/b/", "RULE:[1:$1]s/a/b/x", "DB:/etc/x",
	} {
		if rs, err := parseRules([]string{text}, "A.TEST"); err == nil {
			t.Errorf("%q became %+v", text, rs)
		} else if !strings.Contains(err.Error(), "write DEFAULT or RULE") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestClashes: rules that make one user of two principals are told of, with an
// example.
func TestClashes(t *testing.T) {
	for _, c := range []struct {
		rules, realms string
		want          string // of each warning a part, parted by a bar
	}{
		{"", "A.TEST B.TEST", ""},
		{"DEFAULT", "A.TEST B.TEST", ""},
		{"RULE:[1:$1]", "A.TEST", ""},
		{"RULE:[1:$1]", "A.TEST B.TEST", `alice@A.TEST and alice@B.TEST both become "alice"`},
		{"RULE:[1:$1] RULE:[2:$1]", "A.TEST", `alice@A.TEST and alice/admin@A.TEST both become "alice"|etl/a.example.com@A.TEST and etl/b.example.com@A.TEST both become "etl"`},
	} {
		rs, err := parseRules(strings.Fields(c.rules), "A.TEST")
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(rs.clashes(strings.Fields(c.realms)), "\n")
		if c.want == "" && got != "" {
			t.Errorf("%s: %s", c.rules, got)
		}
		for want := range strings.SplitSeq(c.want, "|") {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q lacks %q", c.rules, got, want)
			}
		}
	}
}
