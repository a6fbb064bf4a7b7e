package apiv1

import (
	"io"
	"net/http"
)

// instance are the operations about Airflow 3 itself.
func instance() []operation {
	config := objectOf([]field{{name: "sections", from: []string{"sections"}, as: list{objectOf(same("name"),
		[]field{{name: "options", from: []string{"options"}, as: list{objectOf(same("key", "value"))}}})}}})
	// What a plugin may no more bring along, it does not.
	plugin := objectOf(
		same("name", "source", "macros", "flask_blueprints", "appbuilder_views", "appbuilder_menu_items",
			"global_operator_extra_links", "operator_extra_links", "listeners", "timetables"),
		constant("[]", "hooks", "executors", "ti_deps"))
	return []operation{
		{id: "get_config", at: "GET /config", query: "section", answer: config, missing: "section not found.", do: readConfig},
		{
			id: "get_value", at: "GET /config/section/{section}/option/{option}",
			answer: config, missing: "Config not found.", do: readConfig,
		},
		{id: "get_plugins", at: "GET /plugins", query: "limit offset", answer: page{rows: "plugins", of: plugin}},
		{
			id: "get_providers", at: "GET /providers",
			answer: page{rows: "providers", of: objectOf(same("description", "package_name", "version"))}, prepare: allRows,
		},
	}
}

// allRows is for a list that Airflow 2 did not part into pages.
func allRows(c *call) error {
	c.rows = maxPages * defaultLimit
	return nil
}

// readConfig answers with text for whoever takes text, as Airflow 2 did, which
// wrote it as Airflow 3 does.
func readConfig(c *call) error {
	text, err := c.wantsText()
	if err != nil {
		return err
	}
	ask := c.request()
	if text {
		ask.accept = "text/plain"
	}
	res, err := c.ask(ask)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if !text {
		return c.reply(res, c.answer)
	}
	c.w.begin(http.StatusOK, ask.accept)
	_, err = io.CopyBuffer(struct{ io.Writer }{c.w}, res.Body, make([]byte, chunkSize))
	return err
}
