#!/usr/bin/env python3
"""Writes plateau.h: how PyTorch's ReduceLROnPlateau lowers the learning rate along a curve of losses.

Run: python3 make_plateau.py > plateau.h   (made with PyTorch 1.13)
"""
import math
import textwrap

import torch

# Falls, stays, falls by less and by more than the threshold of 1e-4, rises, falls again, and stays.
LOSSES = (
    [2.0, 1.5, 1.5, 1.25, 1.2499, 1.2498, 1.2497, 1.24, 1.3, 1.4, 1.5, 1.6, 1.7, 1.2, 1.19, 1.2, 1.18]
    + [1.18, 1.181, 1.182, 1.17, 1.0, 0.99995, 0.99991, 0.99985, 0.9998, 0.9997]
    + [0.5] * 14
)
PATIENCES = [0, 1, 3, 5, 50]


def drops(patience):
    """How often the rate has fallen before each epoch, and after the last."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", factor=0.1, patience=patience, eps=0)
    result = [0]
    for loss in LOSSES:
        scheduler.step(loss)
        result.append(round(-math.log10(optimizer.param_groups[0]["lr"])))
    return result


def numbers(values):
    return textwrap.fill("{" + ", ".join(repr(v) for v in values) + "}", 100, subsequent_indent="    ")


print("/* PyTorch's numbers, written by make_plateau.py. */\n/* clang-format off */")
print(f"enum {{ GOLDEN_EPOCHS = {len(LOSSES)} }};\n")
print(f"static const double golden_losses[GOLDEN_EPOCHS] =\n    {numbers(LOSSES)};\n")
print("/* How often the rate has fallen before each epoch, and after the last. */")
print("static const struct {\n    int patience;\n    int drops[GOLDEN_EPOCHS + 1];\n} golden[] = {")
for p in PATIENCES:
    print(f"    {{{p}, {numbers(drops(p))}}},")
print("};")
