# SPDX-License-Identifier: Apache-2.0
"""The learning rate that each step (or epoch) uses under torch's schedulers.

usage: python schedulers.py      writes schedulers.json

lr[t] is the rate that step t trains with; the scheduler steps after it. For reduce_on_plateau metric[t] is fed after step t.
"""

import math

import torch
from common import made_by, write_json
from torch.optim import lr_scheduler

BASE = 0.1


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)


def record(name, scheduler, steps, make, metric=None, **options):
    sgd = optimizer()
    schedule = make(sgd)
    rates = []
    for t in range(steps):
        rates.append(sgd.param_groups[0]["lr"])
        sgd.step()
        if metric is None:
            schedule.step()
        else:
            schedule.step(metric[t])
    case = {"name": name, "scheduler": scheduler, "base_lr": BASE, "options": options}
    return case | ({"metric": metric} if metric else {}) | {"lr": rates}


def constant(steps):
    return record("constant", "constant", steps, lambda o: lr_scheduler.LambdaLR(o, lambda t: 1.0))


def step(steps, **options):
    return record("step", "step", steps, lambda o: lr_scheduler.StepLR(o, **options), **options)


def multi_step(steps, **options):
    return record("multi_step", "multi_step", steps, lambda o: lr_scheduler.MultiStepLR(o, **options), **options)


def cosine(name, steps, **options):
    return record(name, "cosine", steps, lambda o: lr_scheduler.CosineAnnealingLR(o, **options), **options)


def warmup_cosine(name, steps, warmup_steps, total_steps, eta_min):
    W, T = warmup_steps, total_steps

    def factor(t):
        if t < W:
            return (t + 1) / W
        return (eta_min + (BASE - eta_min) * 0.5 * (1 + math.cos(math.pi * (t - W) / (T - W)))) / BASE

    return record(name, "warmup_cosine", steps, lambda o: lr_scheduler.LambdaLR(o, factor),
                  warmup_steps=W, total_steps=T, eta_min=eta_min)


def plateau(name, metric, **options):
    return record(name, "reduce_on_plateau", len(metric), lambda o: lr_scheduler.ReduceLROnPlateau(o, **options),
                  metric=metric, **options)


FALLING = [1.0, 0.9, 0.89, 0.889, 0.8889, 0.8889, 0.9, 0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
RISING = [0.1, 0.5, 0.5, 0.5004, 0.5, 0.6, 0.59, 0.58, 0.57, 0.6005, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
NEGATIVE = [-1.0, -1.05, -1.2, -1.21, -1.22, -1.23, -1.5, -1.5, -1.5, -1.5]
FLAT = [1.0] * 14

CASES = [
    constant(5),
    step(10, step_size=3, gamma=0.5),
    multi_step(12, milestones=[2, 5, 5, 9], gamma=0.1),
    cosine("cosine", 10, T_max=10, eta_min=0.0),
    cosine("cosine with eta_min", 10, T_max=9, eta_min=0.01),
    cosine("cosine past T_max rises again", 14, T_max=5, eta_min=0.01),
    warmup_cosine("warm-up then cosine", 20, 5, 20, 0.001),
    warmup_cosine("no warm-up", 8, 0, 8, 0.0),
    plateau("plateau, defaults of torch but patience", FALLING, factor=0.1, patience=2),
    plateau("plateau, patience 0", FALLING, factor=0.5, patience=0),
    plateau("plateau, absolute threshold", FALLING, factor=0.5, patience=1, threshold=0.01, threshold_mode="abs"),
    plateau("plateau, relative threshold", FALLING, factor=0.5, patience=1, threshold=0.05, threshold_mode="rel"),
    plateau("plateau, cooldown", FALLING, factor=0.5, patience=1, cooldown=2),
    plateau("plateau, min_lr", FLAT, factor=0.5, patience=1, min_lr=0.02),
    plateau("plateau, eps ignores a small change", FLAT, factor=0.9, patience=0, eps=0.005),
    plateau("plateau, mode max", RISING, mode="max", factor=0.5, patience=1),
    plateau("plateau, mode max, absolute threshold", RISING, mode="max", factor=0.5, patience=1, threshold=0.01,
            threshold_mode="abs"),
    plateau("plateau, negative metric, relative threshold", NEGATIVE, factor=0.5, patience=1, threshold=0.1),
]

write_json("schedulers.json", made_by("schedulers.py"), "cases", CASES)
