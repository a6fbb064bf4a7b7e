package apiv1

import (
	"encoding/json"
	"strings"
)

// dagRun is a run. One without a logical date, which Airflow 2 did not know, has
// the time after which it could run in its place.
func dagRun() *object {
	return objectOf(
		same("dag_id", "dag_run_id", "note", "state"),
		times("data_interval_end", "data_interval_start", "end_date", "last_scheduling_decision", "start_date"),
		[]field{
			{name: "conf", from: []string{"conf"}, null: "{}"},
			{name: "execution_date", from: []string{"logical_date", "run_after"}, make: datetime},
			{name: "external_trigger", from: []string{"triggered_by", "run_type"}, make: externalTrigger},
			{name: "logical_date", from: []string{"logical_date", "run_after"}, make: datetime},
			{name: "run_type", from: []string{"run_type"}, make: oneOf("manual",
				[]string{"backfill", "manual", "scheduled"}, map[string]string{"asset_triggered": "dataset_triggered"})},
		},
	)
}

// externalTrigger says whether somebody asked for the run. Airflow 3 says who; of
// runs that it took over from Airflow 2 it may not know, and the type tells.
func externalTrigger(dst []byte, values [][]byte) []byte {
	by, kind := string(values[0]), string(values[1])
	switch by {
	case `"cli"`, `"operator"`, `"rest_api"`, `"ui"`, `"test"`:
		return append(dst, "true"...)
	case "":
		if kind == `"manual"` {
			return append(dst, "true"...)
		}
	}
	return append(dst, "false"...)
}

const runTimes = " start_date_gte start_date_lte end_date_gte end_date_lte updated_at_gte updated_at_lte"

func dagRuns() []operation {
	run := dagRun()
	const (
		runs    = "/dags/{dag_id}/dagRuns"
		one     = runs + "/{dag_run_id}"
		missing = "DAGRun not found"
		unknown = "Dag Run id {dag_run_id} not found in dag {dag_id}"
		order   = "execution_date>logical_date"
	)
	return []operation{
		{
			id: "get_dag_runs", at: "GET " + runs,
			query: "fields limit offset order_by state execution_date_gte execution_date_lte" + runTimes, order: order,
			answer: page{rows: "dag_runs", of: run}, empty: true,
		},
		{
			id: "get_dag_runs_batch", at: "POST /dags/~/dagRuns/list",
			body: "dag_ids states order_by page_limit page_offset start_date_gte start_date_lte end_date_gte end_date_lte " +
				"execution_date_gte>logical_date_gte execution_date_lte>logical_date_lte",
			order:  order,
			answer: page{rows: "dag_runs", of: run}, prepare: batch,
		},
		{
			id: "post_dag_run", at: "POST " + runs,
			body:   "dag_run_id logical_date execution_date>- data_interval_start? data_interval_end? conf note?",
			answer: run, missing: "DAG not found", prepare: trigger,
		},
		{id: "get_dag_run", at: "GET " + one, query: "fields", answer: run, missing: missing},
		{id: "update_dag_run_state", at: "PATCH " + one, body: "state", answer: run, missing: unknown},
		{id: "delete_dag_run", at: "DELETE " + one},
		{id: "clear_dag_run", at: "POST " + one + "/clear", body: "dry_run", answer: run, missing: "Dag Run id {dag_run_id} not found in dag   {dag_id}", prepare: clearRun},
		{
			id: "set_dag_run_note", at: "PATCH " + one + "/setNote", to: "PATCH /api/v2" + one,
			body: "note", answer: run, missing: unknown, prepare: noteOnly,
		},
	}
}

// noteOnly keeps a change from touching anything but the note.
func noteOnly(c *call) error {
	c.query.Set("update_mask", "note")
	return nil
}

// trigger starts a run as Airflow 2 did: now, unless a date is given, under a name
// made of it. Airflow 3 would take no date for none, and templates that read one
// would fail. Both are said here, so that a request which is sent again, because
// its answer did not come, cannot start a second run.
func trigger(c *call) error {
	logical, execution := c.sent.get("logical_date"), c.sent.get("execution_date")
	if logical != nil && execution != nil && string(logical) != string(execution) {
		return badRequest("logical_date conflicts with execution_date", inPython(logical)+" != "+inPython(execution))
	}
	if logical == nil {
		logical = execution
	}
	at := c.now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	if logical != nil {
		var text string
		_ = json.Unmarshal(logical, &text) // what is no text is no date either
		var known bool
		if at, known = lenientTime(text); !known {
			return badRequest("Incorrect datetime argument", "logical_date is not a date and time.")
		}
	}
	c.body.set("logical_date", quoted(at))
	c.body.orElse("dag_run_id", quoted("manual__"+strings.Replace(at, "Z", "+00:00", 1)))
	return nil
}

// inPython is a JSON text as Python spells it.
func inPython(raw json.RawMessage) string {
	switch string(raw) {
	case "null":
		return "None"
	case "true":
		return "True"
	case "false":
		return "False"
	}
	var text string
	if json.Unmarshal(raw, &text) != nil || strings.ContainsAny(text, `'\`) {
		return string(raw)
	}
	return "'" + text + "'"
}

func quoted(text string) string {
	b, _ := json.Marshal(text) // a string always can be
	return string(b)
}

// clearRun has another answer when nothing is to be changed, which is the default
// in both Airflows.
func clearRun(c *call) error {
	if c.body.flag("dry_run", true) {
		c.answer = page{rows: "task_instances", of: taskReference(), bare: true}
	}
	return nil
}

// batch reads the paging of a list that is asked for by a body.
func batch(c *call) error {
	if by, ok := c.body.text("order_by"); ok {
		c.body.set("order_by", quoted(c.orderOf(by)))
	}
	return c.bodyPaging()
}
