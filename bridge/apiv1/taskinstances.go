package apiv1

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// taskMembers are those that a task instance and its earlier tries have.
func taskMembers() []field {
	return append(append(same("dag_id", "dag_run_id", "duration", "executor", "executor_config", "map_index", "max_tries", "operator", "pid", "pool",
		"pool_slots", "priority_weight", "queue", "state", "task_display_name", "task_id", "try_number"),
		times("end_date", "queued_when", "start_date")...),
		orElse(`""`, same("hostname", "unixname"))...)
}

func taskInstance() *object {
	trigger := objectOf(same("classpath", "id", "kwargs", "triggerer_id"), times("created_date"))
	job := objectOf(same("dag_id", "executor_class", "hostname", "id", "job_type", "state", "unixname"),
		times("end_date", "latest_heartbeat", "start_date"))
	return objectOf(taskMembers(), same("note"), orElse("{}", same("rendered_fields")), constant("", "sla_miss"),
		[]field{
			{name: "execution_date", from: []string{"logical_date", "run_after"}, make: datetime},
			{name: "rendered_map_index", from: []string{"rendered_map_index", "map_index"}, make: ownMapIndex},
			{name: "trigger", from: []string{"trigger"}, as: trigger},
			{name: "triggerer_job", from: []string{"triggerer_job"}, as: job},
		})
}

// ownMapIndex is what a Dag calls a mapped instance. Airflow 3 says the index itself
// where the Dag says nothing; Airflow 2 said nothing then.
func ownMapIndex(dst []byte, values [][]byte) []byte {
	if bytes.Equal(bytes.Trim(values[0], `"`), values[1]) {
		return dst
	}
	return append(dst, values[0]...)
}

// taskReference is how Airflow 2 named an instance that something was done to.
func taskReference() *object {
	return objectOf(same("dag_id", "dag_run_id", "task_id"),
		[]field{{name: "execution_date", from: []string{"logical_date", "run_after"}, make: datetime}})
}

func taskInstances() []operation {
	const (
		instances = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances"
		one       = instances + "/{task_id}"
		mapped    = one + "/{map_index}"
		missing   = "Task instance not found"
		unknown   = "Task Instance not found for dag_id={dag_id}, run_id={dag_run_id}, task_id={task_id}"
		noTask    = "Task not found"
		filters   = "limit offset state pool queue executor duration_gte duration_lte execution_date_gte execution_date_lte" + runTimes
		unpaged   = "limit>- offset>- order_by>-" // Airflow 2's server did not read them either
	)
	task, tries := taskInstance(), objectOf(taskMembers())
	changed := inner{"task_instances", firstOf{taskReference()}}
	noted := inner{"task_instances", firstOf{task}}
	dependencies := objectOf([]field{{name: "dependencies", from: []string{"dependencies"}, as: list{objectOf(same("name", "reason"))}}})
	links := inner{"extra_links", asIs{}}
	many := page{rows: "task_instances", of: task, unbounded: true}
	earlier := page{rows: "task_instances", of: tries}
	return []operation{
		{id: "get_task_instances", at: "GET " + instances, query: filters, answer: many, empty: true},
		{
			id: "get_task_instances_batch", at: "POST /dags/~/dagRuns/~/taskInstances/list",
			body: "dag_ids dag_run_ids task_ids state[] pool queue executor page_limit page_offset duration_gte duration_lte " +
				"start_date_gte start_date_lte end_date_gte end_date_lte execution_date_gte>logical_date_gte execution_date_lte>logical_date_lte",
			answer: many, prepare: taskBatch,
		},
		{id: "get_task_instance", at: "GET " + one, answer: task, missing: missing},
		{id: "get_mapped_task_instance", at: "GET " + mapped, answer: task, missing: missing},
		{id: "get_mapped_task_instances", at: "GET " + one + "/listMapped", query: filters + " order_by", answer: many, missing: "Task id {task_id} not found"},
		{id: "patch_task_instance", at: "PATCH " + one, body: "new_state dry_run>-", answer: changed, missing: noTask, do: setState},
		{id: "patch_mapped_task_instance", at: "PATCH " + mapped, body: "new_state dry_run>-", answer: changed, missing: noTask, do: setState},
		{
			id: "set_task_instance_note", at: "PATCH " + one + "/setNote", to: "PATCH /api/v2" + one,
			body: "note", answer: noted, missing: unknown, prepare: noteUnmapped,
		},
		{
			id: "set_mapped_task_instance_note", at: "PATCH " + mapped + "/setNote", to: "PATCH /api/v2" + mapped,
			body: "note", answer: noted, missing: unknown, prepare: noteOnly,
		},
		{id: "get_task_instance_dependencies", at: "GET " + one + "/dependencies", answer: dependencies, missing: unknown},
		{id: "get_mapped_task_instance_dependencies", at: "GET " + mapped + "/dependencies", answer: dependencies, missing: unknown},
		{id: "get_task_instance_tries", at: "GET " + one + "/tries", query: unpaged, answer: earlier, empty: true},
		{id: "get_mapped_task_instance_tries", at: "GET " + mapped + "/tries", query: unpaged, answer: earlier, empty: true},
		{id: "get_task_instance_try_details", at: "GET " + one + "/tries/{task_try_number}", answer: tries, missing: missing},
		{id: "get_mapped_task_instance_try_details", at: "GET " + mapped + "/tries/{task_try_number}", answer: tries, missing: missing},
		{id: "get_extra_links", at: "GET " + one + "/links", query: "map_index", answer: links, missing: noTask},
		{
			id: "post_clear_task_instances", at: "POST /dags/{dag_id}/clearTaskInstances",
			body: "dag_run_id? dry_run end_date include_downstream include_future include_parentdag>- include_past include_subdags>- include_upstream " +
				"only_failed only_running reset_dag_runs start_date task_ids",
			answer: page{rows: "task_instances", of: taskReference(), bare: true}, prepare: clearTasks,
			missing: "Dag id {dag_id} not found",
		},
		{
			id: "get_log", at: "GET " + one + "/logs/{task_try_number}", query: "full_content map_index token",
			missing: "TaskInstance not found", do: readLog,
		},
	}
}

// setState changes the state of one instance, or says what would change: that is
// the default, and the path that Airflow 3 has for it. The path of this one always
// changes.
func setState(c *call) error {
	dry := c.sent.flag("dry_run", true)
	if c.body.get("new_state") == nil {
		return badRequest("", "{'new_state': ['Missing data for required field.']}")
	}
	instance := c.path
	if c.params["map_index"] == "" {
		c.query.Set("map_index", "-1") // or each instance of a mapped task is changed
	} else if !dry {
		if err := c.canSetMapped(); err != nil {
			return err
		}
	}
	if dry {
		c.path += "/dry_run"
	}
	res, err := c.ask(c.request())
	if err == nil {
		defer res.Body.Close()
		var reference json.RawMessage
		if reference, err = firstInstance(res.Body); err != nil || reference != nil {
			return c.replyWith(reference, err)
		}
	} else if !isStatus(err, http.StatusConflict) {
		return err
	}
	// It has that state already, which Airflow 2 did not mind.
	return c.reference(instance)
}

// canSetMapped refuses where Airflow 3 would change every instance of the task:
// 3.1.0 does (apache/airflow#57101), 3.0.6 does not, and of those before it nobody
// has made sure.
func (c *call) canSetMapped() error {
	r, err := c.release()
	if err == nil && (r.before(release{3, 0, 6}) || r.before(release{3, 1, 1}) && !r.before(release{3, 1, 0})) {
		err = &problemError{status: http.StatusNotImplemented,
			detail: "This release of Airflow 3 may change every instance of the mapped task. Use 3.0.6, or 3.1.1 and later."}
	}
	return err
}

// firstInstance reads the first of a list of task instances; nil when it is empty.
func firstInstance(r io.Reader) (json.RawMessage, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxHeld))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Instances []json.RawMessage `json:"task_instances"`
	}
	if json.Unmarshal(text, &answer) != nil {
		return nil, errSyntax
	}
	if len(answer.Instances) == 0 {
		return nil, nil
	}
	return answer.Instances[0], nil
}

// replyWith answers with a reference to an instance that was read.
func (c *call) replyWith(instance json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	return c.write(http.StatusOK, func(o *out) error {
		return taskReference().rewrite(newScanner(bytes.NewReader(instance)), o)
	})
}

// reference answers with a reference to the instance at path.
func (c *call) reference(path string) error {
	res, err := c.ask(request{method: http.MethodGet, path: fill(path, c.params)})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return c.reply(res, taskReference())
}

// noteUnmapped is for an instance that is not mapped: without an index Airflow 3
// would write the note to every instance of a mapped task.
func noteUnmapped(c *call) error {
	c.query.Set("map_index", "-1")
	return noteOnly(c)
}

// clearTasks leaves the states of runs alone unless it is told otherwise, which is
// Airflow 2's default and not Airflow 3's. What contradicts itself is refused here,
// since Airflow 3 looks at what is said and not at the defaults.
func clearTasks(c *call) error {
	c.body.orElse("reset_dag_runs", "false")
	if c.body.flag("only_failed", true) && c.body.flag("only_running", false) {
		return badRequest("", "{'_schema': ['only_failed and only_running both are set to True']}")
	}
	return nil
}

// taskBatch asks by a body for what has no state, too, as Airflow 3 calls it.
func taskBatch(c *call) error {
	if raw := c.body.get("state"); raw != nil {
		var states []*string
		if json.Unmarshal(raw, &states) != nil {
			return badRequest("", "{'state': ['Not a valid list.']}")
		}
		for i, s := range states {
			if s != nil && strings.EqualFold(*s, "none") {
				states[i] = nil
			}
		}
		text, err := json.Marshal(states)
		if err != nil {
			return err
		}
		c.body.set("state", string(text))
	}
	return c.bodyPaging()
}

func isStatus(err error, status int) bool {
	var p *problemError
	return errors.As(err, &p) && p.status == status
}
