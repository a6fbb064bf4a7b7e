"""Runs every operation of the unmodified apache-airflow-client 2.10.0 against one address: client.py URL [read].

One JSON object is printed for each call: the operation, the case, and what the client gave or raised, with status,
content type and body as they came. What an Airflow makes up itself and is needed later (ids, tokens, names of runs)
is learned from answers and printed by the name that it is learned under. With "read" only what changes nothing is
asked, of an Airflow whose runs are those that the whole story leaves.
"""

import datetime
import json
import sys
import time

import airflow_client.client
from airflow_client.client import apis
from airflow_client.client.model_utils import ModelNormal, ModelSimple

WHEN = datetime.datetime(2024, 3, 1, 10, tzinfo=datetime.timezone.utc)
LATER = WHEN + datetime.timedelta(days=1)
LONG_AGO = WHEN.replace(year=2020)


class Client:
    """Makes calls and prints them."""

    def __init__(self, url, user):
        configuration = airflow_client.client.Configuration(host=url + "/api/v1", username=user, password=user)
        self.client = airflow_client.client.ApiClient(configuration)
        self.user = user
        self.endpoints = {}
        for name in apis.__dict__:
            if name.endswith("Api"):
                api = getattr(apis, name)(self.client)
                for endpoint in vars(api).values():
                    if isinstance(endpoint, airflow_client.client.api_client.Endpoint):
                        self.endpoints[endpoint.settings["operation_id"]] = endpoint, getattr(
                            api, endpoint.settings["operation_id"]
                        )

    def ask(self, operation, *args, body=None, **options):
        """Makes the call and gives what came of it."""
        endpoint, method = self.endpoints[operation]
        if body is not None:
            (name,) = [p for p, place in endpoint.location_map.items() if place == "body"]
            options[name] = typed(endpoint.openapi_types[name][0], body)
        self.client.last_response = None
        try:
            found = {"type": type(method(*args, **options)).__name__}
        except airflow_client.client.ApiException as e:
            return {"exception": type(e).__name__, **answer(e.status, e.headers, e.body)}
        except airflow_client.client.OpenApiException as e:
            found = {"exception": type(e).__name__, "message": str(e)}
        response = self.client.last_response
        if response is None:
            raise SystemExit(f"{operation} {args} {options} was not sent: {found}")
        return {**found, **answer(response.status, response.getheaders(), response.data)}


def typed(kind, value):
    """Gives a value as the class that the client insists on."""
    if isinstance(kind, list):
        return [typed(kind[0], item) for item in value]
    if not isinstance(kind, type):
        return value
    if issubclass(kind, ModelNormal):
        return kind(**{member: typed(kind.openapi_types[member][0], part) for member, part in value.items()})
    return kind(value) if issubclass(kind, ModelSimple) else value


def answer(status, headers, body):
    if isinstance(body, bytes):
        body = body.decode()
    found = {"status": status, "content_type": headers.get("Content-Type", "")}
    try:
        return {**found, "body": json.loads(body)}
    except ValueError:
        return {**found, "body": body}


def first(found, rows, member):
    """Gives a member of the first row of an answer, or what is no row's where there is none."""
    body = found["body"]
    return body[rows][0][member] if isinstance(body, dict) and body.get(rows) else 0


class Story:
    """The calls in their order, and what was learned on the way."""

    def __init__(self, url):
        self.clients = {user: Client(url, user) for user in ("admin", "viewer")}
        self.learned = {}
        self.called = set()

    def __call__(self, operation, *args, case="", user="admin", **options):
        found = self.clients[user].ask(operation, *args, **options)
        self.called.add(operation)
        text = json.dumps({"operation": operation, "case": case, **found}, ensure_ascii=False)
        for value, name in self.learned.items():
            text = text.replace(json.dumps(value, ensure_ascii=False)[1:-1], "{" + name + "}")
        print(text, flush=True)
        return found

    def learn(self, name, value):
        """Gives the value, which is printed as {name} from now on."""
        self.learned[value] = name
        return value

    def wait(self, enough, operation, *args):
        """Asks until the body of the answer is enough, and gives the answer."""
        for _ in range(1000):
            found = self.clients["admin"].ask(operation, *args)
            if found["status"] == 501 or found["status"] == 200 and enough(found["body"]):
                return found
            time.sleep(0.3)
        raise SystemExit(f"{operation} {args} does not come to what is waited for: {found}")

    def wait_run(self, dag, run):
        self.wait(lambda run: run["state"] in ("success", "failed"), "get_dag_run", dag, run)


def uses(call):
    """What needs no run: connections, pools, variables, Dags."""
    call("get_health")
    call("get_version")
    connection = {
        "connection_id": "warehouse", "conn_type": "postgres", "host": "db.example.com", "login": "etl", "schema": "dw",
        "port": 5432, "password": "s3cret", "extra": json.dumps({"sslmode": "require", "b": [1, 2]}),
        "description": "The warehouse",
    }
    call("post_connection", body=connection)
    call("post_connection", body=connection, case="again")
    call("post_connection", body={"connection_id": "plain", "conn_type": "http"}, case="least")
    call("post_connection", body={"connection_id": "no way/", "conn_type": "http"}, case="bad id")
    call("post_connection", body=connection, case="as viewer", user="viewer")
    call("get_connections", order_by="connection_id")
    call("get_connections", order_by="-connection_id", limit=1, offset=1, case="second")
    call("get_connection", "warehouse")
    call("get_connection", "absent", case="absent")
    call("patch_connection", "warehouse", body={"connection_id": "warehouse", "conn_type": "postgres", "port": 5433})
    call("patch_connection", "warehouse", body={"login": "loader", "host": "ignored"}, update_mask=["login"], case="mask")
    call("patch_connection", "warehouse", body={"connection_id": "other", "conn_type": "postgres"}, case="other id")
    call("patch_connection", "absent", body={"connection_id": "absent", "conn_type": "http"}, case="absent")
    call("get_connection", "warehouse", case="changed")
    call("test_connection", body={"connection_id": "warehouse", "conn_type": "postgres"})
    call("delete_connection", "plain")
    call("delete_connection", "plain", case="again")

    call("post_pool", body={"name": "small", "slots": 2, "description": "Few", "include_deferred": False})
    call("post_pool", body={"name": "small", "slots": 2}, case="again")
    call("post_pool", body={"name": "least", "slots": 1}, case="least")
    call("post_pool", body={"name": "nameless"}, case="no slots")
    call("post_pool", body={"name": "mine", "slots": 1}, case="as viewer", user="viewer")
    call("get_pools")
    call("get_pools", order_by="-name", limit=1, case="last")
    call("get_pool", "small")
    call("get_pool", "absent", case="absent")
    call("patch_pool", "small", body={"name": "small", "slots": 5}, update_mask=["slots"], case="mask")
    call("patch_pool", "small", body={"name": "small", "slots": 6, "include_deferred": True})
    call("patch_pool", "absent", body={"name": "absent", "slots": 6}, case="absent")
    call("get_pool", "small", case="changed")
    call("delete_pool", "least")
    call("delete_pool", "least", case="again")
    call("delete_pool", "default_pool", case="default")

    call("post_variables", body={"key": "region", "value": "eu", "description": "Where"})
    call("post_variables", body={"key": "region", "value": "us"}, case="again")
    call("post_variables", body={"key": "config/json", "value": '{"a": 1}'}, case="JSON, and a slash")
    call("post_variables", body={"key": "api_token", "value": "s3cret"}, case="a secret")
    call("post_variables", body={"key": "mine", "value": "1"}, case="as viewer", user="viewer")
    call("get_variables", order_by="key")
    call("get_variables", order_by="-key", limit=1, case="last")
    call("get_variable", "region")
    call("get_variable", "config/json", case="slash")
    call("get_variable", "api_token", case="a secret")
    call("get_variable", "absent", case="absent")
    call("patch_variable", "region", body={"key": "region", "value": "asia"}, update_mask=["value"], case="mask")
    call("patch_variable", "region", body={"key": "region", "value": "africa", "description": "There"})
    call("patch_variable", "region", body={"key": "other", "value": "x"}, case="other key")
    call("patch_variable", "absent", body={"key": "absent", "value": "x"}, case="absent")
    call("get_variable", "region", case="changed")
    call("delete_variable", "api_token")
    call("delete_variable", "api_token", case="again")


def dags(call):
    """Reads Dags and what belongs to them."""
    call("get_dags", order_by="dag_id")
    call("get_dags", order_by="-dag_id", limit=2, offset=1, case="two")
    call("get_dags", tags=["sales"], order_by="dag_id", case="tag")
    call("get_dags", dag_id_pattern="OR", order_by="dag_id", case="pattern")
    call("get_dags", fields=["dag_id", "is_paused"], limit=2, case="fields")
    call("get_dags", only_active=False, limit=1, case="all")
    call("get_dags", paused=True, order_by="dag_id", case="paused")
    call("get_dags", order_by="no_such", case="bad order")
    token = call("get_dag", "orders")["body"]["file_token"]
    call("get_dag", "nightly", case="cron")
    call("get_dag", "rounds", case="interval")
    call("get_dag", "report", case="dataset")
    call("get_dag", "orders", fields=["dag_id", "tags"], case="fields")
    call("get_dag", "absent", case="absent")
    call("get_dag_details", "orders")
    call("get_dag_details", "nightly", case="cron")
    call("get_dag_details", "balance", case="datasets")
    call("get_dag_details", "absent", case="absent")
    call("get_tasks", "orders")
    call("get_tasks", "orders", order_by="-task_id", case="backwards")
    call("get_tasks", "absent", case="absent")
    for task in ("extract", "square", "hand_over"):
        call("get_task", "orders", task, case=task)
    call("get_task", "orders", "absent", case="absent")
    call("get_dag_source", token)
    call("get_dag_source", "no-token", case="bad token")
    call("get_dag_warnings")
    call("get_dag_warnings", dag_id="orders", case="none")
    call("get_import_error", first(call("get_import_errors"), "import_errors", "import_error_id"))
    call("get_import_error", 99999, case="absent")
    call("get_config")
    call("get_config", section="webserver", case="section")
    call("get_config", section="absent", case="absent")
    call("get_value", "core", "executor")
    call("get_value", "core", "absent", case="absent")
    call("get_plugins")
    call("get_providers")


def runs(call):
    """Starts runs, and waits for them."""
    for dag in ("orders", "followup", "flaky", "report", "balance"):
        call("patch_dag", dag, body={"is_paused": False}, update_mask=["is_paused"], case=dag)
    call("patch_dag", "absent", body={"is_paused": False}, case="absent")
    call("patch_dags", "nightl", body={"is_paused": True}, update_mask=["is_paused"])
    call("post_dag_run", "orders", body={"dag_run_id": "first", "logical_date": WHEN, "conf": {"region": "eu", "big": 12345678901234567890}, "note": "By hand"})
    call("post_dag_run", "orders", body={"dag_run_id": "first", "logical_date": WHEN}, case="again")
    call("post_dag_run", "flaky", body={"dag_run_id": "doomed", "execution_date": WHEN}, case="execution_date")
    call("post_dag_run", "many", body={}, case="empty")
    call("post_dag_run", "absent", body={}, case="absent")
    call("post_dag_run", "orders", body={"logical_date": WHEN, "execution_date": LATER}, case="two dates")
    call("post_dag_run", "orders", body={}, case="as viewer", user="viewer")
    call.wait_run("orders", "first")
    call.wait_run("flaky", "doomed")
    call.wait_run("followup", "from-orders")


def reads(call):
    """Reads what the runs left."""
    started = call.wait(lambda runs: runs["dag_runs"], "get_dag_runs", "report")
    caused = call.learn("run of report", first(started, "dag_runs", "dag_run_id"))
    call.wait_run("report", caused)
    call("get_dag_runs", "orders")
    call("get_dag_runs", "orders", execution_date_gte=WHEN, execution_date_lte=WHEN, case="at that time")
    call("get_dag_runs", "orders", execution_date_gte=LATER, case="later")
    call("get_dag_runs", "~", order_by="dag_id", state=["failed"], case="failed")
    call("get_dag_runs", "~", order_by="-dag_id", limit=2, fields=["dag_id", "state"], case="fields")
    call("get_dag_runs", "absent", case="absent")
    call("get_dag_runs_batch", body={"dag_ids": ["orders", "flaky"], "order_by": "dag_id"})
    call("get_dag_runs_batch", body={"dag_ids": ["orders"], "execution_date_gte": WHEN, "page_limit": 1}, case="since")
    call("get_dag_runs_batch", body={"states": ["failed"], "page_offset": 1, "page_limit": 1}, case="second page")
    call("get_dag_run", "orders", "first")
    call("get_dag_run", "report", caused, case="dataset")
    call("get_dag_run", "orders", "first", fields=["dag_id", "state"], case="fields")
    call("get_dag_run", "orders", "absent", case="absent")
    call("get_dag_stats", "orders,flaky")
    call("get_upstream_dataset_events", "report", caused)
    call("get_upstream_dataset_events", "orders", "absent", case="absent")
    run = ("orders", "first")
    call("get_task_instances", *run)
    call("get_task_instances", "~", "~", state=["failed"], case="failed")
    call("get_task_instances", *run, pool=["default_pool"], limit=2, offset=1, case="pool")
    call("get_task_instances", "orders", "absent", case="absent run")
    call("get_task_instances_batch", body={"dag_ids": ["orders"], "state": ["success"]})
    call("get_task_instances_batch", body={"dag_ids": ["flaky"], "state": ["upstream_failed"]}, case="upstream_failed")
    call("get_task_instance", *run, "extract")
    call("get_task_instance", *run, "announce", case="templated")
    call("get_task_instance", "flaky", "doomed", "fails", case="failed")
    call("get_task_instance", *run, "square", case="mapped")
    call("get_task_instance", *run, "absent", case="absent")
    call("get_task_instance_dependencies", *run, "extract")
    call("get_task_instance_dependencies", *run, "absent", case="absent")
    call("get_mapped_task_instances", *run, "square")
    call("get_mapped_task_instances", *run, "square", order_by="-map_index", limit=1, case="last")
    call("get_mapped_task_instances", *run, "square", order_by="no_such", case="bad order")
    call("get_mapped_task_instances", *run, "extract", case="not mapped")
    call("get_mapped_task_instances", *run, "absent", case="absent")
    call("get_mapped_task_instance", *run, "square", 1)
    call("get_mapped_task_instance", *run, "square", 9, case="absent")
    call("get_mapped_task_instance_dependencies", *run, "square", 1)
    call("get_task_instance_tries", "flaky", "doomed", "fails")
    call("get_task_instance_tries", *run, "absent", case="absent")
    call("get_task_instance_try_details", "flaky", "doomed", "fails", 1)
    call("get_task_instance_try_details", "flaky", "doomed", "fails", 2, case="last")
    call("get_task_instance_try_details", "flaky", "doomed", "fails", 9, case="absent")
    call("get_mapped_task_instance_tries", *run, "square", 1)
    call("get_mapped_task_instance_try_details", *run, "square", 1, 1)
    call("get_extra_links", *run, "hand_over")
    call("get_extra_links", *run, "extract", case="none")
    call("get_extra_links", *run, "absent", case="absent")
    call("get_log", *run, "extract", 1, full_content=True)
    call("get_log", *run, "square", 1, map_index=1, case="mapped")
    call("get_log", "flaky", "doomed", "fails", 1, case="failed")
    call("get_log", *run, "absent", 1, case="absent")
    call("get_log", *run, "extract", 9, case="absent try")
    call("get_xcom_entries", *run, "extract")
    call("get_xcom_entries", *run, "square", map_index=1, case="mapped")
    call("get_xcom_entries", *run, "~", xcom_key="return_value", limit=1, case="key")
    call("get_xcom_entry", *run, "extract", "return_value")
    call("get_xcom_entry", *run, "extract", "return_value", stringify=False, case="not as text")
    call("get_xcom_entry", *run, "square", "return_value", map_index=1, case="mapped")
    call("get_xcom_entry", *run, "extract", "absent", case="absent")
    call("get_datasets", order_by="uri")
    call("get_datasets", uri_pattern="order", case="pattern")
    call("get_datasets", dag_ids="balance", order_by="uri", case="dag")
    call("get_dataset", "s3://bucket/orders")
    call("get_dataset", "s3://bucket/absent", case="absent")
    call("get_dataset_events")
    call("get_dataset_events", source_dag_id="orders", source_task_id="publish", case="source")
    call("get_dataset_events", source_dag_id="absent", case="none")
    call("get_dag_dataset_queued_events", "balance")
    call("get_dag_dataset_queued_events", "absent", case="absent")
    call("get_dag_dataset_queued_event", "balance", "s3://bucket/orders")
    call("get_dag_dataset_queued_event", "balance", "s3://bucket/returns", case="none")
    call("get_dataset_queued_events", "s3://bucket/orders")
    call("get_dataset_queued_events", "s3://bucket/absent", case="absent")
    events = call("get_event_logs", dag_id="orders", event="success", order_by="event_log_id")
    call("get_event_logs", included_events="failed,success", dag_id="flaky", case="two kinds")
    call("get_event_logs", before=LONG_AGO, case="none")
    call("get_event_log", first(events, "event_logs", "event_log_id"))
    call("get_event_log", 9999999, case="absent")


def writes(call):
    """Changes what the runs left, with the scheduler held back, so that what is cleared stays cleared."""
    run, doomed = ("orders", "first"), ("flaky", "doomed")
    for dag in ("orders", "flaky"):
        call("patch_dag", dag, body={"is_paused": True}, case="pause " + dag)
    call("set_dag_run_note", *run, body={"note": "Seen"})
    call("set_dag_run_note", "orders", "absent", body={"note": "Seen"}, case="absent")
    call("set_task_instance_note", *run, "extract", body={"note": "Looked at"})
    call("set_task_instance_note", *run, "absent", body={"note": "Looked at"}, case="absent")
    call("set_mapped_task_instance_note", *run, "square", 1, body={"note": "The second"})
    call("set_task_instance_note", *run, "square", body={"note": "Nobody"}, case="mapped")
    call("get_mapped_task_instances", *run, "square", case="notes")

    call("patch_task_instance", *doomed, "fails", body={"new_state": "success"}, case="dry by default")
    call("get_task_instance", *doomed, "fails", case="still failed")
    call("patch_task_instance", *doomed, "fails", body={"new_state": "success", "dry_run": False})
    call("patch_task_instance", *doomed, "fails", body={"new_state": "success", "dry_run": False}, case="again")
    call("patch_task_instance", *doomed, "absent", body={"new_state": "success", "dry_run": False}, case="absent")
    call("get_task_instances", *doomed, case="changed")
    call("clear_dag_run", *doomed, body={}, case="dry by default")
    call("clear_dag_run", *doomed, body={"dry_run": False})
    call("clear_dag_run", "flaky", "absent", body={"dry_run": False}, case="absent")
    call("get_task_instances", *doomed, case="cleared")

    clear = {"dag_run_id": "first", "task_ids": ["announce"], "only_failed": False}
    call("post_clear_task_instances", "orders", body=clear, case="dry by default")
    call("post_clear_task_instances", "orders", body={**clear, "dry_run": False})
    call("get_dag_run", *run, case="run left alone")
    call("get_task_instances", *run, case="cleared")
    when = {"start_date": WHEN.isoformat(), "end_date": WHEN.isoformat()}
    call("post_clear_task_instances", "orders", body={**when, "only_failed": False, "reset_dag_runs": True, "dry_run": False}, case="by date, runs too")
    call("post_clear_task_instances", "absent", body={"dry_run": False}, case="absent")
    call("get_dag_run", *run, case="run queued again")

    state = {"task_id": "extract", "dag_run_id": "first", "include_upstream": False, "include_downstream": False,
             "include_future": False, "include_past": False, "new_state": "failed"}
    call("post_set_task_instances_state", "orders", body=state, case="dry by default")
    call("post_set_task_instances_state", "orders", body={**state, "dry_run": False, "include_downstream": True})
    by_date = {name: value for name, value in state.items() if name != "dag_run_id"}
    call("post_set_task_instances_state", "orders", body={**by_date, "execution_date": WHEN.isoformat(), "new_state": "success", "dry_run": False}, case="by date")
    call("post_set_task_instances_state", "orders", body={**state, "dag_run_id": "absent", "dry_run": False}, case="absent run")
    call("post_set_task_instances_state", "absent", body={**state, "dry_run": False}, case="absent")
    call("get_task_instances", *run, case="states set")
    call("patch_mapped_task_instance", *run, "square", 1, body={"new_state": "success"}, case="dry by default")
    call("patch_mapped_task_instance", *run, "square", 1, body={"new_state": "success", "dry_run": False})
    call("patch_task_instance", *run, "square", body={"new_state": "success", "dry_run": False}, case="mapped")
    call("get_mapped_task_instances", *run, "square", case="one changed")
    call("update_dag_run_state", *run, body={"state": "failed"})
    call("update_dag_run_state", "orders", "absent", body={"state": "failed"}, case="absent")

    call("create_dataset_event", body={"dataset_uri": "s3://bucket/orders", "extra": {"from": "outside"}})
    call("create_dataset_event", body={"dataset_uri": "s3://bucket/absent"}, case="absent")
    call("delete_dag_dataset_queued_event", "balance", "s3://bucket/orders")
    call("delete_dag_dataset_queued_event", "balance", "s3://bucket/orders", case="again")
    call("create_dataset_event", body={"dataset_uri": "s3://bucket/orders"}, case="once more")
    call("delete_dag_dataset_queued_events", "balance")
    call("create_dataset_event", body={"dataset_uri": "s3://bucket/orders"}, case="a third")
    call("delete_dataset_queued_events", "s3://bucket/orders")
    call("delete_dataset_queued_events", "s3://bucket/absent", case="absent")
    call("get_dag_dataset_queued_events", "balance", case="none")
    call("delete_dag_run", *run)
    call("delete_dag_run", *run, case="again")
    call("reparse_dag_file", call.clients["admin"].ask("get_dag", "followup")["body"]["file_token"])
    call("reparse_dag_file", "no-token", case="bad token")
    call("delete_dag", "followup")
    call("delete_dag", "absent", case="absent")


def people(call):
    """Users, roles and permissions."""
    call("get_permissions", limit=5)
    call("get_roles", order_by="name")
    call("get_roles", limit=1, case="first")
    call("get_role", "Viewer")
    call("get_role", "Absent", case="absent")
    action = [{"action": {"name": "can_read"}, "resource": {"name": "DAGs"}}]
    more = [{"action": {"name": "can_edit"}, "resource": {"name": "DAGs"}}]
    call("post_role", body={"name": "Reader", "actions": action})
    call("post_role", body={"name": "Reader", "actions": action}, case="again")
    call("patch_role", "Reader", body={"name": "Reader", "actions": action + more})
    call("patch_role", "Reader", body={"name": "Readers", "actions": []}, update_mask=["name"], case="mask")
    call("patch_role", "Absent", body={"name": "Absent", "actions": []}, case="absent")
    call("get_role", "Readers", case="changed")
    call("delete_role", "Readers")
    call("delete_role", "Readers", case="again")
    call("get_users", order_by="id")
    call("get_users", order_by="username", case="by name")
    call("get_user", "viewer")
    call("get_user", "absent", case="absent")
    user = {"username": "new", "first_name": "New", "last_name": "One", "email": "new@example.com", "password": "new",
            "roles": [{"name": "Viewer"}]}
    call("post_user", body=user)
    call("post_user", body=user, case="again")
    call("post_user", body={**user, "username": "newer", "roles": [{"name": "Absent"}]}, case="no such role")
    call("get_user", "new", case="made")
    call("patch_user", "new", body={**user, "first_name": "Newer"}, update_mask=["first_name"])
    call("patch_user", "absent", body=user, case="absent")
    call("delete_user", "new")
    call("delete_user", "new", case="again")


def main(url, only=""):
    call = Story(url)
    call.wait(lambda health: health["scheduler"]["status"] == "healthy", "get_health")
    call.wait(lambda errors: errors["import_errors"], "get_import_errors")
    if only == "read":
        dags(call)
        reads(call)
        return
    for part in (uses, dags, runs, reads, writes, people):
        part(call)
    missing = set(call.clients["admin"].endpoints) - call.called
    if missing:
        raise SystemExit("operations that nobody called: " + ", ".join(sorted(missing)))


if __name__ == "__main__":
    main(*sys.argv[1:])
