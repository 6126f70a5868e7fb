# SPDX-License-Identifier: Apache-2.0
"""The reference MLP after five epochs, and its logits: what a run with `weights = mlp_trained.safetensors` must predict.

usage: python mlp_trained.py DIGITS.csv.gz      writes mlp_trained.safetensors and mlp_logits.json
"""

import sys

import torch
from common import HERE, Mlp, float32_list, load_digits, made_by, write_json
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

EPOCHS, BATCH, ROWS = 5, 64, 32


def train(model, x, y):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()


def main(digits):
    x, y = load_digits(digits)
    model = Mlp()
    model.load_state_dict(load_file(HERE / "mlp_init.safetensors"))
    torch.manual_seed(1)
    train(model, x, y)
    save_file(model.state_dict(), HERE / "mlp_trained.safetensors")
    with torch.no_grad():
        logits, exact = model(x), model.double()(x.double())
    figures = {
        "weights": "mlp_trained.safetensors",
        "all_rows": {"loss_fp64": cross_entropy(exact, y).item(), "correct": int((logits.argmax(1) == y).sum()), "rows": len(x)},
        "first_rows": {"loss_fp64": cross_entropy(exact[:ROWS], y[:ROWS]).item(), "rows": ROWS},
    }
    rows = [{"row": i, "class": int(y[i]), "logits": float32_list(logits[i]), "logits_fp64": exact[i].tolist()} for i in range(ROWS)]
    write_json("mlp_logits.json", made_by("mlp_trained.py") | figures, "rows", rows)


main(*sys.argv[1:])
