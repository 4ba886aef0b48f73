#!/usr/bin/python3
"""Prints the table of expected times that docs/datasets.md has: expected_times.py MAXGL_CL

What an experiment costs is counted: clips × multiply-adds of the network (maxgl-cl model info --json) × passes (1 forward, 3 for a
training step), and the heads of pre-training. What a device does in a second is measured (bench/results) on the CPU, and for GPUs, on
which nothing was measured, a part of the vendor's float32 peak. Reading and decoding videos are left out.
"""
import json
import os
import subprocess
import sys

NETWORK = "hara-r3d18"
RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")

# Videos, as the lists have them; Kinetics-400: about as many as can be had.
UCF_TRAIN, UCF_TEST = (9537, 9586, 9624), (3783, 3734, 3696)
HMDB_TRAIN, HMDB_TEST = 3570, 1530
KINETICS, ASLAN, YUPENN, MARYLAND = 240000, 3697, 420, 130

# config/ucf101.cfg and config/kinetics.cfg: videos of a batch; what all of the heads' sizes are.
BATCH_UCF, BATCH_KINETICS = 64, 128
FEATURES, CHANNELS, HIDDEN, REGIONS, DIRECTIONS = 512, 256, 512, 2 * 4 * 4, 4  # local_pairs = both, of two clips

# name, float32 peak in TFLOP/s, source
GPUS = (("NVIDIA A100", 19.5, "NVIDIA A100 Tensor Core GPU data sheet"),
        ("AMD RX 7900 XTX", 61.4, "AMD's page of the Radeon RX 7900 XTX"),
        ("NVIDIA RTX 4090", 82.6, "NVIDIA Ada GPU Architecture white paper"))
PARTS = (1, 0.5, 0.25)


def gmac(program):
    info = subprocess.run([program, "model", "info", NETWORK, "--classes", "0", "--json"], capture_output=True, text=True, check=True)
    return json.loads(info.stdout)["gmac"]


def heads_gmac(videos):
    """Of a step: the encoders of both sides and an MLP of HIDDEN × HIDDEN on each pair, forward and backward."""
    encoders = 4 * videos * FEATURES * HIDDEN + 2 * videos * REGIONS * CHANNELS * HIDDEN
    pairs = videos ** 2 * (1 + DIRECTIONS * REGIONS)
    return 3e-9 * (encoders + pairs * (HIDDEN ** 2 + HIDDEN))


def measured(name):
    """Multiply-adds in a second, in 10⁹; of the direct method, whatever the algorithm."""
    with open(os.path.join(RESULTS, name)) as file:
        return json.load(file)["results"][0]["maxgl"]["gflop_per_s"] / 2


def duration(seconds):
    if seconds < 60:
        return "< 1 min"
    size, unit = next((size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "min")) if seconds >= 2 * size or size == 60)
    return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f} {unit}"


def experiments(clip):
    """name, what, 10⁹ multiply-adds of training, of heads, of inference"""
    def pretrain(videos, epochs, batch):
        return 3 * clip * 2 * videos * epochs, heads_gmac(batch) * (videos // batch) * epochs, 0

    def tune(videos):
        return 3 * clip * videos * 150, 0, 0

    def embed(clips):
        return 0, 0, clip * clips

    ucf, ucf_test = sum(UCF_TRAIN), sum(UCF_TEST)
    return (
        ("UCF101: pre-train", f"{UCF_TRAIN[0]} videos × 2 clips × 200 epochs", *pretrain(UCF_TRAIN[0], 200, BATCH_UCF)),
        ("UCF101: fine-tune, three splits", f"{ucf} × 150 epochs", *tune(ucf)),
        ("UCF101: recognition, three splits", f"{ucf_test} × 10 clips", *embed(ucf_test * 10)),
        ("UCF101: retrieval and linear", f"{UCF_TRAIN[0] + UCF_TEST[0]} × 10 clips × 2 networks", *embed((UCF_TRAIN[0] + UCF_TEST[0]) * 20)),
        ("HMDB51: fine-tune, three splits", f"{3 * HMDB_TRAIN} × 150 epochs", *tune(3 * HMDB_TRAIN)),
        ("HMDB51: recognition, three splits", f"{3 * HMDB_TEST} × 10 clips", *embed(3 * HMDB_TEST * 10)),
        ("HMDB51: retrieval and linear", f"{HMDB_TRAIN + HMDB_TEST} × 10 clips × 2 networks", *embed((HMDB_TRAIN + HMDB_TEST) * 20)),
        ("Kinetics-400: pre-train", f"{KINETICS} videos × 2 clips × 50 epochs", *pretrain(KINETICS, 50, BATCH_KINETICS)),
        ("ASLAN", f"{ASLAN} × 20 clips (assumed) × 2 networks", *embed(ASLAN * 40)),
        ("YUPENN", f"{YUPENN} × 10 clips × 3 networks", *embed(YUPENN * 30)),
        ("Maryland", f"{MARYLAND} × 10 clips × 3 networks", *embed(MARYLAND * 30)),
    )


def main():
    training = measured("vs_pytorch2.15-hara-r3d18-b8-epyc-2cores.json")
    inference = measured("vs_pytorch2.15-r3d_18-b2-epyc-2cores.json")
    heads = measured("vs_pytorch2.15-heads-epyc-2cores.json")
    parts = " / ".join(f"{100 * part:.0f}" for part in PARTS)
    print("| experiment | what is computed | 10¹⁵ multiply-adds | 2 cores of an EPYC, measured rates | "
          + " | ".join(f"{name}, {parts} % of {peak} TFLOP/s, not measured" for name, peak, _ in GPUS) + " |")
    print("| --- | --- | --- | --- |" + " --- |" * len(GPUS))
    for name, what, train, pairs, embed in experiments(gmac(sys.argv[1])):
        cells = [duration(train / training + pairs / heads + embed / inference)]
        for _, peak, _ in GPUS:
            cells.append(" / ".join(duration((train + pairs + embed) * 2e-3 / (peak * part)) for part in PARTS))
        print(f"| {name} | {what} | {(train + pairs + embed) * 1e-6:.3g} | " + " | ".join(cells) + " |")
    print()
    print(f"Sources of the peaks: {'; '.join(source for _, _, source in GPUS)}.")


main()
