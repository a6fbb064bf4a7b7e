package apiv1

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// dataset is a dataset, which is an asset in Airflow 3.
func dataset() *object {
	at := times("created_at", "updated_at")
	return objectOf(same("id", "uri"), at, orElse("{}", same("extra")),
		[]field{
			{name: "aliases", from: []string{"aliases"}, as: list{objectOf(same("id", "name"))}, null: "[]"},
			{name: "consuming_dags", from: []string{"scheduled_dags", "consuming_dags"}, as: list{objectOf(same("dag_id"), at)}, null: "[]"},
			{name: "producing_tasks", from: []string{"producing_tasks"}, as: list{objectOf(same("dag_id", "task_id"), at)}, null: "[]"},
		})
}

// datasetEvent is an event. A run without a logical date has the time of its start
// in its place: Airflow 3 says no other here.
func datasetEvent() *object {
	run := objectOf(same("dag_id", "state"), times("data_interval_end", "data_interval_start", "end_date", "start_date"),
		[]field{
			{name: "dag_run_id", from: []string{"run_id"}},
			{name: "logical_date", from: []string{"logical_date", "start_date"}, make: datetime},
		})
	return objectOf(same("id", "source_dag_id", "source_map_index", "source_run_id", "source_task_id"), times("timestamp"), orElse("{}", same("extra")),
		[]field{
			{name: "created_dagruns", from: []string{"created_dagruns"}, as: list{run}},
			{name: "dataset_id", from: []string{"asset_id"}},
			{name: "dataset_uri", from: []string{"uri"}, null: `""`},
		})
}

func datasets() []operation {
	event := datasetEvent()
	events := page{rows: "dataset_events", from: "asset_events", of: event}
	const missing = "Dataset not found"
	return []operation{
		{
			id: "get_datasets", at: "GET /datasets", to: "GET /api/v2/assets",
			query:  "dag_ids limit offset order_by uri_pattern",
			answer: page{rows: "datasets", from: "assets", of: dataset()}, prepare: listDatasets,
		},
		{
			id: "get_dataset", at: "GET /datasets/{uri...}", to: "GET /api/v2/assets/{asset_id}",
			answer: dataset(), missing: missing, do: readDataset,
		},
		{
			id: "get_dataset_events", at: "GET /datasets/events", to: "GET /api/v2/assets/events",
			query:  "dataset_id>asset_id limit offset order_by source_dag_id source_map_index source_run_id source_task_id",
			answer: events, prepare: orderedBy("timestamp"),
		},
		{
			id: "create_dataset_event", at: "POST /datasets/events", to: "POST /api/v2/assets/events",
			body:   "dataset_uri>asset_id extra{}",
			answer: event, missing: missing, prepare: nameAsset,
		},
		{
			id: "get_upstream_dataset_events", at: "GET /dags/{dag_id}/dagRuns/{dag_run_id}/upstreamDatasetEvents",
			to:     "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/upstreamAssetEvents",
			answer: events, missing: "DAGRun not found",
		},
	}
}

// listDatasets lists those, too, that no Dag has any more, as Airflow 2 did. A "|" in
// the pattern is no more than itself there.
func listDatasets(c *call) error {
	c.query.Set("only_active", "false")
	if pattern := c.query.Get("uri_pattern"); pattern == "~" {
		c.query.Set("uri_pattern", "%~")
	} else if pattern != "" {
		c.query.Set("uri_pattern", strings.ReplaceAll(pattern, "|", "_"))
	}
	return nil
}

func readDataset(c *call) error {
	uri := c.param("uri")
	found, err := c.findAsset(uri)
	if err != nil {
		return err
	}
	if found == nil {
		return notFound(c.op.missing, "The Dataset with uri: `"+uri+"` was not found")
	}
	return c.write(http.StatusOK, func(o *out) error {
		return c.answer.rewrite(newScanner(bytes.NewReader(found.row)), o)
	})
}

// nameAsset has the body name the asset by its id. An event is marked as the API's by
// Airflow 3 only if it has an extra.
func nameAsset(c *call) error {
	uri, ok := c.sent.text("dataset_uri")
	if !ok {
		return badRequest("", "'dataset_uri' is a required property, and a text")
	}
	found, err := c.findAsset(uri)
	if err != nil {
		return err
	}
	if found == nil {
		return notFound(c.op.missing, "Dataset with uri: '"+uri+"' not found")
	}
	c.body.set("asset_id", found.id())
	c.body.orElse("extra", "{}")
	return nil
}

// An asset is one of Airflow 3's, as far as it is found by its URI.
type asset struct {
	ID  int
	URI json.RawMessage
	row json.RawMessage
}

func (a *asset) id() string { return strconv.Itoa(a.ID) }

// findAsset finds the asset that a dataset has become; nil where there is none. Of
// several with one URI, which differ by their names, at most one is active, and if
// none is, it is the last.
func (c *call) findAsset(uri string) (*asset, error) {
	for _, active := range []string{"true", "false"} {
		if found, err := c.searchAsset(uri, active); found != nil || err != nil {
			return found, err
		}
	}
	return nil, nil
}

// noPattern takes from a URI what has a meaning of its own in Airflow 3's patterns,
// of which "_" fits any character.
var noPattern = strings.NewReplacer(`\`, "_", "%", "_", "|", "_", "~", "_")

// searchAsset looks through what a pattern finds: every URI with this one in it. More
// of them than a page are looked at several pages at a time.
func (c *call) searchAsset(uri, active string) (*asset, error) {
	list := request{method: http.MethodGet, path: v2Prefix + "/assets", query: url.Values{
		"uri_pattern": {noPattern.Replace(uri)}, "only_active": {active}, "order_by": {"-id"}, "limit": {strconv.Itoa(defaultLimit)},
	}}
	found, rows, total, err := c.assetOn(c.r.Context(), list, uri)
	if found != nil || err != nil || rows == 0 || rows >= total {
		return found, err
	}
	if (total-1)/rows > maxPages {
		return nil, errTooLarge
	}
	pages := make([]*asset, (total-1)/rows)
	err = c.atOnce(len(pages), func(ctx context.Context, i int) error {
		next := list
		next.query = url.Values{"offset": {strconv.Itoa((i + 1) * rows)}}
		for name, values := range list.query {
			next.query[name] = values
		}
		var err error
		pages[i], _, _, err = c.assetOn(ctx, next, uri)
		return err
	})
	for _, found := range pages {
		if found != nil {
			return found, err
		}
	}
	return nil, err
}

// assetOn looks through one page.
func (c *call) assetOn(ctx context.Context, list request, uri string) (found *asset, rows, total int, err error) {
	var answer struct {
		Assets []json.RawMessage
		Total  int `json:"total_entries"`
	}
	if err := c.fetch(ctx, list, &answer); err != nil {
		return nil, 0, 0, err
	}
	for _, row := range answer.Assets {
		a := &asset{row: row}
		var is string
		if json.Unmarshal(row, a) != nil || json.Unmarshal(a.URI, &is) != nil {
			return nil, 0, 0, errSyntax
		}
		if is == uri {
			return a, len(answer.Assets), answer.Total, nil
		}
	}
	return nil, len(answer.Assets), answer.Total, nil
}
