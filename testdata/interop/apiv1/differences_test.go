package apiv1

import "strings"

// listed are the members of answers that are not the same through the bridge, each group with its reason. The list is
// closed both ways: what differs and is not here fails, and what is here and does not differ fails. MIGRATION.md has
// the same in words.
var listed = []struct {
	reason     string
	operations string
	fields     string // as fieldOf names them, parted by commas
}{
	{
		reason:     "another release answers",
		operations: "get_version",
		fields:     "version, git_version",
	},
	{
		reason:     "Airflow 3's Dag processor is always a process of its own, and tells its health",
		operations: "get_health",
		fields:     "dag_processor.status, dag_processor.latest_dag_processor_heartbeat",
	},
	{
		reason:     "Airflow 3 calls datasets assets, in its descriptions too",
		operations: "get_dags get_dag get_dag_details patch_dag",
		fields:     "timetable_description",
	},
	{
		reason:     "Airflow 2.11 leaves the owners out here; Airflow 3 tells them",
		operations: "get_dag_details",
		fields:     "owners, owners[]",
	},
	{
		reason:     "operators have moved to providers",
		operations: "get_tasks get_task",
		fields:     "class_ref.module_path",
	},
	{
		reason:     "Airflow 3 tells the names of extra links, not their classes",
		operations: "get_tasks get_task",
		fields:     "extra_links, extra_links[].class_name, extra_links[].module_path",
	},
	{
		reason:     "Airflow 3's pages have other addresses",
		operations: "get_extra_links",
		fields:     "Triggered DAG",
	},
	{
		reason:     "Airflow 3 gives no data interval to runs that assets start",
		operations: "get_dag_run",
		fields:     "data_interval_start, data_interval_end",
	},
	{
		reason:     "Airflow 3 gives no data interval to runs that assets start",
		operations: "get_dataset_events get_upstream_dataset_events",
		fields:     "created_dagruns[].data_interval_start, created_dagruns[].data_interval_end",
	},
	{
		reason:     "the operator's own default of a templated field",
		operations: "get_task_instances get_task_instances_batch",
		fields:     "rendered_fields.logical_date",
	},
	{
		reason:     "Airflow 2.11 forgets the weight of the tasks behind one that is cleared alone",
		operations: "get_task_instances",
		fields:     "priority_weight",
	},
	{
		reason:     "Airflow 3 logs other lines around the task's own, and no host",
		operations: "get_log",
		fields:     "content",
	},
	{
		reason:     "Airflow 3 shows `***` for a value whose key looks secret",
		operations: "get_variables get_variable",
		fields:     "value",
	},
	{
		reason:     "Airflow 3 tells where in its bundle a file is, not where the bundle is",
		operations: "get_import_errors get_import_error",
		fields:     "filename",
	},
	{
		reason:     "Airflow 3 has other sections, options and defaults",
		operations: "get_config",
		fields:     "name, options, options[].key, options[].value",
	},
	{
		reason:     "the two Airflows here have other executors",
		operations: "get_value",
		fields:     "options[].value",
	},
	{
		reason:     "each Airflow has its own providers",
		operations: "get_providers",
		fields:     "package_name, version, description, total_entries",
	},
	{
		reason:     "Airflow 2.11 counts the datasets that do not fit too",
		operations: "get_datasets",
		fields:     "total_entries",
	},
	{
		reason:     "Airflow 3 writes the host into its events",
		operations: "get_event_logs get_event_log",
		fields:     "extra",
	},
	{
		reason:     "the two Airflows have other permissions, and their roles with them",
		operations: "get_roles get_role",
		fields:     "actions[].action.name, actions[].resource.name",
	},
	{
		reason:     "Airflow 3 lets a role that may do anything see the pages",
		operations: "patch_role",
		fields:     "actions[].action.name, actions[].resource.name",
	},
	{
		reason: "an answer without a body has no type of one",
		operations: `delete_connection delete_pool delete_variable delete_dag delete_dag_run
			delete_dag_dataset_queued_event delete_dag_dataset_queued_events delete_dataset_queued_events
			delete_role delete_user`,
		fields: "(content type)",
	},
	{
		reason: "Airflow 3 says what is wrong in its own words",
		operations: `post_connection post_pool get_pool patch_pool delete_pool post_variables get_variable delete_variable
			get_dag get_dag_details get_tasks get_task patch_dag delete_dag get_dag_source get_value reparse_dag_file
			post_dag_run get_dag_run delete_dag_run set_dag_run_note update_dag_run_state clear_dag_run
			get_task_instance get_task_instance_dependencies get_mapped_task_instances get_mapped_task_instance
			get_task_instance_try_details set_task_instance_note patch_task_instance get_extra_links get_log get_xcom_entry
			post_clear_task_instances post_set_task_instances_state
			get_upstream_dataset_events get_event_log patch_variable get_config
			get_role patch_role delete_role`,
		fields: "detail",
	},
	{
		reason:     "Airflow 3 says what is wrong in its own words",
		operations: "get_mapped_task_instances patch_task_instance post_set_task_instances_state patch_variable",
		fields:     "title",
	},
}

// listedCalls are the calls that have another answer as a whole: through the bridge one with this status.
var listedCalls = []struct {
	reason string
	call   string // as call.String names it
	status int
}{
	{"Airflow 2.11 refuses to mask a variable's value, by a mistake in its names", "patch_variable, mask", 200},
	{"Airflow 2.11 says it as bare text, the bridge as a problem document like all others", "test_connection", 403},
	{"Airflow 3 has no section [webserver]", "get_config, section", 404},
	{"Airflow 3.3 does not warn of a pool that is not there", "get_dag_warnings", 200},
	{"Airflow 2.11 answers with a log that says that there is none", "get_log, absent try", 404},
	{"Airflow 2.11 answers `{}`, the bridge the reference that its description promises", "patch_task_instance", 200},
	{"Airflow 2.11 answers `{}`, the bridge the reference that its description promises", "patch_task_instance, again", 200},
	{"Airflow 2.11 answers `{}`, the bridge the reference that its description promises", "patch_mapped_task_instance", 200},
	{"Airflow 2.11 answers `{}`, the bridge the role that its description promises", "post_role", 200},
	{"Airflow 2.11 cannot put users in the order of their names, by a mistake in its names", "get_users, by name", 200},
	{"Airflow 3 writes one event for a task that failed twice", "get_event_logs, two kinds", 200},
}

// reasons map each listed difference to its reason: operation and field, or the name of a call.
func reasons() (fields map[[2]string]string, calls map[string]int) {
	fields, calls = map[[2]string]string{}, map[string]int{}
	for _, l := range listed {
		for _, operation := range strings.Fields(l.operations) {
			for _, field := range strings.Split(l.fields, ", ") {
				fields[[2]string{operation, field}] = l.reason
			}
		}
	}
	for i, l := range listedCalls {
		calls[l.call] = i
	}
	return fields, calls
}
