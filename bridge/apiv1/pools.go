package apiv1

import (
	"encoding/json"
	"net/http"
	"slices"
)

func pools() []operation {
	const one = "/pools/{pool_name...}"
	pool := objectOf(same("name", "slots", "description", "include_deferred",
		"occupied_slots", "running_slots", "queued_slots", "scheduled_slots", "open_slots", "deferred_slots"))
	return []operation{
		{
			id: "get_pools", at: "GET /pools",
			query:  "limit offset order_by",
			answer: page{rows: "pools", of: pool},
		},
		{id: "post_pool", at: "POST /pools", body: "name slots description? include_deferred", answer: pool},
		{id: "get_pool", at: "GET " + one, answer: pool},
		{id: "patch_pool", at: "PATCH " + one, query: "update_mask", body: "name>pool slots description? include_deferred", answer: pool, do: patchPool},
		{id: "delete_pool", at: "DELETE " + one},
	}
}

// patchPool changes a pool. Without a mask Airflow 2 wanted its name and slots, and
// took deferred tasks that were not spoken of for not included. Airflow 3 wants all
// three each time, whatever the mask says, so what was not sent is filled in.
func patchPool(c *call) error {
	name := c.param("pool_name")
	mask := c.query["update_mask"]
	for i := range mask {
		if mask[i] == "name" {
			mask[i] = "pool"
		}
	}
	if len(mask) == 0 {
		for _, needed := range []string{"pool", "slots"} {
			if c.body.get(needed) == nil {
				return badRequest("", "Missing required property(ies): ['"+map[string]string{"pool": "name", "slots": "slots"}[needed]+"']")
			}
		}
		c.body.orElse("include_deferred", "false")
	}
	changes, err := c.changes("")
	if err != nil {
		return err
	}
	if sent, _ := c.body.text("pool"); slices.Contains(changes, "pool") && sent != name {
		return &problemError{status: http.StatusNotImplemented,
			detail: "Airflow 3 cannot rename a pool. Create one with the new name, and delete " + quoted(name) + " when no task is in it."}
	}
	if changes, err = c.completePool(name, without(changes, "pool")); err != nil {
		return err
	}
	return c.change(changes, c.answer)
}

// completePool fills in what Airflow 3 wants to be sent of a pool and is not to
// change. Of the default pool it refuses the description, even the one that it has.
func (c *call) completePool(name string, changes []string) ([]string, error) {
	description := name == "default_pool" && slices.Contains(changes, "description")
	c.body.set("pool", quoted(name))
	if c.body.get("slots") != nil && c.body.get("include_deferred") != nil && !description || len(changes) == 0 {
		return changes, nil
	}
	var is map[string]json.RawMessage
	if err := c.fetch(c.r.Context(), c.reading(), &is); err != nil {
		return nil, err
	}
	for _, name := range []string{"slots", "include_deferred"} {
		if is[name] == nil {
			return nil, errSyntax
		}
		c.body.orElse(name, string(is[name]))
	}
	if description && sameJSON(string(is["description"]), string(c.body.get("description"))) {
		changes = without(changes, "description")
	}
	return changes, nil
}
