# SPDX-License-Identifier: Apache-2.0
"""The learning rate that each step (or epoch) uses under torch's schedulers.

usage: python schedulers.py      writes schedulers.json

lr[t] is the rate that step t trains with; the scheduler steps after it. For reduce_on_plateau metric[t] is fed after step t.
With "warmup": SequentialLR([LinearLR(start_factor=start, total_iters=steps), SCHEDULER], milestones=[steps]); "total": the steps of
the run. Where the scheduler moves the momentum, momentum[t] is that of step t.
"""

import math

import torch
from common import made_by, write_json
from torch.optim import lr_scheduler

BASE = 0.1


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE, momentum=0.9)


def record(name, scheduler, steps, make, metric=None, warmup=None, cycles=False, **options):
    sgd = optimizer()
    schedule = make(sgd)
    if warmup:
        first = lr_scheduler.LinearLR(sgd, start_factor=warmup["start"], total_iters=warmup["steps"])
        schedule = lr_scheduler.SequentialLR(sgd, [first, schedule], milestones=[warmup["steps"]])
    rates, momenta = [], []
    for t in range(steps):
        rates.append(sgd.param_groups[0]["lr"])
        momenta.append(sgd.param_groups[0]["momentum"])
        sgd.step()
        if metric is None:
            schedule.step()
        else:
            schedule.step(metric[t])
    case = {"name": name, "scheduler": scheduler, "base_lr": BASE, "options": options}
    case |= ({"metric": metric} if metric else {}) | ({"warmup": warmup} if warmup else {})
    return case | {"lr": rates} | ({"momentum": momenta} if cycles else {})


def constant(steps):
    return record("constant", "constant", steps, lambda o: lr_scheduler.LambdaLR(o, lambda t: 1.0))


def step(steps, **options):
    return record("step", "step", steps, lambda o: lr_scheduler.StepLR(o, **options), **options)


def multi_step(steps, **options):
    return record("multi_step", "multi_step", steps, lambda o: lr_scheduler.MultiStepLR(o, **options), **options)


def cosine(name, steps, **options):
    return record(name, "cosine", steps, lambda o: lr_scheduler.CosineAnnealingLR(o, **options), **options)


def cosine_restarts(name, steps, **options):
    return record(name, "cosine_restarts", steps, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, **options), **options)


def exponential(steps, **options):
    return record("exponential", "exponential", steps, lambda o: lr_scheduler.ExponentialLR(o, **options), **options)


def linear(name, steps, **options):
    return record(name, "linear", steps, lambda o: lr_scheduler.LinearLR(o, **options), **options)


def polynomial(name, steps, **options):
    return record(name, "polynomial", steps, lambda o: lr_scheduler.PolynomialLR(o, **options), **options)


def inverse_sqrt(steps, timescale):
    return record("inverse_sqrt", "inverse_sqrt", steps,
                  lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / math.sqrt((t + timescale) / timescale)), timescale=timescale)


def one_cycle(name, steps, **options):
    return record(name, "one_cycle", steps, lambda o: lr_scheduler.OneCycleLR(o, max_lr=BASE, **options),
                  cycles=options.get("cycle_momentum", True), **options)


def warmed(name, scheduler, make, start, steps=10, total=100, **options):
    return record(name + ", warmed up", scheduler, total, make, warmup={"steps": steps, "start": start}, **options)


def plateau(name, metric, **options):
    return record(name, "reduce_on_plateau", len(metric), lambda o: lr_scheduler.ReduceLROnPlateau(o, **options),
                  metric=metric, **options)


FALLING = [1.0, 0.9, 0.89, 0.889, 0.8889, 0.8889, 0.9, 0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
RISING = [0.1, 0.5, 0.5, 0.5004, 0.5, 0.6, 0.59, 0.58, 0.57, 0.6005, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
NEGATIVE = [-1.0, -1.05, -1.2, -1.21, -1.22, -1.23, -1.5, -1.5, -1.5, -1.5]
FLAT = [1.0] * 14
WAVES = [round(math.exp(-t / 40) + 0.1 * math.sin(t), 4) for t in range(100)]

CASES = [
    constant(100),
    step(100, step_size=30, gamma=0.5),
    multi_step(100, milestones=[20, 50, 50, 90], gamma=0.1),
    exponential(100, gamma=0.95),
    cosine("cosine", 100, T_max=100, eta_min=0.0),
    cosine("cosine with eta_min", 100, T_max=99, eta_min=0.01),
    cosine("cosine past T_max rises again", 100, T_max=40, eta_min=0.01),
    cosine_restarts("cosine_restarts", 100, T_0=30, T_mult=1, eta_min=0.0),
    cosine_restarts("cosine_restarts, each longer", 100, T_0=7, T_mult=2, eta_min=0.001),
    linear("linear", 100, start_factor=1.0, end_factor=0.0, total_iters=100),
    linear("linear, up and level", 100, start_factor=0.25, end_factor=1.0, total_iters=60),
    polynomial("polynomial", 100, total_iters=100, power=0.9),
    polynomial("polynomial, zero at its end", 100, total_iters=80, power=2.0),
    inverse_sqrt(100, timescale=20),
    one_cycle("one_cycle", 100, total_steps=100),
    one_cycle("one_cycle, three phases of lines", 100, total_steps=100, pct_start=0.4, anneal_strategy="linear", div_factor=10.0,
              final_div_factor=100.0, three_phase=True, base_momentum=0.8, max_momentum=0.9),
    one_cycle("one_cycle, momentum left alone", 100, total_steps=100, cycle_momentum=False),
    warmed("cosine", "cosine", lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=90, eta_min=0.001), 0.1, eta_min=0.001),
    warmed("step", "step", lambda o: lr_scheduler.StepLR(o, step_size=30, gamma=0.5), 0.01, step_size=30, gamma=0.5),
    warmed("polynomial", "polynomial", lambda o: lr_scheduler.PolynomialLR(o, total_iters=80), 1 / 3, steps=20),
    warmed("constant", "constant", lambda o: lr_scheduler.LambdaLR(o, lambda t: 1.0), 0.5, steps=40),
    plateau("plateau, defaults of torch but patience", FALLING, factor=0.1, patience=2),
    plateau("plateau, patience 0", FALLING, factor=0.5, patience=0),
    plateau("plateau, absolute threshold", FALLING, factor=0.5, patience=1, threshold=0.01, threshold_mode="abs"),
    plateau("plateau, relative threshold", FALLING, factor=0.5, patience=1, threshold=0.05, threshold_mode="rel"),
    plateau("plateau, cooldown", FALLING, factor=0.5, patience=1, cooldown=2),
    plateau("plateau, min_lr", FLAT, factor=0.5, patience=1, min_lr=0.02),
    plateau("plateau, eps ignores a small change", FLAT, factor=0.9, patience=0, eps=0.005),
    plateau("plateau, 100 steps", WAVES, factor=0.7, patience=3, threshold=1e-3, cooldown=2, min_lr=1e-4),
    plateau("plateau, mode max", RISING, mode="max", factor=0.5, patience=1),
    plateau("plateau, mode max, absolute threshold", RISING, mode="max", factor=0.5, patience=1, threshold=0.01,
            threshold_mode="abs"),
    plateau("plateau, negative metric, relative threshold", NEGATIVE, factor=0.5, patience=1, threshold=0.1),
]

write_json("schedulers.json", made_by("schedulers.py"), "cases", CASES)
