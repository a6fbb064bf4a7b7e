"""Writes facts.txt: what the two REST APIs' own descriptions say, as far as a declaration can be wrong about it.

    make.sh        runs this in the Pythons of the installed Airflows

An operation is a line "API ID METHOD PATH" and lines "  query …", "  body …", "  answer …" of names. A name is a path
into the JSON ("dag_runs[].conf"); "?" after it says that it may be null, "@" that it is a date and time, and in the
bodies of v1 ":boolean" and the like what it must be, or ":readonly" that it must not be sent. In v2, which
is written for several releases of Airflow 3 at once, each with the FAB provider of its day, "<3.1" and ">=3.1" say
where a name exists when not everywhere.
"""

import json
import sys

import yaml

DEPTH = 4


def resolve(spec, schema):
    while "$ref" in schema:
        node = spec
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def walk(spec, schema, prefix, out, depth=0, nullable=False):
    """Adds every name below schema."""
    schema = resolve(spec, schema)
    nullable = nullable or schema.get("nullable", False)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            parts = [resolve(spec, p) for p in schema[key]]
            nullable = nullable or any(p.get("type") == "null" for p in parts)
            schema = dict(schema)
            del schema[key]
            for p in parts:
                if p.get("type") != "null":
                    walk(spec, {**p}, prefix, out, depth, nullable)
            if "properties" not in schema and "allOf" not in schema:
                return
    for p in schema.get("allOf", []):
        walk(spec, p, prefix, out, depth, nullable)
    when = schema.get("format") in ("date-time", "datetime")
    if prefix:
        flags = ("?" if nullable else "") + ("@" if when else "")
        if schema.get("type") or schema.get("properties") or schema.get("enum"):
            out[prefix] = "".join(sorted(set(out.get(prefix, "")) | set(flags)))
        else:
            out.setdefault(prefix, flags)
    if depth > DEPTH:
        return
    if schema.get("type") == "array":
        walk(spec, schema.get("items", {}), prefix + "[]", out, depth)
    for name, p in schema.get("properties", {}).items():
        walk(spec, p, f"{prefix}.{name}" if prefix else name, out, depth + 1)


def kinds(spec, schema, out):
    """Says of the members of a body what they must be, or that they must not be sent."""
    schema = resolve(spec, schema)
    for part in schema.get("allOf", []):
        kinds(spec, part, out)
    for name, p in schema.get("properties", {}).items():
        is_ = resolve(spec, p)
        out[name] += ":" + ("readonly" if p.get("readOnly") or is_.get("readOnly") else is_["type"])


def operations(spec, old=False):
    for path, item in spec["paths"].items():
        for method, op in item.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            params = [resolve(spec, p) for p in item.get("parameters", []) + op.get("parameters", [])]
            query, body, answer = {}, {}, {}
            for p in params:
                if p["in"] == "query":
                    query[p["name"]] = ""
            for media in list(resolve(spec, op.get("requestBody", {})).get("content", {}).values())[:1]:
                walk(spec, media.get("schema", {}), "", body)
                if old:
                    kinds(spec, media.get("schema", {}), body)
            for status, res in op["responses"].items():
                if str(status).startswith("2"):
                    content = resolve(spec, res).get("content", {})
                    if "application/json" in content:
                        walk(spec, content["application/json"].get("schema", {}), "", answer)
            yield op["operationId"], method.upper(), path, {"query": query, "body": body, "answer": answer}


def main():
    v1, *v2 = sys.argv[1:]
    lines = []
    with open(v1.split("=")[1]) as f:
        spec = yaml.safe_load(f)
    for name, method, path, facts in operations(spec, old=True):
        name = name.rsplit(".", 1)[-1]
        lines.append(f"v1 {name} {method} {path}")
        lines += [f"  {kind} " + " ".join(n + flags for n, flags in sorted(names.items())) for kind, names in facts.items() if names]
    seen, order = {}, []
    for arg in v2:
        release, files = arg.split("=")
        order.append(release)
        specs = []
        for file in files.split(","):
            with open(file) as f:
                specs.append(yaml.safe_load(f))
        for name, method, path, facts in (op for spec in specs for op in operations(spec)):
            op = seen.setdefault((method, path), {"name": name, "in": [], "query": {}, "body": {}, "answer": {}})
            op["name"] = name
            op["in"].append(release)
            for kind in ("query", "body", "answer"):
                for n, flags in facts[kind].items():
                    entry = op[kind].setdefault(n, {"in": [], "flags": ""})
                    entry["in"].append(release)
                    entry["flags"] = "".join(sorted(set(entry["flags"]) | set(flags)))

    def where(present, within):
        if present == within:
            return ""
        if present == within[-len(present):]:
            return ">=" + present[0]
        if present == within[:len(present)]:
            return "<" + within[len(present)]
        return "=" + ",".join(present)

    for (method, path), op in sorted(seen.items(), key=lambda kv: (kv[0][1], kv[0][0])):
        lines.append(f"v2{where(op['in'], order)} {op['name']} {method} {path}")
        for kind in ("query", "body", "answer"):
            if op[kind]:
                lines.append(f"  {kind} " + " ".join(n + e["flags"] + where(e["in"], op["in"]) for n, e in sorted(op[kind].items())))
    print("\n".join(lines))


main()
