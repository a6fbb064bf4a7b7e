package apiv1

// health is what a monitor asks for. What Airflow 3 says nothing of, such as a Dag
// processor of its own, is null.
func health() *object {
	status := same("status")
	part := func(name, heartbeat string) field {
		return field{name: name, from: []string{name}, as: objectOf(status, times(heartbeat)),
			null: `{"status": null, "` + heartbeat + `": null}`}
	}
	return objectOf([]field{
		{name: "metadatabase", from: []string{"metadatabase"}, as: objectOf(status)},
		part("scheduler", "latest_scheduler_heartbeat"),
		part("triggerer", "latest_triggerer_heartbeat"),
		part("dag_processor", "latest_dag_processor_heartbeat"),
	})
}

func monitoring() []operation {
	return []operation{
		{id: "get_version", at: "GET /version", answer: objectOf(same("version", "git_version"))},
		{id: "get_health", at: "GET /health", to: "GET /api/v2/monitor/health", answer: health()},
	}
}
