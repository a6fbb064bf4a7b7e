"""Lets a Dag go on, and pauses it: pause.py URL."""

import sys

import requests

url = sys.argv[1] + "/api/v1/dags"
auth = ("admin", "admin")
for paused in (False, True):
    answer = requests.patch(f"{url}/many", json={"is_paused": paused}, auth=auth)
    print(answer.status_code, answer.json()["dag_id"], answer.json()["is_paused"])
    found = requests.get(url, params={"only_active": "true", "paused": paused, "dag_id_pattern": "many"}, auth=auth).json()
    print(found["total_entries"], [dag["dag_id"] for dag in found["dags"]])
print(requests.patch(f"{url}/absent", json={"is_paused": True}, auth=auth).status_code)
