"""Sets a variable, whether it is there or not: variable.py URL."""

import json
import sys

import requests

url = sys.argv[1] + "/api/v1/variables"
auth = ("admin", "admin")
for value in ({"cutoff": "2024-01-01", "share": 0.5}, {"cutoff": "2024-02-01", "share": 1.0}):
    body = {"key": "settings", "value": json.dumps(value)}
    answer = requests.patch(f"{url}/settings", json=body, auth=auth)
    if answer.status_code == 404:
        answer = requests.post(url, json=body, auth=auth)
    print(answer.status_code, answer.json()["key"], answer.json()["value"])
print(json.loads(requests.get(f"{url}/settings", auth=auth).json()["value"]))
print(requests.delete(f"{url}/settings", auth=auth).status_code, requests.get(f"{url}/settings", auth=auth).status_code)
