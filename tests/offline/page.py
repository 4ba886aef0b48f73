"""docs/gpus.md: what compilers make of the kernels, as compile.py found it."""
import hashlib
import re

NAME = "docs/gpus.md"
INPUTS = ["cl/conv3d_gemm*", "cl/conv3d_mma*", "cl/conv3d_winograd_gemm*", "cl/conv3d_winograd_tile.clh", "cl/mma*",
          "cl/storage.clh", "cl/tile.clh", "config/devices/nvidia.cfg", "config/devices/amd.cfg", "config/devices/intel.cfg",
          "tests/offline/devices.json"]
MARK = "Hash of kernels and databases: "
# Kernels with a row of their own: what they are called, and what stands in front of their factors.
SHOWN = {
    "conv3d_forward_gemm": "`gemm`, forward",
    "conv3d_backward_data_gemm": "`gemm`, backward data",
    "conv3d_backward_weights_gemm": "`gemm`, backward weights",
    "conv3d_winograd_gemm_multiply": "`winograd_gemm`, products",
    "conv3d_winograd_gemm_multiply_gradient": "`winograd_gemm`, products for weights",
    "conv3d_forward_mma": "`mma`, forward",
    "conv3d_backward_data_mma": "`mma`, backward data",
    "conv3d_backward_weights_mma": "`mma`, backward weights",
}
FACTORS = {"0": "fp32", "1": "fp16", "2": "bf16", "3": "tf32"}
INTRODUCTION = """# What compilers make of the kernels

Every kernel that a GPU is given with the [shipped tuning databases](tuning.md), compiled without the GPU by
`tests/offline/compile.py`, which also writes this page:

```sh
tests/offline/compile.py build/release/tests/offline/list_kernels --update-docs
tests/offline/compile.py build/release/tests/offline/list_kernels --check-docs    # is this page older than kernels or databases?
```

It takes about ten minutes on two cores, and seconds for what it has compiled before (`--cache FOLDER`). `ctest -R offline/quick` does the
convolutions for one architecture of each vendor. Compilers: `clang-19 libclc-19` for AMD, these and `ptxas` for NVIDIA
(CUDA 13's no longer knows sm_70: `MAXGL_PTXAS=PATH` names another, such as the one in the Python package nvidia-cuda-nvcc-cu12 12.8),
`intel-opencl-icd libigc-tools` for Intel. Debian 12's know no gfx950 and no Xe2: `MAXGL_CLANG` with `MAXGL_LIBCLC` (its folder of
built-in functions), and `MAXGL_OCLOC` with `MAXGL_IGA64`, name newer ones. What no compiler here makes code for is skipped.

All of it is *modelled*: counted, not timed. The drivers' own compilers differ. What waits for hardware is in
[gpu-runs.md](gpu-runs.md).

The kernels are those of r3d_18's layers by every algorithm of GPUs, with every kind of factors that the device's matrix units
multiply; of a training step and inference of hara-r3d18 with batches of 8; of Max-GL's heads, with either discriminator; and
of the preparation of clips. The program fails where one does not compile, spills registers or has private memory, needs
more local memory than there is, leaves room for fewer waves than planned (four of matrix kernels and eight of others on an NVIDIA
multiprocessor, two on an AMD SIMD), or was to use matrix units, or reads of blocks of two dimensions, and has none of their
instructions.
"""
COLUMNS = """A tile is rows × columns × depth of a work-group; the part of a work-item (`gemm`, `winograd_gemm`) or of a wave (`mma`); copies in
local memory. Rows are of the largest groups of blocks of 16 channels. Registers of AMD include those for accumulation; of Intel
they are a thread's, with the width of its sub-group. Waves are those that registers and local memory leave room for: on a
multiprocessor (NVIDIA, 32 wide), on a SIMD (AMD). Matrix instructions are those of the kernel's text, and blocks its reads of two
dimensions.
"""


def inputs_hash(root):
    total = hashlib.sha256()
    for pattern in INPUTS:
        for path in sorted(root.glob(pattern)):
            total.update(path.read_bytes())
    return total.hexdigest()[:16]


def check(root):
    """0 if the page was written for the kernels and databases that there are now."""
    path = root / NAME
    text = path.read_text() if path.exists() else ""
    if MARK + inputs_hash(root) in text:
        return 0
    print(f"{NAME} is older than the kernels or databases: tests/offline/compile.py … --update-docs writes it anew")
    return 1


def defines(options):
    return dict(re.findall(r"-D(\w+)=(\S+)", options))


def tile_text(d):
    size = f"{d['TM']} × {d['TN']}" + (f" × {d['TK']}" if "TK" in d else "")
    return f"{size}; {d['WM']} × {d['WN']}; {d['BUFFERS']}"


def shown_rows(rows):
    """The row of each kernel and kind of factors with the most work-items."""
    best = {}
    for r in rows:
        d = defines(r["options"])
        if r["kernel"] not in SHOWN or not r["report"] or "1" in (d.get("BI"), d.get("SOURCE_BLOCK")) or d.get("TAPS") == "1":
            continue
        key = (list(SHOWN).index(r["kernel"]), d.get("FACTORS", "0"))
        if key not in best or r["items"] > best[key]["items"]:
            best[key] = r
    return [best[k] for k in sorted(best)]


def table_row(row):
    d, report = defines(row["options"]), row["report"]
    registers = str(report["registers"]) + (f", SIMD {report['simd']}" if "simd" in report else "")
    matrix = "not counted" if report["matrix"] is None else report["matrix"] or ""
    if report.get("block_reads"):
        matrix = f"{matrix}, {report['block_reads']} blocks"
    waves = "" if row["waves"] is None else row["waves"]
    return (f"| {SHOWN[row['kernel']]}, {FACTORS[d.get('FACTORS', '0')]} | {tile_text(d)} | {registers} | {report['spilled']} | "
            f"{report['local'] / 1024:.1f} | {waves} | {matrix} |")


def others(rows):
    rest = [r for r in rows if r["kernel"] not in SHOWN and r["report"]]
    if not rest:
        return []
    worst = max(rest, key=lambda r: r["report"]["registers"])
    waves = [r["waves"] for r in rest if r.get("waves") is not None]
    spilled = sum(r["report"]["spilled"] > 0 for r in rest)
    return [f"| {len(rest)} others, most registers: `{worst['kernel']}` | | {worst['report']['registers']} | "
            f"{f'{spilled} of them' if spilled else 0} | {max(r['report']['local'] for r in rest) / 1024:.1f} | "
            f"{f'{min(waves)} or more' if waves else ''} | |"]


def section(device, version, rows):
    title = f"### {device['class']}: {device['architecture']}\n"
    if rows is None:
        return [title, f"Not compiled: no compiler here makes code for {device['target']}. Its entries are another's of its class.\n"]
    lines = [title, f"As {device['device']}, {device['units']} compute units in OpenCL's count. {len(rows)} kernels. {version}.\n",
             "| kernel | tile | registers | spilled | local KiB | waves | matrix |", "| --- | --- | --- | --- | --- | --- | --- |"]
    lines += [table_row(r) for r in shown_rows(rows)] + others(rows) + [""]
    faults = [r for r in rows if r["faults"]]
    if faults:
        lines.append("Not as planned:\n")
        lines += [f"- `{r['kernel']}` `{r['options']}`: {'; '.join(r['faults'])}" for r in faults] + [""]
    return lines


def write(root, results):
    lines = [INTRODUCTION, MARK + inputs_hash(root) + ".\n", COLUMNS]
    for vendor, title in (("nvidia", "NVIDIA"), ("amd", "AMD"), ("intel", "Intel")):
        lines.append(f"## {title}\n")
        for device, version, rows in results:
            if device["vendor"] == vendor:
                lines += section(device, version, rows)
    (root / NAME).write_text("\n".join(lines).rstrip() + "\n")
