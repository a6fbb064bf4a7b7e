package record_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge/record"
)

func full() *record.Record {
	return &record.Record{
		ID: "0123456789abcdef01234567", Start: time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC), Method: "GET", Path: "/api/v2/dags/hello",
		Family: "/api/v2/dags", Class: "dual", Host: "airflow.example:8080", Client: netip.MustParseAddr("192.0.2.7"), Agent: "curl/8.5.0",
		Scheme: "basic", Verdict: "pass_minted", Name: "viewer", Subject: "3", TokenID: "5b0a", Status: 200,
		Upstream: 1500 * time.Microsecond, Duration: 2 * time.Millisecond, Sent: 1018, Origin: "upstream",
	}
}

func TestContext(t *testing.T) {
	r := full()
	if record.From(record.With(context.Background(), r)) != r {
		t.Error("the record was lost on the way")
	}
	a, b := record.From(context.Background()), record.From(context.Background())
	a.ID = "x"
	if b.ID != "" {
		t.Error("requests without a record share one")
	}
}

// constants reads the reasons from the source, so that a new one cannot be
// forgotten in the list.
func constants(t *testing.T) []record.Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var list []record.Reason
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, record.Reason(value))
		return true
	})
	return list
}

func TestEveryReasonIsListedAndExplained(t *testing.T) {
	if diff := cmp.Diff(constants(t), record.Reasons()); diff != "" {
		t.Errorf("the list of reasons (-source +list):\n%s", diff)
	}
	seen := map[string]record.Reason{}
	for _, r := range record.Reasons() {
		text := record.Explain(r)
		if n := strings.Count(text, "."); n < 2 || !strings.HasSuffix(text, ".") || len(text) < 50 || len(text) > 400 {
			t.Errorf("%s: %q", r, text)
		}
		if other, ok := seen[text]; ok {
			t.Errorf("%s and %s are explained alike", r, other)
		}
		seen[text] = r
	}
	if text := record.Explain("nothing"); text != "" {
		t.Errorf("no reason is explained: %q", text)
	}
}

type spy []string

func (s *spy) Record(r *record.Record) { *s = append(*s, r.ID) }

func TestFanout(t *testing.T) {
	var a, b spy
	record.Fanout{&a, &b}.Record(full())
	if !slices.Equal(a, b) || len(a) != 1 {
		t.Errorf("%v, %v", a, b)
	}
	record.Fanout(nil).Record(full())
}

func TestClip(t *testing.T) {
	long := strings.Repeat("x", 300)
	for in, want := range map[string]string{
		"":                       "",
		"Zoë\t":                  "Zoë\t",
		long:                     long[:256],
		"a\xffb":                 "a\ufffdb",
		"a\x7fb\u009b31m":        "a\ufffdb\ufffd31m",
		"a\u202eb":               "a\ufffdb",
		long[:255] + "é":         long[:255],
		strings.Repeat("é", 200): strings.Repeat("é", 128),
	} {
		if got := record.Clip(in); got != want {
			t.Errorf("%.20q: %.20q (%d bytes), want %d", in, got, len(got), len(want))
		}
	}
}
