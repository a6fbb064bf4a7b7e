"""Lists the runs that have failed since yesterday: failed.py URL."""

import datetime
import sys

import requests

yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
answer = requests.get(
    sys.argv[1] + "/api/v1/dags/~/dagRuns",
    params={"execution_date_gte": yesterday.isoformat(), "state": "failed", "order_by": "-execution_date"},
    auth=("admin", "admin"),
)
answer.raise_for_status()
for run in answer.json()["dag_runs"]:
    when = datetime.datetime.fromisoformat(run["execution_date"])
    print(run["dag_id"], run["dag_run_id"], run["state"], when.utcoffset(), when > yesterday)
print(answer.json()["total_entries"], "failed")
