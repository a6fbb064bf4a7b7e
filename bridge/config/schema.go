package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A key is one leaf of [Config], or the _file variant of a secret or of secrets.
type key struct {
	path    string // "legacy.users.dsn"
	index   []int  // of the field, for reflect
	file    bool   // the value names the file that holds the secret
	isPath  bool   // the value names a file
	all     bool   // a list that the word all leaves open
	restart bool   // takes effect at a start only
}

// fileSuffix makes the key of a secret's file out of the secret's.
const fileSuffix = "_file"

// A schema is what the file may hold: its keys and its sections by path. The
// file as a whole is the section "".
type schema struct {
	keys     map[string]key
	sections map[string]bool
}

func newSchema() schema {
	s := schema{keys: map[string]key{}, sections: map[string]bool{"": true}}
	s.add(reflect.TypeFor[Config](), "", nil, false)
	return s
}

// add takes the tagged fields of a struct; a struct in them that is made of
// tagged fields again is a section.
func (s schema) add(t reflect.Type, prefix string, index []int, restart bool) {
	for field := range t.Fields() {
		name := field.Tag.Get("yaml")
		if name == "" {
			continue
		}
		k := key{
			path:    prefix + name,
			index:   append(slices.Clone(index), field.Index...),
			isPath:  field.Tag.Get("path") != "",
			all:     field.Tag.Get("all") != "",
			restart: restart || field.Tag.Get("restart") != "",
		}
		if isSection(field.Type) {
			s.sections[k.path] = true
			s.add(field.Type, k.path+".", k.index, k.restart)
			continue
		}
		s.keys[k.path] = k
		if field.Type == reflect.TypeFor[Secret]() || field.Type == reflect.TypeFor[Secrets]() {
			k.path, k.file, k.isPath = k.path+fileSuffix, true, true
			s.keys[k.path] = k
		}
	}
}

func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[Config]().PkgPath() && t.Field(0).Tag.Get("yaml") != ""
}

// sorted gives the keys by path.
func (s schema) sorted() []key {
	return slices.SortedFunc(maps.Values(s.keys), func(a, b key) int { return strings.Compare(a.path, b.path) })
}

// variable is the name of the override of a key.
func variable(path string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "__"))
}

const variablePrefix = "JETBRIDGE__"

// names lists what a section may hold.
func (s schema) names(section string) []string {
	var names []string
	for _, paths := range [][]string{slices.Collect(maps.Keys(s.keys)), slices.Collect(maps.Keys(s.sections))} {
		for _, path := range paths {
			if path != "" && parent(path) == section {
				names = append(names, path[strings.LastIndexByte(path, '.')+1:])
			}
		}
	}
	slices.Sort(names)
	return names
}

// suggest says what an unknown key may have meant: the nearest name of its
// section, the same name in another one, or all that there are.
func (s schema) suggest(section, name string) string {
	names := s.names(section)
	best, distance := "", max(2, len(name)/3)+1
	for _, known := range names {
		if d := editDistance(name, known); d < distance {
			best, distance = known, d
		}
	}
	if best != "" {
		return "unknown key; did you mean " + best + "?"
	}
	var elsewhere []string
	for _, k := range s.sorted() {
		if strings.HasSuffix("."+k.path, "."+name) {
			elsewhere = append(elsewhere, k.path)
		}
	}
	if len(elsewhere) > 0 {
		return "unknown key; did you mean " + strings.Join(elsewhere, " or ") + "?"
	}
	return "unknown key; here may stand " + strings.Join(names, ", ")
}

// editDistance is Levenshtein's, of names that a person typed.
func editDistance(a, b string) int {
	const longest = 64
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
