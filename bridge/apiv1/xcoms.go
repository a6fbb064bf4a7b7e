package apiv1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
)

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
			answer: xcomEntry(""), missing: "XCom entry not found", do: readXCom,
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
// Airflow 2's default and not Airflow 3's. A value that was stored with its class (a
// tuple, a date, an object of one's own) Airflow 2 wrote in a short form, as Airflow
// 3.1 does when it is told to deserialise; told so for every value, it would also read
// a text that is JSON as JSON.
func readXCom(c *call) error {
	if !c.query.Has("stringify") {
		c.query.Set("stringify", "true")
	}
	undated, err := c.undated()
	if err != nil {
		return err
	}
	if undated != "" {
		c.answer = xcomEntry(undated)
	}
	res, err := c.ask(c.request())
	if err != nil {
		return err
	}
	body := res.Body
	defer body.Close()
	ahead := bufio.NewReaderSize(body, chunkSize)
	start, _ := ahead.Peek(chunkSize) // less of it is all of it, or fails below
	res.Body = io.NopCloser(ahead)
	if r, err := c.release(); err != nil {
		return err
	} else if !c.query.Has("deserialize") && classed(start) && !r.before(release{3, 1, 0}) {
		c.query.Set("deserialize", "true")
		if res, err = c.ask(c.request()); err != nil {
			return err
		}
		defer res.Body.Close()
	}
	return c.reply(res, c.answer)
}

// classed says whether a value begins with one that was stored with its class, as it
// is or in Python's spelling.
func classed(start []byte) bool {
	return bytes.Contains(start, []byte(`"__classname__":`)) || bytes.Contains(start, []byte(`'__classname__': '`))
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
