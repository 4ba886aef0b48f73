#!/usr/bin/python3
"""Holds README.md and docs/*.md against the program and the tree: check_docs.py ROOT MAXGL_CL CHECKCL

The table of expected times is what bench/expected_times.py prints.
Every command line of maxgl-cl and checkcl names subcommands and options that --help knows. Every recipe key, environment variable,
function, file and element property that is named exists, and relative links and their anchors lead somewhere.
"""
import functools
import glob
import os
import re
import shlex
import subprocess
import sys

root, programs = sys.argv[1], {"maxgl-cl": sys.argv[2], "checkcl": sys.argv[3]}
errors = []


@functools.lru_cache(None)
def help_of(program, *words):
    done = subprocess.run([programs[program], *words, "--help"], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def check_command(where, line):
    for part in re.split(r"&&|\|(?!\S)|;", line):
        words = shlex.split(part, comments=True) if part.count('"') % 2 == 0 and part.count("'") % 2 == 0 else []
        at = next((i for i, word in enumerate(words) if os.path.basename(word) in programs), None)
        if at is None or any("=" not in word and not word.endswith("run_oclgrind.sh") for word in words[:at]):
            continue  # the name of a folder, say
        program, words, subcommand = os.path.basename(words[at]), words[at + 1:], []
        if program == "maxgl-cl" and words and words[0].isalpha():
            several = words[0] in ("eval", "model") and re.fullmatch("[a-z]+", " ".join(words[1:2]))
            subcommand = words[:2] if several else words[:1]
        text = help_of(program, *subcommand)
        if text is None:
            errors.append(f"{where}: no such subcommand: {line.strip()}")
        for option in (word.split("=")[0] for word in words if text and re.match(r"--?[a-z]", word)):
            if not re.search(rf"(^|[\s,]){re.escape(option)}([\s,=]|$)", text, re.M):
                errors.append(f"{where}: {program} {' '.join(subcommand)} has no option {option}: {line.strip()}")


def anchors(path):
    titles = re.findall(r"^#+ (.*)$", open(path).read(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_links(where, path, text):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
        file = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        if not os.path.exists(file):
            errors.append(f"{where}: link to nothing: {target}")
        elif anchor and anchor not in anchors(file):
            errors.append(f"{where}: {target} has no heading #{anchor}")


def check_names(where, text, code, keys):
    folders = set(os.listdir(root)) | set(os.listdir(f"{root}/src"))
    for name in set(re.findall(r"`([^`\s]+)`", text)):
        known = True
        if re.fullmatch(r"[\w-]+(/[\w.-]+)+\.[a-z]+", name) and name.split("/")[0] in folders - {"build"} and "NAME" not in name:
            known = os.path.exists(f"{root}/{name}") or os.path.exists(f"{root}/src/{name}")
        elif re.fullmatch(r"\w+\(\)", name) and name not in ("fma()", "mad()"):
            known = re.search(rf"\b{name[:-2]}\(", code)
        elif re.fullmatch(r"MAXGL_[A-Z_]+", name):
            known = name in code
        elif re.fullmatch(r"(network|clip|data|augment|objective|train)\.[a-z_]{2,}", name):
            known = f"  {name} = " in keys
        if not known:
            errors.append(f"{where}: there is no {name}")


def check_times():
    script = f"{root}/bench/expected_times.py"
    done = subprocess.run([sys.executable, script, programs["maxgl-cl"]], capture_output=True, text=True)
    if done.returncode != 0 or done.stdout not in open(f"{root}/docs/datasets.md").read():
        errors.append(f"docs/datasets.md: the expected times are not those that bench/expected_times.py prints {done.stderr}")


check_times()
listed = subprocess.run(["find", "src", "cl", "cmake", "gst-plugin", "tests/offline", "-type", "f", "-not", "-name", "*.pyc"], cwd=root, capture_output=True, text=True)
code = "\n".join(open(f"{root}/{file}").read() for file in listed.stdout.split())
for path in [f"{root}/README.md"] + sorted(glob.glob(f"{root}/docs/*.md")):
    where, text = os.path.relpath(path, root), open(path).read()
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)).replace("\\\n", " ").split("\n")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for line in blocks + re.findall(r"`([^`\n]*(?:maxgl-cl|checkcl) [^`\n]+)`", prose):
        check_command(where, line)
    check_links(where, path, prose)
    check_names(where, prose, code, help_of("maxgl-cl", "train") or "")
    for properties in re.findall(r"maxglembed((?: [a-z0-9-]+=\S+)+)", text):
        errors.extend(f"{where}: maxglembed has no property {name}"
                      for name in re.findall(r" ([a-z0-9-]+)=", properties) if f'"{name}"' not in code)
print("\n".join(errors) or "the documents agree with the program")
sys.exit(bool(errors))
