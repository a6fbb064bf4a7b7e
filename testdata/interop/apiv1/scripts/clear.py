"""Clears a task that failed, so that it would run again: clear.py URL."""

import sys

import requests

url = sys.argv[1] + "/api/v1/dags/trips"
auth = ("admin", "admin")


def state():
    task = requests.get(f"{url}/dagRuns/first/taskInstances/stumble", auth=auth).json()
    run = requests.get(f"{url}/dagRuns/first", auth=auth).json()
    return task["state"], task["try_number"], run["state"]


# Paused, so that it does not run again.
requests.patch(url, json={"is_paused": True}, auth=auth).raise_for_status()
print(*state())
for more in ({}, {"dry_run": False}, {"dry_run": False, "only_failed": False, "reset_dag_runs": True}):
    body = {"dag_run_id": "first", "task_ids": ["stumble"], **more}
    answer = requests.post(f"{url}/clearTaskInstances", json=body, auth=auth)
    print(answer.status_code, [task["task_id"] for task in answer.json()["task_instances"]], *state())
