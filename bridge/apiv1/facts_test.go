package apiv1

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryOperation: each of Airflow 2's is declared, with a corpus, and nothing else.
func TestEveryOperation(t *testing.T) {
	declared := map[string]bool{}
	for _, op := range families() {
		if declared[op.id] {
			t.Errorf("%s is declared twice", op.id)
		}
		declared[op.id] = true
	}
	known := map[string]bool{}
	for id := range factsOf(t).v1 {
		known[id] = true
		if !declared[id] {
			t.Errorf("%s has no declaration", id)
		}
	}
	for id := range declared {
		if !known[id] {
			t.Errorf("%s is no operation of Airflow 2's", id)
		}
		if _, err := os.Stat(filepath.Join("testdata", "corpus", id+".txtar")); err != nil {
			t.Errorf("%s has no corpus: %v", id, err)
		}
	}
	if len(known) != 89 {
		t.Errorf("Airflow 2 has %d operations, want 89", len(known))
	}
}

// facts are what the two APIs' own descriptions say (testdata/facts.txt).
type facts struct {
	v1 map[string]*described
	v2 map[string]*described // by method and path
}

type described struct {
	at                  string // METHOD PATH
	query, body, answer map[string]string
}

func factsOf(t *testing.T) facts {
	t.Helper()
	text, err := os.ReadFile("testdata/facts.txt")
	if err != nil {
		t.Fatal(err)
	}
	f := facts{map[string]*described{}, map[string]*described{}}
	var op *described
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "v1 "):
			op = &described{at: words[2] + " " + words[3]}
			f.v1[words[1]] = op
		case strings.HasPrefix(line, "v2"):
			op = &described{at: words[2] + " " + words[3]}
			f.v2[op.at] = op
		case words[0] == "query":
			op.query = namesOf(words[1:])
		case words[0] == "body":
			op.body = namesOf(words[1:])
		case words[0] == "answer":
			op.answer = namesOf(words[1:])
		default:
			t.Fatalf("facts.txt: %q", line)
		}
	}
	f.correct()
	return f
}

// correct changes what Airflow 2's description says where its server did otherwise,
// which is what clients met.
func (f facts) correct() {
	tries := map[string]string{"task_instances": "", "total_entries": ""}
	for name, says := range f.v1["get_task_instance"].answer {
		switch name {
		case "execution_date", "note", "rendered_fields", "rendered_map_index", "sla_miss", "trigger", "triggerer_job":
		default:
			if !strings.Contains(name, ".") {
				tries["task_instances[]."+name] = says
				f.v1["get_task_instance_try_details"].answer = alone(tries)
			}
		}
	}
	for _, id := range []string{"get_task_instance_tries", "get_mapped_task_instance_tries"} {
		f.v1[id].answer = tries
	}
	f.v1["get_mapped_task_instance_try_details"].answer = f.v1["get_task_instance_try_details"].answer

	for _, id := range []string{"get_tasks", "get_task"} {
		answer := f.v1[id].answer
		for name := range answer {
			if strings.Contains(name, "sub_dag") || strings.HasSuffix(name, "executor") {
				delete(answer, name) // never there
			} else if row, found := strings.CutSuffix(name, "class_ref"); found && !strings.Contains(name, "extra_links") {
				answer[row+"operator_name"], answer[row+"params"] = "", ""
			}
		}
	}
	// Lists of variables have their values, too; one that cannot be decrypted is null.
	f.v1["get_variables"].answer["variables[].value"] = "?"
	for _, id := range []string{"post_variables", "get_variable", "patch_variable"} {
		f.v1[id].answer["value"] = "?"
	}

	// What may be null by the description, and was refused by the server.
	for id, names := range map[string][]string{
		"post_dag_run": {"dag_run_id", "logical_date", "execution_date"}, "create_dataset_event": {"extra"},
		"post_variables": {"description"}, "patch_variable": {"description"},
	} {
		for _, name := range names {
			f.v1[id].body[name] = strings.Replace(f.v1[id].body[name], "?", "", 1)
		}
	}

	// Passwords are taken and never given.
	for _, id := range []string{"post_connection", "get_connection", "patch_connection"} {
		delete(f.v1[id].answer, "password")
	}

	// What a user's failed logins are called, and that a user's password is not given.
	for _, id := range []string{"get_users", "post_user", "get_user", "patch_user"} {
		answer := f.v1[id].answer
		for _, of := range []string{"", "users[]."} {
			if says, ok := answer[of+"failed_login_count"]; ok {
				answer[of+"fail_login_count"] = says
			}
			delete(answer, of+"failed_login_count")
		}
		delete(answer, "password")
	}
	f.correctDatasets()

	details := f.v1["get_dag_details"].answer
	details["template_searchpath"] = details["template_search_path"]
	delete(details, "template_search_path")

	// Of two answers that it may give, the dry run's is another declaration.
	for name := range f.v1["clear_dag_run"].answer {
		if strings.HasPrefix(name, "task_instances") || name == "total_entries" {
			delete(f.v1["clear_dag_run"].answer, name)
		}
	}
}

// correctDatasets is correct for what is about datasets.
func (f facts) correctDatasets() {
	for _, id := range []string{"get_dag_dataset_queued_events", "get_dataset_queued_events"} {
		f.v1[id].rename("datasets", "queued_events")
	}
	for id, row := range map[string]string{"get_datasets": "datasets[].", "get_dataset": ""} {
		for _, name := range []string{"aliases", "aliases[].id", "aliases[].name"} {
			f.v1[id].answer[row+name] = ""
		}
	}
	for id, row := range map[string]string{"get_dataset_events": "dataset_events[].", "get_upstream_dataset_events": "dataset_events[].", "create_dataset_event": ""} {
		f.v1[id].answer[row+"id"] = ""
		f.v1[id].rename(row+"created_dagruns[].run_id", row+"created_dagruns[].dag_run_id")
	}
}

// rename calls a member of the answer, and what is below it, otherwise.
func (d *described) rename(old, new string) {
	for name, says := range d.answer {
		if rest, ok := strings.CutPrefix(name, old); ok && (rest == "" || strings.ContainsAny(rest[:1], "[.")) {
			delete(d.answer, name)
			d.answer[new+rest] = says
		}
	}
}

// alone are the members of the rows of a list.
func alone(list map[string]string) map[string]string {
	names := map[string]string{}
	for name, says := range list {
		if _, below, found := strings.Cut(name, "[]."); found {
			names[below] = says
		}
	}
	return names
}

// namesOf gives for each name what is said of it: "?" and "@", the kind, and the releases.
func namesOf(words []string) map[string]string {
	names := map[string]string{}
	for _, w := range words {
		i := strings.IndexAny(w, "?@:<>=")
		if i < 0 {
			i = len(w)
		}
		names[w[:i]] = w[i:]
	}
	return names
}

// TestDeclarations holds each declaration to what both Airflows say of themselves.
func TestDeclarations(t *testing.T) {
	f := factsOf(t)
	for _, tmpl := range templatesOf(families()) {
		t.Run(tmpl.id, func(t *testing.T) {
			old := f.v1[tmpl.id]
			if old == nil {
				t.Fatal("Airflow 2 has no such operation")
			}
			if at := strings.ReplaceAll(tmpl.at, "...}", "}"); at != old.at {
				t.Errorf("it is %s in Airflow 2, and declared as %s", old.at, at)
			}
			target := tmpl.upstream.method + " " + tmpl.upstream.path
			new := f.find(target)
			if new == nil {
				t.Fatalf("Airflow 3 has no %s", target)
			}
			checkQuery(t, tmpl, old, new)
			checkBody(t, tmpl, old, new)
			if tmpl.answer != nil {
				checkAnswer(t, tmpl, old, new)
			} else if tmpl.do == nil && len(old.answer) > 0 {
				t.Errorf("Airflow 2 answers with a body, and none is declared")
			}
		})
	}
}

// find finds an operation of Airflow 3's by method and path, whatever the path's
// parameters are called.
func (f facts) find(target string) *described {
	plain := func(at string) string {
		var b strings.Builder
		for i, part := range strings.Split(at, "{") {
			if i > 0 {
				_, part, _ = strings.Cut(part, "}")
				b.WriteString("{}")
			}
			b.WriteString(part)
		}
		return strings.ReplaceAll(b.String(), "/~", "/{}")
	}
	for at, op := range f.v2 {
		if plain(at) == plain(target) {
			return op
		}
	}
	return nil
}

func checkQuery(t *testing.T, tmpl *template, old, new *described) {
	t.Helper()
	declared := renames(tmpl.query)
	for name := range old.query {
		if _, ok := declared[name]; !ok {
			t.Errorf("Airflow 2 has the parameter %s", name)
		}
	}
	for name, upstream := range declared {
		if _, ok := old.query[name]; !ok {
			t.Errorf("Airflow 2 has no parameter %s", name)
		}
		kind, known := paramOf(name)
		if upstream == name {
			upstream = known
		}
		if _, ok := new.query[upstream]; !ok && kind != fields && upstream != nowhere {
			t.Errorf("Airflow 3 has no parameter %s", upstream)
		}
	}
}

func checkBody(t *testing.T, tmpl *template, old, new *described) {
	t.Helper()
	declared := map[string]bool{}
	for _, m := range membersIn(tmpl.operation.body) {
		declared[m.name] = true
		says, kind, _ := strings.Cut(old.body[m.name], ":")
		if kind != m.kind.schema() || m.null != strings.Contains(says, "?") {
			t.Errorf("%s is declared as %s, null: %t, and is %q in Airflow 2's body", m.name, m.kind.schema(), m.null, old.body[m.name])
		}
		if m.kind == isTime && !strings.Contains(says, "@") {
			t.Errorf("%s is no time in Airflow 2's body", m.name)
		}
		if _, ok := new.body[m.upstream]; !ok && m.upstream != nowhere {
			t.Errorf("Airflow 3's body has no %s", m.upstream)
		}
	}
	for name, says := range old.body {
		if !strings.ContainsAny(name, ".[") && !strings.HasSuffix(says, ":readonly") && !declared[name] {
			t.Errorf("Airflow 2's body has %s", name)
		}
	}
}

func checkAnswer(t *testing.T, tmpl *template, old, new *described) {
	t.Helper()
	check := shapeCheck{t, old.answer, new.answer}
	check.shape(tmpl.answer, "", "")
}

// A shapeCheck holds a shape to the two descriptions of the value that it is of.
type shapeCheck struct {
	t        *testing.T
	old, new map[string]string
}

func (c shapeCheck) shape(s shape, was, is string) {
	switch s := s.(type) {
	case page:
		c.has(c.new, join(is, s.name()), "Airflow 3")
		c.has(c.old, join(was, s.rows), "Airflow 2")
		c.shape(s.of, join(was, s.rows)+"[]", join(is, s.name())+"[]")
	case list:
		c.shape(s.of, was+"[]", is+"[]")
	case inner:
		c.has(c.new, join(is, s.name), "Airflow 3")
		c.shape(s.as, was, join(is, s.name))
	case firstOf:
		c.shape(s.of, was, is+"[]")
	case *object:
		c.object(s, was, is)
	case dict: // its names are the Dag's own
	case asIs:
	default:
		c.t.Errorf("a shape %T that the test does not know", s)
	}
}

func (c shapeCheck) object(ob *object, was, is string) {
	for name := range c.old {
		below, ok := strings.CutPrefix(name, was+".")
		if was == "" {
			below, ok = name, true
		}
		if ok && below != "" && !strings.ContainsAny(below, ".[") && !slices.ContainsFunc(ob.fields, func(f field) bool { return f.name == below }) {
			c.t.Errorf("Airflow 2 has %s", join(was, below))
		}
	}
	for _, f := range ob.fields {
		flags := c.has(c.old, join(was, f.name), "Airflow 2")
		if len(f.from) == 0 {
			continue
		}
		nullable := true
		for _, from := range f.from {
			says := c.has(c.new, join(is, from), "Airflow 3")
			nullable = nullable && (strings.Contains(says, "?") || strings.Trim(says, "?@") != strings.Trim(c.new[is], "?@")) // of other releases than what it is in
			if strings.Contains(says, "@") && f.make == nil {
				c.t.Errorf("%s is a time in Airflow 3", join(is, from))
			}
		}
		if nullable && !strings.Contains(flags, "?") && f.null == "" && len(f.from) == 1 {
			c.t.Errorf("%s may be null in Airflow 3, and not in Airflow 2", join(is, f.from[0]))
		}
		if f.as != nil {
			for _, from := range f.from {
				c.shape(f.as, join(was, f.name), join(is, from))
			}
		}
	}
}

func (c shapeCheck) has(in map[string]string, name, whose string) string {
	says, ok := in[name]
	if !ok {
		c.t.Errorf("%s has no %s", whose, name)
	}
	return says
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
