"""Writes ../pyjwt.json: what Airflow 3.3.2 with PyJWT 2.14.0 says to every token
of modern/moderntest/tokens.json, at one fixed moment.

Run it with the Python of an environment that holds apache-airflow==3.3.2, from
any folder:

    AIRFLOW_HOME=$(mktemp -d) python make.py

The tokens are judged by Airflow's own JWTValidator and then, as in
BaseAuthManager.get_user_from_token, by the auth manager's reading of the claims.
PyJWT's clock is the only thing that is replaced.
"""

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json
import pathlib
import re

import airflow
import jwt
import jwt.api_jwt
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.tokens import JWTValidator

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE.parents[2] / "moderntest" / "tokens.json"
NOW = 1_760_000_000


class Clock(dt.datetime):
    @classmethod
    def now(cls, tz=None):
        return dt.datetime.fromtimestamp(NOW, tz)


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def text(template: str) -> str:
    return re.sub(r"<([+-]\d+)>", lambda m: str(NOW + int(m[1])), template)


def build(case: dict, secret: str) -> str:
    header = case.get("header", '{"alg":"HS512","typ":"JWT"}')
    claims = case.get("claims")
    if claims is None:
        members = {
            "sub": '"1"',
            "jti": '"0123456789abcdef0123456789abcdef"',
            "aud": '"apache-airflow"',
            "iat": "<-5>",
            "nbf": "<-5>",
            "exp": "<+300>",
        } | case.get("set", {})
        claims = "{" + ",".join(f'"{name}":{members[name]}' for name in sorted(members)) + "}"
    h = encode(text(header).encode())
    p = encode(text(claims).encode(case.get("encoding", "utf-8")))
    hash = getattr(hashlib, case.get("hash", "sha512"))
    s = encode(hmac.new(case.get("sign", secret).encode(), f"{h}.{p}".encode(), hash).digest())
    token = case.get("shape", "%h.%p.%s")
    for name, value in {"%h": h, "%p": p, "%s": s, "%S": s[:-1] + chr(ord(s[-1]) + 1), "%t": s[:-2]}.items():
        token = token.replace(name, value)
    return token


def judge(case: dict, token: str, secret: str) -> str:
    validator = JWTValidator(
        secret_key=secret, issuer=case.get("issuers", []), audience="apache-airflow", algorithm=["HS512"], leeway=10
    )
    try:
        claims = asyncio.run(validator.avalidated_claims(token))
    except jwt.ExpiredSignatureError:
        return "expired"
    except jwt.InvalidTokenError:
        return "invalid"
    except Exception:
        return "fault"
    try:
        if case.get("manager") == "simple":
            SimpleAuthManager.deserialize_user(None, claims)
        else:
            claims["sub"]
    except (ValueError, KeyError):
        return "invalid"
    return "ok"


def main() -> None:
    jwt.api_jwt.datetime = Clock
    table = json.loads(TABLE.read_text())
    out = {"airflow": airflow.__version__, "pyjwt": jwt.__version__, "now": NOW, "tokens": []}
    for case in table["cases"]:
        token = build(case, table["secret"])
        answer = judge(case, token, table["secret"])
        out["tokens"].append({"name": case["name"], "answer": answer, "token": token})
        if answer != case["answer"]:
            print(f"{case['name']}: Airflow says {answer}, the table {case['answer']}")
    (HERE.parent / "pyjwt.json").write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")


main()
