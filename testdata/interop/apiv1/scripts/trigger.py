"""Starts a run with a configuration and waits for its end: trigger.py URL."""

import sys
import time

import requests

url = sys.argv[1] + "/api/v1/dags/settle/dagRuns"
session = requests.Session()
session.auth = ("admin", "admin")

started = session.post(url, json={"conf": {"region": "us", "limit": 2}})
started.raise_for_status()
run = started.json()
print(started.status_code, run["dag_id"], run["state"], sorted(run["conf"].items()), run["external_trigger"], run["run_type"])
print(run["dag_run_id"] == "manual__" + run["execution_date"])

deadline = time.time() + 120
while run["state"] not in ("success", "failed") and time.time() < deadline:
    time.sleep(0.5)
    run = session.get(f"{url}/{run['dag_run_id']}").json()
print(run["state"])
for task in session.get(f"{url}/{run['dag_run_id']}/taskInstances").json()["task_instances"]:
    print(task["task_id"], task["state"], task["try_number"])
