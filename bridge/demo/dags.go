package demo

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// A dag is one Dag and its runs, guarded by the airflow's mutex.
type dag struct {
	id     string
	tags   []string
	paused bool
	parsed time.Time
	runs   []run
}

type run struct {
	id, by  string
	at      time.Time
	logical any // a date or nil
	conf    any
	note    any
}

// maxRuns bounds the runs that a Dag remembers.
const maxRuns = 1000

func someDags(now time.Time) []*dag {
	return []*dag{
		{id: "greetings", tags: []string{"jetbridge"}, parsed: now},
		{id: "nightly_report", tags: []string{"jetbridge", "reports"}, paused: true, parsed: now},
		{id: "squares", tags: []string{"jetbridge", "numbers"}, parsed: now},
	}
}

// stamp writes a time as pydantic does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func (d *dag) json() object {
	tags := []object{}
	for _, name := range d.tags {
		tags = append(tags, object{{"name", name}, {"dag_id", d.id}, {"dag_display_name", d.id}})
	}
	return object{
		{"dag_id", d.id}, {"dag_display_name", d.id}, {"is_paused", d.paused}, {"is_stale", false}, {"last_parsed_time", stamp(d.parsed)},
		{"last_parse_duration", nil}, {"last_expired", nil}, {"bundle_name", "dags-folder"}, {"bundle_version", nil},
		{"relative_fileloc", d.id + ".py"}, {"fileloc", "/dags/" + d.id + ".py"}, {"description", nil}, {"timetable_summary", nil},
		{"timetable_description", "Never, external triggers only"}, {"timetable_partitioned", false}, {"timetable_periodic", false},
		{"tags", tags}, {"max_active_tasks", 16}, {"max_active_runs", 16}, {"max_consecutive_failed_dag_runs", 0},
		{"has_task_concurrency_limits", false}, {"has_import_errors", false}, {"next_dagrun_logical_date", nil},
		{"next_dagrun_data_interval_start", nil}, {"next_dagrun_data_interval_end", nil}, {"next_dagrun_run_after", nil},
		{"allowed_run_types", nil}, {"owners", []string{"airflow"}}, {"is_backfillable", false}, {"file_token", "demo"},
	}
}

func (r run) json(d *dag) object {
	return object{
		{"dag_run_id", r.id}, {"dag_id", d.id}, {"logical_date", r.logical}, {"queued_at", stamp(r.at)}, {"start_date", nil}, {"end_date", nil},
		{"duration", nil}, {"data_interval_start", r.logical}, {"data_interval_end", r.logical}, {"run_after", stamp(r.at)},
		{"last_scheduling_decision", nil}, {"run_type", "manual"}, {"state", "queued"}, {"triggered_by", "rest_api"},
		{"triggering_user_name", r.by}, {"conf", r.conf}, {"note", r.note},
		{"dag_versions", []object{{
			{"id", "00000000-0000-7000-8000-000000000001"}, {"version_number", 1}, {"dag_id", d.id}, {"bundle_name", "dags-folder"},
			{"bundle_version", nil}, {"created_at", stamp(d.parsed)}, {"dag_display_name", d.id}, {"bundle_url", nil},
		}}},
		{"bundle_version", nil}, {"dag_display_name", d.id}, {"partition_key", nil}, {"partition_date", nil},
	}
}

// find gives the Dag of that id; the caller holds the mutex.
func (a *airflow) find(id string) *dag {
	for _, d := range a.dags {
		if d.id == id {
			return d
		}
	}
	return nil
}

func unknownDag(id string) answer {
	return detail(http.StatusNotFound, fmt.Sprintf("The Dag with ID: `%s` was not found", id))
}

func (a *airflow) listDags(c *call) {
	offset, limit, bad := paging(c.r)
	if bad != nil {
		bad.write(c.w)
		return
	}
	a.mu.Lock()
	list := []object{}
	for _, d := range a.dags[min(offset, len(a.dags)):] {
		if len(list) < limit {
			list = append(list, d.json())
		}
	}
	total := len(a.dags)
	a.mu.Unlock()
	answer{http.StatusOK, object{{"dags", list}, {"total_entries", total}}}.write(c.w)
}

// paging reads offset and limit, by Airflow's defaults.
func paging(r *http.Request) (offset, limit int, bad *answer) {
	limit = 50
	for name, value := range map[string]*int{"offset": &offset, "limit": &limit} {
		text := r.URL.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return 0, 0, new(invalid(object{
				{"type", "int_parsing"}, {"loc", []any{"query", name}},
				{"msg", "Input should be a valid integer, unable to parse string as an integer"}, {"input", text},
			}))
		}
		*value = n
	}
	return offset, limit, nil
}

func (a *airflow) getDag(c *call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.find(c.args[0]); d != nil {
		answer{http.StatusOK, d.json()}.write(c.w)
		return
	}
	unknownDag(c.args[0]).write(c.w)
}

func (a *airflow) pauseDag(c *call) {
	members, bad := c.body.model([]string{"is_paused"}, nil)
	if bad == nil {
		if _, ok := members["is_paused"].(bool); !ok {
			bad = new(invalid(fault("bool_parsing", "Input should be a valid boolean, unable to interpret input", members["is_paused"], "is_paused")))
		}
	}
	if bad != nil {
		bad.write(c.w)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.find(c.args[0])
	if d == nil {
		detail(http.StatusNotFound, fmt.Sprintf("Dag with id: %s was not found", c.args[0])).write(c.w)
		return
	}
	d.paused = members["is_paused"] == true
	answer{http.StatusOK, d.json()}.write(c.w)
}

func (a *airflow) listRuns(c *call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.find(c.args[0])
	if d == nil {
		unknownDag(c.args[0]).write(c.w)
		return
	}
	list := []object{}
	for _, r := range d.runs {
		list = append(list, r.json(d))
	}
	answer{http.StatusOK, object{
		{"dag_runs", list}, {"total_entries", len(list)}, {"total_entries_limit", nil}, {"next_cursor", nil}, {"previous_cursor", nil},
	}}.write(c.w)
}

func (a *airflow) getRun(c *call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.find(c.args[0]); d != nil {
		for _, r := range d.runs {
			if r.id == c.args[1] {
				answer{http.StatusOK, r.json(d)}.write(c.w)
				return
			}
		}
	}
	detail(http.StatusNotFound, fmt.Sprintf("The DagRun with dag_id: `%s` and run_id: `%s` was not found", c.args[0], c.args[1])).write(c.w)
}

// runID is [scheduler] allowed_run_id_pattern.
var runID = regexp.MustCompile(`^[A-Za-z0-9_.~:+-]+$`)

func (a *airflow) trigger(c *call) {
	made, bad := a.newRun(c)
	if bad != nil {
		bad.write(c.w)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.find(c.args[0])
	if d == nil {
		detail(http.StatusNotFound, fmt.Sprintf("Dag with dag_id: '%s' not found", c.args[0])).write(c.w)
		return
	}
	for _, r := range d.runs {
		if r.id == made.id {
			detail(http.StatusConflict, object{
				{"reason", "Unique constraint violation"}, {"statement", "hidden"}, {"orig_error", "hidden"},
				{"message", "Serious error when handling your request. Check logs for more details - you will find it in api server when you look for ID " + rand.Text()[:8]},
			}).write(c.w)
			return
		}
	}
	if len(d.runs) == maxRuns {
		d.runs = d.runs[1:]
	}
	d.runs = append(d.runs, made)
	answer{http.StatusOK, made.json(d)}.write(c.w)
}

// newRun reads the run that a body asks for.
func (a *airflow) newRun(c *call) (run, *answer) {
	members, bad := c.body.model([]string{"logical_date"},
		[]string{"dag_run_id", "data_interval_start", "data_interval_end", "run_after", "conf", "note", "partition_key"})
	if bad != nil {
		return run{}, bad
	}
	made := run{by: c.who.name, at: a.Now(), conf: members["conf"], note: members["note"]}
	if made.conf == nil {
		made.conf = object{}
	}
	if members["logical_date"] != nil {
		text, _ := members["logical_date"].(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return run{}, new(invalid(fault("datetime_from_date_parsing", "Input should be a valid datetime or date", members["logical_date"], "logical_date")))
		}
		made.logical = stamp(at)
	}
	made.id, _ = members["dag_run_id"].(string)
	if members["dag_run_id"] == nil {
		made.id = "manual__" + made.at.UTC().Format("2006-01-02T15:04:05.000000+00:00") + "_" + rand.Text()[:8]
	}
	if !runID.MatchString(made.id) {
		return run{}, new(detail(http.StatusBadRequest, fmt.Sprintf(`The run_id provided '%s' does not match regex pattern '%s' or `+
			`'^(?:manual|scheduled|asset_triggered)__(?:\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00)$'`, made.id, runID)))
	}
	return made, nil
}

func (a *airflow) pools(c *call) {
	answer{http.StatusOK, object{{"pools", []object{{
		{"name", "default_pool"}, {"slots", 128}, {"description", "Default pool"}, {"include_deferred", false}, {"occupied_slots", 0},
		{"running_slots", 0}, {"queued_slots", 0}, {"scheduled_slots", 0}, {"open_slots", 128}, {"deferred_slots", 0}, {"team_name", nil},
	}}}, {"total_entries", 1}}}.write(c.w)
}

func (a *airflow) connections(c *call) {
	answer{http.StatusOK, object{{"connections", []object{}}, {"total_entries", 0}}}.write(c.w)
}

func (a *airflow) uiConfig(c *call) {
	answer{http.StatusOK, object{
		{"fallback_page_limit", 50}, {"auto_refresh_interval", 3}, {"hide_paused_dags_by_default", false}, {"instance_name", "Airflow"},
		{"enable_swagger_ui", true}, {"require_confirmation_dag_change", false}, {"default_wrap", false}, {"test_connection", "Disabled"},
		{"dashboard_alert", []object{}}, {"show_external_log_redirect", false}, {"external_log_name", nil}, {"theme", nil},
		{"multi_team", false}, {"rerun_with_latest_version", nil},
	}}.write(c.w)
}

func (a *airflow) me(c *call) {
	answer{http.StatusOK, object{{"id", c.who.id}, {"username", c.who.name}}}.write(c.w)
}
