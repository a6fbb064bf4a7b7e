package apiv1

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
)

func task() *object {
	delta := objectOf(same("__type", "days", "microseconds", "seconds"))
	return objectOf(
		same("depends_on_past", "doc_md", "queue", "retry_delay", "wait_for_downstream"),
		times("end_date", "start_date"),
		orElse(`""`, same("operator_name", "owner", "task_display_name", "task_id")), orElse("[]", same("downstream_task_ids", "template_fields")), orElse("0.0", same("priority_weight", "retries")),
		orElse(`"default_pool"`, same("pool")), orElse("1.0", same("pool_slots")), orElse(`"all_success"`, same("trigger_rule")), orElse(`"downstream"`, same("weight_rule")),
		orElse(`"#fff"`, same("ui_color")), orElse(`"#000"`, same("ui_fgcolor")), orElse("false", same("is_mapped")),
		constant("[]", "extra_links"), // a class each, in Airflow 2; names alone, in Airflow 3
		[]field{
			{name: "class_ref", from: []string{"class_ref"}, null: `{"class_name": null, "module_path": null}`},
			{name: "execution_timeout", from: []string{"execution_timeout"}, as: delta},
			{name: "params", from: []string{"params"}, as: params(), null: "{}"},
			{name: "retry_exponential_backoff", from: []string{"retry_exponential_backoff"}, make: truth},
		},
	)
}

// params are those of a Dag or a task, each with its class, as Airflow 2 wrote them.
func params() shape {
	return dict{objectOf(constant(`"airflow.models.param.Param"`, "__class"), same("description", "schema", "value"))}
}

// truth is Python's of a number or a boolean.
func truth(dst []byte, values [][]byte) []byte {
	switch string(bytes.Trim(values[0], "0.")) {
	case "", "false":
		return append(dst, "false"...)
	}
	return append(dst, "true"...)
}

func tasks() []operation {
	const all = "/dags/{dag_id}/tasks"
	t := task()
	return []operation{
		{id: "get_tasks", at: "GET " + all, query: "order_by", answer: page{rows: "tasks", of: t}, missing: "DAG not found"},
		{id: "get_task", at: "GET " + all + "/{task_id}", answer: t, missing: "Task not found"},
		{
			id: "post_set_task_instances_state", at: "POST /dags/{dag_id}/updateTaskInstancesState",
			to:     "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}",
			body:   "dag_run_id>- dry_run>- execution_date>- include_downstream include_future include_past include_upstream new_state task_id>-",
			answer: page{rows: "task_instances", of: taskReference(), bare: true},
			do:     setStates,
		},
	}
}

// setStates changes the state of an instance and of those around it. Airflow 3's
// answer names one instance alone, so what will change is asked for first; that is
// also all that is done when it is not to be changed, which is the default.
func setStates(c *call) error {
	err := c.required("task_id", "new_state", "include_upstream", "include_downstream", "include_future", "include_past")
	if err == nil {
		err = c.findRun()
	}
	if err != nil {
		return err
	}
	taskID, _ := c.sent.text("task_id")
	if c.params["task_id"], err = segmentOf(taskID); err != nil {
		return err
	}
	c.query.Set("map_index", "-1") // a mapped task is not found, rather than changed as a whole
	ask := c.request()
	dryRun := ask
	dryRun.path += "/dry_run"
	var changed struct {
		Instances []json.RawMessage `json:"task_instances"`
	}
	if err := c.fetch(c.r.Context(), dryRun, &changed); err != nil {
		return err
	}
	if !c.sent.flag("dry_run", true) {
		res, err := c.ask(ask)
		switch {
		case err == nil:
			res.Body.Close()
		case !isStatus(err, http.StatusConflict): // it has that state already, which Airflow 2 did not mind
			return err
		}
	}
	w := pageWriter{page: c.answer.(page)}
	return c.write(http.StatusOK, func(o *out) error {
		w.o = o
		return w.whole(changed.Instances)
	})
}

// required refuses a body that leaves a member out.
func (c *call) required(names ...string) error {
	for _, name := range names {
		if c.sent.get(name) == nil {
			return badRequest("", "{'"+name+"': ['Missing data for required field.']}")
		}
	}
	return nil
}

// findRun finds the run that the body names, by its name or by its date.
func (c *call) findRun() error {
	run, named := c.sent.text("dag_run_id")
	date, dated := c.sent.text("execution_date")
	if named == dated {
		return badRequest("", "{'_schema': ['Exactly one of execution_date or dag_run_id must be provided']}")
	}
	if dated {
		at, ok := lenientTime(date)
		if !ok {
			return badRequest("", "{'execution_date': ['Not a valid datetime.']}")
		}
		var found struct {
			Runs []struct {
				ID string `json:"dag_run_id"`
			} `json:"dag_runs"`
		}
		list := request{method: http.MethodGet, path: fill(v2Prefix+"/dags/{dag_id}/dagRuns", c.params),
			query: url.Values{"logical_date_gte": {at}, "logical_date_lte": {at}, "limit": {"1"}}}
		if err := c.fetch(c.r.Context(), list, &found); err != nil {
			return err
		}
		if len(found.Runs) == 0 {
			return notFound("", "Task instance not found: there is no run on execution_date "+at)
		}
		run = found.Runs[0].ID
	}
	var err error
	c.params["dag_run_id"], err = segmentOf(run)
	return err
}
