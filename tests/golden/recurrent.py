# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers and cells in fp64: outputs, last states and gradients; sequences of their own lengths by packing.

usage: python recurrent.py      writes recurrent.json
"""

import torch
from common import made_by, write_json
from modules import draw, fill, record
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

T, B, I, H = 3, 3, 2, 2


def parameters(module):
    return {f"m.{key}": value for key, value in module.named_parameters()}


def layer(name, kind, states=True, lengths=None, **options):
    module = fill(getattr(nn, kind)(I, H, **options))
    first, lstm = options.get("batch_first", False), kind == "LSTM"
    rows = module.num_layers * (2 if module.bidirectional else 1)
    inputs = {"input": draw(B, T, I) if first else draw(T, B, I)}
    if states:
        inputs |= {"h0": draw(rows, B, H)} | ({"c0": draw(rows, B, H)} if lstm else {})
    if lengths:
        inputs["lengths"] = lengths

    def run(t):
        hx = None if not states else (t["h0"], t["c0"]) if lstm else t["h0"]
        x = t["input"]
        if lengths:
            x = pack_padded_sequence(x, t["lengths"], batch_first=first, enforce_sorted=False)
        y, state = module(x, hx)
        if lengths:
            y = pad_packed_sequence(y, batch_first=first, total_length=T)[0]
        return (y, *state) if lstm else (y, state)

    return record(f"{kind} {name}", kind, run, inputs, parameters(module), options, ("output", "h_n", *(["c_n"] if lstm else [])))


def cell(kind, states=True, **options):
    module = fill(getattr(nn, kind)(I, H, **options))
    lstm = kind == "LSTMCell"
    inputs = {"input": draw(B, I)} | ({"h0": draw(B, H)} if states else {}) | ({"c0": draw(B, H)} if states and lstm else {})

    def run(t):
        hx = None if not states else (t["h0"], t["c0"]) if lstm else t["h0"]
        return module(t["input"], hx)

    return record(f"{kind} {options or ''}".strip() + ("" if states else " from zeros"), kind, run, inputs, parameters(module), options,
                  ("h", *(["c"] if lstm else [])))


KINDS = ("RNN", "LSTM", "GRU")
CASES = [layer("one layer", kind) for kind in KINDS]
CASES += [
    layer("relu, without bias", "RNN", nonlinearity="relu", bias=False),
    layer("from zeros, without bias", "LSTM", states=False, bias=False),
    layer("two layers, batch first", "LSTM", num_layers=2, batch_first=True),
    layer("two layers, both directions, batch first, from zeros", "GRU", states=False, num_layers=2, bidirectional=True, batch_first=True),
]
CASES += [layer("both directions", kind, bidirectional=True) for kind in KINDS]
CASES += [layer("two layers, both directions, lengths 2, 3 and 1", kind, lengths=[2, 3, 1], num_layers=2, bidirectional=True) for kind in KINDS]
CASES += [
    layer("lengths, batch first", "LSTM", lengths=[3, 1, 2], batch_first=True),
    cell("RNNCell"), cell("RNNCell", nonlinearity="relu"), cell("LSTMCell"), cell("LSTMCell", states=False, bias=False), cell("GRUCell"),
    cell("GRUCell", states=False),
]
write_json("recurrent.json", made_by("recurrent.py"), "cases", CASES)
