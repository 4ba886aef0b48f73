#!/usr/bin/python3
"""maxgl-cl against PyTorch on the CPU: the same network, batch, clip size and number of threads, alternately in one run.

    ./setup.sh bench && bench/vs_pytorch.py --program build/release/bin/maxgl-cl

Rounds alternate: one process of maxgl-cl bench, one of PyTorch, again. Each process discards its first run. The figure is the
median over all rounds' runs; the ratio is PyTorch's median over ours, so that more than 1 means maxgl-cl is faster.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile


def measure_pytorch(args):
    """In a process of its own: times in seconds, on standard output as JSON."""
    import time
    import torch
    import torchvision
    from torchvision.models.video import r3d_18

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    net = r3d_18(weights=None)
    clips = torch.randn(args.batch, 3, *args.clip)
    labels = torch.arange(args.batch) % 400
    times = []
    if args.passes[0] == "inference":
        net.eval()
        features = torch.nn.Sequential(*list(net.children())[:-1])
        run = lambda: features(clips)
        context = torch.no_grad()
    else:
        net.train()
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

        def run():
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(net(clips), labels).backward()
            optimizer.step()

        context = torch.enable_grad()
    with context:
        for i in range(args.repeats + 1):
            start = time.perf_counter()
            run()
            if i:
                times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": times, "torch": torch.__version__, "torchvision": torchvision.__version__,
                      "mkldnn": torch.backends.mkldnn.is_available()}))


def child(arguments, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), POCL_MAX_PTHREAD_COUNT=str(threads))
    result = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, check=True)
    return result.stdout


def ours(args, what):
    clip = "x".join(map(str, args.clip))
    with tempfile.TemporaryDirectory() as folder:
        record = os.path.join(folder, "record.json")
        child([args.program, "bench", "--device", args.device, "--net", "r3d_18", "--batch", str(args.batch), "--clip", clip,
               "--pass", what, "--repeats", str(args.repeats), "--json", record], args.threads)
        with open(record) as file:
            return json.load(file)


def theirs(args, what):
    clip = "x".join(map(str, args.clip))
    return json.loads(child([sys.executable, __file__, "--measure-pytorch", "--batch", str(args.batch), "--clip", clip,
                             "--passes", what, "--threads", str(args.threads), "--repeats", str(args.repeats)], args.threads))


def compare(args, what):
    rounds = [(ours(args, what), theirs(args, what)) for _ in range(args.rounds)]
    a = [s for ours_, _ in rounds for s in ours_["seconds"]]
    b = [s for _, theirs_ in rounds for s in theirs_["seconds"]]
    ratios = [statistics.median(t["seconds"]) / statistics.median(o["seconds"]) for o, t in rounds]
    result = {"pass": what, "batch": args.batch, "clip": args.clip, "threads": args.threads, "n": len(a),
              "maxgl_median_s": statistics.median(a), "pytorch_median_s": statistics.median(b),
              "ratio": statistics.median(b) / statistics.median(a), "ratio_of_each_round": ratios,
              "maxgl": rounds[0][0], "pytorch": rounds[0][1]}
    print(f"r3d_18 {what}, {args.batch} clips of {'x'.join(map(str, args.clip))}, {args.threads} threads: "
          f"maxgl-cl {result['maxgl_median_s'] * 1e3:.0f} ms, PyTorch {result['pytorch_median_s'] * 1e3:.0f} ms, "
          f"ratio {result['ratio']:.2f} (rounds: {', '.join(f'{r:.2f}' for r in ratios)})", flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/maxgl-cl", help="maxgl-cl to measure")
    parser.add_argument("--device", default="cpu", help="its --device")
    parser.add_argument("--passes", nargs="+", default=["inference", "training"], choices=["inference", "training"])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--clip", type=lambda text: [int(n) for n in text.split("x")], default=[16, 112, 112], metavar="TxHxW")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5, help="timed runs in each process")
    parser.add_argument("--json", help="write the record to this file")
    parser.add_argument("--measure-pytorch", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure_pytorch:
        measure_pytorch(args)
        return
    for what in args.passes:  # build the kernels outside of the measurement
        ours(argparse.Namespace(**dict(vars(args), repeats=1)), what)
    results = [compare(args, what) for what in args.passes]
    if args.json:
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
        with open(args.json, "w") as file:
            json.dump({"machine": {"cpu": cpu, "cores": os.cpu_count(), "os": platform.platform()}, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
