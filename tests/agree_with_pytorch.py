#!/usr/bin/python3
"""Whether maxgl-cl computes what PyTorch computes: features of networks of PyTorch's weights, and what five steps of SGD
make of these weights, of all of them or in fine-tuning from a layer on with weighted classes. Needs PyTorch and torchvision; Debian has them (./setup.sh bench).

    tests/agree_with_pytorch.py --build build/release [--device S] [--double]

Networks get random weights from a fixed seed, batch norm's statistics included, and are saved as safetensors under PyTorch's
names. An error is the length of the difference over the length of PyTorch's numbers, of the worst clip or of the worst tensor.

The gradient of a network of ReLUs jumps where an activation crosses zero, so that two orders of summation, which differ by 1e-6
in the activations, differ by 1e-3 in the gradients of the first layers, and more with every step taken from there: at a learning
rate of 1e-2 PyTorch in single precision is as far from PyTorch in double precision as maxgl-cl is from either. Hence the small
learning rate. --double shows it: it also compares both with PyTorch in double precision, on clips of 8x48x48 (slow). Exits with 1
if anything is beyond its limit.
"""
import argparse
import copy
import json
import os
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F
import torchvision

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden"))
import make_networks  # hara's networks

torch.set_default_dtype(torch.float32)

FEATURES_LIMIT, WEIGHTS_LIMIT = 1e-5, 1e-4
STEPS, MOMENTUM, DECAY = 5, 0.9, 5e-4

# Layers that are fine-tuned, and those before them, which stay as they are.
STAGES = ["layer1", "layer2", "layer3", "layer4", "fc"]
# name, from this layer on, clips in a batch, frames, pixels, classes, learning rate
FINE_TUNING = [("hara-r3d18", "layer4", 4, 16, 64, 10, 1e-4), ("r3d_18", "fc", 2, 8, 64, 10, 1e-2)]

# name, clips in a batch, frames, pixels, classes, learning rate
CASES = [
    ("r3d_18", 2, 16, 112, 400, 1e-4),
    ("hara-r3d18", 4, 16, 64, 10, 5e-6),
    ("hara-r3d34-a@0.5", 4, 8, 64, 10, 1e-5),
    ("hara-r3d50@0.5", 4, 8, 64, 10, 1e-6),
]


# ---------------- safetensors ----------------


def save_safetensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    arrays = {name: np.ascontiguousarray(value.detach().numpy()) for name, value in tensors.items()}
    for name, array in arrays.items():
        dtype = {"float32": "F32", "int64": "I64"}[str(array.dtype)]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(array.tobytes())


def load_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header, data, tensors = json.loads(data[8 : 8 + length]), data[8 + length :], {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            array = np.frombuffer(data[begin:end], {"F32": "<f4", "I64": "<i8"}[entry["dtype"]])
            tensors[name] = torch.from_numpy(array.reshape(entry["shape"]).copy())
    return tensors


# ---------------- networks ----------------


def build(name, classes):
    torch.manual_seed(20)
    if name == "r3d_18":
        model = torchvision.models.video.r3d_18(weights=None, num_classes=classes)
    else:
        model = make_networks.build(name, classes)
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, torch.nn.BatchNorm3d):
            # Long sums of bottlenecks at full strength would amplify rounding errors, PyTorch's too, beyond any limit.
            module.weight.data.uniform_(0.2, 0.3) if path.endswith("bn3") else module.weight.data.uniform_(0.8, 1.2)
            module.bias.data.normal_(0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


def make_clips(n, frames, pixels):
    """Coarse patches, so that clips differ as a whole, and noise on top."""
    coarse = F.interpolate(torch.randn(n, 3, (frames + 3) // 4, 4, 4), (frames, pixels, pixels))
    return coarse + 0.5 * torch.randn(n, 3, frames, pixels, pixels)


def pooled(model, clips):
    """What enters fc."""
    found = []
    handle = model.fc.register_forward_hook(lambda module, inputs, output: found.append(inputs[0].flatten(1)))
    model.eval()
    with torch.no_grad():
        model(clips)
    handle.remove()
    return found[0]


def train(model, clips, labels, batch, rate, stage=None, weights=None):
    """The losses; the weights of the layers from @stage on change."""
    model.train()
    for name, module in model.named_children() if stage else []:
        if name not in STAGES[STAGES.index(stage) :]:
            module.eval().requires_grad_(False)
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learnt, lr=rate, momentum=MOMENTUM, weight_decay=DECAY)
    losses = []
    for i in range(0, len(clips), batch):
        loss = F.cross_entropy(model(clips[i : i + batch]), labels[i : i + batch], weight=weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# ---------------- comparisons ----------------


def relative(got, want):
    got, want = got.double(), want.double()
    return float((got - want).norm() / want.norm())


def worst_tensor(got, want):
    """Over weights and running statistics."""
    errors = [(relative(got[name], value), name) for name, value in want.items() if value.is_floating_point()]
    return max(errors)


class Report:
    def __init__(self):
        self.failed = False

    def line(self, network, what, error, limit, detail=""):
        bad = not error <= limit  # a NaN is bad too
        self.failed |= bad
        print(f"{network:18} {what:26} {error:9.2e}  limit {limit:.0e}  {'TOO FAR' if bad else 'agrees'}{detail}", flush=True)


def run(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: exit {result.returncode}")
    return result.stdout


def compare_features(args, report, folder, name, model, clips):
    source, out = os.path.join(folder, "model.safetensors"), os.path.join(folder, "features.npy")
    size = "x".join(map(str, clips.shape[2:]))
    sized = os.path.join(folder, "sized.safetensors")
    save_safetensors(source, model.state_dict())
    np.save(os.path.join(folder, "clips.npy"), clips.numpy())
    program = os.path.join(args.build, "bin", "maxgl-cl")
    used = source
    if size != "16x112x112":  # what a file without metadata is taken for
        run([program, "model", "convert", source, sized, "--clip", size])
        used = sized
    run([program, "embed", "--device", args.device, "--model", used, "--out", out, os.path.join(folder, "clips.npy")])
    got, want = torch.from_numpy(np.load(out)), pooled(model, clips)
    assert got.shape == want.shape, (got.shape, want.shape)
    detail = ""
    if args.double:
        exact = pooled(copy.deepcopy(model).double(), clips.double())
        detail = f"  (from double precision: {relative(got, exact):.1e}, PyTorch {relative(want, exact):.1e})"
    report.line(name, "features", max(relative(g, w) for g, w in zip(got, want)), FEATURES_LIMIT, detail)


def compare_training(args, report, folder, name, model, clips, labels, batch, rate):
    source, out = os.path.join(folder, "model.safetensors"), os.path.join(folder, "trained.safetensors")
    np.save(os.path.join(folder, "clips.npy"), clips.numpy())
    text = run([os.path.join(args.build, "tests", "net", "train_steps"), "--device", args.device, "--model", source, "--clips",
                os.path.join(folder, "clips.npy"), "--labels", ",".join(map(str, labels.tolist())), "--batch", str(batch),
                "--lr", str(rate), "--momentum", str(MOMENTUM), "--weight-decay", str(DECAY), "--out", out])
    ours, got = torch.tensor([float(line) for line in text.split()]), load_safetensors(out)
    before = model.state_dict()
    exact = copy.deepcopy(model).double() if args.double else None
    model = copy.deepcopy(model)
    losses = torch.tensor(train(model, clips, labels, batch, rate))
    after = model.state_dict()
    assert set(got) == set(after), set(got) ^ set(after)
    error, tensor = worst_tensor(got, after)
    detail = f"  {tensor}"
    if exact:
        train(exact, clips.double(), labels, batch, rate)
        state = exact.state_dict()
        detail += f"  (from double precision: {worst_tensor(got, state)[0]:.1e}, PyTorch {worst_tensor(after, state)[0]:.1e})"
    report.line(name, "losses of 5 steps", relative(ours, losses), WEIGHTS_LIMIT)
    report.line(name, "weights after 5 steps", error, WEIGHTS_LIMIT, detail)
    moved = {k: v - before[k] for k, v in got.items() if v.is_floating_point()}
    should = {k: v - before[k] for k, v in after.items() if v.is_floating_point()}
    print(f"{'':18} what was learnt is off by {worst_tensor(moved, should)[0]:.1e} in the worst tensor")


def compare_fine_tuning(args, report, folder, name, stage, model, clips, labels, batch, rate):
    """One step and all five, with weighted classes and the layers before @stage frozen."""
    source, out = os.path.join(folder, "model.safetensors"), os.path.join(folder, "trained.safetensors")
    weights = torch.linspace(0.5, 2, model.fc.out_features)
    save_safetensors(source, model.state_dict())
    before = copy.deepcopy(model.state_dict())
    for steps in (1, STEPS):
        used, tuned = clips[: steps * batch], copy.deepcopy(model)
        np.save(os.path.join(folder, "clips.npy"), used.numpy())
        run([os.path.join(args.build, "tests", "net", "train_steps"), "--device", args.device, "--model", source, "--clips",
             os.path.join(folder, "clips.npy"), "--labels", ",".join(map(str, labels[: len(used)].tolist())), "--batch", str(batch),
             "--lr", str(rate), "--momentum", str(MOMENTUM), "--weight-decay", str(DECAY), "--from", stage,
             "--class-weights", ",".join(map(str, weights.tolist())), "--out", out])
        train(tuned, used, labels, batch, rate, stage, weights)
        got, after = load_safetensors(out), tuned.state_dict()
        error, tensor = worst_tensor(got, after)
        report.line(name, f"{stage} on, {steps} step{'s' * (steps > 1)}", error, WEIGHTS_LIMIT, f"  {tensor}")
    same = [k for k, v in got.items() if v.is_floating_point() and torch.equal(v, before[k])]
    should = [k for k, v in after.items() if v.is_floating_point() and torch.equal(v, before[k])]
    report.line(name, "frozen tensors", len(set(same) ^ set(should)), 0, f"  {len(should)} stay")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="build folder with bin/maxgl-cl and tests/net/train_steps")
    parser.add_argument("--device", default="auto", help="as maxgl-cl's --device")
    parser.add_argument("--only", help="compare only the networks whose name begins so")
    parser.add_argument("--lr", type=float, help="learning rate of the five steps (default: each network's own, 1e-4 to 1e-6)")
    parser.add_argument("--double", action="store_true", help="smaller clips, also compared with PyTorch in double precision (slow)")
    args = parser.parse_args()
    report, started = Report(), time.time()
    for name, batch, frames, pixels, classes, rate in CASES:
        if args.only and not name.startswith(args.only):
            continue
        if args.double:
            frames, pixels = 8, 48
        model = build(name, classes)
        clips = make_clips(STEPS * batch, frames, pixels)
        labels = torch.arange(len(clips)) * 7 % classes
        with tempfile.TemporaryDirectory() as folder:
            compare_features(args, report, folder, name, model, clips[: batch + 1])
            compare_training(args, report, folder, name, model, clips, labels, batch, args.lr or rate)
    for name, stage, batch, frames, pixels, classes, rate in FINE_TUNING:
        if args.only and not name.startswith(args.only):
            continue
        model = build(name, classes)
        clips = make_clips(STEPS * batch, frames, pixels)
        labels = torch.arange(len(clips)) * 7 % classes
        with tempfile.TemporaryDirectory() as folder:
            compare_fine_tuning(args, report, folder, name, stage, model, clips, labels, batch, rate)
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, {time.time() - started:.0f} s")
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
