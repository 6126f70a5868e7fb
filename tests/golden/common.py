# SPDX-License-Identifier: Apache-2.0
"""What the recording scripts share: the digits, the reference MLP, and how a JSON file is laid out."""

import gzip
import json
import math
import sys
import textwrap
from pathlib import Path

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).resolve().parent

# One thread: the order of every sum is then the same on each run.
torch.set_num_threads(1)


class Mlp(nn.Module):
    """logits (B, 10) = fc2(relu(fc1(x))), x (B, 64)"""

    def __init__(self, inputs=64, hidden=128, classes=10):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


def load_digits(path):
    """All rows in file order: x (1797, 64) float32 in 0..1, y (1797,) int64."""
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    x = torch.from_numpy(table[:, :64].astype(np.float32) / 16)
    return x, torch.from_numpy(table[:, 64].copy())


def float32_list(tensor):
    """Nested lists of the shortest decimals that read back as the same float32."""
    if tensor.dim() == 0:
        return float(str(np.float32(tensor.item())))
    return [float32_list(part) for part in tensor]


def made_by(script):
    document = {"made_by": script, "torch": torch.__version__.split("+")[0]}
    if "lightning" in sys.modules:
        document["lightning"] = sys.modules["lightning"].__version__
    return document


def dense(value):
    """JSON without a space in its lists: most of a file is numbers."""
    return json.dumps(value, separators=(",", ": "), allow_nan=False)


def wrapped(strings):
    """The list of short strings, several a line."""
    rows = textwrap.wrap(", ".join(dense(item).replace(" ", "\x01") for item in strings), 150, break_on_hyphens=False)
    return "[\n" + "\n".join(f"  {row}" for row in rows).replace("\x01", " ") + "]"


def one_a_line(items):
    return "[\n" + ",\n".join(f"  {dense(item)}" for item in items) + "]"


def case_text(case, folded):
    """A case on one line, but for the members that `folded` lays out: name -> function of the value."""
    members = [f"{dense(key)}: {folded[key](value) if key in folded else dense(value)}"
               for key, value in case.items()]
    separators = [",\n " if key in folded else ", " for key in case][1:] + [""]
    return "{" + "".join(member + separator for member, separator in zip(members, separators)) + "}"


def write_json(name, head, list_name, cases, folded=None):
    lines = [f"{dense(key)}: {dense(value)}," for key, value in head.items()]
    body = ",\n".join(case_text(case, folded or {}) for case in cases)
    text = "\n".join(["{", *lines, f"{dense(list_name)}: [", body, "]", "}"]) + "\n"
    json.loads(text)
    (HERE / name).write_text(text)
    print(f"{name}: {len(cases)} {list_name}, {len(text)} bytes")


def is_finite(values):
    return all(math.isfinite(value) for value in values)
