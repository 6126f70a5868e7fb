# SPDX-License-Identifier: Apache-2.0
"""Linear layers, embeddings, PReLU, shares of right answers, pools that tell places, layers by weights that are tensors, and the
functions of lthost/tensor.h by their names there, in fp64: values and gradients.

usage: python layers.py      writes layers.json

A maximum over a bag of an embedding has no tie here: lthost shares its gradient, torch gives it to the first.
"""

import torch
import torch.nn.functional as F
import torchmetrics.functional.classification as shares
from common import made_by, write_json
from modules import draw, fill, record, tensor
from torch import nn
from torchmetrics.aggregation import MeanMetric


def layer(name, module, x, call=None, more=None, **options):
    """options: those of the module, in torch's words."""
    kind = type(module).__name__
    fill(module)
    return record(f"{kind} {name}", kind, lambda t: (call or (lambda t: module(t["input"])))(t), {"input": x, **(more or {})},
                  {f"m.{key}": value for key, value in module.named_parameters()}, options)


def function(kind, name, call, x, outputs=("output",), more=None, **options):
    return record(f"{kind} {name}".strip(), kind, lambda t: call(t["input"], t), {"input": x, **(more or {})}, options=options, outputs=outputs)


def linear():
    def made(name, bias, *shape):
        return layer(name, nn.Linear(3, 2, bias=bias), draw(*shape), in_features=3, out_features=2, bias=bias)

    return [made("of rank 1", True, 3), made("of rank 2", True, 2, 3), made("of rank 4", True, 2, 1, 2, 3), made("without bias", False, 2, 2, 3)]


def embeddings():
    index, bags = [[0, 2, 2], [4, 1, 0]], [[0, 2, 3], [4, 1, 0], [0, 0, 0]]
    size = {"num_embeddings": 5, "embedding_dim": 3}
    weights = draw(3, 3)

    def bag(name, more=None, **options):
        module = nn.EmbeddingBag(5, 3, **options)
        call = (lambda t: module(t["input"], per_sample_weights=t["weights"])) if more else None
        return layer(name, module, bags, call, more, **size, **options)

    return [
        layer("", nn.Embedding(5, 3), index, **size),
        layer("of one index", nn.Embedding(5, 3), 3, **size),
        layer("padding_idx", nn.Embedding(5, 3, padding_idx=0), index, **size, padding_idx=0),
        *[bag(mode, mode=mode) for mode in ("mean", "sum")],
        layer("max", nn.EmbeddingBag(5, 3, mode="max"), [[0, 2, 3], [4, 1, 0]], **size, mode="max"),
        bag("sum, weights", {"weights": weights}, mode="sum"),
        *[bag(f"{mode}, padding_idx", mode=mode, padding_idx=0) for mode in ("mean", "sum")],
        layer("max, padding_idx", nn.EmbeddingBag(5, 3, mode="max", padding_idx=0), [[0, 2, 3], [4, 1, 0], [0, 0, 0]], **size, mode="max",
              padding_idx=0),
        layer("", nn.PReLU(1), draw(2, 3), num_parameters=1),
        layer("a channel each", nn.PReLU(3), draw(2, 3, 2), num_parameters=3),
    ]


def answers():
    x, y = draw(5, 3), [2, 0, 1, 1, 2]
    logits, yes = draw(6), [1, 0, 0, 1, 1, 0]
    weight = draw(6, low=0.1)
    weighted = MeanMetric().set_dtype(torch.float64)
    weighted.update(tensor(logits), tensor(weight))
    assert torch.isclose(weighted.compute(), (tensor(logits) * tensor(weight)).sum() / tensor(weight).sum())
    return [
        function("accuracy", "", lambda x, t: shares.multiclass_accuracy(x.detach(), t["target"], 3, average="micro").double(), x, more={"target": y}),
        function("top_k_accuracy", "", lambda x, t: shares.multiclass_accuracy(x.detach(), t["target"], 3, top_k=2, average="micro").double(), x,
                 more={"target": y}, k=2),
        function("binary_accuracy", "", lambda x, t: shares.binary_accuracy(x.detach().sigmoid(), t["target"]).double(), logits, more={"target": yes}),
        function("weighted_mean", "", lambda x, t: (x * t["weight"]).sum() / t["weight"].sum(), logits, more={"weight": weight}),
    ]


def pools():
    x = [[[[0.5, 2.0, -1.0, 0.25], [1.0, -2.0, 3.0, 0.75], [0.125, 4.0, -0.5, 1.5], [5.0, -3.0, 2.5, 6.0]]]]

    def unpooled(x, t):
        y, where = F.max_pool2d(x, 2, return_indices=True)
        return y, where.double(), F.max_unpool2d(y, where, 2)

    def adaptive(x, t):
        y, where = F.adaptive_max_pool2d(x, (2, 3), return_indices=True)
        return y, where.double()

    return [function("max_unpool", "", unpooled, x, ("values", "indices", "output")),
            function("adaptive_max_pool_indices", "", adaptive, x, ("values", "indices"))]


def functional():
    """Layers without a layer: the weights are tensors of the step."""
    def convolved(x, t):
        y = F.conv2d(x, t["weight"], t["bias"], stride=2, padding=1)
        return y, F.conv_transpose2d(y, t["weight"], stride=2, padding=1, output_padding=1)

    def cell(name, module, *states):
        fill(module)
        weights = {key.removesuffix("_l0"): value.tolist() for key, value in module.named_parameters()}

        def call(x, t):
            h = tuple(t[state][None] for state in states)
            y, last = torch.func.functional_call(module, {key + "_l0": t[key] for key in weights}, (x, h if len(h) > 1 else h[0]))
            return (y, *(state[0] for state in (last if len(h) > 1 else (last,))))

        return function(name, "", call, draw(3, 2, 2), ("y", "h", "c")[:1 + len(states)], {state: draw(2, 2) for state in states} | weights)

    return [function("conv", "and back", convolved, draw(1, 2, 4, 4), ("output", "transposed"), {"weight": draw(3, 2, 3, 3), "bias": draw(3)}),
            cell("rnn_tanh", nn.RNN(2, 2), "h0"), cell("rnn_relu", nn.RNN(2, 2, nonlinearity="relu"), "h0"), cell("rnn_gru", nn.GRU(2, 2), "h0"),
            cell("rnn_lstm", nn.LSTM(2, 2), "h0", "c0")]


UNARY = [torch.neg, torch.exp, torch.log, torch.sqrt, torch.rsqrt, torch.sin, torch.cos, torch.tanh, torch.erf, torch.abs, torch.sign, torch.floor,
         torch.ceil, torch.round, torch.log1p, torch.expm1, torch.reciprocal, torch.square, torch.sigmoid, F.relu, F.gelu,
         lambda x: F.gelu(x, approximate="tanh"), F.silu, F.softplus, torch.detach]
BINARY = [torch.add, torch.sub, torch.mul, torch.div, torch.pow, torch.maximum, torch.minimum]
COMPARISONS = [torch.eq, torch.ne, torch.lt, torch.le, torch.gt, torch.ge]
TIES = [[0.5, 0.25, 1.5], [2.0, 0.75, 0.5]]


def named():
    """The functions in the order in which test_named.c calls them; their results one after the other."""
    def in_order(*parts):
        return torch.cat([part.double().reshape(-1) for part in parts])

    def logic(x, t):
        a, b = x > 1, t["other"] > 0.5
        return in_order(~a, a & b, a | b, x.isfinite(), x.isfinite().all(), a.any(), b.all(), a.any(1), b.all(0))

    def shapes(x, t):
        return in_order(x.reshape(4, 3), x.permute(2, 0, 1), x[:, :1].expand(2, 3, 2), x.flatten(1), x.transpose(0, -1), x[:, 1:], x[..., -1:],
                        x[1:2], x.flip(1), torch.cat([x, x], -1))

    def reductions(x, t):
        every = [x.sum(), x.mean(), x.max(), x.min()]
        return in_order(*every, *[f(x, 1, True) for f in (torch.sum, torch.mean, torch.amax, torch.amin, torch.prod, torch.logsumexp)],
                        x.argmax(-1), x.argmin(0), x.softmax(1), x.log_softmax(0), x.quantile(0.3))

    def indices(x, t):
        i, j = t["rows"], t["places"]
        return in_order(x[i], torch.zeros(5, 2, dtype=x.dtype).index_add(0, i, x), x.gather(1, j), torch.zeros(3, 4, dtype=x.dtype).scatter_add(1, j, x),
                        x @ x.T, x @ x.mT, x.narrow(0, 1, 2), x.slice_scatter(x[:1], 0, 1, 2))

    def numbers(x, t):
        return in_order(x + 2, 2 - x, x * 3, 2 / x, x ** 3, 2 ** x, x.clamp_min(0.75), x.clamp_max(0.75), torch.where(x > 1, x, 0.5), x.argsort(1))

    positive = draw(2, 3, low=0.1)
    return [
        function("unary", "", lambda x, t: in_order(*[f(x) for f in UNARY]), positive),
        function("binary", "", lambda x, t: in_order(*[f(x, t["other"]) for f in BINARY]), positive, more={"other": draw(3, low=0.1)}),
        function("comparisons", "", lambda x, t: in_order(*[f(x, t["other"]) for f in COMPARISONS]), TIES, more={"other": [[0.5], [0.75]]}),
        function("logic", "", logic, [[1.5, 0.5], [0.25, 0.75]], more={"other": [[1.0, 0.0], [0.75, 0.25]]}),
        function("shapes", "", shapes, draw(2, 3, 2)),
        function("reductions", "", reductions, draw(2, 3)),
        function("indices", "", indices, draw(3, 2), more={"rows": [2, 0, 2], "places": [[1, 0], [1, 1], [0, 1]]}),
        function("numbers", "", numbers, draw(2, 3, low=0.1)),
    ]


CASES = [*linear(), *embeddings(), *answers(), *pools(), *functional(), *named()]
write_json("layers.json", made_by("layers.py"), "cases", CASES)
