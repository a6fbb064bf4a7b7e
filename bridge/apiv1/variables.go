package apiv1

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

func variables() []operation {
	const (
		one     = "/variables/{variable_key...}"
		missing = "Variable not found"
		members = "key value description"
	)
	variable := objectOf(same("key", "value", "description"))
	return []operation{
		{
			id: "get_variables", at: "GET /variables",
			query: "limit offset order_by", order: "value>_val",
			answer: page{rows: "variables", of: variable},
		},
		{id: "post_variables", at: "POST /variables", body: members, answer: variable, do: setVariable},
		{id: "get_variable", at: "GET " + one, answer: variable, missing: missing},
		{id: "patch_variable", at: "PATCH " + one, query: "update_mask", body: members, answer: variable, missing: missing, do: patchVariable},
		{id: "delete_variable", at: "DELETE " + one, missing: missing},
	}
}

const badVariable = "Invalid Variable schema"

// setVariable makes a variable or, as Airflow 2 did and Airflow 3 refuses to,
// replaces the one that is there, its description included.
func setVariable(c *call) error {
	if err := c.checkVariable(); err != nil {
		return err
	}
	res, err := c.ask(c.request())
	if err == nil {
		defer res.Body.Close()
		return c.reply(res, c.asSent())
	}
	if !isStatus(err, http.StatusConflict) {
		return err
	}
	key, _ := c.body.text("key")
	if c.params["variable_key"], err = restOf(key); err != nil {
		return err
	}
	as := c.asSent()
	c.method, c.path = http.MethodPatch, v2Prefix+"/variables/{variable_key}"
	c.body.orElse("description", "null")
	return c.changeVariable([]string{"value", "description"}, as)
}

func patchVariable(c *call) error {
	if err := c.checkVariable(); err != nil {
		return err
	}
	for i, name := range c.query["update_mask"] {
		if name == "val" { // so a mask had to say in Airflow 2
			c.query["update_mask"][i] = "value"
		}
	}
	changes, err := c.changes("key")
	if err != nil {
		return err
	}
	as := c.answer
	if slices.Contains(changes, "value") {
		as = variableWith(c.body.get("value"), true)
	}
	return c.changeVariable(changes, as)
}

// checkVariable refuses a variable without a key or a value, as Airflow 2 did.
func (c *call) checkVariable() error {
	for _, name := range []string{"key", "value"} {
		if c.body.get(name) == nil {
			return badRequest(badVariable, "{'"+name+"': ['Missing data for required field.']}")
		}
	}
	return nil
}

// asSent is a variable with the value that the client sent. Airflow 3 would give it
// back without the secrets in it.
func (c *call) asSent() shape {
	return variableWith(c.body.get("value"), c.body.get("description") != nil)
}

func variableWith(value json.RawMessage, description bool) shape {
	fields := append(same("key"), constant(string(value), "value")...)
	if description {
		fields = append(fields, same("description")...)
	}
	return objectOf(fields)
}

// changeVariable changes a variable, but no secret into the asterisks that Airflow 3
// shows in its place: a client that writes back what it read leaves the value as it
// is. Where it changed something beside the asterisks, the secret cannot be told.
func (c *call) changeVariable(changes []string, as shape) error {
	value, _ := c.body.text("value")
	if slices.Contains(changes, "value") && hidesSecret(value) {
		var is struct{ Value string }
		if err := c.fetch(c.r.Context(), c.reading(), &is); err != nil {
			return err
		}
		if !sameJSON(is.Value, value) {
			return secretHidden("value")
		}
		changes, as = without(changes, "value"), c.answer
	}
	return c.change(changes, as)
}

func secretHidden(name string) error {
	return badRequest("", "The "+name+" has "+asterisks+" in the place of a secret, which Airflow 3 does not show. Send the secret itself.")
}

// asterisks are what Airflow shows in the place of a secret.
const asterisks = "***"

// hidesSecret says whether a text is a secret that is not shown, or a JSON document
// with one in it.
func hidesSecret(text string) bool {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text == asterisks
	}
	return hasAsterisks(v)
}

func hasAsterisks(v any) bool {
	switch v := v.(type) {
	case string:
		return v == asterisks
	case []any:
		return slices.ContainsFunc(v, hasAsterisks)
	case map[string]any:
		for _, member := range v {
			if hasAsterisks(member) {
				return true
			}
		}
	}
	return false
}

// sameJSON says whether two texts are equal, or two JSON documents of one value. A
// number is the digits that it is written in: beyond what a float holds, two that
// differ are not one.
func sameJSON(a, b string) bool {
	if a == b {
		return true
	}
	v, ok := exactly(a)
	w, too := exactly(b)
	return ok && too && reflect.DeepEqual(v, w)
}

func exactly(text string) (v any, ok bool) {
	if !json.Valid([]byte(text)) {
		return nil, false
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	err := dec.Decode(&v)
	return v, err == nil
}
