# SPDX-License-Identifier: Apache-2.0
"""Does torch predict what lthost predicted? By hand, after a run of the `mlp` model on `digits`.

usage: python load_in_torch.py MODEL.safetensors PREDICTIONS.(npy|csv) DIGITS.csv.gz [FIRST_ROW]

MODEL goes into the torch module by load_state_dict(strict=True). PREDICTIONS holds one row of ten logits for each row of DIGITS
from FIRST_ROW (default 0) on. A CSV may have a header; a column named row or index then says which row of DIGITS each line is,
and the logits are the last ten columns. Exits with 1 if a logit differs by more than 1e-5 of its row's largest.
"""

import csv
import sys

import numpy as np
import torch
from common import Mlp, load_digits
from safetensors.torch import load_file

TOLERANCE = 1e-5
CLASSES = 10


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_csv(path):
    """Row numbers (or None) and logits (N, 10)."""
    with open(path, newline="") as file:
        lines = [line for line in csv.reader(file) if line]
    header = [] if is_number(lines[0][-1]) else [name.strip().lower() for name in lines.pop(0)]
    logits = np.array([[float(text) for text in line[-CLASSES:]] for line in lines])
    for name in ("row", "index"):
        if name in header:
            return np.array([int(float(line[header.index(name)])) for line in lines]), logits
    return None, logits


def load_model(path):
    weights = load_file(path)
    hidden, inputs = weights["fc1.weight"].shape
    model = Mlp(inputs, hidden, weights["fc2.weight"].shape[0]).to(weights["fc1.weight"].dtype)
    model.load_state_dict(weights, strict=True)
    return model.eval()


def main(model_path, predictions_path, digits, first_row="0"):
    rows, predicted = (None, np.load(predictions_path)) if predictions_path.endswith(".npy") else read_csv(predictions_path)
    if predicted.ndim != 2 or predicted.shape[1] != CLASSES:
        sys.exit(f"{predictions_path}: expected rows of {CLASSES} logits, found shape {predicted.shape}")
    if rows is None:
        rows = np.arange(int(first_row), int(first_row) + len(predicted))
    x, _ = load_digits(digits)
    model = load_model(model_path)
    with torch.no_grad():
        expected = model(x[rows].to(model.fc1.weight.dtype)).double().numpy()
    error = abs(predicted - expected) / abs(expected).max(axis=1, keepdims=True)
    worst = np.unravel_index(np.argmax(error), error.shape)
    verdict = f"{len(rows)} rows, largest relative difference {error.max():.2e} (row {rows[worst[0]]}, class {worst[1]})"
    if not error.max() <= TOLERANCE:
        sys.exit(f"differs: {verdict}: torch {float(expected[worst])!r}, lthost {float(predicted[worst])!r}")
    print(f"equal: {verdict}")


if not 4 <= len(sys.argv) <= 5:
    sys.exit(__doc__)
main(*sys.argv[1:])
