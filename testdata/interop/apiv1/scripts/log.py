"""Reads what a task said, as text and as JSON: log.py URL."""

import ast
import re
import sys

import requests

url = sys.argv[1] + "/api/v1/dags/trips/dagRuns/first/taskInstances/stumble/logs/1"
auth = ("admin", "admin")


def said(text):
    """Gives the task's own lines, without what the logger puts before them."""
    return [re.sub(r".*INFO - ", "", line) for line in text.splitlines() if "mind the step" in line]


answer = requests.get(url, params={"full_content": "true"}, auth=auth)
answer.raise_for_status()
print(answer.status_code, answer.headers["Content-Type"].split(";")[0], said(answer.text))

answer = requests.get(url, params={"full_content": "true"}, headers={"Accept": "application/json"}, auth=auth)
answer.raise_for_status()
parts = ast.literal_eval(answer.json()["content"])
print(answer.headers["Content-Type"], [len(part) for part in parts], said(parts[0][1]), bool(answer.json()["continuation_token"]))
