# SPDX-License-Identifier: Apache-2.0
"""Losses of twenty training steps of the reference MLP under torch.autocast in bfloat16.

usage: python autocast.py DIGITS.csv.gz      writes autocast.json; reads mlp_init.safetensors

The batches, the weights to begin with and the meaning of "losses" and "loss_after" are those of optimizers.json.
"""

import sys

import torch
from common import HERE, Mlp, load_digits, made_by, write_json
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

BATCH, STEPS = 64, 20


def train(x, y, optimizer):
    model = Mlp()
    model.load_state_dict(load_file(HERE / "mlp_init.safetensors"))
    rule, losses = optimizer(model.parameters()), []
    for k in [*range(STEPS), 0]:
        rows = slice(k * BATCH, (k + 1) * BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            loss = cross_entropy(model(x[rows]), y[rows])
        losses.append(loss.item())
        rule.zero_grad()
        loss.backward()
        rule.step()
    return losses[:STEPS], losses[STEPS]


def main():
    x, y = load_digits(sys.argv[1])
    cases = []
    for name, options in [("sgd", {"lr": 0.1, "momentum": 0.9}), ("adamw", {"lr": 1e-3})]:
        make = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[name]
        losses, after = train(x, y, lambda parameters, make=make, options=options: make(parameters, **options))
        cases.append({"name": f"{name}, bf16", "optimizer": name, "options": options, "losses_bf16": losses,
                      "loss_after_bf16": after})
    write_json("autocast.json", made_by("autocast.py"), "cases", cases)


main()
