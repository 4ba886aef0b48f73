#!/usr/bin/python3
"""maxgl-cl against PyTorch on the CPU or a CUDA device: the same network, batch and clip size, alternately in one run.

    ./setup.sh bench && bench/vs_pytorch.py --program build/release/bin/maxgl-cl --json result.json
    bench/vs_pytorch.py --net hara-r3d18 --batch 8 --passes training
    bench/vs_pytorch.py --passes heads --videos 32 --regions 98
    bench/vs_pytorch.py --passes heads --estimators jsd infonce dv --discriminators concat dot --json heads.json
    bench/vs_pytorch.py --device cuda --batch 8 --modes fp32 tf32 fp16 bf16 --layouts contiguous channels_last_3d --json gpu.json
    build/release/bin/maxgl-cl bench --compare result.json

Rounds alternate: one process of maxgl-cl bench, one of PyTorch, again. Each process discards its first run. The figure is the
median over all rounds' runs; the ratio is PyTorch's median over ours, so that more than 1 means maxgl-cl is faster. Memory is the
most that a process had resident (Linux: VmHWM), libraries included. Beside it stands what the work took: less what the process had
resident with nothing but its libraries loaded (pip's PyTorch for CUDA has much) or the OpenCL device opened.

inference is a network up to its pooled features, training a step of SGD with cross-entropy over 400 classes. heads are Max-GL's:
Global-MI and Local-MI of two clips of each video, forward and backward, with each of --estimators and --discriminators, in PyTorch
as one writes them down: concat is an MLP on the concatenated features of all pairs, dot two encoders and a matrix product.

--modes and --layouts are PyTorch's: fp32 with TF32 switched off, tf32 (matrix products and convolutions of float32 may round their
operands), fp16 and bf16 by automatic mixed precision (fp16 training with a GradScaler); the default memory layout or
channels_last_3d. Each combination is measured in each of PyTorch's processes and is a comparison of its own with maxgl-cl's runs of the
same precision (of the heads: fp32). On a CUDA device cuDNN tries its algorithms first (cudnn.benchmark), and each run is waited for. What PyTorch cannot do
there is recorded among "failures".

PyTorch's matrix products are as fast as the BLAS that it finds: each of its processes times one and the record has it. Debian's
PyTorch needs libopenblas0-pthread (./setup.sh bench installs it); pip's brings its own. --python takes another PyTorch:

    python3 -m venv newest && newest/bin/pip install torch torchvision && bench/vs_pytorch.py --python newest/bin/python
"""
import argparse
import gc
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SLOW_BLAS = 0.1  # of the device's multiply-add peak
FEATURES, CHANNELS, HIDDEN = 512, 256, 512  # of the heads: pooled features, layer3's channels, width of the MLP


# ---------------- PyTorch, in a process of its own ----------------


def build_network(name):
    import torch
    from torchvision.models.video import r3d_18

    if name == "r3d_18":
        net = r3d_18(weights=None)
        return net, torch.nn.Sequential(*list(net.children())[:-1])
    sys.path.insert(0, os.path.join(HERE, "..", "tests", "golden"))
    import make_networks  # hara's networks

    torch.set_default_dtype(torch.float32)

    class InPlace:  # ReLU in place, as 3D-ResNets-PyTorch has it: faster, and less memory
        relu = staticmethod(lambda x: torch.nn.functional.relu(x, inplace=True))
        pad, max_pool3d = torch.nn.functional.pad, torch.nn.functional.max_pool3d

    make_networks.F = InPlace
    net = make_networks.build(name, 400)
    return net, lambda clips: net.maps(clips)["pool"]


class Setting:
    """Where and in which precision and memory layout PyTorch computes."""

    def __init__(self, device, mode, layout):
        import torch

        self.device, self.mode = device, mode
        self.layout = {"contiguous": torch.contiguous_format, "channels_last_3d": torch.channels_last_3d}[layout]
        if mode == "tf32" and device == "cpu" or mode == "fp16" and device == "cpu":
            raise RuntimeError(f"{mode} is for --device cuda")
        torch.backends.cudnn.benchmark = True
        for backend in (torch.backends.cuda.matmul, torch.backends.cudnn):
            backend.allow_tf32 = mode == "tf32"

    def autocast(self):
        import torch

        half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self.mode)
        return torch.autocast(self.device, dtype=half or torch.bfloat16, enabled=half is not None)

    def clips(self, args):
        import torch

        return torch.randn(args.batch, 3, *args.clip).to(self.device).to(memory_format=self.layout)

    def module(self, module):
        import torch

        module.to(self.device)
        for parameter in module.parameters():
            if parameter.dim() == 5:  # weights of a convolution
                parameter.data = parameter.data.to(memory_format=self.layout)
        return module

    def wait(self):
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()


def prepare_inference(args, setting):
    import torch

    net, features = build_network(args.net)
    setting.module(net).eval()
    clips = setting.clips(args)

    def run():
        with torch.no_grad(), setting.autocast():
            features(clips)

    return run


def prepare_training(args, setting):
    import torch

    net, _ = build_network(args.net)
    setting.module(net).train()
    clips = setting.clips(args)
    labels = (torch.arange(args.batch) % 400).to(setting.device)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    scaled = {"enabled": setting.mode == "fp16"}
    scaler = torch.amp.GradScaler("cuda", **scaled) if hasattr(torch.amp, "GradScaler") else torch.cuda.amp.GradScaler(**scaled)

    def run():
        optimizer.zero_grad(set_to_none=True)
        with setting.autocast():
            loss = torch.nn.functional.cross_entropy(net(clips), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return run


def estimate(name, scores, symmetric):
    """Mutual information by scores of i, j, region: the positive pairs are those with i = j."""
    import torch
    from torch.nn.functional import softplus

    n = len(scores)
    same = torch.eye(n, dtype=torch.bool, device=scores.device)
    positive = scores[same]
    if name == "jsd":
        return (math.log(2) - softplus(-positive)).mean() - (softplus(scores[~same]) - math.log(2)).mean()
    if name == "dv":
        return (positive.mean(0) - torch.logsumexp(scores[~same], 0)).mean() + math.log(n * (n - 1))
    rows = (positive - torch.logsumexp(scores, 1)).mean() + math.log(n)
    columns = (positive - torch.logsumexp(scores, 0)).mean() + math.log(n) if symmetric else rows
    return (rows + columns) / 2


def build_concat(args):
    """What has parameters, and scores by features of left items and of the right items' regions."""
    import torch
    from torch import nn

    n = args.videos

    def mlp(inputs):
        return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, HIDDEN),
                             nn.ReLU(inplace=True), nn.Linear(HIDDEN, 1))

    global_scores, local_scores = mlp(2 * FEATURES), mlp(FEATURES + CHANNELS)

    def all_pairs(mlp, left, right):
        regions = right.shape[1]
        return mlp(torch.cat([left[:, None, None].expand(n, n, regions, -1),
                              right[None].expand(n, n, regions, -1)], -1)).squeeze(-1)

    def score(g, l):
        return (all_pairs(global_scores, g[:n], g[n:, None]),
                [all_pairs(local_scores, g[k * n : k * n + n], l[k * n : k * n + n]) for k in (0, 1)])

    return nn.ModuleList([global_scores, local_scores]), score


def build_dot(args):
    import torch
    from torch import nn

    n = args.videos
    scale = 1 / math.sqrt(HIDDEN) if args.estimators[0] == "infonce" else 1

    class Encoder(nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.shortcut = nn.Linear(inputs, HIDDEN, bias=False)
            self.residual = nn.Sequential(nn.Linear(inputs, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN), nn.ReLU(inplace=True),
                                          nn.Linear(HIDDEN, HIDDEN, bias=False))
            self.norm = nn.LayerNorm(HIDDEN)

        def forward(self, x):
            return self.norm(self.residual(x) + self.shortcut(x))

    both, left, right = Encoder(FEATURES), Encoder(FEATURES), Encoder(CHANNELS)

    def all_pairs(left, right):
        return torch.einsum("id,jrd->ijr", left, right) * scale

    def score(g, l):
        e, a, b = both(g), left(g), right(l.flatten(0, 1)).view(2 * n, args.regions, HIDDEN)
        return all_pairs(e[:n], e[n:, None]), [all_pairs(a[k * n : k * n + n], b[k * n : k * n + n]) for k in (0, 1)]

    return nn.ModuleList([both, left, right]), score


def prepare_heads(args, setting):
    import torch

    discriminators, score = (build_dot if args.discriminators[0] == "dot" else build_concat)(args)
    setting.module(discriminators)
    g = torch.randn(2 * args.videos, FEATURES).to(setting.device).requires_grad_()  # of the first clips, then of the second
    l = torch.randn(2 * args.videos, args.regions, CHANNELS).to(setting.device).requires_grad_()

    def run():
        for leaf in (g, l, *discriminators.parameters()):
            leaf.grad = None
        with setting.autocast():
            of_clips, of_regions = score(g, l)
            value = estimate(args.estimators[0], of_clips, True)
            for scores in of_regions:
                value = value + 0.5 * estimate(args.estimators[0], scores, False)
        (-value).backward()

    return run


def matrix_product_gflops(setting):
    import time
    import torch

    m, k, n = (4096, 4096, 4096) if setting.device == "cuda" else (4096, 512, 512)
    a, b = torch.randn(m, k).to(setting.device), torch.randn(k, n).to(setting.device)
    seconds = []
    with torch.no_grad(), setting.autocast():
        for _ in range(5):
            setting.wait()
            start = time.perf_counter()
            a @ b
            setting.wait()
            seconds.append(time.perf_counter() - start)
    return 2e-9 * m * k * n / min(seconds)


def versions(args):
    import torch
    import torchvision

    libraries = re.findall(r"(?:MKL-DNN|oneDNN) v[0-9.]+", torch.__config__.show())
    found = {"torchvision": torchvision.__version__, "mkldnn": torch.backends.mkldnn.is_available(), "libraries": libraries}
    if args.device == "cuda":
        found.update(cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version(), device=torch.cuda.get_device_name(),
                     compute_capability="%d.%d" % torch.cuda.get_device_capability())
    return found


def measure_setting(args, mode, layout):
    """Times in seconds, and what else the record needs."""
    import time
    import torch

    setting = Setting(args.device, mode, layout)
    torch.manual_seed(1)
    run = {"inference": prepare_inference, "training": prepare_training, "heads": prepare_heads}[args.passes[0]](args, setting)
    warm, times = 3 if args.device == "cuda" else 1, []  # cuDNN tries its algorithms first
    for i in range(args.repeats + warm):
        setting.wait()
        start = time.perf_counter()
        run()
        setting.wait()
        if i >= warm:
            times.append(time.perf_counter() - start)
    plain = (mode, layout) == ("fp32", "contiguous")
    record = {"program": f"PyTorch {torch.__version__}" + ("" if plain else f", {mode}, {layout}"), "precision": mode,
              "layout": layout, "seconds": times, "matrix_product_gflop_per_s": matrix_product_gflops(setting)}
    if args.device == "cuda":
        record["peak_device_bytes"] = torch.cuda.max_memory_allocated()
    return record


def measure_pytorch(args):
    """The records of all --modes and --layouts on standard output as JSON."""
    import torch
    import torchvision  # noqa: F401 (resident before anything is measured)

    imported, records = resident_bytes("VmRSS:"), []
    torch.set_num_threads(args.threads)
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("vs_pytorch.py: this PyTorch sees no CUDA device")
    for mode, layout in settings_of(args):
        try:
            records.append(measure_setting(args, mode, layout))
        except (RuntimeError, ValueError) as error:  # out of memory, or not on this device
            records.append({"failed": f"{mode}, {layout}: {str(error).strip().splitlines()[0][:300]}"})
        if args.device == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    for record in records:
        record.update(versions(args), imported_resident_bytes=imported)
        if len(records) == 1 and args.device == "cpu":  # else it is not this one's
            record["peak_resident_bytes"] = resident_bytes("VmHWM:")
    print(json.dumps(records))


def settings_of(args):
    return [(mode, layout) for mode in args.modes for layout in args.layouts]


def resident_bytes(which):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(which))


# ---------------- both, in turn ----------------


def child(arguments, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), POCL_MAX_PTHREAD_COUNT=str(threads))
    try:
        result = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE)
    except OSError as error:
        sys.exit(f"vs_pytorch.py: {arguments[0]}: {error.strerror} (--program, --python)")
    if result.returncode:
        sys.exit(f"vs_pytorch.py: failed with status {result.returncode}: {' '.join(arguments)}")
    return result.stdout


def ours(args, what, mode):
    clip = "x".join(map(str, args.clip))
    # hara-r3d18 has FEATURES pooled features and CHANNELS channels in layer3
    work = (["--net", "hara-r3d18", "--batch", str(args.videos), "--regions", str(args.regions), "--estimator",
             args.estimators[0], "--discriminator", args.discriminators[0]] if what == "heads"
            else ["--net", args.net, "--batch", str(args.batch), "--clip", clip, "--precision", mode])
    with tempfile.TemporaryDirectory() as folder:
        record = os.path.join(folder, "record.json")
        child([args.program, "bench", "--device", args.opencl, "--pass", what, *work, "--repeats", str(args.repeats),
               "--json", record], args.threads)
        with open(record) as file:
            return json.load(file)


def theirs(args, what):
    clip = "x".join(map(str, args.clip))
    return json.loads(child([args.python, __file__, "--measure-pytorch", "--net", args.net, "--batch", str(args.batch),
                             "--clip", clip, "--videos", str(args.videos), "--regions", str(args.regions), "--passes", what,
                             "--estimators", args.estimators[0], "--discriminators", args.discriminators[0],
                             "--device", args.device, "--modes", *args.modes, "--layouts", *args.layouts, "--threads", str(args.threads), "--repeats", str(args.repeats)], args.threads))


def merge(records, gflop):
    """One record of all rounds."""
    seconds = sorted(s for record in records for s in record["seconds"])
    n, median = len(seconds), statistics.median(seconds)
    merged = dict(records[0], n=n, median_s=median, min_s=seconds[0], p90_s=seconds[(9 * n + 9) // 10 - 1],
                  seconds=[s for record in records for s in record["seconds"]], direct_gflop=gflop,
                  gflop_per_s=gflop / median)
    for limit in ("peak_gflop_per_s", "copy_gbyte_per_s", "peak_resident_bytes", "peak_device_bytes"):
        known = [record[limit] for record in records if limit in record]
        if known:
            merged[limit] = max(known)
    if "peak_gflop_per_s" in merged:
        merged["of_peak"] = merged["gflop_per_s"] / merged["peak_gflop_per_s"]
    return merged


def describe(args, what):
    if what == "heads":
        return (f"Max-GL's heads, {args.videos} videos, {args.regions} regions, {args.discriminators[0]}, "
                f"{args.estimators[0]}")
    return f"{args.net} {what}, {args.batch} clips of {'x'.join(map(str, args.clip))}"


def compare(args, what):
    """A result for each of PyTorch's settings, and what failed."""
    ours_all, theirs_all = {mode: [] for mode in ours_modes(args, what)}, []
    for i in range(args.rounds):
        print(f"{describe(args, what)}: round {i + 1} of {args.rounds}", file=sys.stderr, flush=True)
        for mode, records in ours_all.items():
            records.append(ours(args, what, mode))
        theirs_all.append(theirs(args, what))
    results, failures = [], []
    for (mode, _), of_setting in zip(settings_of(args), zip(*theirs_all)):
        failed = [record["failed"] for record in of_setting if "failed" in record]
        if failed:
            failures.append({"pass": what, "reason": failed[0]})
            print(f"{describe(args, what)}: PyTorch, {failed[0]}", flush=True)
        else:
            results.append(result_of(args, what, ours_all["fp32" if what == "heads" else mode], list(of_setting)))
    return results, failures


def ours_modes(args, what):
    return ["fp32"] if what == "heads" else args.modes


def result_of(args, what, ours_all, theirs_all):
    gflop = ours_all[0]["direct_gflop"]
    a, b = merge(ours_all, gflop), merge(theirs_all, gflop)
    for member in ("net", "clip", "pass", "batch", "regions", "estimator", "discriminator", "os", "kernel"):  # what it was about
        if member in a:
            b[member] = a[member]
    b.setdefault("device", cpu_name())
    ratios = [statistics.median(t["seconds"]) / statistics.median(o["seconds"]) for o, t in zip(ours_all, theirs_all)]
    memory = {}
    if "peak_resident_bytes" in a and "peak_resident_bytes" in b:
        work = [a["peak_resident_bytes"] - a["opened_resident_bytes"], b["peak_resident_bytes"] - b["imported_resident_bytes"]]
        memory = {"memory_ratio": a["peak_resident_bytes"] / b["peak_resident_bytes"], "work_memory_ratio": work[0] / work[1]}
    scored = {member: a[member] for member in ("estimator", "discriminator") if member in a}
    result = {"pass": what, **scored, "net": a["net"], "batch": a["batch"], "clip": a["clip"], "threads": args.threads, "n": a["n"],
              "mode": b["precision"], "layout": b["layout"], "maxgl_median_s": a["median_s"], "pytorch_median_s": b["median_s"],
              "ratio": b["median_s"] / a["median_s"], "ratio_of_each_round": ratios, **memory, "maxgl": a, "pytorch": b}
    setting = "" if (b["precision"], b["layout"]) == ("fp32", "contiguous") else f" ({b['precision']}, {b['layout']})"
    print(f"{describe(args, what)}, {args.threads} threads: maxgl-cl {a['median_s'] * 1e3:.4g} ms, PyTorch{setting} "
          f"{b['median_s'] * 1e3:.4g} ms, ratio {result['ratio']:.2f} (rounds: {', '.join(f'{r:.2f}' for r in ratios)})",
          flush=True)
    if memory:
        print(f"  memory: maxgl-cl {a['peak_resident_bytes'] / 2**20:.0f} MiB, PyTorch {b['peak_resident_bytes'] / 2**20:.0f} "
              f"MiB, {memory['memory_ratio']:.2f} times PyTorch's; the work alone, less what the bare processes take: "
              f"{work[0] / 2**20:.0f} and {work[1] / 2**20:.0f} MiB, {memory['work_memory_ratio']:.2f} times PyTorch's", flush=True)
    if args.device == "cpu" and b["matrix_product_gflop_per_s"] < SLOW_BLAS * a["peak_gflop_per_s"]:
        print(f"  PyTorch's matrix products reach {b['matrix_product_gflop_per_s']:.1f} GFLOP/s of the device's "
              f"{a['peak_gflop_per_s']:.0f}: no fair comparison. Install a fast BLAS (Debian: libopenblas0-pthread).", flush=True)
    return result


def works_of(args, what):
    """Arguments and pass of each comparison: of heads one for each estimator and discriminator."""
    if what != "heads":
        return [(args, what)]
    return [(argparse.Namespace(**dict(vars(args), estimators=[e], discriminators=[d])), what)
            for d in args.discriminators for e in args.estimators]


def cpu_name():
    with open("/proc/cpuinfo") as cpuinfo:
        return next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), "")


def clip_size(text):
    numbers = [int(n) for n in text.split("x")]
    if len(numbers) != 3:
        raise ValueError
    return numbers


clip_size.__name__ = "clip size"


def main():
    passes = ["inference", "training", "heads"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/maxgl-cl", help="maxgl-cl to measure")
    parser.add_argument("--python", default=sys.executable, help="Python that has the PyTorch to measure (this one)")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="PyTorch's")
    parser.add_argument("--opencl", metavar="DEVICE", help="maxgl-cl's --device (cpu; with --device cuda: nvidia)")
    parser.add_argument("--modes", nargs="+", default=["fp32"], choices=["fp32", "tf32", "fp16", "bf16"], help="PyTorch's precision")
    parser.add_argument("--layouts", nargs="+", default=["contiguous"], choices=["contiguous", "channels_last_3d"])
    parser.add_argument("--passes", nargs="+", default=passes, choices=passes)
    parser.add_argument("--net", default="r3d_18", help="r3d_18 (torchvision's) or one of hara's: hara-r3d18, hara-r3d50@0.5, …")
    parser.add_argument("--batch", type=int, default=2, help="clips of inference and training")
    parser.add_argument("--clip", type=clip_size, default=[16, 112, 112], metavar="TxHxW")
    parser.add_argument("--videos", type=int, default=32, help="of the heads, with two clips each")
    parser.add_argument("--regions", type=int, default=98, help="of a clip's local map (98: hara-r3d18's layer3, 2x7x7)")
    parser.add_argument("--estimators", nargs="+", default=["jsd"], choices=["jsd", "infonce", "dv"], help="of the heads")
    parser.add_argument("--discriminators", nargs="+", default=["concat"], choices=["concat", "dot"], help="of the heads")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5, help="timed runs in each process")
    parser.add_argument("--json", help="write the record to this file")
    parser.add_argument("--measure-pytorch", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.opencl = args.opencl or {"cpu": "cpu", "cuda": "nvidia"}[args.device]
    if args.measure_pytorch:
        measure_pytorch(args)
        return
    works = [work for what in args.passes for work in works_of(args, what)]
    for work, what in works:  # build the kernels outside of the measurement
        for mode in ours_modes(args, what):
            ours(argparse.Namespace(**dict(vars(work), repeats=1)), what, mode)
    results, failures = [], []
    for work, what in works:
        done, failed = compare(work, what)
        results += done
        failures += failed
    if not results:
        sys.exit("vs_pytorch.py: PyTorch could do none of it")
    if args.json:
        machine = {"cpu": cpu_name(), "cores": os.cpu_count(), "os": platform.platform()}
        if args.device == "cuda":
            machine["gpu"] = results[0]["pytorch"]["device"]
        with open(args.json, "w") as file:
            json.dump({"machine": machine, "results": results, **({"failures": failures} if failures else {})}, file, indent=1)


if __name__ == "__main__":
    main()
