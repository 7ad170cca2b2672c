# Holds the JSON Schema against manifests: check.py SCHEMA GOOD_DIR BAD_DIR. Each good one must be accepted, each bad one
# refused unless its first line says "# unseen: why"; together the good ones must use every key that is not refused.
# YAML is read as the language servers of editors do, by the core schema.
import json, pathlib, re, sys
import jsonschema, yaml


class Core(yaml.SafeLoader):
    yaml_implicit_resolvers = {}


def resolve(tag, pattern, first):
    Core.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile("^(?:" + pattern + ")$"), list(first))


resolve("bool", "true|false|True|False|TRUE|FALSE", "tfTF")
resolve("int", "[-+]?[0-9]+", "-+0123456789")
resolve("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789")
resolve("null", "~|null|Null|NULL|", ["~", "n", "N", ""])

schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
failures = 0


def fail(path, text):
    global failures
    failures += 1
    print(f"{path}: {text}")


def read(path):
    return yaml.load(path.read_text(), Core)


used = set()


def collect(place, mapping):
    if isinstance(mapping, dict):
        used.update((place, key) for key in mapping)


def collect_all(m):
    collect("", m)
    collect("store", m.get("store"))
    collect("defaults", m.get("defaults"))
    for entry in (m.get("store") or {}).get("remotes") or []:
        collect("remote", entry)
    for entry in m["include"] if isinstance(m.get("include"), list) else []:
        collect("include", entry)
    for executor in m.get("executors", {}).values():
        collect("executor", executor)
        for host in executor["hosts"] if isinstance(executor.get("hosts"), list) else []:
            collect("host", host)
    for step in m.get("steps", {}).values():
        collect("step", step)
        collect("foreach", step.get("foreach"))
        collect("retries", step.get("retries"))
        for ports in (step.get("inputs"), step.get("outputs")):
            for port in ports.values() if isinstance(ports, dict) else ports if isinstance(ports, list) else []:
                collect("port", port)


for path in sorted(pathlib.Path(sys.argv[2]).glob("*.yaml")):
    manifest = read(path)
    for error in validator.iter_errors(manifest):
        fail(path, f"the schema refuses it: {list(error.absolute_path)}: {error.message[:200]}")
    collect_all(manifest)
for path in sorted(pathlib.Path(sys.argv[3]).glob("*.yaml")):
    if not path.read_text().startswith("# unseen: ") and validator.is_valid(read(path)):
        fail(path, "the schema accepts it")

for place, where in [("", schema)] + list(schema["definitions"].items()):
    for key, value in where.get("properties", {}).items():
        refused = value["allOf"] == [{"not": {}}]
        if not refused and place != "defaults" and (place, key) not in used:
            fail("test/manifests/good", f'no manifest uses "{key}" of {place or "the top level"}')
        if len(value["description"]) < 10:
            fail("the schema", f'"{key}" of {place or "the top level"} says nothing')
sys.exit(failures > 0)
