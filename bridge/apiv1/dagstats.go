package apiv1

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

func dagStats() []operation {
	count := objectOf(same("state", "count"))
	return []operation{{
		id: "get_dag_stats", at: "GET /dagStats", query: "dag_ids",
		answer: page{rows: "dags", of: objectOf(same("dag_id"), []field{{name: "stats", from: []string{"stats"}, as: list{count}}})},
		also:   "/api/v2/dags/{dag_id}", do: countRuns,
	}}
}

// noRuns is the count of a Dag that had no run yet.
const noRuns = `[{"state": "queued", "count": 0}, {"state": "running", "count": 0}, {"state": "success", "count": 0}, {"state": "failed", "count": 0}]`

// countRuns counts the runs of Dags. Airflow 3 leaves out those that had none; so it
// is asked of each that is missing whether there is such a Dag.
func countRuns(c *call) error {
	ids := slices.Compact(slices.Sorted(slices.Values(c.query["dag_ids"])))
	if len(ids) == 0 {
		return badRequest("", "Missing query parameter 'dag_ids'")
	}
	if len(ids) > maxPage {
		return badRequest("", "Too many Dags: the most are "+strconv.Itoa(maxPage)+".")
	}
	var found struct{ Dags []json.RawMessage }
	if err := c.fetch(c.r.Context(), c.request(), &found); err != nil {
		return err
	}
	if len(found.Dags) > len(ids) {
		return errSyntax // more than was asked for
	}
	counted := map[string]bool{}
	for _, row := range found.Dags {
		var is struct {
			ID string `json:"dag_id"`
		}
		if json.Unmarshal(row, &is) != nil {
			return errSyntax
		}
		counted[is.ID] = true
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return counted[id] })
	idle, err := c.thatExist(ids)
	if err != nil {
		return err
	}
	for _, id := range idle {
		found.Dags = append(found.Dags, json.RawMessage(`{"dag_id": `+quoted(id)+`, "stats": `+noRuns+`}`))
	}
	w := pageWriter{page: c.answer.(page), total: strconv.AppendInt(nil, int64(len(found.Dags)), 10)}
	return c.write(http.StatusOK, func(o *out) error {
		w.o = o
		return w.whole(found.Dags)
	})
}

// thatExist are those of the Dags that there are, as far as the client may know.
func (c *call) thatExist(ids []string) ([]string, error) {
	there := make([]bool, len(ids))
	err := c.atOnce(len(ids), func(ctx context.Context, i int) error {
		segment, err := segmentOf(ids[i])
		if err != nil {
			return nil // no Dag has such a name
		}
		res, err := c.askIn(ctx, request{method: http.MethodGet, path: v2Prefix + "/dags/" + segment})
		switch {
		case err == nil:
			there[i] = true
			return res.Body.Close()
		case isStatus(err, http.StatusNotFound), isStatus(err, http.StatusForbidden):
			return nil
		}
		return err
	})
	var known []string
	for i, id := range ids {
		if there[i] {
			known = append(known, id)
		}
	}
	return known, err
}
