package apiv1

// events are the operations about what was done, and what went wrong with it.
func events() []operation {
	event := objectOf(same("event_log_id", "dag_id", "task_id", "run_id", "map_index", "try_number", "event", "owner", "extra"),
		times("when"), []field{{name: "execution_date", from: []string{"logical_date"}, make: datetime}})
	fault := objectOf(same("import_error_id", "filename", "stack_trace"), times("timestamp"))
	return []operation{
		{
			id: "get_event_logs", at: "GET /eventLogs",
			query: "limit offset order_by dag_id task_id run_id map_index try_number event owner before after included_events excluded_events",
			order: "execution_date>logical_date", answer: page{rows: "event_logs", of: event},
		},
		{id: "get_event_log", at: "GET /eventLogs/{event_log_id}", answer: event, missing: "Event Log not found"},
		{
			id: "get_import_errors", at: "GET /importErrors",
			query: "limit offset order_by", answer: page{rows: "import_errors", of: fault},
		},
		{id: "get_import_error", at: "GET /importErrors/{import_error_id}", answer: fault, missing: "Import error not found"},
	}
}
