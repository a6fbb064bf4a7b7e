package apiv1

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// dagMembers are those that a Dag has in lists and alone.
func dagMembers() []field {
	tag := objectOf(same("name"))
	fields := append(same("dag_display_name", "dag_id", "description", "fileloc", "has_import_errors", "has_task_concurrency_limits",
		"is_paused", "max_active_runs", "max_active_tasks", "max_consecutive_failed_dag_runs", "owners", "timetable_description"),
		times("last_expired", "last_parsed_time", "next_dagrun_data_interval_end", "next_dagrun_data_interval_start")...)
	fields = append(fields,
		field{name: "file_token", from: []string{"file_token", "dag_id"}, make: fileToken},
		field{name: "is_active", from: []string{"is_stale"}, make: not},
		field{name: "next_dagrun", from: []string{"next_dagrun_logical_date"}, make: datetime},
		field{name: "next_dagrun_create_after", from: []string{"next_dagrun_run_after"}, make: datetime},
		field{name: "schedule_interval", from: []string{"timetable_summary"}, make: scheduleInterval},
		field{name: "tags", from: []string{"tags"}, as: list{tag}, null: "[]"},
	)
	fields = append(fields, constant(`"grid"`, "default_view")...)
	fields = append(fields, constant("false", "is_subdag")...)
	return append(fields, constant("", "last_pickled", "pickle_id", "root_dag_id", "scheduler_lock")...)
}

// dagDetailMembers are those that a Dag has with its details.
func dagDetailMembers() []field {
	fields := append(dagMembers(), same("catchup", "concurrency", "doc_md", "is_paused_upon_creation", "render_template_as_native_obj")...)
	fields = append(fields, times("start_date", "end_date", "last_parsed")...)
	fields = append(fields, constant(`"LR"`, "orientation")...)
	return append(fields,
		field{name: "dag_run_timeout", from: []string{"dag_run_timeout"}, make: isoTimeDelta},
		field{name: "dataset_expression", from: []string{"asset_expression"}, make: datasetExpression},
		field{name: "params", from: []string{"params"}, as: params(), null: "{}"},
		field{name: "template_searchpath", from: []string{"template_search_path"}},
		field{name: "timezone", from: []string{"timezone"}, null: `"UTC"`},
	)
}

func dags() []operation {
	dag := objectOf(dagMembers())
	const missing = "DAG not found"
	return []operation{
		{
			id: "get_dags", at: "GET /dags",
			query:  "dag_id_pattern fields limit offset only_active>exclude_stale order_by paused tags",
			answer: page{rows: "dags", of: dag}, prepare: listDags,
		},
		{
			id: "get_dag", at: "GET /dags/{dag_id}",
			query:  "fields",
			answer: dag, missing: missing,
		},
		{
			id: "patch_dag", at: "PATCH /dags/{dag_id}",
			query: "update_mask", body: "is_paused?",
			answer: dag, missing: "Dag with id: '{dag_id}' not found",
		},
		{id: "delete_dag", at: "DELETE /dags/{dag_id}", missing: "Dag with id: '{dag_id}' not found"},
		{
			id: "get_dag_details", at: "GET /dags/{dag_id}/details",
			query:  "fields",
			answer: objectOf(dagDetailMembers()), missing: missing,
		},
		{
			id: "patch_dags", at: "PATCH /dags",
			query:  "dag_id_pattern limit offset only_active>exclude_stale tags update_mask",
			body:   "is_paused?",
			answer: page{rows: "dags", of: dag},
			do:     patchDags,
		},
	}
}

// not turns a boolean round.
func not(dst []byte, values [][]byte) []byte {
	switch string(values[0]) {
	case "true":
		return append(dst, "false"...)
	case "false":
		return append(dst, "true"...)
	}
	return dst
}

// interval is how Python writes a timedelta.
var interval = regexp.MustCompile(`^(?:(-?\d+) days?, )?(\d+):(\d\d):(\d\d)(?:\.(\d{6}))?$`)

// scheduleInterval makes what Airflow 2 kept of a schedule of the summary that
// Airflow 3 gives of its timetable: a timedelta, or a cron expression, as which it
// also wrote every other text.
func scheduleInterval(dst []byte, values [][]byte) []byte {
	var summary string
	if values[0] == nil || json.Unmarshal(values[0], &summary) != nil {
		return dst
	}
	if m := interval.FindStringSubmatch(summary); m != nil {
		n := make([]int, len(m))
		for i, text := range m[1:] {
			n[i], _ = strconv.Atoi(text) // digits, or nothing
		}
		return timeDelta(dst, n[0], n[1]*3600+n[2]*60+n[3], n[4])
	}
	value, _ := json.Marshal(strings.Replace(summary, "Asset", "Dataset", 1)) // a string always can be
	return append(append(append(dst, `{"__type": "CronExpression", "value": `...), value...), '}')
}

func timeDelta(dst []byte, days, seconds, micros int) []byte {
	dst = strconv.AppendInt(append(dst, `{"__type": "TimeDelta", "days": `...), int64(days), 10)
	dst = strconv.AppendInt(append(dst, `, "seconds": `...), int64(seconds), 10)
	dst = strconv.AppendInt(append(dst, `, "microseconds": `...), int64(micros), 10)
	return append(dst, '}')
}

// duration is an ISO 8601 duration as pydantic writes it.
var duration = regexp.MustCompile(`^"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,6}))?S)?)?"$`)

// isoTimeDelta makes Airflow 2's timedelta of a duration.
func isoTimeDelta(dst []byte, values [][]byte) []byte {
	m := duration.FindSubmatch(values[0])
	if m == nil {
		return dst
	}
	n := make([]int, len(m))
	for i, text := range m[1:] {
		if i == 4 {
			text = append(bytes.Clone(text), "000000"[len(text):]...)
		}
		n[i], _ = strconv.Atoi(string(text))
	}
	return timeDelta(dst, n[0], n[1]*3600+n[2]*60+n[3], n[4])
}

// datasetExpression makes Airflow 2's tree of datasets of Airflow 3's of assets:
// a leaf is a URI there, an object here.
func datasetExpression(dst []byte, values [][]byte) []byte {
	var tree any
	if values[0] == nil || json.Unmarshal(values[0], &tree) != nil {
		return dst
	}
	text, err := json.Marshal(datasetTree(tree))
	if err != nil {
		return dst
	}
	return append(dst, text...)
}

func datasetTree(node any) any {
	object, ok := node.(map[string]any)
	if !ok {
		return node
	}
	if asset, ok := object["asset"].(map[string]any); ok {
		return asset["uri"]
	}
	for _, branch := range []string{"any", "all"} {
		leaves, _ := object[branch].([]any)
		for i := range leaves {
			leaves[i] = datasetTree(leaves[i])
		}
	}
	return object
}

// dagPattern keeps a pattern from meaning more to Airflow 3 than it did to Airflow 2:
// "|" parts several there. No Dag's id has one, nor a "/", which means nothing.
func dagPattern(pattern string) string { return strings.ReplaceAll(pattern, "|", "/") }

// listDags finds nothing with a "~", by which only patch_dags meant all.
func listDags(c *call) error {
	if pattern := c.query.Get("dag_id_pattern"); pattern == "~" {
		c.query.Set("dag_id_pattern", "%~")
	} else if pattern != "" {
		c.query.Set("dag_id_pattern", dagPattern(pattern))
	}
	return nil
}

// patchDags pauses the Dags of one page. Airflow 3 pauses all that fit, whatever
// the page; so what fits is asked for first, and where it is more than the page,
// each Dag on the page is changed by itself.
func patchDags(c *call) error {
	if !c.query.Has("dag_id_pattern") {
		return badRequest("", "Missing query parameter 'dag_id_pattern'")
	}
	if mask := c.query["update_mask"]; len(mask) > 0 && !slices.Equal(mask, []string{"is_paused"}) {
		return badRequest("", "Only `is_paused` field can be updated through the REST API")
	}
	c.query.Set("dag_id_pattern", dagPattern(c.query.Get("dag_id_pattern")))
	ids, total, err := c.dagsOnPage()
	if err != nil {
		return err
	}
	if len(ids) == total {
		return c.pages(c.answer.(page))
	}
	changed, err := c.patchEach(ids)
	if err != nil {
		return err
	}
	w := pageWriter{page: c.answer.(page), total: strconv.AppendInt(nil, int64(total), 10)}
	return c.write(http.StatusOK, func(o *out) error {
		w.o = o
		return w.whole(changed)
	})
}

// dagsOnPage are the Dags on the client's page, however many pages of Airflow 3's
// that takes, and how many fit in all. They are those that the client may read.
func (c *call) dagsOnPage() (ids []string, total int, err error) {
	list := request{method: http.MethodGet, path: c.path, query: maps.Clone(c.query)}
	list.query.Del("update_mask")
	list.query.Set("order_by", "dag_id")
	for more := true; more; {
		var found struct {
			Dags []struct {
				ID string `json:"dag_id"`
			}
			Total *int `json:"total_entries"`
		}
		list.query.Set("limit", strconv.Itoa(c.rows-len(ids)))
		list.query.Set("offset", strconv.Itoa(c.offset+len(ids)))
		if err := c.fetch(c.r.Context(), list, &found); err != nil {
			return nil, 0, err
		}
		if found.Total == nil || len(found.Dags) > c.rows-len(ids) {
			return nil, 0, errSyntax
		}
		for _, dag := range found.Dags {
			ids = append(ids, dag.ID)
		}
		total = *found.Total
		more = len(found.Dags) > 0 && len(ids) < c.rows && len(ids) < total-c.offset
	}
	return ids, total, nil
}

// patchEach changes Dags one by one and gives what they are then. Those that may be
// read and not changed Airflow 2 left out; who may change none of them is refused.
func (c *call) patchEach(ids []string) ([]json.RawMessage, error) {
	var held atomic.Int64
	changed, refusals := make([]json.RawMessage, len(ids)), make([]error, len(ids))
	err := c.atOnce(len(ids), func(ctx context.Context, i int) error {
		segment, err := segmentOf(ids[i])
		if err != nil {
			return errSyntax // Airflow has no such Dag
		}
		one := c.request()
		one.path += "/" + segment
		one.query = url.Values{}
		err = c.fetchUpTo(ctx, one, maxHeld, &changed[i])
		if isStatus(err, http.StatusForbidden) || isStatus(err, http.StatusNotFound) { // it may have gone meanwhile
			refusals[i] = err
			return nil
		}
		if held.Add(int64(len(changed[i]))) > maxFetched {
			return errTooLarge
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	changed = slices.DeleteFunc(changed, func(row json.RawMessage) bool { return row == nil })
	if len(changed) == 0 && len(ids) > 0 {
		return nil, refusals[0]
	}
	return changed, nil
}
