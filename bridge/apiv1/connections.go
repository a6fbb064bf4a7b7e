package apiv1

import (
	"encoding/json"
	"slices"
)

func connections() []operation {
	const (
		one     = "/connections/{connection_id}"
		missing = "Connection not found"
		// Null for a password Airflow 2 refused: Airflow 3 would forget the one it has.
		members = "connection_id conn_type description? extra? host? login? password port? schema?"
	)
	// Airflow 2 gave no password, not even a hidden one.
	listed := same("connection_id", "conn_type", "description", "host", "login", "port", "schema")
	connection := objectOf(listed, same("extra"))
	return []operation{
		{
			id: "get_connections", at: "GET /connections",
			query:  "limit offset order_by",
			answer: page{rows: "connections", of: objectOf(listed)},
		},
		{id: "post_connection", at: "POST /connections", body: members, answer: connection},
		{id: "test_connection", at: "POST /connections/test", body: members, answer: objectOf(same("message", "status")), prepare: testAsSent},
		{id: "get_connection", at: "GET " + one, answer: connection, missing: missing},
		{id: "patch_connection", at: "PATCH " + one, query: "update_mask", body: members, answer: connection, missing: missing, do: patchConnection},
		{id: "delete_connection", at: "DELETE " + one, missing: missing},
	}
}

// patchConnection changes what was sent and nothing else. Airflow 3 wants a whole
// connection each time, and forgets a password or an extra that the mask names and
// that is not sent. So the mask is always said, and names what is there; what must
// be there besides is filled in with what it is already.
func patchConnection(c *call) error {
	changes, err := c.changes("connection_id")
	if err != nil {
		return err
	}
	id := c.param("connection_id")
	if sent, ok := c.body.text("connection_id"); ok && sent != id {
		return badRequest("", "The connection_id cannot be updated.")
	}
	c.body.set("connection_id", quoted(id))
	if changes, err = c.completeConnection(changes); err != nil {
		return err
	}
	return c.change(changes, c.answer)
}

// completeConnection fills in the type, and takes an extra that is written back as
// it was read for unchanged.
func (c *call) completeConnection(changes []string) ([]string, error) {
	extra, _ := c.body.text("extra")
	hides := slices.Contains(changes, "extra") && hidesSecret(extra)
	if len(changes) == 0 || c.body.get("conn_type") != nil && !hides {
		return changes, nil
	}
	var is struct {
		Type  json.RawMessage `json:"conn_type"`
		Extra string
	}
	if err := c.fetch(c.r.Context(), c.reading(), &is); err != nil {
		return nil, err
	}
	if is.Type == nil {
		return nil, errSyntax
	}
	c.body.orElse("conn_type", string(is.Type))
	switch {
	case !hides:
	case sameJSON(is.Extra, extra):
		changes = without(changes, "extra")
	default:
		return changes, c.canMergeExtra()
	}
	return changes, nil
}

// canMergeExtra refuses where Airflow 3 would store asterisks in the place of the
// secret that they stand for: later releases put that in.
func (c *call) canMergeExtra() error {
	r, err := c.release()
	if err == nil && r.before(release{3, 0, 4}) {
		err = secretHidden("extra")
	}
	return err
}

// nobodys is the id of no connection.
const nobodys = "tested_by_api_v1_and_stored_nowhere"

// testAsSent tests the connection that was sent. Under the id of one that is stored,
// Airflow 3 would fill in what was not sent, its password too.
func testAsSent(c *call) error {
	if c.body.get("connection_id") == nil {
		return badRequest("", "{'connection_id': ['Missing data for required field.']}")
	}
	c.body.set("connection_id", quoted(nobodys))
	return nil
}
