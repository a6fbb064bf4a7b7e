package apiv1

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A call is one line of client.py's.
type call struct {
	Operation   string `json:"operation"`
	Case        string `json:"case"`
	Type        string `json:"type"`
	Exception   string `json:"exception"`
	Message     string `json:"message"`
	Status      int    `json:"status"`
	ContentType string `json:"content_type"`
	Body        any    `json:"body"`
}

// String names the call in failures.
func (c call) String() string {
	if c.Case == "" {
		return c.Operation
	}
	return c.Operation + ", " + c.Case
}

// A difference is one member of an answer that is not the same from both.
type difference struct {
	field          string // as fieldOf names it; in brackets what is around the body and what the client made of it
	direct, bridge string
}

// differencesOf holds what the client got of Airflow 2 against what it got through the bridge, member by member.
func differencesOf(direct, bridge call) []difference {
	a, b := members(direct), members(bridge)
	rows := "body." + rowsOf(bridge.Body) + "[]."
	var found []difference
	names := slices.Sorted(maps.Keys(a))
	for name := range b {
		if _, known := a[name]; !known {
			names = append(names, name)
		}
	}
	for _, name := range names {
		x, y := "nothing", "nothing"
		if text, ok := a[name]; ok {
			x = text
		}
		if text, ok := b[name]; ok {
			y = text
		}
		if x != y {
			found = append(found, difference{fieldOf(rows, name), x, y})
		}
	}
	return found
}

// fieldOf names a member of a row of a list, and of what is asked for alone, alike: without what leads to the row.
func fieldOf(rows, path string) string {
	path = strings.TrimPrefix(index.ReplaceAllString(path, "[]"), rows)
	return strings.TrimPrefix(path, "body.")
}

var index = regexp.MustCompile(`\[\d+\]`)

// rowsOf is the member of a list's answer that holds the rows.
func rowsOf(body any) string {
	members, _ := body.(map[string]any)
	_, counted := members["total_entries"]
	for name, value := range members {
		if _, is := value.([]any); is && (counted || len(members) == 1) {
			return name
		}
	}
	return ""
}

func members(c call) map[string]string {
	all := map[string]string{"(status)": fmt.Sprint(c.Status), "(type)": c.Type, "(exception)": c.Exception, "(content type)": c.ContentType}
	flatten(all, "body", inOrder(c))
	return all
}

// orderless are the operations whose rows neither Airflow puts in an order of its own.
var orderless = map[string]bool{
	"get_task_instances": true, "get_task_instances_batch": true, "post_clear_task_instances": true, "clear_dag_run": true,
	"post_set_task_instances_state": true, "get_config": true, "get_providers": true, "get_dag_stats": true,
	"get_permissions": true,
}

// unordered are the members that are sets.
var unordered = map[string]bool{"tags": true, "actions": true, "downstream_task_ids": true}

// inOrder is the body with what has no order in one.
func inOrder(c call) any {
	rows := rowsOf(c.Body)
	var sorted func(name string, value any)
	sorted = func(name string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for name, member := range value {
				sorted(name, member)
			}
		case []any:
			for _, item := range value {
				sorted("", item)
			}
			if unordered[name] || name == rows && orderless[c.Operation] {
				slices.SortFunc(value, func(a, b any) int { return strings.Compare(rowName(a), rowName(b)) })
			}
		}
	}
	sorted("", c.Body)
	return c.Body
}

// rowName tells one row from the next.
func rowName(row any) string {
	if text, is := row.(string); is {
		return text
	}
	r, _ := row.(map[string]any)
	return fmt.Sprint(r["dag_id"], r["dag_run_id"], r["task_id"], r["map_index"], r["name"], r["package_name"], r["resource"], r["action"])
}

// flatten puts each value below the path to it, in a form in which what no two Airflows have alike is alike.
func flatten(into map[string]string, path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 0 {
			into[path] = "{}"
		}
		for name, member := range value {
			flatten(into, path+"."+name, member)
		}
	case []any:
		if len(value) == 0 {
			into[path] = "[]"
		}
		for i, item := range value {
			flatten(into, fmt.Sprintf("%s[%d]", path, i), item)
		}
	case string:
		into[path] = alike(path, value)
	case json.Number:
		if varies[lastName(path)] {
			into[path] = "a number"
			return
		}
		into[path] = value.String()
	default:
		text, _ := json.Marshal(value) // true, false, null
		into[path] = string(text)
	}
}

// varies are the numbers and texts that no two Airflows have alike: of these the kind alone is compared.
var varies = map[string]bool{
	"id": true, "pid": true, "duration": true, "hostname": true, "unixname": true, "job_id": true, "queued_by_job_id": true,
	"dataset_id": true, "event_log_id": true, "import_error_id": true, "file_token": true, "when": true,
	"timestamp": true, "airflow_version": true, "continuation_token": true, "login_count": true,
}

var (
	// moment is a time that is now or was lately, not one of the story's own of 2024.
	moment = regexp.MustCompile(`20(2[5-9]|[3-9]\d)-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?`)
	// docs is the address of the documentation of whichever release answers.
	docs = regexp.MustCompile(`apache-airflow/\d+\.\d+\.\d+/`)
)

// alike takes out of a text what no two Airflows have alike. How a time is written stays.
func alike(path, text string) string {
	if varies[lastName(path)] && text != "" {
		return "a text"
	}
	text = docs.ReplaceAllString(text, "apache-airflow/<release>/")
	text = moment.ReplaceAllStringFunc(text, func(found string) string {
		at := strings.IndexAny(found[10:], "Z+-")
		if at < 0 {
			return "<moment>"
		}
		return "<moment" + found[10+at:] + ">"
	})
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
