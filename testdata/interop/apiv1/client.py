"""Runs every operation of the unmodified apache-airflow-client 2.10.0 against one address: client.py URL.

One JSON object is printed for each call: the operation, the case, and what the client gave or raised, with status,
content type and body as they came. What an Airflow makes up itself and is needed later (ids, tokens, names of runs)
is learned from answers and printed by the name that it is learned under.
"""

import json
import sys
import time

import airflow_client.client
import story
from airflow_client.client import apis
from airflow_client.client.model_utils import ModelNormal, ModelSimple


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


def main(url):
    call = Story(url)
    call.wait(lambda health: health["scheduler"]["status"] == "healthy", "get_health")
    call.wait(lambda errors: errors["import_errors"], "get_import_errors")
    for part in story.PARTS:
        part(call)
    missing = set(call.clients["admin"].endpoints) - call.called
    if missing:
        raise SystemExit("operations that nobody called: " + ", ".join(sorted(missing)))


if __name__ == "__main__":
    main(*sys.argv[1:])
