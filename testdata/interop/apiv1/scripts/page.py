"""Goes through the runs of a Dag page by page: page.py URL."""

import sys

import requests

url = sys.argv[1] + "/api/v1/dags/many/dagRuns"
auth = ("admin", "admin")
seen, dates = [], []
while True:
    answer = requests.get(url, params={"limit": 100, "offset": len(seen), "order_by": "execution_date"}, auth=auth)
    answer.raise_for_status()
    page = answer.json()
    if not page["dag_runs"]:
        break
    seen += [run["dag_run_id"] for run in page["dag_runs"]]
    dates += [run["execution_date"] for run in page["dag_runs"]]
print(len(seen), "runs of", page["total_entries"], len(set(seen)), "different", dates == sorted(dates))
print(seen[0], dates[0], seen[-1], dates[-1])

# Who asks for more than the server's maximum gets the maximum.
print(len(requests.get(url, params={"limit": 1000}, auth=auth).json()["dag_runs"]), "at once")
