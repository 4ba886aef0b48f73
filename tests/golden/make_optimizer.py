#!/usr/bin/env python3
"""Writes optimizer.h: where PyTorch's optimisers take 12 parameters in 6 steps.

Run: python3 make_optimizer.py > optimizer.h   (made with PyTorch 1.13.1)
"""
import torch

PARAMETERS, STEPS = 12, 6

# kind, learning rate, momentum, nesterov, beta1, beta2, epsilon, weight decay, max norm (0: no clipping)
CASES = [
    ("SGD", 0.1, 0.0, False, 0.0, 0.0, 0.0, 0.0, 0.0),
    ("SGD", 0.05, 0.9, False, 0.0, 0.0, 0.0, 1e-2, 0.0),
    ("SGD", 0.05, 0.9, True, 0.0, 0.0, 0.0, 1e-2, 0.0),
    ("SGD", 0.05, 0.9, False, 0.0, 0.0, 0.0, 1e-4, 1.5),
    ("ADAM", 1e-3, 0.0, False, 0.9, 0.999, 1e-8, 0.0, 0.0),
    ("ADAM", 2e-2, 0.0, False, 0.8, 0.99, 1e-6, 1e-1, 0.0),
    ("ADAM", 1e-2, 0.0, False, 0.9, 0.999, 1e-8, 0.0, 100.0),
    ("ADAMW", 2e-2, 0.0, False, 0.9, 0.999, 1e-8, 1e-1, 0.0),
]


def make(kind, parameters, rate, momentum, nesterov, beta1, beta2, epsilon, decay):
    if kind == "SGD":
        return torch.optim.SGD(parameters, lr=rate, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    adam = torch.optim.Adam if kind == "ADAM" else torch.optim.AdamW
    return adam(parameters, lr=rate, betas=(beta1, beta2), eps=epsilon, weight_decay=decay)


def run(kind, rate, momentum, nesterov, beta1, beta2, epsilon, decay, max_norm):
    # Inputs that floats hold exactly; check_optimizer.c computes the same.
    index = torch.arange(PARAMETERS)
    parameter = torch.nn.Parameter(((index * 37) % 101 - 50).float() / 64)
    optimizer = make(kind, [parameter], rate, momentum, nesterov, beta1, beta2, epsilon, decay)
    for step in range(1, STEPS + 1):
        parameter.grad = ((index * 53 + step * 29) % 97 - 48).float() / 32
        if max_norm > 0:
            torch.nn.utils.clip_grad_norm_([parameter], max_norm)
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - 0.1 * step)
        optimizer.step()
    return parameter.detach().tolist()


print("/* PyTorch's numbers, written by make_optimizer.py. */")
print(f"enum {{ GOLDEN_PARAMETERS = {PARAMETERS}, GOLDEN_STEPS = {STEPS} }};\n")
print("/* The learning rate of step t is rate · (1 − t/10). */")
print("static const struct {\n    MaxglOptimizer optimizer;\n    double rate, weight_decay;\n    float max_norm;")
print("    double after[GOLDEN_PARAMETERS];\n} golden[] = {")
for case in CASES:
    kind, rate, momentum, nesterov, beta1, beta2, epsilon, decay, max_norm = case
    values = ", ".join(f"{v:.9g}" for v in run(*case))
    print(f"    {{{{MAXGL_OPTIMIZER_{kind}, {momentum}, {str(nesterov).upper()}, {beta1}, {beta2}, {epsilon}}},")
    print(f"     {rate}, {decay}, {max_norm}F,\n     {{{values}}}}},")
print("};")
