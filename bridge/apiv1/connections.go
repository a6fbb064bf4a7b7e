package apiv1

import "encoding/json"

func connections() []operation {
	const (
		one     = "/connections/{connection_id}"
		missing = "Connection not found"
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
		{id: "post_connection", at: "POST /connections", answer: connection, prepare: withPassword},
		{id: "test_connection", at: "POST /connections/test", answer: objectOf(same("message", "status")), prepare: testAsSent},
		{id: "get_connection", at: "GET " + one, answer: connection, missing: missing},
		{id: "patch_connection", at: "PATCH " + one, query: "update_mask", answer: connection, missing: missing, do: patchConnection},
		{id: "delete_connection", at: "DELETE " + one, missing: missing},
	}
}

// withPassword refuses null for a password, as Airflow 2 did: Airflow 3 would
// forget the one that it has.
func withPassword(c *call) error { return c.body.texts("password") }

// patchConnection changes what was sent and nothing else. Airflow 3 wants a whole
// connection each time, and without a mask some releases of it forget the password
// and the extra that they are not sent; with one that names a member which is not
// sent, all do. So the mask is always said, and names what is there; what must be
// there besides is filled in with what it is already.
func patchConnection(c *call) error {
	if err := c.body.texts("password", "connection_id", "conn_type"); err != nil {
		return err
	}
	changes, err := c.changes("connection_id")
	if err != nil {
		return err
	}
	id := c.param("connection_id")
	if sent, ok := c.body.text("connection_id"); ok && sent != id {
		return badRequest("", "The connection_id cannot be updated.")
	}
	c.body.set("connection_id", quoted(id))
	if c.body.get("conn_type") == nil && len(changes) > 0 {
		var is struct {
			Type json.RawMessage `json:"conn_type"`
		}
		if err := c.fetch(c.r.Context(), c.reading(), &is); err != nil {
			return err
		}
		if is.Type == nil {
			return errSyntax
		}
		c.body.set("conn_type", string(is.Type))
	}
	return c.change(changes, c.answer)
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
	return withPassword(c)
}
