"""Python's Kerberos clients, unmodified, against one server.

    clients.py KIND BASE HOST [get-only]

KIND is requests-kerberos, requests-gssapi or python-gssapi; BASE the server's
address; HOST the host name in the service principals. Prints a JSON list of
{"case", "ok", "saw"}. A case is ok when the client itself is content: no
exception, the status that the path has, and the body in the client's hands.
"""

import base64
import http.client
import json
import sys
import urllib.parse

KIND, BASE, HOST = sys.argv[1:4]
GET_ONLY = "get-only" in sys.argv[4:]

REQUESTS = [
    ("GET", "/api/v2/dags", None, 200),
    ("GET", "/api/v2/dags/absent", None, 404),
]
if not GET_ONLY:
    REQUESTS.append(("POST", "/api/v2/dags/greetings/dagRuns", {"logical_date": None}, 200))
results = []


def note(case, ok, saw):
    results.append({"case": case, "ok": bool(ok), "saw": str(saw)[:300]})


def with_requests(case, make_auth):
    import requests

    for method, path, body, want in REQUESTS:
        name = f"{case}, {method} {want}"
        try:
            with requests.Session() as session:
                answer = session.request(method, BASE + path, json=body, auth=make_auth(), timeout=30)
                again = session.get(BASE + REQUESTS[0][1], auth=make_auth(), timeout=30)
            note(name, answer.status_code == want and answer.text and again.status_code == 200 and not session.cookies,
                 f"{type(answer).__name__} {answer.status_code} {answer.text[:80]!r}, then {again.status_code}, cookies {len(session.cookies)}")
        except Exception as error:
            note(name, False, repr(error))


def requests_kerberos():
    from requests_kerberos import DISABLED, OPTIONAL, REQUIRED, HTTPKerberosAuth

    for service in ("HTTP", "airflow"):
        for word, mode in (("REQUIRED", REQUIRED), ("OPTIONAL", OPTIONAL), ("DISABLED", DISABLED)):
            with_requests(f"{service} {word}", lambda: HTTPKerberosAuth(mode, service=service, hostname_override=HOST))
        with_requests(f"{service} REQUIRED preemptive", lambda: HTTPKerberosAuth(REQUIRED, service=service, hostname_override=HOST, force_preemptive=True))
        with_requests(f"{service} REQUIRED delegated", lambda: HTTPKerberosAuth(REQUIRED, service=service, hostname_override=HOST, delegate=True))


def requests_gssapi():
    import gssapi
    from requests_gssapi import DISABLED, OPTIONAL, REQUIRED, HTTPSPNEGOAuth

    for service in ("HTTP", "airflow"):
        target = gssapi.Name(f"{service}@{HOST}", gssapi.NameType.hostbased_service)
        for word, mode in (("REQUIRED", REQUIRED), ("OPTIONAL", OPTIONAL), ("DISABLED", DISABLED)):
            with_requests(f"{service} {word}", lambda: HTTPSPNEGOAuth(mutual_authentication=mode, target_name=target))
        with_requests(f"{service} REQUIRED preemptive", lambda: HTTPSPNEGOAuth(mutual_authentication=REQUIRED, target_name=target, opportunistic_auth=True))


def python_gssapi():
    import gssapi
    from gssapi.raw import RequirementFlag

    spnego = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
    krb5 = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
    where = urllib.parse.urlsplit(BASE)
    for service in ("HTTP", "airflow"):
        for frame, mech in (("SPNEGO", spnego), ("raw", krb5)):
            for mutual in (True, False):
                case = f"{service} {frame} {'mutual' if mutual else 'one way'}"
                try:
                    flags = [RequirementFlag.out_of_sequence_detection, RequirementFlag.integrity]
                    if mutual:
                        flags.append(RequirementFlag.mutual_authentication)
                    context = gssapi.SecurityContext(
                        name=gssapi.Name(f"{service}@{HOST}", gssapi.NameType.hostbased_service), mech=mech, flags=flags, usage="initiate")
                    token = context.step()
                    link = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
                    link.request("GET", REQUESTS[0][1], headers={"Authorization": "Negotiate " + base64.b64encode(token).decode()})
                    answer = link.getresponse()
                    answer.read()
                    reply = answer.getheader("WWW-Authenticate")
                    if reply:
                        context.step(base64.b64decode(reply.split()[1]))
                    # An error of the step is told when an attribute is read.
                    done = context.complete
                    context.get_signature(b"a message")
                    note(case, answer.status == 200 and done and bool(reply) == (mutual or frame == "SPNEGO"), f"{answer.status} complete={done} reply={bool(reply)}")
                except Exception as error:
                    note(case, False, repr(error))


{"requests-kerberos": requests_kerberos, "requests-gssapi": requests_gssapi, "python-gssapi": python_gssapi}[KIND]()
json.dump(results, sys.stdout)
