package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Fault is one thing that is wrong with the configuration. It holds no secret.
type Fault struct {
	// File, Line and Column are where it stands, the latter two from 1. For a
	// value that did not come from the file, File names the variable or
	// Airflow's option, and Line is 0.
	File         string
	Line, Column int
	// Key is the path of the key, as "legacy.users.dsn"; empty for the file as a
	// whole.
	Key string
	// What says what is wrong and what to write instead.
	What string
}

// Error is "file:line:column: key: what".
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	if f.Key != "" {
		b.WriteString(": " + f.Key)
	}
	b.WriteString(": " + f.What)
	return b.String()
}

// Faults are all faults of a configuration, those with a line first and sorted
// by it. It is the type of [Load]'s errors; errors.As finds it.
type Faults []Fault

// Error has one line for each fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

func (fs Faults) sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.File, b.File), cmp.Compare(a.Key, b.Key))
	})
}
