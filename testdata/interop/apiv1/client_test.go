package apiv1

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/testdata/interop"
)

// table is the committed outcome.
const table = "../api-v1.md"

// TestAPIV1: the unmodified Python client of Airflow 2 gets of each of its 89 operations through the bridge what it
// gets of an Airflow 2.11, or a difference that is listed with its reason. UPDATE=1 writes api-v1.md anew.
func TestAPIV1(t *testing.T) {
	var direct, bridge []call
	if err := together(
		func() (err error) { direct, err = runClient(t, world.airflow2.URL); return err },
		func() (err error) { bridge, err = runClient(t, world.bridge.URL); return err },
	); err != nil {
		t.Fatal(err)
	}
	o := compare(t, direct, bridge)
	if world.release3 != interop.Release3 {
		return // versions.md says what is so with others
	}
	text := o.table()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(table, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if committed, err := os.ReadFile(table); err != nil || string(committed) != text {
		t.Errorf("%s is out of date (%v): run make interop UPDATE=1 and read what changed; it would be\n%s", table, err, text)
	}
}

// runClient runs client.py against url.
func runClient(t *testing.T, url string, args ...string) ([]call, error) {
	cmd := exec.CommandContext(t.Context(), world.client, append([]string{"client.py", url}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("client.py %s: %w\n%s", url, err, stderr.Bytes())
	}
	var calls []call
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.UseNumber()
	for decoder.More() {
		var c call
		if err := decoder.Decode(&c); err != nil {
			return nil, err
		}
		calls = append(calls, c)
	}
	return calls, nil
}

// An outcome is what became of each operation.
type outcome struct {
	operations map[string]*result
}

// A result is an operation's: how many calls were the same, and for which reasons others were not.
type result struct {
	calls, same int
	reasons     map[string][]string // reason to what differs
	broken      bool
	notYet      bool
}

func (r *result) say(reason, what string) {
	if !slices.Contains(r.reasons[reason], what) {
		r.reasons[reason] = append(r.reasons[reason], what)
	}
}

// compare holds the calls on both against each other and against the list, and fails for what is in one alone.
func compare(t *testing.T, direct, bridge []call) *outcome {
	t.Helper()
	if len(direct) != len(bridge) {
		t.Fatalf("%d calls on Airflow 2, %d through the bridge", len(direct), len(bridge))
	}
	o := &outcome{operations: map[string]*result{}}
	fields, whole := reasons()
	unused := maps.Clone(fields)
	unusedCalls := maps.Clone(whole)
	for i := range direct {
		if direct[i].String() != bridge[i].String() {
			t.Fatalf("call %d is %s on Airflow 2, %s through the bridge", i, direct[i], bridge[i])
		}
		r := o.of(direct[i].Operation)
		r.calls++
		found := differencesOf(direct[i], bridge[i])
		name := direct[i].String()
		if n, is := whole[name]; is {
			if len(found) == 0 || bridge[i].Status != listedCalls[n].status {
				t.Errorf("%s: the listed answer has the status %d: this one %d", name, listedCalls[n].status, bridge[i].Status)
			}
			delete(unusedCalls, name)
			r.say(listedCalls[n].reason, "a call")
			continue
		}
		if len(found) == 0 {
			r.same++
			continue
		}
		if bridge[i].Status == 501 && direct[i].Status != 501 {
			r.notYet = true
			continue
		}
		for _, d := range found {
			key := [2]string{direct[i].Operation, d.field}
			reason, is := fields[key]
			if !is {
				r.broken = true
				t.Errorf("%s: %s is\n  %s on Airflow 2,\n  %s through the bridge", name, d.field, d.direct, d.bridge)
				continue
			}
			delete(unused, key)
			r.say(reason, "`"+d.field+"`")
		}
	}
	var stale []string
	for key, reason := range unused {
		if !o.of(key[0]).notYet {
			stale = append(stale, fmt.Sprintf("a difference is listed that is none: %s %s (%s)", key[0], key[1], reason))
		}
	}
	for name := range unusedCalls {
		stale = append(stale, fmt.Sprintf("an answer is listed for %q, which is no call", name))
	}
	slices.Sort(stale)
	for _, text := range stale {
		t.Error(text)
	}
	return o
}

func (o *outcome) of(operation string) *result {
	r := o.operations[operation]
	if r == nil {
		r = &result{reasons: map[string][]string{}}
		o.operations[operation] = r
	}
	return r
}

// table writes a row for each operation, in the order of their names.
func (o *outcome) table() string {
	counts := map[string]int{}
	var rows strings.Builder
	for _, operation := range slices.Sorted(maps.Keys(o.operations)) {
		r := o.operations[operation]
		word := "same"
		switch {
		case r.broken:
			word = "broken"
		case r.notYet:
			word = "not yet"
		case len(r.reasons) > 0:
			word = "listed"
		}
		counts[word]++
		var why []string
		for _, reason := range slices.Sorted(maps.Keys(r.reasons)) {
			what := r.reasons[reason]
			slices.Sort(what)
			why = append(why, strings.Join(what, ", ")+": "+reason)
		}
		fmt.Fprintf(&rows, "| %s | %d | %d | %s | %s |\n", operation, r.calls, r.same, word, strings.Join(why, "; "))
	}
	return fmt.Sprintf(head, len(o.operations), counts["same"], counts["listed"], counts["broken"], counts["not yet"]) + rows.String()
}

const head = `# What the Airflow 2 client gets

Written by TestAPIV1 of make interop (UPDATE=1): the unmodified apache-airflow-client 2.10.0 makes the same calls of a real
Airflow 2.11.0 and, through jetbridge, of a real Airflow 3.3.2 with the same Dags, and all members of all answers are
compared, statuses and what the client makes of them included. Of times, ids, durations and the like, which no two
Airflows have alike, the kind and the way of writing are. The reasons are in apiv1/differences_test.go.

%d operations: %d same, %d listed, %d broken, %d not yet.

| operation | calls | same | result | what differs, and why |
|---|---|---|---|---|
`
