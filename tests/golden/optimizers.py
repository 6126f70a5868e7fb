# SPDX-License-Identifier: Apache-2.0
"""Losses of ten training steps of the reference MLP under every optimizer, clipping and accumulation case.

usage: python optimizers.py DIGITS.csv.gz      writes optimizers.json and mlp_init.safetensors

Step k trains on rows 64k .. 64k+63. A case's "losses" are the mean cross entropies of the ten batches before their update
(with accumulation: of each micro-batch, undivided); "loss_after" is that of the first batch after the last update.
"""

import sys

import torch
from common import HERE, Mlp, is_finite, load_digits, made_by, write_json
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

BATCH, STEPS = 64, 10
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def case(name, optimizer, trainer=None, **options):
    return {"name": name, "optimizer": optimizer, "options": options, "trainer": trainer or {}}


CASES = [
    case("sgd", "sgd", lr=0.1),
    case("sgd momentum", "sgd", lr=0.1, momentum=0.9),
    case("sgd nesterov", "sgd", lr=0.1, momentum=0.9, nesterov=True),
    case("sgd dampening", "sgd", lr=0.1, momentum=0.9, dampening=0.5),
    case("sgd weight decay", "sgd", lr=0.1, weight_decay=0.01),
    case("sgd momentum and weight decay", "sgd", lr=0.1, momentum=0.9, weight_decay=0.01),
    case("adam", "adam", lr=1e-3),
    case("adam weight decay", "adam", lr=1e-3, weight_decay=0.01),
    case("adam betas and eps", "adam", lr=1e-3, betas=[0.8, 0.95], eps=1e-6),
    case("adam amsgrad", "adam", lr=1e-3, betas=[0.8, 0.95], amsgrad=True),
    case("adamw", "adamw", lr=1e-3, weight_decay=0.01),
    case("adamw strong decay", "adamw", lr=1e-3, weight_decay=0.1),
    case("adamw amsgrad", "adamw", lr=1e-3, betas=[0.8, 0.95], weight_decay=0.01, amsgrad=True),
    case("clip by norm", "sgd", {"gradient_clip_val": 0.1, "gradient_clip_algorithm": "norm"}, lr=0.5),
    case("clip by value", "sgd", {"gradient_clip_val": 0.001, "gradient_clip_algorithm": "value"}, lr=0.5),
    case("accumulate 2", "adamw", {"accumulate_grad_batches": 2}, lr=1e-3, weight_decay=0.01),
    case("accumulate 4, last window short", "adamw", {"accumulate_grad_batches": 4}, lr=1e-3, weight_decay=0.01),
]


def clip(model, trainer):
    if trainer.get("gradient_clip_algorithm") == "norm":
        clip_grad_norm_(model.parameters(), trainer["gradient_clip_val"])
    elif trainer.get("gradient_clip_algorithm") == "value":
        clip_grad_value_(model.parameters(), trainer["gradient_clip_val"])


def train(case, initial, x, y, dtype):
    model = Mlp().to(dtype)
    model.load_state_dict({name: value.to(dtype) for name, value in initial.items()})
    optimizer = OPTIMIZERS[case["optimizer"]](model.parameters(), **case["options"])
    every = case["trainer"].get("accumulate_grad_batches", 1)
    x = x.to(dtype)
    losses = []
    for k in range(STEPS):
        rows = slice(BATCH * k, BATCH * (k + 1))
        loss = cross_entropy(model(x[rows]), y[rows])
        losses.append(loss.item())
        (loss / every).backward()
        if (k + 1) % every == 0 or k + 1 == STEPS:  # the last batch of an epoch always steps, as in Lightning
            clip(model, case["trainer"])
            optimizer.step()
            optimizer.zero_grad()
    after = cross_entropy(model(x[:BATCH]), y[:BATCH]).item()
    assert is_finite(losses + [after])
    return losses, after


def main(digits):
    x, y = load_digits(digits)
    torch.manual_seed(0)
    initial = Mlp().state_dict()
    save_file(initial, HERE / "mlp_init.safetensors")
    for case in CASES:
        case["losses"], case["loss_after"] = train(case, initial, x, y, torch.float32)
        case["losses_fp64"], case["loss_after_fp64"] = train(case, initial, x, y, torch.float64)
        worst = max(abs(a - b) / b for a, b in zip(case["losses"], case["losses_fp64"]))
        print(f"{case['name']:32} {case['losses'][0]:.6f} -> {case['loss_after']:.6f}   fp32 against fp64: {worst:.1e}")
    head = made_by("optimizers.py") | {"weights": "mlp_init.safetensors", "batch_size": BATCH, "steps": STEPS}
    write_json("optimizers.json", head, "cases", CASES)


main(*sys.argv[1:])
