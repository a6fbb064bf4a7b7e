"""Makes vectors.json with real Werkzeugs: password hashes, and Basic headers.

Run it once under each Werkzeug, the older one first; each run adds its part:

    python -m venv old && old/bin/pip install -r requirements-2.2.txt && old/bin/python make.py
    python -m venv new && new/bin/pip install -r requirements-3.1.txt && new/bin/python make.py

A vector of "passwords" says whether check_password_hash accepts; null stands
for an exception, which Airflow answers with 500. A vector of "headers" says
what Airflow's Basic backend would be told: user and password, or null.
"""

import base64
import hashlib
import importlib.metadata
import json
import pathlib
import random

from werkzeug import security
from werkzeug.datastructures import Authorization

VERSION = ".".join(importlib.metadata.version("werkzeug").split(".")[:2])
FILE = pathlib.Path(__file__).with_name("vectors.json")

PASSWORDS = [
    "secret",
    "s3cr3t-pässword",
    "пароль",
    "密码🔑",
    " leading and trailing ",
    "with:colon",
    "with$dollar",
    "nul\0inside",
    "a" * 300,
    "e\u0301 is not \u00e9",
]

METHODS = {
    "2.2": ["pbkdf2:sha1:1000", "pbkdf2:sha256:1000", "pbkdf2:sha512:1000"],
    "3.1": ["pbkdf2:sha256:1200", "pbkdf2:sha512:1200", "pbkdf2:sha1:1", "scrypt:128:8:1", "scrypt:1024:8:2", "scrypt:1024:4:3"],
}

# Written by hand: corner cases of the format itself, all of the password "secret".
ODD = [
    "",
    "secret",
    "plain$$secret",
    "pbkdf2:sha256:1000$$" + "0" * 64,
    "pbkdf2:sha256:0$salt$00",
    "pbkdf2:sha256:-1$salt$00",
    "pbkdf2:sha256:$salt$00",
    "pbkdf2:sha256:1000:7$salt$00",
    "pbkdf2:nohash:1000$salt$00",
    "scrypt:15:8:1$salt$00",
    "scrypt:16:8$salt$00",
    "scrypt:$salt$00",
    "bcrypt$salt$00",
    "$$",
]


def verdict(stored, password):
    try:
        return bool(security.check_password_hash(stored, password))
    except Exception:
        return None


def passwords(known):
    random.seed(VERSION)
    security.gen_salt = lambda n: "".join(random.choice(security.SALT_CHARS) for _ in range(n))
    made = []
    for method in METHODS[VERSION]:
        for password in PASSWORDS if method.endswith(("1000", ":8:1")) else PASSWORDS[:2]:
            stored = security.generate_password_hash(password, method=method)
            made += [(stored, password), (stored, password + "x")]
    if VERSION == "2.2":  # as Airflow's oldest rows have it: without the count
        stored = "pbkdf2:sha256$" + security.generate_password_hash("secret", method="pbkdf2:sha256").split("$", 1)[1]
        made.append((stored, "secret"))
    # The library's own default, at its real cost.
    stored = security.generate_password_hash("s3cr3t-pässword")
    made.append((stored, "s3cr3t-pässword"))
    # An empty salt, a salt beyond ASCII, an upper-case sum.
    for salt in ["", "sält", "x" * 64]:
        method, sum_ = "pbkdf2:sha256:1000", hashlib.pbkdf2_hmac("sha256", b"secret", salt.encode(), 1000).hex()
        made += [(f"{method}${salt}${sum_}", "secret"), (f"{method}${salt}${sum_.upper()}", "secret"), (f"{method}${salt}${sum_[:-1]}", "secret")]
    made += [(stored, "secret") for stored in ODD]
    return known + [
        {"werkzeug": VERSION, "stored": s, "password": p, "accepted": verdict(s, p)} for s, p in made
    ]


def b64(raw):
    return base64.b64encode(raw).decode()


HEADERS = [
    "Basic dTpw", "BASIC  dTpw", "basic dTpw", "Basic\tdTpw", " Basic dTpw", "Basic dTp w", "Basic dTpw!!", "Basic dTpw ",
    "Basic dTpwOnE=", "Basic dTpwcA", "Basic dTpwcA=", "Basic dTpwcA==", "Basic dTpwcA===", "Basic dTpwcA==dTpw", "Basic dTpwOnE=garbage",
    "Basic dTpwO=nE", "Basic =dTpw", "Basic ==dTpw", "Basic d=TpwcA==", "Basic dTpwcB==", "Basic dTpwc", "Basic dTpwc===",
    "Basic dQ==", "Basic /Drk", "Basic", "Basic ", "Basic dTo=", "Basic OnA=", "Basic Og==", "Basic ====", "", "dTpw", "Basic,dTpw", "Basic: dTpw",
    "Bearer dTpw", "Negotiate dTpw", "Digest dTpw", "Basic Basic dTpw", "Basic dTpw, Basic dTpw", "Basic dT-pw_", "Basic dT+pw/",
    "Basic " + b64("jürgen:пароль🔑".encode()), "Basic " + b64("jürgen:x".encode("latin-1")), "Basic " + b64("u:\xe9".encode("latin-1")),
    "Basic " + b64(b"u:a:b:c"), "Basic " + b64(b"u\0:p\0"), "Basic " + b64(b" u : p "), "Basic " + b64(b"\xef\xbb\xbfu:p"),
    "Basic " + b64(b"u:" + b"p" * 3000), "Basic dTpw\xe9", "Basic\xa0dTpw", "Basic \xa0dTpw",
]


def parse(header):
    """What airflow's basic_auth backend of that time gets to see."""
    if VERSION == "2.2":
        from werkzeug.http import parse_authorization_header as read
    else:
        read = Authorization.from_header
    try:
        found = read(header)
    except Exception:
        return None
    if found is None or found.type != "basic" or not found.username or not found.password:
        return None
    return [found.username, found.password]


def main():
    doc = json.loads(FILE.read_text()) if VERSION != "2.2" else {"passwords": [], "headers": []}
    doc["passwords"] = passwords([v for v in doc["passwords"] if v["werkzeug"] != VERSION])
    doc["headers"] = [v for v in doc["headers"] if v["werkzeug"] != VERSION] + [
        {"werkzeug": VERSION, "header": h, "parsed": parse(h)} for h in HEADERS
    ]
    FILE.write_text(json.dumps(doc, indent=1) + "\n")


main()
