"""requests-kerberos as it is used with Airflow 2: kerberos.py URL HOST

Prints a JSON list of {mode, ok, saw}, one for each of the client's modes.
"""

import json
import sys

import requests
from requests_kerberos import DISABLED, OPTIONAL, REQUIRED, HTTPKerberosAuth

results = []
for word, mode in (("REQUIRED", REQUIRED), ("OPTIONAL", OPTIONAL), ("DISABLED", DISABLED)):
    try:
        auth = HTTPKerberosAuth(mode, service="airflow", hostname_override=sys.argv[2])
        answer = requests.get(sys.argv[1], auth=auth, timeout=60)
        results.append({"mode": word, "ok": answer.status_code == 200 and "dags" in answer.json(), "saw": f"{answer.status_code} {answer.text[:200]}"})
    except Exception as error:
        results.append({"mode": word, "ok": False, "saw": repr(error)[:300]})
json.dump(results, sys.stdout)
