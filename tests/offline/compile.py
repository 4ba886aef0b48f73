#!/usr/bin/env python3
"""Compiles for GPUs that need not be there every kernel that the library would give them with the shipped tuning
databases, and fails where one does not compile, spills registers, needs more local memory or leaves room for fewer waves
than planned, or has no matrix instructions or reads of blocks although it is to use them. Skips what no compiler here knows; exits 77 if that
is everything.

  compile.py LIST_KERNELS [--quick | --only TARGET,…] [--cache FOLDER] [--jobs N] [--update-docs | --check-docs] [-v]

LIST_KERNELS is the program that says which kernels those are. --quick: convolutions for one target of each vendor.
--update-docs writes docs/gpus.md; --check-docs says whether it was written for the kernels and databases there are now.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import compilers
import page

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
QUICK = ["sm_80", "gfx90a", "xe-hpg"]

# The fewest waves that are to share a unit, so that one can compute while others wait: on NVIDIA's multiprocessors (of
# four schedulers), AMD's SIMDs. Matrix kernels hide most of that behind their own second buffer or wide tiles.
LEAST_WAVES = {("nvidia", True): 4, ("nvidia", False): 8, ("amd", True): 2, ("amd", False): 2}


def is_matrix(kernel):
    return kernel.endswith("_mma")


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(str(len(data)).encode() + b" " + data)
    return total.hexdigest()


def cached(folder, key, make):
    """make()'s result as JSON, or what it was the last time."""
    path = folder / f"{key}.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        result = make()
        path.with_suffix(f".{os.getpid()}").write_text(json.dumps(result))
        path.with_suffix(f".{os.getpid()}").rename(path)
        return result


def list_kernels(program, architecture, folder):
    devices = HERE / "devices.json"

    def ask():
        done = subprocess.run([program, devices, architecture], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{program}: {done.stderr.strip()}")
        return json.loads(done.stdout)[architecture]

    return cached(folder, digest(Path(program).read_bytes(), devices.read_bytes(), architecture), ask)


def compile_program(vendor, target, source, options, folder):
    """{kernel: report}, or {"error": text}."""
    compiler = COMPILERS[vendor]

    def make():
        with tempfile.TemporaryDirectory() as work:
            try:
                return compiler.compile(source, options.split(), target, Path(work))
            except compilers.CompileError as error:
                return {"error": str(error)}

    return cached(folder, digest(source, options, target, compiler.version(target), (HERE / "compilers.py").read_bytes()), make)


def can_compile(device):
    compiler = COMPILERS[device["vendor"]]
    return compiler.available() and compiler.knows(device["target"])


def waves_of(device, report, items):
    """Waves that share a unit, by registers, local memory and the unit's limit; None for Intel, whose kernels always get all
    threads, or half of them with large register files."""
    if device["vendor"] == "amd":
        return report["waves"]
    if device["vendor"] == "intel" or not items:
        return None
    group = -(-items // device["wave"])
    by_registers = device["unit_registers"] // (-(-report["registers"] // 8) * 8 * device["wave"] * group)
    by_local = device["unit_local_kib"] * 1024 // (report["local"] + 1024)
    return group * min(by_registers, by_local, device["unit_waves"] // group, 32)


def faults_of(device, listed, report):
    faults = []
    matrix = is_matrix(listed["kernel"])
    waves = waves_of(device, report, listed["items"])
    if report["spilled"]:
        faults.append(f"{report['spilled']} bytes spilled or private")
    if report["local"] > device["local_kib"] * 1024:
        faults.append(f"{report['local']} bytes of local memory, of {device['local_kib']} KiB")
    if waves is not None and waves < LEAST_WAVES[device["vendor"], matrix]:
        faults.append(f"room for {waves} waves, planned are {LEAST_WAVES[device['vendor'], matrix]}")
    if matrix and report["matrix"] == 0:
        faults.append("no matrix instructions")
    if "-DBLOCK_READS=1 " in listed["options"] and report.get("block_reads") == 0 and matrix:
        faults.append("no reads of blocks of two dimensions")
    return faults


def check_device(device, listing, folder, pool, quick, verbose):
    """Rows (dictionaries) of what was compiled."""
    kernels = [k for k in listing["kernels"] if not quick or k["file"].startswith("conv3d")]
    jobs = {}
    for k in kernels:
        key = (k["file"], k["options"])
        if key not in jobs:
            jobs[key] = pool.submit(compile_program, device["vendor"], device["target"], listing["sources"][k["file"]],
                                    k["options"], folder)
    rows = []
    for k in kernels:
        result = jobs[k["file"], k["options"]].result()
        report = result.get(k["kernel"])
        row = {**k, "report": report, "faults": []}
        if report:
            row["waves"] = waves_of(device, report, k["items"])
            row["faults"] = faults_of(device, k, report)
        else:
            row["faults"] = ["does not compile: " + result.get("error", "the kernel is not in the program")]
        rows.append(row)
        if row["faults"] or verbose:
            print(f"{device['architecture']}: {k['kernel']} {k['options']}: {'; '.join(row['faults']) or report}", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "maxgl-offline")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--update-docs", action="store_true")
    parser.add_argument("--check-docs", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)

    if options.check_docs:
        return page.check(ROOT)
    devices = json.loads((HERE / "devices.json").read_text())
    wanted = QUICK if options.quick else [w for w in options.only.split(",") if w]
    devices = [d for d in devices if not wanted or d["architecture"] in wanted]
    results, programs, failed = [], 0, 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        listings = {d["architecture"]: pool.submit(list_kernels, options.program, d["architecture"], options.cache)
                    for d in devices if can_compile(d)}
        for device in devices:
            compiler = COMPILERS[device["vendor"]]
            if device["architecture"] not in listings:
                results.append((device, None, None))
                print(f"{device['architecture']}: skipped, no compiler here makes code for {device['target']} "
                      f"({compiler.install})", flush=True)
                continue
            listing = listings[device["architecture"]].result()
            rows = check_device(device, listing, options.cache, pool, options.quick, options.verbose)
            results.append((device, compiler.version(device["target"]), rows))
            bad = sum(bool(r["faults"]) for r in rows)
            programs += len({(r["file"], r["options"]) for r in rows})
            failed += bad
            print(f"{device['architecture']}: {len(rows)} kernels, {bad} with faults", flush=True)
    if options.update_docs:
        page.write(ROOT, results)
    if not programs:
        return 77
    print(f"{programs} programs compiled, {failed} kernels with faults")
    return 1 if failed else 0


COMPILERS = {name: make() for name, make in compilers.VENDORS.items()}

if __name__ == "__main__":
    sys.exit(main())
