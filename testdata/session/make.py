"""Makes vectors.json: cookies and rows of sessions, by the very libraries that Airflow 2 ran on.

make.sh runs it once for each set of them, `make.py NAME`; each run replaces the vectors of that name. A vector's
session is written as pairs of a type and a value, so that nothing is lost between Python's types and Go's. "accepted"
is what the library itself says of it at the time "now"; of a row it is whether pickle, or Flask's serializer, reads
it at all. What no library of Airflow's ever wrote is marked "made by hand".
"""

import base64
import collections
import datetime
import hashlib
import json
import os
import pathlib
import pickle
import random
import sys
import uuid

import flask
import flask.sessions
import itsdangerous
from flask_sqlalchemy import SQLAlchemy
from markupsafe import Markup

try:
    import flask_session.sessions as sessions_module
except ImportError:  # 0.8
    import flask_session.sqlalchemy.sqlalchemy as sessions_module

NAME = sys.argv[1]
FILE = pathlib.Path(__file__).with_name("vectors.json")
SECRET = "airflow-bridge-test-key"
NOW = 1700000000
LIFETIME = 3600
OLD = NAME == "2.2"
JSON_ROWS = NAME == "2.11.1"
KEY = "user_id" if OLD else "_user_id"
rnd = random.Random(NAME)


class Frozen(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW, tz)

    @classmethod
    def utcnow(cls):
        return cls(2023, 11, 14, 22, 13, 20)


def typed(v):
    """The value with its types written out."""
    if v is None:
        return ["none"]
    if isinstance(v, bool):
        return ["bool", v]
    if isinstance(v, int):
        return ["int", str(v)]
    if isinstance(v, float):
        return ["float", v.hex()]
    if isinstance(v, Markup):
        return ["markup", str(v)]
    if isinstance(v, str):
        return ["str", v]
    if isinstance(v, (bytes, bytearray)):
        return ["bytes", base64.b64encode(v).decode()]
    if isinstance(v, uuid.UUID):
        return ["uuid", str(v)]
    if isinstance(v, datetime.datetime):
        return ["datetime", v.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")]
    if isinstance(v, tuple):
        return ["tuple", [typed(x) for x in v]]
    if isinstance(v, list):
        return ["list", [typed(x) for x in v]]
    if isinstance(v, dict):
        return ["dict", sorted([k, typed(x)] for k, x in v.items())]
    raise TypeError(type(v))


def user(n):
    return str(n) if OLD else n


def logged_in(n, **more):
    ident = hashlib.sha512(repr(b"127.0.0.1").encode() + b"|" + repr(b"curl/8.5.0").encode()).hexdigest()
    return {"_permanent": True, KEY: user(n), "_fresh": True, "_id": ident, "csrf_token": hashlib.sha1(str(n).encode()).hexdigest(), "locale": "en", **more}


def sessions():
    """What is found in sessions of Airflow's, and what the formats can hold besides."""
    yield "logged in", logged_in(1)
    yield "a visitor", {"_permanent": True, "csrf_token": "0f" * 20}
    yield "only permanent", {"_permanent": True}
    yield "bare", {KEY: user(1)}
    for n in (0, 7, 255, 256, 300, 65535, 65536, 70000, 2**31 - 1, 2**31, 2**40, 2**63 - 1, -1, -70000, -(2**31), -(2**33)):
        yield f"number {n}", {"_permanent": True, KEY: user(n), "n": n}
    yield "the other key", {"_user_id": 3, "user_id": "4"}
    yield "a string for an id", {"_user_id": "12"}
    yield "a flash", logged_in(2, _flashes=[("warning", "Invalid login. Please try again.")])
    yield "flashes with markup", logged_in(2, _flashes=[("info", Markup("<b>x</b> &amp; y")), ("danger", "plain"), ("info", Markup(""))])
    yield "visited pages", logged_in(5, page_history=["http://localhost:8080/home", "http://localhost:8080/dags/a/grid?x=1&y=%2F", "http://localhost:8080/dagrun/list/?_flt_3_dag_id=a"])
    yield "filters", logged_in(6, FILTER_TAGS=["a", "b"], FILTER_STATUS="active", sorting_key="dag_id", sorting_direction="asc")
    yield "oauth", logged_in(8, oauth=("token", ""), oauth_provider="google", _state_google_x={"data": {"redirect_uri": "https://a/b", "url": "https://c"}, "exp": 1700003600.25})
    yield "text", {KEY: user(9), "t": ["", "ü", "пароль", "密码🔑", "a\"b\\c/d\n\t\r\x00\x1f\x7f", "\u2028\u2029", "a" * 255, "b" * 256, "ä" * 200, "<script>&'"]}
    yield "nested", {"a": {"b": {"c": [1, [2, [3, [{"d": (1, (2, ()))}]]]], "e": {}, "f": []}}, KEY: user(10)}
    yield "floats", {"f": [0.0, 1.5, -2.25, 1e300, 5e-324, 3.141592653589793, 1e22, 1e21, 123456789.0], KEY: user(11)}
    yield "tuples", {"t": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ("a", None, True, False)], KEY: user(12)}
    yield "shared text", {"a": "shared", "b": "shared", "c": ["shared", "shared"], KEY: user(13)}
    yield "bytes", {"b": [b"", b"\x00\xff", b"x" * 300], KEY: user(14)}
    yield "tags that are none", {"a": {" t": 1}, "b": {" x": 2}, "c": {"t": [1]}, "d": {" t": [1], "e": 2}, "f": {" di": {}}, "g": {" b__": 1}, KEY: user(15)}
    yield "long", logged_in(16, page_history=["http://localhost:8080/" + "x" * 40 + str(i) for i in range(40)])
    yield "incompressible", logged_in(17, blob=base64.b64encode(rnd.randbytes(300)).decode())
    yield "many", {**{f"key{i:03}": i * i for i in range(120)}, KEY: user(18)}
    yield "out of order", {"z": 1, "a": 2, KEY: user(19)}
    if not OLD:
        yield "an identifier", {"u": uuid.UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301"), KEY: user(20)}
        yield "a time", {"d": datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.timezone.utc), KEY: user(21)}


def app():
    a = flask.Flask("vectors")
    a.secret_key = SECRET
    a.permanent_session_lifetime = LIFETIME
    a.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SQLALCHEMY_TRACK_MODIFICATIONS=False, SESSION_COOKIE_SAMESITE="Lax")
    return a


def cookie_of(response):
    return response.headers["Set-Cookie"].split(";")[0].split("=", 1)[1]


def ask(a, session):
    """Has the application save that session in its answer; gives the cookie."""

    def view():
        flask.session.clear()
        for k, v in session.items():
            flask.session[k] = v
        return ""

    a.add_url_rule("/", "view", view)
    return cookie_of(a.test_client().get("/"))


def cookies(out):
    itsdangerous.TimestampSigner.get_timestamp = lambda self: NOW
    for what, session in sessions():
        value = ask(app(), session)
        out.append({"kind": "cookie", "what": what, "value": value, "now": NOW, "accepted": True, "session": typed(read_cookie(value, NOW))})
        assert typed(read_cookie(value, NOW)) == typed(session), what


def read_cookie(value, now):
    signer = flask.sessions.SecureCookieSessionInterface().get_signing_serializer(app())
    itsdangerous.TimestampSigner.get_timestamp = lambda self: now
    try:
        return signer.loads(value, max_age=LIFETIME)
    finally:
        itsdangerous.TimestampSigner.get_timestamp = lambda self: NOW


def judged_cookies(out):
    """Cookies that count or not, by what Flask itself says."""
    good = ask(app(), logged_in(1))
    payload, stamp, sig = good.rsplit(".", 2)
    other = app()
    other.secret_key = "another"
    foreign = ask(other, logged_in(1))
    long = ask(app(), logged_in(16, page_history=["x" * 900]))
    cases = [
        ("the last second", good, NOW + LIFETIME),
        ("a second too old", good, NOW + LIFETIME + 1),
        ("of the future", good, NOW - 1),
        ("another key", foreign, NOW),
        ("no signature", payload + "." + stamp, NOW),
        ("nothing", "", NOW),
        ("dots", "...", NOW),
        ("another session's signature", long.rsplit(".", 1)[0] + "." + sig, NOW),
        ("another time", payload + ".ZVPxAQ." + sig, NOW),
        ("cut", good[:-1], NOW),
        ("not the alphabet", good[:-5] + "!" + good[-5:], NOW),
        ("padded", good + "=", NOW),
        ("bits left over", good[:-1] + chr(ord(good[-1]) + 1), NOW),
        ("the payload of another, compressed", long.rsplit(".", 2)[0] + "." + stamp + "." + sig, NOW),
    ]
    for what, value, now in cases:
        try:
            session = typed(read_cookie(value, now))
        except itsdangerous.BadData:
            session = None
        out.append({"kind": "cookie", "what": what, "value": value, "now": now, "accepted": session is not None, "session": session})


def interface(a, db):
    args = (db, "session", "", True, True)
    if JSON_ROWS:
        from flask.json.tag import TaggedJSONSerializer

        class Serializer(TaggedJSONSerializer):  # as Airflow 2.11.1 has one
            def encode(self, session):
                return self.dumps(dict(session)).encode()

            def decode(self, data):
                return self.loads(data.decode())

        made = sessions_module.SqlAlchemySessionInterface(a, client=db, table="session", key_prefix="", use_signer=True, permanent=True)
        made.serializer = Serializer()
        made._generate_sid = lambda length: base64.urlsafe_b64encode(rnd.randbytes(length)).rstrip(b"=").decode()
        return made
    made = sessions_module.SqlAlchemySessionInterface(a, *args)
    made._generate_sid = lambda: str(uuid.UUID(int=rnd.getrandbits(128), version=4))
    return made


def sessions_of_row(session):
    a = app()
    db = SQLAlchemy(a)
    if JSON_ROWS:
        create = sessions_module.create_session_model

        def queryable(*args, **kwargs):
            model = create(*args, **kwargs)
            model.query_class = db.Query
            return model

        sessions_module.create_session_model = queryable
    a.session_interface = interface(a, db)
    if JSON_ROWS:
        sessions_module.create_session_model = create
    with a.app_context():
        db.create_all()
    value = ask(a, session)
    with a.app_context():
        row = list(db.session.execute("SELECT session_id, data FROM session"))[0]
    return value, row


def load_row(data):
    if JSON_ROWS:
        from flask.json.tag import TaggedJSONSerializer

        return TaggedJSONSerializer().loads(data.decode())
    return pickle.loads(data)


def rows(out):
    flask.sessions.datetime = sessions_module.datetime = Frozen
    for what, session in sessions():
        if JSON_ROWS and set(session) == {"_permanent"}:
            continue  # Flask-Session 0.8 saves no such session
        value, (sid, data) = sessions_of_row(session)
        # A row never holds a datetime or an identifier as pickle: that is no plain value there.
        known = JSON_ROWS or what not in ("an identifier", "a time")
        out.append({"kind": "row", "what": what, "value": value, "sid": sid, "data": base64.b64encode(data).decode(),
                    "accepted": known, "session": typed(load_row(data)) if known else None})


def pickles(out):
    """The same sessions in every protocol, from both of Python's picklers."""
    for what, session in sessions():
        if what in ("an identifier", "a time"):
            continue
        for protocol in range(3, 6):
            for maker, dumps in (("C", pickle.dumps), ("Python", pickle._dumps)):
                if protocol == 4 and maker == "C":
                    continue  # is a row already
                if rnd.random() < 0.7:
                    continue
                data = dumps(session, protocol)
                out.append({"kind": "pickle", "what": f"{what}, protocol {protocol}, {maker}", "data": base64.b64encode(data).decode(),
                            "accepted": True, "session": typed(pickle.loads(data))})


class Runs:
    def __init__(self, what, *args):
        self.what, self.args = what, args

    def __reduce__(self):
        return (self.what, self.args)


def dangerous(out):
    """Pickles that Python would obey. Made by hand."""
    import builtins
    import subprocess

    for what, value in [
        ("os.system", Runs(os.system, "true")),
        ("eval", Runs(builtins.eval, "1")),
        ("subprocess", Runs(subprocess.call, ["true"])),
        ("getattr", Runs(builtins.getattr, "x", "upper")),
        ("an object", collections.Counter("aab")),
        ("an ordered dict", collections.OrderedDict(a=1)),
        ("a set", {1, 2}),
        ("a frozen set", frozenset([1])),
        ("complex", 1j),
        ("a date", datetime.date(2023, 1, 1)),
        ("a class", Markup),
        ("an array of bytes", bytearray(b"x")),
    ]:
        for protocol in (3, 4, 5):
            data = pickle.dumps({KEY: user(1), "x": value}, protocol)
            out.append({"kind": "pickle", "what": f"{what}, protocol {protocol}; made by hand", "data": base64.b64encode(data).decode(), "accepted": False, "session": None})


def forms(out):
    """The token of Flask-WTF's forms."""
    from flask_wtf.csrf import generate_csrf, validate_csrf

    a = app()
    with a.test_request_context("/"):
        token = generate_csrf()
        validate_csrf(token)
        out.append({"kind": "form", "what": "csrf token", "value": token, "now": NOW, "accepted": True, "session": typed(dict(flask.session))})


def main():
    doc = json.loads(FILE.read_text()) if FILE.exists() else []
    made = []
    cookies(made)
    judged_cookies(made)
    rows(made)
    if NAME in ("2.2", "2.10"):
        pickles(made)
    if NAME == "2.10":
        dangerous(made)
    os.urandom = rnd.randbytes
    forms(made)
    doc = [v for v in doc if v["airflow"] != NAME] + [{"airflow": NAME, **v} for v in made]
    FILE.write_text("[\n" + ",\n".join(json.dumps(v, ensure_ascii=True) for v in doc) + "\n]\n")


main()
