package apiv1

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
)

// queuedEvent is an event that waits for others before a run is made of it. Airflow 3
// names its asset by id; before it is written here, the URI stands in the id's place.
func queuedEvent() *object {
	return objectOf(same("dag_id"), times("created_at"), []field{{name: "uri", from: []string{"asset_id"}}})
}

func queuedEvents() []operation {
	const (
		ofDag     = "/dags/{dag_id}/datasets/queuedEvent"
		ofBoth    = ofDag + "/{uri...}"
		ofDataset = "/datasets/queuedEvent/{uri...}"
		dag       = " /api/v2/dags/{dag_id}/assets/queuedEvents"
		both      = " /api/v2/dags/{dag_id}/assets/{asset_id}/queuedEvents"
		asset     = " /api/v2/assets/{asset_id}/queuedEvents"
		assets    = "/api/v2/assets/{asset_id}"
		missing   = "Queue event not found"
	)
	one := queuedEvent()
	many := page{rows: "queued_events", of: one}
	return []operation{
		{id: "get_dag_dataset_queued_events", at: "GET " + ofDag, to: "GET" + dag, query: "before", answer: many, missing: missing, also: assets, do: listQueued},
		{id: "delete_dag_dataset_queued_events", at: "DELETE " + ofDag, to: "DELETE" + dag, query: "before", missing: missing},
		{id: "get_dag_dataset_queued_event", at: "GET " + ofBoth, to: "GET" + both, query: "before", answer: one, missing: missing, also: assets, do: readQueued},
		{id: "delete_dag_dataset_queued_event", at: "DELETE " + ofBoth, to: "DELETE" + both, query: "before", missing: missing, status: http.StatusNoContent, also: assets, do: dropQueued},
		{id: "get_dataset_queued_events", at: "GET " + ofDataset, to: "GET" + asset, query: "before", answer: many, missing: missing, also: assets, do: listQueuedOf},
		{id: "delete_dataset_queued_events", at: "DELETE " + ofDataset, to: "DELETE" + asset, query: "before", missing: missing, status: http.StatusNoContent, also: assets, do: dropQueued},
	}
}

// noneQueued refuses as Airflow 2 did where nothing waits.
func (c *call) noneQueued() error {
	var of string
	if c.params["dag_id"] != "" {
		of = "dag_id: `" + c.param("dag_id") + "`"
	}
	if c.params["uri"] != "" {
		if of != "" {
			of += " and "
		}
		of += "dataset uri: `" + c.param("uri") + "`"
	}
	return notFound(c.op.missing, "Queue event with "+of+" was not found")
}

// dropQueued deletes what waits of a dataset.
func dropQueued(c *call) error {
	if _, err := c.queuedAsset(); err != nil {
		return err
	}
	res, err := c.ask(c.request())
	switch {
	case isStatus(err, http.StatusNotFound):
		return c.noneQueued()
	case err != nil:
		return err
	}
	c.w.begin(c.op.status, "")
	return res.Body.Close()
}

// queuedAsset puts an asset's id in the upstream's path for the dataset's URI in the
// client's.
func (c *call) queuedAsset() (*asset, error) {
	found, err := c.findAsset(c.param("uri"))
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, c.noneQueued()
	}
	c.params["asset_id"] = found.id()
	return found, nil
}

// readQueued answers with the one event of a Dag and a dataset.
func readQueued(c *call) error {
	found, err := c.queuedAsset()
	if err != nil {
		return err
	}
	var row json.RawMessage
	err = c.fetch(c.r.Context(), c.request(), &row)
	switch {
	case isStatus(err, http.StatusNotFound):
		return c.noneQueued()
	case err != nil:
		return err
	}
	event, err := eventOf(row)
	if err != nil {
		return err
	}
	event.set("asset_id", string(found.URI))
	return c.write(http.StatusOK, func(o *out) error { return c.answer.rewrite(newScanner(bytes.NewReader(event.bytes())), o) })
}

// listQueuedOf answers with the events of a dataset.
func listQueuedOf(c *call) error {
	found, err := c.queuedAsset()
	if err != nil {
		return err
	}
	events, err := c.queued()
	if err != nil {
		return err
	}
	return c.replyQueued(events, map[string]json.RawMessage{found.id(): found.URI})
}

// listQueued answers with the events of a Dag. What their assets' URIs are is asked
// for each of them, several at a time.
func listQueued(c *call) error {
	events, err := c.queued()
	if err != nil {
		return err
	}
	var ids []string
	uris := map[string]json.RawMessage{}
	for _, e := range events {
		id := string(e.get("asset_id"))
		if _, seen := uris[id]; !seen {
			uris[id] = nil
			ids = append(ids, id)
		}
	}
	if len(ids) > maxPage {
		return errTooLarge
	}
	assets := make([]asset, len(ids))
	err = c.atOnce(len(ids), func(ctx context.Context, i int) error {
		if _, err := strconv.Atoi(ids[i]); err != nil {
			return errSyntax
		}
		err := c.fetch(ctx, request{method: http.MethodGet, path: v2Prefix + "/assets/" + ids[i]}, &assets[i])
		if isStatus(err, http.StatusNotFound) {
			err = nil // it went meanwhile, and so did its events
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, id := range ids {
		uris[id] = assets[i].URI
	}
	return c.replyQueued(events, uris)
}

// maxQueued bounds the events that are held at a time.
const maxQueued = 10_000

// queued fetches the events. Where there is none, Airflow 3.0 refuses and later ones
// have an empty list.
func (c *call) queued() (events []body, err error) {
	var answer struct {
		Events []json.RawMessage `json:"queued_events"`
	}
	switch err := c.fetch(c.r.Context(), c.request(), &answer); {
	case isStatus(err, http.StatusNotFound):
		return nil, c.noneQueued()
	case err != nil:
		return nil, err
	}
	if len(answer.Events) > maxQueued {
		return nil, errTooLarge
	}
	for _, raw := range answer.Events {
		event, err := eventOf(raw)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}

func eventOf(raw json.RawMessage) (body, error) {
	event, err := membersOf(raw)
	if err != nil || event.get("asset_id") == nil {
		return nil, errSyntax
	}
	return event, nil
}

// replyQueued answers with events, their assets' ids replaced by URIs. None at all is
// a refusal.
func (c *call) replyQueued(events []body, uris map[string]json.RawMessage) error {
	var rows []json.RawMessage
	for _, event := range events {
		if uri := uris[string(event.get("asset_id"))]; uri != nil {
			event.set("asset_id", string(uri))
			rows = append(rows, event.bytes())
		}
	}
	if len(rows) == 0 {
		return c.noneQueued()
	}
	w := pageWriter{page: c.answer.(page)}
	return c.write(http.StatusOK, func(o *out) error {
		w.o = o
		return w.whole(rows)
	})
}
