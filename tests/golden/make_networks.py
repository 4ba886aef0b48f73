#!/usr/bin/env python3
"""Writes networks.safetensors, training_*.safetensors and max_gl.safetensors: what PyTorch computes with 3D ResNets,
their training and the Max-GL objective, for weights and clips that follow from a formula (tests/net/formula.c has the
same in C). Everything is computed in double precision, so the numbers carry no rounding of their own.

Run: python3 make_networks.py   (made with PyTorch 1.13.0, torchvision 0.14.1; takes some minutes)
"""
import json
import math
import struct

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision

torch.set_default_dtype(torch.float64)


def noise(name, n):
    """n numbers in [-1, 1), multiples of 2^-23, from a 32-bit hash of their index and of the name."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 & 0xFFFFFFFF
    x = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(seed)
    x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
    x ^= x >> 16
    return (x >> 8).astype(np.float64) / 2**23 - 1


def parameter(name, shape):
    """Weights as large as Kaiming's, vectors about 1 or 0; rounded to float32."""
    u = noise(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        v = 1 + 0.5 * u
    elif len(shape) == 5:
        v = math.sqrt(6 / (shape[0] * shape[2] * shape[3] * shape[4])) * u
    elif len(shape) == 2:
        v = math.sqrt(3 / shape[1]) * u
    elif name.endswith("bias") or name.endswith("running_mean"):
        v = 0.1 * u
    elif name.endswith("bn3.weight"):
        v = 0.25 + 0.05 * u  # the gradient of many bottlenecks would grow too much
    else:
        v = 1 + 0.2 * u
    return torch.from_numpy(v.astype(np.float32).astype(np.float64).reshape(shape))


def fill(model, rename=lambda name: name):
    state = {k: parameter(rename(k), v.shape) if v.is_floating_point() else v for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    return model


def clips(name, n, t, s):
    """Patches of 4 × 8 × 8 of one colour, so that clips differ as a whole too, and noise on top."""
    tt, ss = (t + 3) // 4, (s + 7) // 8
    coarse = 1.2 * noise(name + " patches", n * 3 * tt * ss * ss).reshape(n, 3, tt, ss, ss)
    coarse = coarse.repeat(4, 2).repeat(8, 3).repeat(8, 4)[:, :, :t, :s, :s]
    fine = 0.5 * noise(name, n * 3 * t * s * s).reshape(n, 3, t, s, s)
    return torch.from_numpy((coarse + fine).astype(np.float32).astype(np.float64))


class ShortcutA(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x):
        s = self.stride
        x = x[:, :, ::s, ::s, ::s]
        return F.pad(x, (0, 0, 0, 0, 0, 0, 0, self.channels - x.shape[1]))


class Block(nn.Module):
    """A basic block or a bottleneck, with the names of 3D-ResNets-PyTorch."""

    def __init__(self, inputs, planes, stride, bottleneck, shortcut):
        super().__init__()
        outputs = planes * (4 if bottleneck else 1)
        sizes = [(1, 1), (3, stride), (1, 1)] if bottleneck else [(3, stride), (3, 1)]
        channels = [inputs, planes, planes, outputs] if bottleneck else [inputs, planes, outputs]
        self.n = len(sizes)
        for i, (k, s) in enumerate(sizes):
            setattr(self, f"conv{i + 1}", nn.Conv3d(channels[i], channels[i + 1], k, s, k // 2, bias=False))
            setattr(self, f"bn{i + 1}", nn.BatchNorm3d(channels[i + 1]))
        self.downsample = None
        if stride != 1 or inputs != outputs:
            if shortcut == "A":
                self.downsample = ShortcutA(outputs, stride)
            else:
                self.downsample = nn.Sequential(
                    nn.Conv3d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm3d(outputs)
                )

    def forward(self, x):
        y = x
        for i in range(1, self.n + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.n:
                y = F.relu(y)
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Resnet(nn.Module):
    BLOCKS = {10: [1, 1, 1, 1], 18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3]}

    def __init__(self, family, depth, shortcut, width, classes):
        super().__init__()
        planes = [int(c * width) for c in (64, 128, 256, 512)]
        kt = 7 if family == "hara" else 3
        self.pool = family == "hara"
        self.conv1 = nn.Conv3d(3, planes[0], (kt, 7, 7), (1, 2, 2), (kt // 2, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(planes[0])
        inputs = planes[0]
        for i, n in enumerate(self.BLOCKS[depth]):
            blocks = []
            for j in range(n):
                blocks.append(Block(inputs, planes[i], 2 if i > 0 and j == 0 else 1, depth == 50, shortcut))
                inputs = planes[i] * (4 if depth == 50 else 1)
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        if classes:
            self.fc = nn.Linear(inputs, classes)

    def maps(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.pool:
            x = F.max_pool3d(x, 3, 2, 1)
        found = {}
        for i in range(1, 5):
            found[f"layer{i}"] = x = getattr(self, f"layer{i}")(x)
        found["pool"] = x.mean((2, 3, 4))
        return found

    def forward(self, x):
        return self.fc(self.maps(x)["pool"])


def build(name, classes=0):
    base, _, width = name.partition("@")
    width = float(width or 1)
    if base in ("r3d_18", "r3d-vcop"):
        return Resnet("torchvision", 18 if base == "r3d_18" else 10, "B", width, classes)
    parts = base.split("-")
    return Resnet("hara", int(parts[1][3:]), "A" if parts[-1] == "a" else "B", width, classes)


def torchvision_name(name):
    """hara's name of a parameter of r3d_18 as torchvision's."""
    parts = name.split(".")
    if parts[0] in ("conv1", "bn1"):
        return ".".join(["stem", "0" if parts[0] == "conv1" else "1"] + parts[1:])
    if len(parts) > 2 and parts[2][:-1] in ("conv", "bn"):
        parts[2:3] = ["conv" + parts[2][-1], "0" if parts[2][:-1] == "conv" else "1"]
    return ".".join(parts)


def save(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        array = np.ascontiguousarray(value.detach().numpy() if torch.is_tensor(value) else value, dtype="<f4")
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    print(path, 8 + len(text) + len(data), "bytes")

FORWARD = [
    ("hara-r3d10@0.25", 2, 8, 32),
    ("hara-r3d18@0.25", 2, 8, 48),
    ("hara-r3d18-a@0.3", 2, 7, 37),
    ("hara-r3d34-a@0.125", 1, 16, 32),
    ("hara-r3d50@0.25", 2, 8, 32),
    ("hara-r3d50-a@0.125", 1, 8, 32),
    ("r3d_18@0.25", 2, 8, 32),
    ("r3d-vcop@0.3", 2, 5, 40),
]


def forward_all():
    found = {}
    for name, n, t, s in FORWARD:
        model = fill(build(name)).eval()
        with torch.no_grad():
            for tap, value in model.maps(clips("clips", n, t, s)).items():
                if tap in ("layer2", "pool") and (tap == "pool" or value.numel() < 20000):
                    found[f"{name}/{n}x{t}x{s}/{tap}"] = value
    # The real r3d_18, under its own names; and that ours is the same network.
    real = fill(torchvision.models.video.r3d_18(weights=None)).eval()
    features = []
    real.avgpool.register_forward_hook(lambda module, inputs, output: features.append(output.flatten(1)))
    x = clips("clips", 2, 8, 56)
    with torch.no_grad():
        logits = real(x)
        ours = fill(build("r3d_18", 400), torchvision_name).eval()
        assert (ours(x) - logits).norm() < 1e-12 * logits.norm()
        single = real.float()(x.float())
    print("torchvision in single precision is off by", float((single - logits).norm() / logits.norm()))
    found["r3d_18/2x8x56/pool"] = features[0]
    found["r3d_18/2x8x56/fc"] = logits
    save("networks.safetensors", found)

# Five steps of a small network are already chaotic: at these settings PyTorch in single precision follows PyTorch in
# double precision; at greater learning rates it does not. The real r3d_18 needs a very small one.
STEPS, RATE, TORCHVISION_RATE, MOMENTUM, DECAY = 5, 1e-3, 5e-6, 0.9, 5e-4


def train(model, n, t, s, classes, rate=RATE):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=MOMENTUM, weight_decay=DECAY)
    losses = []
    for step in range(STEPS):
        labels = torch.tensor([(3 * i + step) % classes for i in range(n)])
        loss = F.cross_entropy(model(clips(f"step {step}", n, t, s)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


TRAINING = [
    ("hara-r3d18@0.03125", 6, 8, 64, 5),
    ("hara-r3d18-a@0.035", 4, 6, 36, 5),
    ("hara-r3d50@0.03125", 6, 8, 48, 5),
    ("r3d_18@0.03125", 6, 8, 32, 5),
]


def train_all():
    for name, n, t, s, classes in TRAINING:
        model = fill(build(name, classes))
        found = {"losses": np.array(train(model, n, t, s, classes))}
        found.update({k: v for k, v in model.state_dict().items() if v.is_floating_point()})
        save(f"training_{name}.safetensors", found)
    # The real r3d_18: of each tensor only the length of its change, and the change's and the tensor's products with
    # a vector of noise.
    model = fill(torchvision.models.video.r3d_18(weights=None, num_classes=5))
    found = {"losses": np.array(train(model, 4, 4, 32, 5, TORCHVISION_RATE))}
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            change = (value - parameter(name, value.shape)).flatten()
            probe = torch.from_numpy(noise("probe", value.numel()))
            found[name] = torch.stack([change.norm(), change @ probe, value.flatten() @ probe])
    save("training_r3d_18.safetensors", found)


class Encoder(nn.Module):
    """Of encode-and-dot; applied to (N, C, regions)."""

    def __init__(self, inputs, width, is_map):
        super().__init__()
        def matrix(a, b):
            return nn.Conv3d(a, b, 1, bias=False) if is_map else nn.Linear(a, b, bias=False)
        self.conv1, self.conv2, self.shortcut = matrix(inputs, width), matrix(width, width), matrix(inputs, width)
        self.bn = nn.BatchNorm3d(width) if is_map else nn.BatchNorm1d(width)
        self.norm = nn.LayerNorm(width)
        self.is_map = is_map

    def forward(self, x):
        y = self.conv2(F.relu(self.bn(self.conv1(x)))) + self.shortcut(x)
        if not self.is_map:
            return self.norm(y)
        return self.norm(y.movedim(1, -1)).movedim(-1, 1)


class Term(nn.Module):
    """Global-MI, or Local-MI of one layer."""

    def __init__(self, o, features, channels, is_local):
        super().__init__()
        self.o, self.is_local, width = o, is_local, o["hidden"]
        if o["discriminator"] == "dot":
            if is_local:
                self.left, self.right = Encoder(features, width, False), Encoder(channels, width, True)
            else:
                self.encoder = Encoder(features, width, False)
            return
        self.left = nn.Linear(features, width)
        self.right = nn.Conv3d(channels, width, 1, bias=False) if is_local else nn.Linear(features, width, bias=False)
        self.hidden = nn.Linear(width, width)
        self.score = nn.Linear(width, 1)

    def scores(self, a, b):
        """a: N × D, b: N × D × R; R × N × N scores of all pairs."""
        if self.o["discriminator"] == "dot":
            scale = 1 / math.sqrt(self.o["hidden"]) if self.o["estimator"] == "infonce" else 1
            t = torch.einsum("id,jdr->rij", a, b) * scale
        else:
            pair = a[None, :, None, :] + b.permute(2, 0, 1)[:, None, :, :]
            t = self.score(F.relu(self.hidden(F.relu(pair))))[..., 0]
        return t / self.o["temperature"] if self.o["estimator"] == "infonce" else t

    def estimate(self, t):
        r, n, _ = t.shape
        eye = torch.eye(n, dtype=torch.bool)
        if self.o["estimator"] == "jsd":
            positive, negative = t[:, eye], t[:, ~eye]
            return (math.log(2) - F.softplus(-positive)).mean() - (F.softplus(negative) - math.log(2)).mean()
        if self.o["estimator"] == "dv":
            values = [t[k][eye].mean() - (torch.logsumexp(t[k][~eye], 0) - math.log(n * (n - 1))) for k in range(r)]
            return torch.stack(values).mean()
        positive = t[:, eye]
        if self.is_local and self.o["local_negatives"] == "all":
            others = torch.stack([t[:, i, [j for j in range(n) if j != i]].flatten() for i in range(n)])
            rows = torch.logsumexp(torch.cat([positive[:, :, None], others.expand(r, n, -1)], 2), 2)
            return (positive - rows).mean() + math.log(1 + (n - 1) * r)
        rows = (positive - torch.logsumexp(t, 2)).mean() + math.log(n)
        columns = (positive - torch.logsumexp(t, 1)).mean() + math.log(n)
        return rows if self.is_local else (rows + columns) / 2

    def forward(self, g, local):
        clips = range(self.o["clips"])
        n = g.shape[0] // len(clips)
        if not self.is_local:
            left, right = (self.encoder, self.encoder) if self.o["discriminator"] == "dot" else (self.left, self.right)
            left, right = left(g), right(g)[:, :, None]
            pairings = [(a, b) for a in clips for b in clips if a < b]
        else:
            left, right = self.left(g), self.right(local).flatten(2)
            wanted = {"same": lambda a, b: a == b, "cross": lambda a, b: a != b, "both": lambda a, b: True}
            pairings = [(a, b) for a in clips for b in clips if wanted[self.o["local_pairs"]](a, b)]
        values = [
            self.estimate(self.scores(left[a * n : (a + 1) * n], right[b * n : (b + 1) * n])) for a, b in pairings
        ]
        return torch.stack(values).mean()


class MaxGl(nn.Module):
    def __init__(self, o, network, channels, features):
        super().__init__()
        self.o, self.network = o, network
        self.head = nn.Module()
        if o["global_weight"]:
            self.head.add_module("global", Term(o, features, channels, False))
        if o["local_weight"]:
            terms = {layer: Term(o, features, channels[layer], True) for layer in o["local_layers"]}
            self.head.local = nn.ModuleDict(terms) if len(terms) > 1 else list(terms.values())[0]

    def forward(self, x):
        maps = self.network.maps(x)
        g = maps["pool"]
        values = [torch.zeros(()), torch.zeros(())]
        if self.o["global_weight"]:
            values[0] = getattr(self.head, "global")(g, None)
        if self.o["local_weight"]:
            layers = self.o["local_layers"]
            for layer in layers:
                term = self.head.local[layer] if len(layers) > 1 else self.head.local
                regions = [r or s for r, s in zip(self.o["regions"], maps[layer].shape[2:])]
                values[1] = values[1] + term(g, F.adaptive_avg_pool3d(maps[layer], regions)) / len(layers)
        return -(self.o["global_weight"] * values[0] + self.o["local_weight"] * values[1]), values


DEFAULTS = dict(
    clips=2, global_weight=1.0, local_weight=1.0, estimator="jsd", discriminator="concat", local_layers=("layer3",),
    regions=(0, 0, 0), local_pairs="same", local_negatives="region", hidden=18, temperature=1.0,
)
# As in test_max_gl.c.
MAX_GL = [
    ("jsd concat", {}),
    ("infonce concat cross", dict(estimator="infonce", local_pairs="cross", temperature=0.5, regions=(1, 2, 1))),
    ("dv concat both", dict(estimator="dv", local_pairs="both", local_weight=0.5, local_layers=("layer2",), regions=(2, 3, 2))),
    ("jsd dot both", dict(discriminator="dot", local_pairs="both", local_layers=("layer2",))),
    ("infonce dot all", dict(estimator="infonce", discriminator="dot", local_negatives="all", temperature=0.7)),
    ("infonce dot one region", dict(estimator="infonce", discriminator="dot", regions=(1, 1, 1), local_pairs="cross")),
    ("global only", dict(local_weight=0.0, estimator="infonce")),
    ("local only", dict(global_weight=0.0, discriminator="dot")),
    ("infonce concat both, three clips, two layers", dict(
        clips=3, estimator="infonce", local_pairs="both", local_layers=("layer2", "layer3"), temperature=0.5, regions=(1, 2, 2))),
    ("jsd dot cross, three clips, two layers", dict(
        clips=3, discriminator="dot", local_pairs="cross", local_layers=("layer3", "layer2"))),
]
MAX_GL_NETWORK, MAX_GL_N, MAX_GL_T, MAX_GL_S = "hara-r3d10@0.0625", 4, 8, 64


def max_gl_all():
    found = {}
    for name, changes in MAX_GL:
        o = {**DEFAULTS, **changes}
        network = build(MAX_GL_NETWORK)
        channels = {"layer2": 8, "layer3": 16}
        model = MaxGl(o, network, channels, 32)
        fill(model, lambda k: k[len("network.") :] if k.startswith("network.") else k)
        model.train()
        loss, values = model(clips("clips", o["clips"] * MAX_GL_N, MAX_GL_T, MAX_GL_S))
        loss.backward()
        found[f"{name}/values"] = torch.stack(values)
        for key, value in model.named_parameters():
            key = key[len("network.") :] if key.startswith("network.") else key
            if value.grad is None or (not key.startswith("head.") and key not in ("bn1.weight", "layer1.0.conv1.weight", "layer3.0.bn2.weight")):
                continue
            found[f"{name}/{key}"] = value.grad
    save("max_gl.safetensors", found)


if __name__ == "__main__":
    forward_all()
    train_all()
    max_gl_all()
