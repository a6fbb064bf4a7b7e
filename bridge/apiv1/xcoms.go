package apiv1

import "net/http"

// xcom is an XCom without its value. Undated is JSON for the date of a run that has
// none.
func xcom(undated string) []field {
	return append(append(same("dag_id", "key", "map_index", "task_id"), times("timestamp")...),
		field{name: "execution_date", from: []string{"logical_date", "run_after"}, make: datetime, null: undated})
}

func xcomEntries(undated string) page {
	return page{rows: "xcom_entries", of: objectOf(xcom(undated))}
}

func xcomEntry(undated string) shape { return objectOf(xcom(undated), same("value")) }

func xcoms() []operation {
	const all = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries"
	return []operation{
		{
			id: "get_xcom_entries", at: "GET " + all, query: "limit map_index offset xcom_key",
			answer: xcomEntries(""), prepare: listXComs,
		},
		{
			id: "get_xcom_entry", at: "GET " + all + "/{xcom_key...}", query: "deserialize map_index stringify",
			answer: xcomEntry(""), missing: "XCom entry not found", prepare: readXCom,
		},
	}
}

func listXComs(c *call) error {
	undated, err := c.undated()
	if undated != "" {
		c.answer = xcomEntries(undated)
	}
	return err
}

// readXCom has the value as a text unless the client wants it as it is, which is
// Airflow 2's default and not Airflow 3's.
func readXCom(c *call) error {
	if !c.query.Has("stringify") {
		c.query.Set("stringify", "true")
	}
	undated, err := c.undated()
	if undated != "" {
		c.answer = xcomEntry(undated)
	}
	return err
}

// undated is the date of the path's run if it has no logical one, as JSON. It is
// asked for where Airflow 3.0's own answer leaves it out, and the run is one.
func (c *call) undated() (string, error) {
	r, err := c.release()
	if err != nil || !r.before(release{3, 1, 0}) || c.params["dag_id"] == "~" || c.params["dag_run_id"] == "~" {
		return "", err
	}
	var run struct {
		RunAfter string `json:"run_after"`
	}
	err = c.fetch(c.r.Context(), request{method: http.MethodGet, path: fill(v2Prefix+"/dags/{dag_id}/dagRuns/{dag_run_id}", c.params)}, &run)
	if isStatus(err, http.StatusNotFound) {
		return "", nil // which the call itself will say
	}
	return string(datetime(nil, [][]byte{[]byte(quoted(run.RunAfter))})), err
}
