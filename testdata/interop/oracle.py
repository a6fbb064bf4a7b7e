"""Puts users into the tables of an Airflow 2 and of an Airflow 3: oracle.py AIRFLOW2.DB AIRFLOW3.DB.

Prints what it made as JSON: a list of {name, email, password}. The hashes are written by the Werkzeug that this Python
has, in every way that it can, and two by hand that another one writes.
"""

import hashlib
import json
import sqlite3
import sys

import werkzeug.security as security

PASSWORD = "correct horse: battery staple"
made = []


def add(name, hashed, password=PASSWORD, email=None, active=True):
    email = email or name + "@example.com"
    for path in sys.argv[1:3]:
        with sqlite3.connect(path, timeout=30) as db:
            # In Airflow 3 nobody has a password of their own: only the old one can let them in.
            row = db.execute(
                # Ids that no other test takes for nobody's.
                "INSERT INTO ab_user (id, first_name, last_name, username, password, active, email)"
                " VALUES ((SELECT max(max(id), 1000) + 1 FROM ab_user), 'F', 'L', ?, ?, ?, ?)",
                (name, hashed if path == sys.argv[1] else None, active, email),
            )
            db.execute(
                "INSERT INTO ab_user_role (user_id, role_id) SELECT ?, id FROM ab_role WHERE name = 'Viewer'",
                (row.lastrowid,),
            )
    made.append({"name": name, "email": email, "password": password})


def can(method):
    try:
        return security.generate_password_hash(PASSWORD, method)
    except (ValueError, TypeError):
        return None


add("default", security.generate_password_hash(PASSWORD))
for method in (
    "pbkdf2", "pbkdf2:sha256", "pbkdf2:sha256:1000", "pbkdf2:sha1", "pbkdf2:sha1:1000", "pbkdf2:sha512", "pbkdf2:sha512:1000",
    "pbkdf2:md5:1000", "pbkdf2:sha224:1000", "pbkdf2:sha384:1000", "scrypt", "scrypt:1024:8:1",
    "sha256", "sha1", "md5", "sha512", "plain",
):
    hashed = can(method)
    if hashed:
        add(method.replace(":", " "), hashed)  # a name in Basic has no colon

# Stored without a count: the library's own at the time of checking.
count = getattr(security, "DEFAULT_PBKDF2_ITERATIONS")
digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"saltsalt", count).hex()
add("pbkdf2 without a count", "pbkdf2:sha256$saltsalt$" + digest)
# As a Werkzeug from 2.3 on writes it, whatever this one can.
digest = hashlib.scrypt(PASSWORD.encode(), salt=b"saltsalt", n=32768, r=8, p=1, maxmem=132 * 32768 * 8, dklen=64).hex()
add("scrypt by a later one", "scrypt:32768:8:1$saltsalt$" + digest)

cheap = security.generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")
add("no hash at all", None)
add("not a hash", "x")
add("two dollars", "$$")
add("unknown method", "bcrypt$salt$0123")
add("upper case digest", cheap[: cheap.rindex("$")] + cheap[cheap.rindex("$") :].upper())
add("inactive", cheap, active=False)
add("active is null", cheap, active=None)
add("MixedCase", cheap)
add("beyond ASCII ÄÖ", security.generate_password_hash("pässwörd €", "pbkdf2:sha256:1000"), password="pässwörd €")
add("long", security.generate_password_hash("x" * 2000, "pbkdf2:sha256:1000"), password="x" * 2000)
add("colons", security.generate_password_hash("a:b::c", "pbkdf2:sha256:1000"), password="a:b::c")
add("space at the end", security.generate_password_hash(" p ", "pbkdf2:sha256:1000"), password=" p ")
# Somebody whose name is another one's e-mail address.
add("first@example.com", cheap, email="elsewhere@example.com")
add("second", security.generate_password_hash("second", "pbkdf2:sha256:1000"), password="second", email="first@example.com")
json.dump(made, sys.stdout)
