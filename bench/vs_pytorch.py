#!/usr/bin/python3
"""maxgl-cl against PyTorch on the CPU: the same network, batch, clip size and number of threads, alternately in one run.

    ./setup.sh bench && bench/vs_pytorch.py --program build/release/bin/maxgl-cl --json result.json
    bench/vs_pytorch.py --net hara-r3d18 --batch 8 --passes training
    bench/vs_pytorch.py --passes heads --videos 32 --regions 98
    bench/vs_pytorch.py --passes heads --estimators jsd infonce dv --discriminators concat dot --json heads.json
    build/release/bin/maxgl-cl bench --compare result.json

Rounds alternate: one process of maxgl-cl bench, one of PyTorch, again. Each process discards its first run. The figure is the
median over all rounds' runs; the ratio is PyTorch's median over ours, so that more than 1 means maxgl-cl is faster. Memory is the
most that a process had resident (Linux: VmHWM), libraries included. Beside it stands what the work took: less what the process had
resident with nothing but its libraries loaded (pip's PyTorch for CUDA has much) or the OpenCL device opened.

inference is a network up to its pooled features, training a step of SGD with cross-entropy over 400 classes. heads are Max-GL's:
Global-MI and Local-MI of two clips of each video, forward and backward, with each of --estimators and --discriminators, in PyTorch
as one writes them down: concat is an MLP on the concatenated features of all pairs, dot two encoders and a matrix product.

PyTorch's matrix products are as fast as the BLAS that it finds: each of its processes times one and the record has it. Debian's
PyTorch needs libopenblas0-pthread (./setup.sh bench installs it); pip's brings its own. --python takes another PyTorch:

    python3 -m venv newest && newest/bin/pip install torch torchvision && bench/vs_pytorch.py --python newest/bin/python
"""
import argparse
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


def prepare_inference(args):
    import torch

    net, features = build_network(args.net)
    net.eval()
    clips = torch.randn(args.batch, 3, *args.clip)

    def run():
        with torch.no_grad():
            features(clips)

    return run


def prepare_training(args):
    import torch

    net, _ = build_network(args.net)
    net.train()
    clips = torch.randn(args.batch, 3, *args.clip)
    labels = torch.arange(args.batch) % 400
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def run():
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(clips), labels).backward()
        optimizer.step()

    return run


def estimate(name, scores, symmetric):
    """Mutual information by scores of i, j, region: the positive pairs are those with i = j."""
    import torch
    from torch.nn.functional import softplus

    n = len(scores)
    same = torch.eye(n, dtype=torch.bool)
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


def prepare_heads(args):
    import torch

    discriminators, score = (build_dot if args.discriminators[0] == "dot" else build_concat)(args)
    g = torch.randn(2 * args.videos, FEATURES, requires_grad=True)  # of the first clips, then of the second
    l = torch.randn(2 * args.videos, args.regions, CHANNELS, requires_grad=True)

    def run():
        for leaf in (g, l, *discriminators.parameters()):
            leaf.grad = None
        of_clips, of_regions = score(g, l)
        value = estimate(args.estimators[0], of_clips, True)
        for scores in of_regions:
            value = value + 0.5 * estimate(args.estimators[0], scores, False)
        (-value).backward()

    return run


def matrix_product_gflops():
    import time
    import torch

    a, b = torch.randn(4096, 512), torch.randn(512, 512)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2e-9 * 4096 * 512 * 512 / min(seconds)


def measure_pytorch(args):
    """Times in seconds, and what else the record needs, on standard output as JSON."""
    import time
    import torch
    import torchvision

    imported = resident_bytes("VmRSS:")
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    run = {"inference": prepare_inference, "training": prepare_training, "heads": prepare_heads}[args.passes[0]](args)
    times = []
    for i in range(args.repeats + 1):
        start = time.perf_counter()
        run()
        if i:
            times.append(time.perf_counter() - start)
    libraries = re.findall(r"(?:MKL-DNN|oneDNN) v[0-9.]+", torch.__config__.show())
    print(json.dumps({"program": f"PyTorch {torch.__version__}", "torchvision": torchvision.__version__,
                      "mkldnn": torch.backends.mkldnn.is_available(), "libraries": libraries, "seconds": times,
                      "peak_resident_bytes": resident_bytes("VmHWM:"), "imported_resident_bytes": imported,
                      "matrix_product_gflop_per_s": matrix_product_gflops()}))


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


def ours(args, what):
    clip = "x".join(map(str, args.clip))
    # hara-r3d18 has FEATURES pooled features and CHANNELS channels in layer3
    work = (["--net", "hara-r3d18", "--batch", str(args.videos), "--regions", str(args.regions), "--estimator",
             args.estimators[0], "--discriminator", args.discriminators[0]] if what == "heads"
            else ["--net", args.net, "--batch", str(args.batch), "--clip", clip])
    with tempfile.TemporaryDirectory() as folder:
        record = os.path.join(folder, "record.json")
        child([args.program, "bench", "--device", args.device, "--pass", what, *work, "--repeats", str(args.repeats),
               "--json", record], args.threads)
        with open(record) as file:
            return json.load(file)


def theirs(args, what):
    clip = "x".join(map(str, args.clip))
    return json.loads(child([args.python, __file__, "--measure-pytorch", "--net", args.net, "--batch", str(args.batch),
                             "--clip", clip, "--videos", str(args.videos), "--regions", str(args.regions), "--passes", what,
                             "--estimators", args.estimators[0], "--discriminators", args.discriminators[0],
                             "--threads", str(args.threads), "--repeats", str(args.repeats)], args.threads))


def merge(records, gflop):
    """One record of all rounds."""
    seconds = sorted(s for record in records for s in record["seconds"])
    n, median = len(seconds), statistics.median(seconds)
    merged = dict(records[0], n=n, median_s=median, min_s=seconds[0], p90_s=seconds[(9 * n + 9) // 10 - 1],
                  seconds=[s for record in records for s in record["seconds"]], direct_gflop=gflop,
                  gflop_per_s=gflop / median)
    for limit in ("peak_gflop_per_s", "copy_gbyte_per_s", "peak_resident_bytes"):
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
    rounds = []
    for i in range(args.rounds):
        print(f"{describe(args, what)}: round {i + 1} of {args.rounds}", file=sys.stderr, flush=True)
        rounds.append((ours(args, what), theirs(args, what)))
    a = merge([r for r, _ in rounds], rounds[0][0]["direct_gflop"])
    b = merge([r for _, r in rounds], rounds[0][0]["direct_gflop"])
    for member in ("net", "clip", "pass", "batch", "regions", "estimator", "discriminator", "os", "kernel"):  # what it was about
        if member in a:
            b[member] = a[member]
    b["device"] = cpu_name()
    ratios = [statistics.median(t["seconds"]) / statistics.median(o["seconds"]) for o, t in rounds]
    memory = {}
    if "peak_resident_bytes" in a:
        work = [a["peak_resident_bytes"] - a["opened_resident_bytes"], b["peak_resident_bytes"] - b["imported_resident_bytes"]]
        memory = {"memory_ratio": a["peak_resident_bytes"] / b["peak_resident_bytes"], "work_memory_ratio": work[0] / work[1]}
    scored = {member: a[member] for member in ("estimator", "discriminator") if member in a}
    result = {"pass": what, **scored, "net": a["net"], "batch": a["batch"], "clip": a["clip"], "threads": args.threads, "n": a["n"],
              "maxgl_median_s": a["median_s"], "pytorch_median_s": b["median_s"], "ratio": b["median_s"] / a["median_s"],
              "ratio_of_each_round": ratios, **memory, "maxgl": a, "pytorch": b}
    print(f"{describe(args, what)}, {args.threads} threads: maxgl-cl {a['median_s'] * 1e3:.0f} ms, PyTorch "
          f"{b['median_s'] * 1e3:.0f} ms, ratio {result['ratio']:.2f} (rounds: {', '.join(f'{r:.2f}' for r in ratios)})",
          flush=True)
    if memory:
        print(f"  memory: maxgl-cl {a['peak_resident_bytes'] / 2**20:.0f} MiB, PyTorch {b['peak_resident_bytes'] / 2**20:.0f} "
              f"MiB, {memory['memory_ratio']:.2f} times PyTorch's; less the bare processes' {work[0] / 2**20:.0f} and "
              f"{work[1] / 2**20:.0f} MiB, {memory['work_memory_ratio']:.3f} times", flush=True)
    if b["matrix_product_gflop_per_s"] < SLOW_BLAS * a["peak_gflop_per_s"]:
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
    parser.add_argument("--device", default="cpu", help="its --device")
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
    if args.measure_pytorch:
        measure_pytorch(args)
        return
    works = [work for what in args.passes for work in works_of(args, what)]
    for work, what in works:  # build the kernels outside of the measurement
        ours(argparse.Namespace(**dict(vars(work), repeats=1)), what)
    results = [compare(work, what) for work, what in works]
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "os": platform.platform()}, "results": results},
                      file, indent=1)


if __name__ == "__main__":
    main()
