package apiv1

func monitoring() []operation {
	status := same("status")
	part := func(name, heartbeat string) field {
		return field{name: name, from: []string{name}, as: objectOf(status, times(heartbeat)),
			null: `{"status": null, "` + heartbeat + `": null}`}
	}
	return []operation{
		{id: "get_version", at: "GET /version", answer: objectOf(same("version", "git_version"))},
		{
			id: "get_health", at: "GET /health", to: "GET /api/v2/monitor/health",
			answer: objectOf([]field{
				{name: "metadatabase", from: []string{"metadatabase"}, as: objectOf(status)},
				part("scheduler", "latest_scheduler_heartbeat"),
				part("triggerer", "latest_triggerer_heartbeat"),
				part("dag_processor", "latest_dag_processor_heartbeat"),
			}),
		},
	}
}
