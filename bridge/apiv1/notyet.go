package apiv1

// notYet are the operations of Airflow 2 that have no declaration yet. They are
// answered 501.
func notYet() []operation {
	return []operation{
		{id: "get_upstream_dataset_events", at: "GET /dags/{dag_id}/dagRuns/{dag_run_id}/upstreamDatasetEvents", untranslated: true},
		{id: "get_dag_dataset_queued_event", at: "GET /dags/{dag_id}/datasets/queuedEvent/{uri}", untranslated: true},
		{id: "delete_dag_dataset_queued_event", at: "DELETE /dags/{dag_id}/datasets/queuedEvent/{uri}", untranslated: true},
		{id: "get_dag_dataset_queued_events", at: "GET /dags/{dag_id}/datasets/queuedEvent", untranslated: true},
		{id: "delete_dag_dataset_queued_events", at: "DELETE /dags/{dag_id}/datasets/queuedEvent", untranslated: true},
		{id: "get_dataset_queued_events", at: "GET /datasets/queuedEvent/{uri}", untranslated: true},
		{id: "delete_dataset_queued_events", at: "DELETE /datasets/queuedEvent/{uri}", untranslated: true},
		{id: "get_datasets", at: "GET /datasets", untranslated: true},
		{id: "get_dataset", at: "GET /datasets/{uri}", untranslated: true},
		{id: "get_dataset_events", at: "GET /datasets/events", untranslated: true},
		{id: "create_dataset_event", at: "POST /datasets/events", untranslated: true},
	}
}
