#!/usr/bin/python3
"""maxgl-cl bench --check against Python's jsonschema: check_schema.py ROOT MAXGL_CL

Both must let through the recorded results, and must agree on each of them with something changed: a member taken away, set to
null, to a text, to −1. Exits 77, "skipped", where jsonschema is not installed (Debian: python3-jsonschema).
"""
import copy
import glob
import json
import os
import random
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: no jsonschema (python3-jsonschema)")
    sys.exit(77)

root, program = sys.argv[1:]
CHANGED = 60  # of each record


def places(value, path=()):
    """The way to every member and element, not more than the first two elements of an array."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, child in items:
        yield path + (key,)
        yield from places(child, path + (key,))


def change(record, path, how):
    changed = copy.deepcopy(record)
    at = changed
    for key in path[:-1]:
        at = at[key]
    if how == "remove":
        del at[path[-1]]
    else:
        at[path[-1]] = how
    return changed


def ours(folder, records):
    """Which of them --check lets through."""
    names = []
    for i, record in enumerate(records):
        names.append(os.path.join(folder, f"{i}.json"))
        with open(names[-1], "w") as file:
            json.dump(record, file)
    done = subprocess.run([program, "bench", "--check", *names], capture_output=True, text=True)
    good = {line.removesuffix(": as it should be") for line in done.stdout.split("\n") if line.endswith(": as it should be")}
    return [name in good for name in names], done.stdout


with open(f"{root}/docs/benchmark.schema.json") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
results = sorted(glob.glob(f"{root}/bench/results/**/*.json", recursive=True))
picked = [path for path in results if "ablation" not in path and not path.endswith(tuple(f"/{i}.json" for i in range(2, 11)))]
rng = random.Random(1)
errors, agreed, refused = [], 0, 0
with tempfile.TemporaryDirectory() as folder:
    suite, units, layers = (os.path.join(folder, name) for name in ("suite.json", "units.json", "layers.json"))
    subprocess.run([program, "bench", "--suite", "--quick", "--json", suite], check=True, capture_output=True)
    emulated = dict(os.environ, MAXGL_TUNING=f"{root}/tests/net/units.cfg")  # matrix units, worked out by ordinary instructions
    for arguments in (["--suite", "--quick", "--sections", "peaks,layers", "--json", units],
                      ["--pass", "layers", "--precision", "fp16", "--net", "r3d-vcop@0.0625", "--clip", "4x16x16", "--json", layers]):
        subprocess.run([program, "bench", *arguments], check=True, capture_output=True, env=emulated)
    for path in picked + [suite, units, layers]:
        with open(path) as file:
            record = json.load(file)
        every = list(places(record))
        records, names = [record], ["as it is"]
        for place in rng.sample(every, min(CHANGED, len(every))):
            how = rng.choice(["remove", None, "x", -1])
            records.append(change(record, place, how))
            names.append(f"{place}: {how}")
        verdicts, said = ours(folder, records)
        for name, candidate, verdict in zip(names, records, verdicts):
            theirs = validator.is_valid(candidate)
            agreed += verdict == theirs
            refused += not theirs
            if verdict != theirs or (name == "as it is" and not theirs):
                errors.append(f"{path}, {name}: maxgl-cl {verdict}, jsonschema {theirs}\n{said[:500] if name == 'as it is' else ''}")
print("\n".join(errors) or f"{agreed} records judged alike, {refused} of them refused")
sys.exit(bool(errors) or refused == 0)
