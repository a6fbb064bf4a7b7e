package apiv1

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A document is one of the two spellings of what is served here.
type document struct {
	kind string
	text []byte
}

// A mapping is a YAML or JSON object whose members keep their order. A value is a
// string, a bool, a []string or a mapping.
type mapping []pair

type pair struct {
	name  string
	value any
}

// documents are /api/v1/openapi.yaml and openapi.json as Airflow 2 had them, made of
// the declarations: they say what is spoken here, by whatever is declared today.
func documents(templates []*template, version string) map[string]document {
	description := describe(templates, version)
	var yaml, object strings.Builder
	writeYAML(&yaml, description, 0)
	writeJSON(&object, description)
	return map[string]document{
		v1Prefix + "/openapi.yaml": {"text/yaml", []byte(yaml.String())},
		v1Prefix + "/openapi.json": {"application/json", []byte(object.String() + "\n")},
	}
}

func describe(templates []*template, version string) mapping {
	byPath := map[string]mapping{}
	for _, t := range templates {
		path := t.path()
		byPath[path] = append(byPath[path], pair{strings.ToLower(t.method), t.describe()})
	}
	var paths mapping
	for path, methods := range byPath {
		slices.SortFunc(methods, byName)
		paths = append(paths, pair{path, methods})
	}
	slices.SortFunc(paths, byName)
	return mapping{
		{"openapi", "3.0.3"},
		{"info", mapping{
			{"title", "Airflow API (Stable)"},
			{"description", "Airflow 2's REST API, as jetbridge speaks it over Airflow 3's."},
			{"version", version},
		}},
		{"servers", list1(mapping{{"url", v1Prefix}})},
		{"paths", paths},
		{"components", mapping{{"schemas", mapping{{"Error", mapping{
			{"type", "object"},
			{"properties", mapping{{"type", typed("string")}, {"title", typed("string")}, {"status", typed("integer")}, {"detail", typed("string")}}},
		}}}}}},
	}
}

func byName(a, b pair) int { return strings.Compare(a.name, b.name) }

// list1 is a list of one, which a mapping with an empty name stands for.
func list1(items ...mapping) mapping {
	var list mapping
	for _, item := range items {
		list = append(list, pair{"", item})
	}
	return list
}

func typed(name string) mapping { return mapping{{"type", name}} }

// path is the template's, as it stands in a description.
func (t *template) path() string {
	_, path, _ := strings.Cut(strings.ReplaceAll(t.at, "...}", "}"), " ")
	return path
}

func (t *template) describe() mapping {
	d := mapping{{"operationId", t.id}}
	if parameters := t.parameters(); len(parameters) > 0 {
		d = append(d, pair{"parameters", list1(parameters...)})
	}
	if t.takesBody() {
		d = append(d, pair{"requestBody", mapping{{"required", true}, {"content", jsonOf(t.members())}}})
	}
	status := t.success()
	success := mapping{{"description", "Success."}}
	if status != http.StatusNoContent {
		schema := mapping{}
		if t.answer != nil {
			schema = schemaOf(t.answer)
		}
		success = append(success, pair{"content", jsonOf(schema)})
	}
	return append(d, pair{"responses", mapping{{strconv.Itoa(status), success}, {"default", mapping{
		{"description", "Refused, or failed."},
		{"content", mapping{{"application/problem+json", mapping{{"schema", mapping{{"$ref", "#/components/schemas/Error"}}}}}}},
	}}}})
}

// success is the status of an answer that succeeds.
func (t *template) success() int {
	switch {
	case t.status != 0:
		return t.status
	case t.answer == nil && t.do == nil:
		return http.StatusNoContent
	}
	return http.StatusOK
}

func jsonOf(schema mapping) mapping {
	return mapping{{"application/json", mapping{{"schema", schema}}}}
}

// members describes the request's body.
func (t *template) members() mapping {
	var properties mapping
	for _, m := range membersIn(t.body) {
		schema := typed(m.kind.schema())
		switch m.kind {
		case isTime:
			schema = append(schema, pair{"format", "date-time"})
		case isTexts:
			schema = append(schema, pair{"items", typed(isText.schema())})
		case isArray:
			schema = append(schema, pair{"items", mapping{}})
		}
		if m.null {
			schema = append(schema, pair{"nullable", true})
		}
		properties = append(properties, pair{m.name, schema})
	}
	return mapping{{"type", "object"}, {"properties", properties}}
}

func (t *template) parameters() (all []mapping) {
	for _, s := range t.segments {
		if s.param {
			all = append(all, mapping{{"name", s.text}, {"in", "path"}, {"required", true}, {"schema", typed("string")}})
		}
	}
	for name := range strings.FieldsSeq(t.query) {
		name, _, _ = strings.Cut(name, ">")
		schema := typed("string")
		switch kind, _ := paramOf(name); kind {
		case limit, offset:
			schema = typed("integer")
		case moment:
			schema = append(schema, pair{"format", "date-time"})
		case several, fields:
			schema = mapping{{"type", "array"}, {"items", schema}}
		}
		all = append(all, mapping{{"name", name}, {"in", "query"}, {"schema", schema}})
	}
	return all
}

// schemaOf describes what a shape becomes.
func schemaOf(s shape) mapping {
	switch s := s.(type) {
	case page:
		properties := mapping{{s.rows, mapping{{"type", "array"}, {"items", schemaOf(s.of)}}}}
		if !s.bare {
			properties = append(properties, pair{"total_entries", typed("integer")})
		}
		return mapping{{"type", "object"}, {"properties", properties}}
	case list:
		return mapping{{"type", "array"}, {"items", schemaOf(s.of)}}
	case inner:
		return schemaOf(s.as)
	case firstOf:
		return schemaOf(s.of)
	case dict:
		return mapping{{"type", "object"}, {"additionalProperties", schemaOf(s.of)}}
	case *object:
		var properties mapping
		for _, f := range s.fields {
			properties = append(properties, pair{f.name, f.schema()})
		}
		return mapping{{"type", "object"}, {"properties", properties}}
	}
	return mapping{}
}

func (f *field) schema() mapping {
	if f.as != nil {
		return schemaOf(f.as)
	}
	return mapping{} // anything
}

// writeYAML writes m in blocks. Strings are quoted as JSON's, which YAML reads.
func writeYAML(b *strings.Builder, m mapping, depth int) {
	for i, p := range m {
		if i > 0 || depth > 0 {
			b.WriteString(strings.Repeat("  ", depth))
		}
		if p.name == "" {
			b.WriteString("-\n")
		} else {
			b.WriteString(yamlKey(p.name) + ":")
		}
		switch v := p.value.(type) {
		case mapping:
			if len(v) == 0 {
				b.WriteString(" {}\n")
				continue
			}
			if p.name != "" {
				b.WriteByte('\n')
			}
			writeYAML(b, v, depth+1)
		default:
			text, _ := json.Marshal(v) // a string or a bool always can be
			b.WriteString(" " + string(text) + "\n")
		}
	}
}

// yamlKey is a name as YAML takes it for a text: quoted, unless it is a plain word.
func yamlKey(name string) string {
	if len(name) < 4 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" || name == "null" || name == "true" || name == "false" {
		return quoted(name)
	}
	return name
}

func writeJSON(b *strings.Builder, m mapping) {
	list := len(m) > 0 && m[0].name == ""
	b.WriteString(map[bool]string{true: "[", false: "{"}[list])
	for i, p := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		if !list {
			b.WriteString(quoted(p.name) + ":")
		}
		if v, ok := p.value.(mapping); ok {
			writeJSON(b, v)
			continue
		}
		text, _ := json.Marshal(p.value) // a string or a bool always can be
		b.Write(text)
	}
	b.WriteString(map[bool]string{true: "]", false: "}"}[list])
}
