package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of the configuration file. The parser's cost is the square of the depth,
// and the deepest key of ours lies three deep.
const (
	maxFile  = 64 << 10
	maxDepth = 16
)

// An origin is where a value stands: a file with a line, or the name of a
// variable or of Airflow's option.
type origin struct {
	file         string
	line, column int
}

func (o origin) fault(key, what string) Fault {
	return Fault{File: o.file, Line: o.line, Column: o.column, Key: key, What: what}
}

// A kind is what a value looks like.
type kind int

const (
	text   kind = iota // a YAML string, or what a variable holds
	number             // a YAML integer
	other              // a YAML boolean, float and the like
	list
	mapping
)

// A raw is one value before anybody looked at its meaning.
type raw struct {
	origin origin
	kind   kind
	text   string // of text, number and a boolean
	// env tells that text came from a variable, where lists have commas.
	env   bool
	items []raw
	pairs []pair
}

type pair struct {
	name  string
	value raw
}

// A document is a file that is being read.
type document struct {
	file   string
	schema schema
	// values are the leaves by path, places the sections that stand in the file.
	values map[string]raw
	places map[string]origin
	faults Faults
}

// read takes the file apart. Faults are collected; what could be read stays. It
// is false when nothing could.
func (d *document) read(content []byte) bool {
	whole := origin{file: d.file, line: 1, column: 1}
	d.places[""] = whole
	if len(content) > maxFile {
		d.fault(whole, "", fmt.Sprintf("longer than %d bytes", maxFile))
		return false
	}
	tokens := lexer.Tokenize(string(content))
	if t := tooDeep(tokens); t != nil {
		d.fault(origin{file: d.file, line: t.Position.Line, column: t.Position.Column}, "", "nests too deep")
		return false
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.faults = append(d.faults, syntaxFault(d.file, err))
		return false
	}
	var docs []*ast.DocumentNode
	for _, doc := range file.Docs {
		if _, null := doc.Body.(*ast.NullNode); doc.Body != nil && !null {
			docs = append(docs, doc)
		}
	}
	switch {
	case len(docs) == 0:
		d.fault(whole, "", "the file is empty; jetbridge.example.yaml shows every key")
		return false
	case len(docs) > 1:
		d.fault(d.at(docs[1].Body), "", "a second document begins here; write one, without ---")
		return false
	}
	d.section("", docs[0].Body)
	_, isMap := docs[0].Body.(ast.MapNode)
	return isMap
}

// tooDeep finds the first token of a line that opens too much, or nil. What
// nests by indentation alone is bounded by the length of its lines.
func tooDeep(tokens token.Tokens) *token.Token {
	brackets, onLine, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, onLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			onLine++
		}
		if brackets > maxDepth || onLine > maxDepth {
			return t
		}
	}
	return nil
}

// syntaxFault keeps what a parser says and drops the lines that it quotes, which
// may hold a secret.
func syntaxFault(file string, err error) Fault {
	f := Fault{File: file, Line: 1, Column: 1, What: "not YAML"}
	var e yaml.Error
	if errors.As(err, &e) {
		f.What += ": " + e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			f.Line, f.Column = t.Position.Line, t.Position.Column
		}
	}
	return f
}

func (d *document) fault(at origin, key, what string) {
	d.faults = append(d.faults, at.fault(key, what))
}

// at is where a node begins. The token of a block mapping is its first colon.
func (d *document) at(n ast.Node) origin {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0]
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		n = v.Key
	}
	o := origin{file: d.file, line: 1, column: 1}
	if t := n.GetToken(); t != nil && t.Position != nil {
		o.line, o.column = t.Position.Line, t.Position.Column
	}
	return o
}

func (d *document) section(path string, n ast.Node) {
	if _, empty := n.(*ast.NullNode); empty {
		return
	}
	values, ok := d.mapping(path, n)
	if !ok {
		return
	}
	for _, v := range values {
		name, at, ok := d.name(path, v)
		if !ok {
			continue
		}
		full := strings.TrimPrefix(path+"."+name, ".")
		_, isKey := d.schema.keys[full]
		switch {
		case d.schema.sections[full]:
			d.places[full] = at
			d.section(full, v.Value)
		case isKey:
			if r, ok := d.value(full, v.Value); ok {
				d.values[full] = r
			}
		default:
			d.fault(at, full, d.schema.suggest(path, name))
		}
	}
}

// mapping gives the entries of a node that must be one; doubled names are faults
// and count once.
func (d *document) mapping(path string, n ast.Node) ([]*ast.MappingValueNode, bool) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.fault(d.at(n), path, "must be a mapping of keys to values, not "+describe(n))
		return nil, false
	}
	var values []*ast.MappingValueNode
	seen := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		v := it.KeyValue()
		name := v.Key.String()
		if first, doubled := seen[name]; doubled {
			d.fault(d.at(v.Key), strings.TrimPrefix(path+"."+name, "."), fmt.Sprintf("stands here a second time; first in line %d", first))
			continue
		}
		seen[name] = d.at(v.Key).line
		values = append(values, v)
	}
	return values, true
}

// name gives a key's name; a key that is no plain text is a fault.
func (d *document) name(path string, v *ast.MappingValueNode) (string, origin, bool) {
	at := d.at(v.Key)
	if s, ok := v.Key.(*ast.StringNode); ok {
		return s.Value, at, true
	}
	d.fault(at, path, "a key must be plain text; merge keys, anchors and tags are not used here")
	return "", at, false
}

// value reads a leaf; ok is false for null, which leaves the key out, and for
// what is a fault in any place.
func (d *document) value(path string, n ast.Node) (raw, bool) {
	r := raw{origin: d.at(n)}
	switch n := n.(type) {
	case *ast.NullNode:
		return r, false
	case *ast.StringNode:
		r.text = n.Value
	case *ast.LiteralNode:
		r.text = n.Value.Value
	case *ast.IntegerNode:
		r.kind, r.text = number, n.GetToken().Value
	case *ast.SequenceNode:
		r.kind = list
		for _, item := range n.Values {
			if i, ok := d.value(path, item); ok {
				r.items = append(r.items, i)
			} else if _, null := item.(*ast.NullNode); null {
				d.fault(d.at(item), path, "an item of the list is empty")
			}
		}
	case *ast.MappingNode, *ast.MappingValueNode:
		r.kind = mapping
		values, _ := d.mapping(path, n)
		for _, v := range values {
			name, _, ok := d.name(path, v)
			if !ok {
				continue
			}
			if value, ok := d.value(path, v.Value); ok {
				r.pairs = append(r.pairs, pair{name, value})
			} else if _, null := v.Value.(*ast.NullNode); null {
				d.fault(d.at(v.Key), path, "has a key without a value")
			}
		}
	case *ast.BoolNode:
		r.kind, r.text = other, n.GetToken().Value
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		r.kind = other
	default:
		d.fault(r.origin, path, describe(n)+" is not used here; write the value itself")
		return r, false
	}
	return r, true
}

// describe names what stands where something else should, without quoting it.
func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tag"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode:
		return "a number"
	}
	return "plain text"
}
