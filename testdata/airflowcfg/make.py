"""Makes vectors.json: what real Airflows read from given files and environments.

    PYTHON-WITH-AIRFLOW-3 testdata/airflowcfg/make.py AIRFLOW2

PYTHON-WITH-AIRFLOW-3 is the interpreter of a virtual environment with Airflow
3.3.2. AIRFLOW2 is a folder with the unpacked wheel of Airflow 2.10.5
(pip download --no-deps apache-airflow==2.10.5; unzip); its configuration.py runs
on the libraries of that environment.
"""

import configparser
import json
import os
import pathlib
import random
import re
import shlex
import subprocess
import sys
import tempfile
import types

HERE = pathlib.Path(__file__).parent
HOME = "/af"  # stands for AIRFLOW_HOME in the vectors

JWT = ("api_auth", "jwt_secret")
CONN = ("database", "sql_alchemy_conn")
USERS = ("core", "simple_auth_manager_users")
BACKENDS = ("api", "auth_backends")
KEY = ("webserver", "secret_key")


def case(name, option, file="", versions=(3,), **env):
    return {"name": name, "option": option, "file": file, "versions": versions, "env": env}


BOTH = (2, 3)

CASES = [
    # Defaults.
    case("default conn", CONN, versions=BOTH),
    case("default users", USERS),
    case("default auth manager", ("core", "auth_manager")),
    case("default lifetime", ("api_auth", "jwt_expiration_time")),
    case("default cli lifetime", ("api_auth", "jwt_cli_expiration_time")),
    case("default leeway", ("api_auth", "jwt_leeway")),
    case("default multi team", ("core", "multi_team")),
    case("default all admins", ("core", "simple_auth_manager_all_admins")),
    case("no default audience", ("api_auth", "jwt_audience")),
    case("no default issuer", ("api_auth", "jwt_issuer")),
    case("no default algorithm", ("api_auth", "jwt_algorithm")),
    case("no default base url in 3", ("api", "base_url")),
    case("default base url in 2", ("webserver", "base_url"), versions=(2,)),
    case("default schema", ("database", "sql_alchemy_schema"), versions=BOTH),
    case("default backends", BACKENDS, versions=(2,)),
    case("default cors headers", ("api", "access_control_allow_headers"), versions=BOTH),
    case("default cors origins", ("api", "access_control_allow_origins"), versions=BOTH),
    # Order.
    case("file", CONN, "[database]\nsql_alchemy_conn = f\n", BOTH),
    case("environment beats file", CONN, "[database]\nsql_alchemy_conn = f\n", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="e"),
    case("empty environment counts", CONN, "[database]\nsql_alchemy_conn = f\n", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=""),
    case("empty file value counts", CONN, "[database]\nsql_alchemy_conn =\n", BOTH),
    case("environment beats command", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="e", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="echo c"),
    case("command in environment beats file", CONN, "[database]\nsql_alchemy_conn = f\n", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="echo c"),
    case("empty output in environment counts", CONN, "[database]\nsql_alchemy_conn = f\n", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="true"),
    case("deprecated environment beats file", CONN, "[database]\nsql_alchemy_conn = f\n", BOTH, AIRFLOW__CORE__SQL_ALCHEMY_CONN="old"),
    case("environment beats deprecated environment", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="e", AIRFLOW__CORE__SQL_ALCHEMY_CONN="old"),
    case("command beats deprecated environment", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="echo c", AIRFLOW__CORE__SQL_ALCHEMY_CONN="old"),
    case("deprecated command in environment", CONN, "", BOTH, AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD="echo old"),
    case("deprecated in file", CONN, "[core]\nsql_alchemy_conn = old\n", BOTH),
    case("file beats deprecated in file", CONN, "[core]\nsql_alchemy_conn = old\n[database]\nsql_alchemy_conn = f\n", BOTH),
    case("file beats its command", CONN, "[database]\nsql_alchemy_conn = f\nsql_alchemy_conn_cmd = echo c\n", BOTH),
    case("command in file", CONN, "[database]\nsql_alchemy_conn_cmd = echo c\n", BOTH),
    case("deprecated command in file", CONN, "[core]\nsql_alchemy_conn_cmd = echo old\n", BOTH),
    case("deprecated in file beats command", CONN, "[core]\nsql_alchemy_conn = old\n[database]\nsql_alchemy_conn_cmd = echo c\n", BOTH),
    case("empty output in file is skipped", CONN, "[database]\nsql_alchemy_conn_cmd = true\n", BOTH),
    case("empty output goes on to the deprecated one", CONN, "[database]\nsql_alchemy_conn_cmd = true\n[core]\nsql_alchemy_conn_cmd = echo old\n", BOTH),
    case("command fails in file", CONN, "[database]\nsql_alchemy_conn_cmd = false\n", BOTH),
    case("command fails in environment", CONN, "[database]\nsql_alchemy_conn = f\n", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="false"),
    case("command is missing", CONN, "[database]\nsql_alchemy_conn_cmd = /nonexistent/command\n", BOTH),
    case("command is empty", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD=""),
    case("command has an open quote", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="echo 'a"),
    case("command for an option that is not sensitive", USERS, "", (3,), AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS_CMD="echo bob:op"),
    case("command in file for an option that is not sensitive", USERS, "[core]\nsimple_auth_manager_users_cmd = echo bob:op\n"),
    case("secret for an option that is not sensitive", USERS, "", (3,), AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS_SECRET="x"),
    case("jwt secret command", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET_CMD="echo s"),
    case("jwt secret command in file", JWT, "[api_auth]\njwt_secret_cmd = printf s\n"),
    case("jwt secret command in file has a newline", JWT, "[api_auth]\njwt_secret_cmd = printf 's\\n'\n"),
    case("secret key command in 2", KEY, "[webserver]\nsecret_key_cmd = echo k\n", (2,)),
    case("secret key by the old name in 3", ("api", "secret_key"), "[webserver]\nsecret_key = k\n"),
    case("base url by the old name in 3", ("api", "base_url"), "[webserver]\nbase_url = http://h/x\n"),
    case("base url by the old variable in 3", ("api", "base_url"), "", (3,), AIRFLOW__WEBSERVER__BASE_URL="http://h/y"),
    case("backend, singular", BACKENDS, "[api]\nauth_backend = a.b\n", (2,)),
    case("backend, singular variable", BACKENDS, "[api]\nauth_backends = f\n", (2,), AIRFLOW__API__AUTH_BACKEND="a.b"),
    case("origin, singular", ("api", "access_control_allow_origins"), "[api]\naccess_control_allow_origin = *\n", (2,)),
    case("schema, old section", ("database", "sql_alchemy_schema"), "[core]\nsql_alchemy_schema = s\n", (2,)),
    case("schema, old section means nothing in 3", ("database", "sql_alchemy_schema"), "[core]\nsql_alchemy_schema = s\n"),
    case("audience", ("api_auth", "jwt_audience"), "[api_auth]\njwt_audience = a,b\n"),
    # Commands: output verbatim, words as shlex splits them.
    case("output keeps spaces and newlines", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="printf ' a b \\n\\n'"),
    case("output is not expanded", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="printf %s '~/$X'", X="x"),
    case("output that is not UTF-8", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="printf 'a\\377\\303b'"),
    case("command sees no shell", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="echo $X; echo b | cat", X="x"),
    case("command sees the environment", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="sh -c 'printf %s \"$X\"'", X="x y"),
    case("command in file is interpolated, not expanded", CONN, "[database]\nsql_alchemy_conn_cmd = printf %%s $X-%(y)s\ny = 1\n", BOTH, X="x"),
    # Interpolation.
    case("percent", JWT, "[api_auth]\njwt_secret = a%%b\n"),
    case("two percents", JWT, "[api_auth]\njwt_secret = a%%%%b\n"),
    case("lone percent", JWT, "[api_auth]\njwt_secret = a%b\n"),
    case("percent at the end", JWT, "[api_auth]\njwt_secret = ab%\n"),
    case("percent in the environment", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET="a%%b%"),
    case("reference", JWT, "[api_auth]\nx = y\njwt_secret = a%(x)sb\n"),
    case("reference to DEFAULT", JWT, "[DEFAULT]\nx = y\n[api_auth]\njwt_secret = a%(x)sb\n"),
    case("reference keeps its case", JWT, "[api_auth]\nX = y\njwt_secret = a%(x)sb\n"),
    case("reference to nothing", JWT, "[api_auth]\njwt_secret = a%(x)sb\n"),
    case("reference to another section", JWT, "[core]\nx = y\n[api_auth]\njwt_secret = a%(x)sb\n"),
    case("reference without s", JWT, "[api_auth]\nx = y\njwt_secret = a%(x)d\n"),
    case("reference with an empty name", JWT, "[api_auth]\njwt_secret = a%()s\n"),
    case("reference to a reference", JWT, "[api_auth]\nz = %%\nx = <%(z)s>\njwt_secret = a%(x)sb\n"),
    case("reference to itself", JWT, "[api_auth]\njwt_secret = a%(jwt_secret)s\n"),
    case("nine deep", JWT, "[api_auth]\n" + "".join(f"x{i} = %(x{i + 1})s\n" for i in range(9)) + "x9 = end\njwt_secret = %(x0)s\n"),
    case("ten deep", JWT, "[api_auth]\n" + "".join(f"x{i} = %(x{i + 1})s\n" for i in range(10)) + "x10 = end\njwt_secret = %(x0)s\n"),
    case("option of DEFAULT", JWT, "[DEFAULT]\njwt_secret = d\n[api_auth]\n"),
    case("option of DEFAULT without the section", JWT, "[DEFAULT]\njwt_secret = d\n"),
    # Expansion.
    case("variable", CONN, "[database]\nsql_alchemy_conn = $X/${Y}\n", BOTH, X="x", Y="y"),
    case("variable in the environment", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="$X-${Y}", X="x", Y="y"),
    case("variable that is not set", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET="a$NOPE-${NOPE}-$-$$"),
    case("variable of a variable", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET="$A", A="$B", B="~", HOME="/home/op"),
    case("variable with an open brace", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET="a${X", X="x"),
    case("variable with an odd name", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET="${a b}$1", **{"a b": "x", "1": "y"}),
    case("variable with a name that is not ASCII", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET="$Xé", X="x"),
    case("variable that is empty", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET="a$X-b", X=""),
    case("braces around nothing", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET="a${}b"),
    case("variable made of two", JWT, "", (3,), AIRFLOW__API_AUTH__JWT_SECRET="$A$B", A="$", B="C", C="c"),
    case("home", CONN, "[database]\nsql_alchemy_conn = ~/x\n", BOTH, HOME="/home/op"),
    case("home alone", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="~", HOME="/home/op/"),
    case("home is the root", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="~", HOME="/"),
    case("home below the root", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="~/x", HOME="/"),
    case("home of nobody known", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="~no-such-user/x", HOME="/home/op"),
    case("tilde in the middle", CONN, "", BOTH, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="a~/x", HOME="/home/op"),
    # The file's format.
    case("upper-case key in file", JWT, "[api_auth]\nJWT_SECRET = s\n"),
    case("upper-case section in file", JWT, "[API_AUTH]\njwt_secret = s\n"),
    case("colon", JWT, "[api_auth]\njwt_secret: s=1:2\n"),
    case("no spaces", JWT, "[api_auth]\njwt_secret=s\n"),
    case("spaces are trimmed", JWT, "[api_auth]\njwt_secret   =   s t  \n"),
    case("inline comment is text", JWT, "[api_auth]\njwt_secret = s # t ; u\n"),
    case("comments", JWT, "# a\n; b\n[api_auth]\n  # c\njwt_secret = s\n# d\n"),
    case("continuation", JWT, "[api_auth]\njwt_secret = s\n  t\n\tu\n"),
    case("continuation over a blank line", JWT, "[api_auth]\njwt_secret = s\n\n  t\n\n\nx = y\n"),
    case("continuation over a comment", JWT, "[api_auth]\njwt_secret = s\n  # c\n  t\n"),
    case("continuation that looks like a section", JWT, "[api_auth]\njwt_secret = s\n  [core]\n"),
    case("continuation after nothing", JWT, "[api_auth]\njwt_secret =\n  s\n  t\n"),
    case("indented option", JWT, "[api_auth]\n  jwt_secret = s\n  x = y\n"),
    case("less indented option", JWT, "[api_auth]\n    x = y\n  jwt_secret = s\n"),
    case("carriage returns", JWT, "[api_auth]\r\njwt_secret = s\r\nx = y\r\n"),
    case("old Macintosh", JWT, "[api_auth]\rjwt_secret = s\rx = y\r"),
    case("text after a section", JWT, "[api_auth] ; here\njwt_secret = s\n"),
    case("section with brackets", JWT, "[a]b]\njwt_secret = s\n"),
    case("section twice", JWT, "[api_auth]\njwt_secret = s\n[api_auth]\n"),
    case("option twice", JWT, "[api_auth]\njwt_secret = s\njwt_secret = s\n"),
    case("DEFAULT twice", JWT, "[DEFAULT]\na = 1\n[DEFAULT]\nb = 2\n[api_auth]\njwt_secret = %(a)s%(b)s\n"),
    case("option twice in DEFAULT", JWT, "[DEFAULT]\na = 1\n[DEFAULT]\na = 2\n[api_auth]\njwt_secret = s\n"),
    case("option before a section", JWT, "jwt_secret = s\n"),
    case("option without a value", JWT, "[api_auth]\njwt_secret\n"),
    case("option without a name", JWT, "[api_auth]\n= s\n"),
    case("empty section name", JWT, "[]\njwt_secret = s\n"),
    case("byte order mark", JWT, "\ufeff[api_auth]\njwt_secret = s\n"),
    case("not ASCII", JWT, "[api_auth]\njwt_secret = sé日\n"),
    case("odd spaces", JWT, "[api_auth]\njwt_secret =\u00a0s\u2003\x1f\n"),
    case("empty file", JWT, ""),
    # Sections with dots.
    case("dotted section in the environment", ("a.b", "c"), "", BOTH, AIRFLOW__A_B__C="e"),
    case("unknown option", ("core", "nope"), "", BOTH),
    case("unknown option in file", ("core", "nope"), "[core]\nnope = yes\n", BOTH),
]

WORDS = [
    "", " ", "a", "a b", " a  b ", "a\tb\nc\rd", "'a b' c", '"a b" c', "a'b'c", "''", '""', "a '' b", "'a", '"a',
    "a\\ b", "a\\", '"a\\"b"', '"a\\\\b"', '"a\\b"', "'a\\'", "'a\\b'", "a#b #c", "a;b|c", "$X", "é 'ü ß'", "a\\\nb",
    '"a\\', "a\x0bb", "\\'a", "'a'\"b\"c",
]
BOOLEANS = ["True", "true", "t", "T", "1", "False", "f", "0", "yes", "no", "", " true ", "true # x", "#", "true#x", "2", "on"]
INTEGERS = ["10", " 10 ", "-5", "+5", "1.0", "1.5", "", "x", "0x10", "1e3", "007", "nan", "inf", "\n7\n"]
LISTS = ["", "a", "a,b", " a , b ", "a,,b", ",", "a,", " ", "a b"]


def random_files():
    """Files from an alphabet of pieces that matter, most of them valid."""
    pick = random.Random(2025)
    pieces = ["[a]", "[b]", "[DEFAULT]", "x = 1", "y: 2", "x", "z=%(x)s", "w = %%", "v = %(y)s%(x)s", "# c", "; d", "", " ", "  t", "\tu = 3", " [c]", "= 4", "u = %", "t =", "[", "]", "s = [b]"]
    for _ in range(300):
        lines = ["[s]"] if pick.random() < 0.8 else []
        lines += [pick.choice(["", "", "", " ", "  "]) + pick.choice(pieces) for _ in range(pick.randrange(2, 9))]
        yield "\n".join(lines) + pick.choice(["", "\n"])


def read_random(text):
    parser = configparser.ConfigParser()
    parser.optionxform = str
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    found = {}
    for section in parser.sections():
        found[section] = {}
        for option in parser.options(section):
            try:
                found[section][option] = parser.get(section, option)
            except configparser.InterpolationError:
                found[section][option] = None
    return found


def parser_class(source):
    """Airflow's own parser, of the folder of Airflow 2 or of this interpreter."""
    if source:
        # Only configuration.py of that Airflow is wanted, not all that its
        # packages import.
        stand_in = types.ModuleType("re2")
        stand_in.compile = lambda pattern, *flags: re.compile(pattern.replace(r"\z", r"\Z"), *flags)
        stand_in.escape = re.escape
        package = types.ModuleType("airflow")
        package.__path__ = [source + "/airflow"]
        package.__version__ = "2.10.5"
        sys.modules.update(re2=stand_in, airflow=package)
    import airflow.configuration as configuration

    return configuration.AirflowConfigParser


def attempt(function, *args):
    try:
        return {"value": function(*args)}
    except Exception as e:
        if "not found in config" in str(e):
            return {"missing": True}
        return {"error": True}


def conversions(cls, version):
    def convert(method, text):
        os.environ["AIRFLOW__TEST__KEY"] = text
        return attempt(getattr(cls(), method), "test", "key")

    tables = {"getboolean": BOOLEANS, "getint": INTEGERS, "getlist": LISTS}
    if version == 2:  # 3 reads more forms of numbers, and nothing for an empty list
        tables = {"getboolean": BOOLEANS}
    return [{"method": m, "text": t, "want": convert(m, t)} for m, texts in tables.items() for t in texts]


def child(version, source):
    cls = parser_class(source)
    home = os.environ["AIRFLOW_HOME"]
    path = os.environ["PATH"]
    results = []
    for c in CASES:
        if version not in c["versions"]:
            continue
        os.environ.clear()
        env = {"PATH": path, "AIRFLOW_HOME": HOME, "HOME": "/nobody", **c["env"]}
        os.environ.update(env)
        file = pathlib.Path(home, "case.cfg")
        file.write_bytes(c["file"].encode())

        def read():
            parser = cls()
            parser.read(file, encoding="utf-8")
            return parser.get(*c["option"])

        want = attempt(read)
        if isinstance(want.get("value"), str):
            want["value"] = want["value"].replace(home, HOME)
        del env["PATH"]
        results.append({"name": c["name"], "version": version, "section": c["option"][0], "key": c["option"][1], "file": c["file"], "env": env, "want": want})
    os.environ.clear()
    json.dump({"cases": results, "conversions": conversions(cls, version)}, sys.stdout)


def run(version, source=""):
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "AIRFLOW_HOME": home, "LC_ALL": "C.UTF-8"}
        command = [sys.executable, "-W", "ignore", __file__, "--child", str(version), source]
        out = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE).stdout
        return json.loads(out.decode().splitlines()[-1])


def main():
    if sys.argv[1] == "--child":
        return child(int(sys.argv[2]), sys.argv[3])
    two, three = run(2, os.path.abspath(sys.argv[1])), run(3)
    vectors = {
        "python": sys.version.split()[0],
        "cases": two["cases"] + three["cases"],
        "conversions": three["conversions"],
        "words": [{"text": t, "want": attempt(shlex.split, t)} for t in WORDS],
        "files": [{"text": t, "want": read_random(t)} for t in random_files()],
    }
    # Both versions have one rule for booleans.
    assert two["conversions"] == [c for c in three["conversions"] if c["method"] == "getboolean"]
    (HERE / "vectors.json").write_text(json.dumps(vectors, indent=1, ensure_ascii=True) + "\n")
    print(len(vectors["cases"]), "cases,", sum(f["want"] is not None for f in vectors["files"]), "of", len(vectors["files"]), "random files parse")


if __name__ == "__main__":
    main()
