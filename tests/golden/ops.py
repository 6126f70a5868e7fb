# SPDX-License-Identifier: Apache-2.0
"""Every op of lthost/op.h as torch has it: values and gradients, at kinks, ties, zeros, infinities, NaN, of no and of one element.

usage: python ops.py      writes ops.json

A tensor is [type, dimensions, elements in row-major order]; what JSON has no number for is a word; 16-bit floats are their bits.
A case names the op, its attributes by the struct of op.h and its members, its operands, its results, what each result is multiplied
with (null: not at all) and the gradients of the sum of these products, by each floating operand (null: not compared, see below).

Where the two differ lthost does as follows, and the case is not recorded, or a torch function is that does the same:
- a tie in a max or min shares the gradient equally: as torch's amax and amin do, not its max and min along an axis;
- an integer divided by 0 is 0: torch raises an error; a cast of a float to an integer that cannot hold it is open in torch;
- a sum of booleans is their `or`, that of i32 stays i32;
- sign(NaN) is NaN, and so is the gradient of abs there: torch has 0, which hides it;
- prod's gradient is the product of all others: torch divides by x, which gives NaN for an infinite x and at a NaN itself;
- logsumexp of -inf alone passes gradient 0: torch NaN;
- softplus is log(1 + exp(x)) for every x: torch's is x from a threshold on, which is put beyond fp64's reach here.
The gradient by an eps or an attention's scale is not compared, since torch has it as a number: finite differences check it.
ENDS below are points at which torch's own formula has NaN on the way to a limit that exists.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from common import made_by, write_json

random = np.random.default_rng(29)
inf, nan = math.inf, math.nan
TYPES = {torch.float64: "f64", torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16", torch.int64: "i64", torch.int32: "i32",
         torch.uint8: "u8", torch.int8: "i8", torch.bool: "bool"}
CASES = []


def draw(*shape, low=-2.0, high=2.0):
    return torch.from_numpy(np.array(random.uniform(low, high, shape).round(3)))


def f64(values):
    return torch.tensor(values, dtype=torch.float64)


def written(x):
    bits = x.view(torch.int16).int() & 0xFFFF if x.dtype in (torch.bfloat16, torch.float16) else x
    values = [str(v) if isinstance(v, float) and not math.isfinite(v) else v for v in bits.detach().reshape(-1).tolist()]
    return [TYPES[x.dtype], list(x.shape), values]


def case(op, name, call, *operands, fixed=(), values_only=(), **attributes):
    """call(*operands) gives the result or results. fixed: operands whose gradient is not compared; values_only: results that
    take no part in the sum."""
    x = [o if isinstance(o, torch.Tensor) else f64(o) for o in operands]
    x = [o.clone().requires_grad_(o.dtype == torch.float64 and i not in fixed) for i, o in enumerate(x)]
    results = call(*x)
    results = results if isinstance(results, tuple) else (results,)
    entry = {"op": op, "name": name, "attributes": attributes, "operands": [written(o) for o in x], "results": [written(r) for r in results]}
    upstream = [draw(*r.shape) if r.dtype.is_floating_point and i not in values_only else None for i, r in enumerate(results)]
    terms = [(r * u.to(r.dtype)).sum() for r, u in zip(results, upstream) if u is not None]
    if any(t.requires_grad for t in terms):
        sum(terms).backward()
    entry["upstream"] = [None if u is None else written(u.to(r.dtype)) for r, u in zip(results, upstream)]
    if terms:
        entry["grads"] = [(written(torch.zeros_like(o) if o.grad is None else o.grad)) if o.requires_grad else None for o in x]
    CASES.append(entry)


# ---- Pointwise ----

EDGES = [-inf, -1e300, -750.0, -20.5, -1.5, -1.0, -0.5, -1e-9, -0.0, 0.0, 1e-9, 0.25, 0.5, 1.0, 1.5, 2.5, 20.5, 709.0, 750.0, 1e300, inf, nan]
POSITIVE = [v for v in EDGES if not v < 0]

UNARY = {
    "neg": torch.neg, "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "sin": torch.sin, "cos": torch.cos,
    "tanh": torch.tanh, "erf": torch.erf, "abs": torch.abs, "sign": torch.sign, "floor": torch.floor, "ceil": torch.ceil,
    "round": torch.round, "log1p": torch.log1p, "expm1": torch.expm1, "reciprocal": torch.reciprocal, "square": torch.square,
    "sigmoid": torch.sigmoid, "relu": torch.relu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu,
    "softplus": lambda x: F.softplus(x, threshold=100.0), "stop_gradient": torch.detach, "isfinite": torch.isfinite,
}
ENDS = {"gelu": [-inf, -1e300, inf], "gelu_tanh": [-inf, -1e300, 1e300, inf], "silu": [-inf, inf], "sin": [-1e300, 1e300],
        "cos": [-1e300, 1e300], "abs": [nan], "sign": [nan]}


def pointwise():
    for op, call in UNARY.items():
        edges = [v for v in (POSITIVE if op in ("log", "sqrt", "rsqrt") else EDGES) if v not in ENDS.get(op, [])]
        case(op, "edges", call, edges)
        low = 0.1 if op in ("log", "sqrt", "rsqrt", "log1p") else -2.0
        case(op, "drawn", call, draw(2, 3, low=low))
        case(op, "rank 0", call, draw(low=low))
        case(op, "nothing", call, draw(2, 0))
    for op in ("neg", "abs", "sign"):
        case(op, "i64", UNARY[op], torch.tensor([-3, 0, 5, 2**40]))
    case("log", "of what has none", torch.log, [-1.0, -inf])
    case("sqrt", "of what has none", torch.sqrt, [-1.0, -inf])
    case("log1p", "of what has none", torch.log1p, [-1.0, -2.0])
    case("round", "halves go to the even", torch.round, [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994])
    case("not", "", torch.logical_not, torch.tensor([True, False]))
    casts()


def casts():
    def cast(name, x, to):
        case("cast", name, lambda v: v.to(to), x, dtype={"dtype": TYPES[to]})

    cast("to i64 truncates", [-2.7, -0.5, 0.5, 2.7, 1e15], torch.int64)
    cast("to i32", [-2.7, 2.7], torch.int32)
    cast("to u8", [0.0, 2.7, 255.0], torch.uint8)
    cast("to bool: what is not 0", [-0.0, 0.0, 1e-300, -3.0, nan, inf], torch.bool)
    cast("to f32 and back its gradient", [0.1, -3.7, 1e300, -1e-300, nan, -inf], torch.float32)
    cast("to bf16", [0.1, -3.7, 1.00390625, 1.01171875, 1e39, -inf, 0.0], torch.bfloat16)
    cast("to f16", [0.1, -3.7, 1.00048828125, 65519.0, 65520.0, 6e-8, 2e-8, -inf], torch.float16)
    cast("from i64", torch.tensor([-3, 0, 2**53 + 1]), torch.float64)
    cast("from bool", torch.tensor([True, False]), torch.float64)
    cast("i64 to i32 wraps", torch.tensor([2**32 + 5, -1]), torch.int32)
    cast("i64 to u8 wraps", torch.tensor([257, -1]), torch.uint8)


BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow, "maximum": torch.maximum,
          "minimum": torch.minimum, "eq": torch.eq, "ne": torch.ne, "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge}


def pairs(values):
    return f64([a for a in values for _ in values]), f64([b for _ in values for b in values])


def binary():
    for op, call in BINARY.items():
        values = [-inf, -1.5, 0.0, 1.0, 2.0, inf, nan]
        case(op, "each with each", call, *pairs([v for v in values if math.isfinite(v) or op != "pow"]))
        low = 0.1 if op == "pow" else -2.0
        case(op, "a column and a row", call, draw(2, 1, low=low), draw(3))
        case(op, "rank 0 and more", call, draw(low=low), draw(2, 1, 2))
        case(op, "nothing", call, draw(0, 3, low=low), draw(3))
        if op != "pow":
            a, b = torch.tensor([7, -7, 7, -7, 0, 3, 3]), torch.tensor([2, 2, -2, -2, 5, 3, -2**40])
            case(op, "i64", (lambda x, y: torch.div(x, y, rounding_mode="trunc")) if op == "div" else call, a, b)
    case("pow", "infinite and no numbers", torch.pow, [inf, 0.5, 2.0, nan, 1.0, 0.0, -2.0, -2.0], [2.0, inf, inf, 2.0, 3.0, 3.0, 3.0, -2.0])
    t, f = True, False
    for op, call in (("and", torch.logical_and), ("or", torch.logical_or)):
        case(op, "", call, torch.tensor([t, t, f, f]), torch.tensor([t, f, t, f]))
        case(op, "rank 0 and more", call, torch.tensor(t), torch.tensor([[t], [f]]))
    case("where", "a column, a row and a number", torch.where, torch.tensor([[t], [f]]), draw(3), draw())
    case("where", "what was not chosen is nothing", torch.where, torch.tensor([t, f, t]), [1.0, nan, inf], [nan, 2.0, -inf])
    case("where", "i64", torch.where, torch.tensor([t, f]), torch.tensor([1, 2]), torch.tensor(7))
    case("where", "nothing", torch.where, torch.tensor([t, f]), draw(0, 2), draw(2))


# ---- Shape ----

def shape():
    def dims(*d):
        return {"rank": len(d), "dim": list(d)}

    x = draw(2, 3, 2)
    case("reshape", "", lambda v: v.reshape(3, 4), x, dims=dims(3, -1))
    case("reshape", "of one to rank 8", lambda v: v.reshape([1] * 8), 0.5, dims=dims(*[1] * 8))
    case("reshape", "nothing", lambda v: v.reshape(0, 3), draw(2, 0), dims=dims(0, 3))
    case("permute", "", lambda v: v.permute(2, 0, 1), x, dims=dims(2, 0, 1))
    case("permute", "rank 8", lambda v: v.permute(7, 0, 6, 1, 5, 2, 4, 3), draw(1, 2, 1, 2, 1, 1, 2, 1), dims=dims(7, 0, 6, 1, 5, 2, 4, 3))
    case("expand", "", lambda v: v.expand(2, 3, 2), draw(3, 1), dims=dims(2, 3, 2))
    case("expand", "of rank 0", lambda v: v.expand(2, 2), 0.5, dims=dims(2, 2))
    case("expand", "to nothing", lambda v: v.expand(0, 2), draw(1, 2), dims=dims(0, 2))
    case("slice", "steps", lambda v: v[1:2, 0:3:2, :], x, slice={"start": [1, 0, 0], "length": [1, 2, 2], "step": [1, 2, 1]})
    case("slice", "nothing", lambda v: v[:, 1:1], draw(2, 3), slice={"start": [0, 1], "length": [2, 0], "step": [1, 1]})
    case("pad", "", lambda v, p: padded(v, p, [(1, 0), (0, 2)]), draw(2, 2), 0.75, pad={"low": [1, 0], "high": [0, 2]})
    case("pad", "of nothing", lambda v, p: padded(v, p, [(0, 0), (1, 1)]), draw(2, 0), 0.75, pad={"low": [0, 1], "high": [0, 1]})
    case("concat", "", lambda *v: torch.cat(v, 1), draw(2, 1), draw(2, 3), draw(2, 0), axis={"axis": -1})
    case("concat", "one", lambda v: torch.cat([v], 0), draw(2, 2), axis={"axis": 0})
    case("concat", "i64", lambda *v: torch.cat(v, 0), torch.tensor([1, 2]), torch.tensor([3]), axis={"axis": 0})
    for start in (-2, 0, 1, 5):
        at = min(max(start, 0), 2)
        index = torch.tensor(start)
        case("slice_at", f"{start}", lambda v, i, at=at: v.narrow(0, at, 2), draw(4, 2), index, window={"axis": 0, "length": 2})
        case("update_at", f"{start}", lambda v, p, i, at=at: v.slice_scatter(p, 0, at, at + 2), draw(4, 2), draw(2, 2), index,
             window={"axis": 0, "length": 2})
    case("flip", "", lambda v: v.flip(1), x, axis={"axis": 1})
    case("flip", "i64", lambda v: v.flip(0), torch.tensor([1, 2, 3]), axis={"axis": -1})
    case("iota", "", lambda: torch.arange(3, dtype=torch.float64).expand(2, 3), shape={"dtype": "f64", "rank": 2, "dim": [2, 3], "axis": 1})
    case("iota", "i64", lambda: torch.arange(3), shape={"dtype": "i64", "rank": 1, "dim": [3], "axis": 0})


def padded(x, value, widths):
    rows = value.expand([n + low + high for n, (low, high) in zip(x.shape, widths)]).clone()
    rows[tuple(slice(low, low + n) for n, (low, _) in zip(x.shape, widths))] = x
    return rows


# ---- Reductions ----

def over(axes, keep=0):
    return {"axes": sum(1 << a for a in axes), "keep": keep}


def product(x, axes, keep):
    for a in sorted(axes, reverse=True):
        x = x.prod(a, keepdim=bool(keep))
    return x


REDUCTIONS = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin, "prod": product, "logsumexp": torch.logsumexp}


def reductions():
    x, ties = draw(2, 3, 2), [[1.0, 3.0, 3.0], [-2.0, -2.0, -2.0], [0.0, -0.0, -1.0]]
    rows = [[inf, 1.0, 2.0], [-inf, inf, 0.5], [-inf, 0.25, 0.5], [0.0, 0.0, 2.0], [0.0, 3.0, 2.0]]
    for op, call in REDUCTIONS.items():
        case(op, "an axis", lambda v: call(v, (1,), False), x, reduce=over([1]))
        case(op, "axes, kept", lambda v: call(v, (0, 2), True), x, reduce=over([0, 2], 1))
        case(op, "rank 0", lambda v: call(v, (), False), 0.5, reduce=over([]))
        case(op, "one", lambda v: call(v, (0, 1), False), draw(1, 1), reduce=over([0, 1]))
        case(op, "no row", lambda v: call(v, (1,), False), draw(0, 3), reduce=over([1]))
        case(op, "ties", lambda v: call(v, (1,), False), ties, reduce=over([1]))
        case(op, "infinities and zeros", lambda v: call(v, (1,), False), rows, reduce=over([1]))
        case(op, "minus infinity alone", lambda v: call(v, (1,), False), [[-inf, -inf]], fixed=(0,) if op in ("logsumexp", "prod") else (), reduce=over([1]))
        case(op, "no number", lambda v: call(v, (1,), False), [[nan, 1.0, -1.0], [0.5, 2.0, nan]], fixed=(0,) if op == "prod" else (), reduce=over([1]))
        if op in ("sum", "mean", "prod"):
            case(op, "of no element", lambda v: call(v, (1,), False), draw(2, 0), reduce=over([1]))
        if op in ("max", "min"):
            case(op, "i64", lambda v: call(v, (0,), False), torch.tensor([[3, -1], [2, -1]]), reduce=over([0]))
    case("logsumexp", "far out", lambda v: torch.logsumexp(v, 1), [[1000.0, 999.0], [-1000.0, -1001.0]], reduce=over([1]))
    case("sum", "i64", lambda v: v.sum(0), torch.tensor([[3, -1], [2, 2**40]]), reduce=over([0]))
    case("sum", "i32", lambda v: v.sum(0, dtype=torch.int32), torch.tensor([2**31 - 1, 2], dtype=torch.int32), reduce=over([0]))
    case("sum", "bool", lambda v: v.any(1), torch.tensor([[True, True], [False, False], [False, True]]), reduce=over([1]))
    for op, call in (("argmax", torch.argmax), ("argmin", torch.argmin)):
        case(op, "", lambda v: call(v, 1), x, axis={"axis": 1})
        case(op, "the first of equals", lambda v: call(v, -1), ties, axis={"axis": -1})
        case(op, "infinities", lambda v: call(v, -1), rows, axis={"axis": -1})
        case(op, "i64", lambda v: call(v, 0), torch.tensor([[3, -1], [2, -1]]), axis={"axis": 0})
        case(op, "no row", lambda v: call(v, 1), draw(0, 3), axis={"axis": 1})
    case("argmax", "no number is greatest", lambda v: v.argmax(1), [[nan, 1.0, nan], [0.5, inf, nan]], axis={"axis": 1})
    for name, values in (("", [1.0, -1e308]), ("an infinity", [1.0, -inf]), ("no number", [nan, 1.0]), ("nothing", [])):
        case("all_finite", name, lambda v: v.isfinite().all(), values)


# ---- Products and indices ----

def products():
    for ta in (0, 1):
        for tb in (0, 1):
            case("matmul", f"transposed {ta} {tb}", lambda a, b: (a.mT if ta else a) @ (b.mT if tb else b), draw(*((3, 2) if ta else (2, 3))),
                 draw(*((2, 3) if tb else (3, 2))), matmul={"transpose_a": ta, "transpose_b": tb})
    plain = {"transpose_a": 0, "transpose_b": 0}
    case("matmul", "batches broadcast", torch.matmul, draw(2, 1, 2, 2), draw(3, 2, 1), matmul=plain)
    case("matmul", "of nothing", torch.matmul, draw(2, 0), draw(0, 3), matmul=plain)
    case("matmul", "no row", torch.matmul, draw(0, 2), draw(2, 3), matmul=plain)
    case("matmul", "infinities and zeros", torch.matmul, [[inf, 0.0], [1.0, nan]], [[0.0, 1.0], [2.0, 3.0]], matmul=plain)


def indexing():
    index = torch.tensor([[0, 2, 2], [3, 0, 0]])
    case("gather", "rows", lambda t, i: F.embedding(i, t), draw(4, 2), index)
    case("gather", "numbers, i32", lambda t, i: t[i], draw(4), index.int())
    case("gather", "rank 0", lambda t, i: t[i], draw(4, 1, 2), torch.tensor(3))
    case("gather", "nothing", lambda t, i: t[i], draw(4, 2), index[:0])
    case("scatter_add", "rows", lambda r, i: torch.zeros(5, 2, dtype=r.dtype).index_add(0, i.reshape(-1), r.reshape(-1, 2)), draw(2, 3, 2), index,
         axis={"axis": 5})
    case("scatter_add", "nothing", lambda r, i: torch.zeros(2, 2, dtype=r.dtype).index_add(0, i.reshape(-1), r.reshape(-1, 2)), draw(0, 3, 2),
         index[:0], axis={"axis": 2})
    for axis, x in ((1, draw(2, 4)), (0, draw(4, 3))):
        case("gather_along", f"{axis}", lambda v, i: v.gather(axis, i), x, index, axis={"axis": axis})
    case("scatter_along", "1", lambda v, i: torch.zeros(2, 4, dtype=v.dtype).scatter_add(1, i, v), draw(2, 3), index, scatter={"axis": 1, "length": 4})
    case("scatter_along", "0", lambda v, i: torch.zeros(5, 3, dtype=v.dtype).scatter_add(0, i, v), draw(2, 3), index,
         scatter={"axis": -2, "length": 5})
    x, ties = draw(2, 3, 2), [[1.0, 3.0, 3.0, nan, -inf], [0.0, -0.0, 2.0, inf, nan]]
    for axis, exclusive, reverse in ((1, 0, 0), (0, 1, 0), (-1, 0, 1), (1, 1, 1)):
        case("cumsum", f"{axis} {exclusive} {reverse}", lambda v: running_sum(v, axis, exclusive, reverse), x,
             cumulative={"axis": axis, "exclusive": exclusive, "reverse": reverse})
    case("cumsum", "i64", lambda v: v.cumsum(0), torch.tensor([3, -1, 2**40]), cumulative={"axis": 0, "exclusive": 0, "reverse": 0})
    case("cumsum", "infinities", lambda v: v.cumsum(0), [1.0, inf, 2.0, -inf, 1.0], cumulative={"axis": 0, "exclusive": 0, "reverse": 0})
    for down in (0, 1):
        case("argsort", f"stable, {down}", lambda v: v.argsort(dim=1, descending=bool(down), stable=True), ties, sort={"axis": 1, "length": 0, "descending": down})
        case("argsort", f"the first 2, {down}", lambda v: v.argsort(dim=1, descending=bool(down), stable=True)[:, :2], x, sort={"axis": 1, "length": 2, "descending": down})
    case("argsort", "i64", lambda v: v.argsort(dim=0, stable=True), torch.tensor([3, -1, 3, 0]), sort={"axis": 0, "length": 0, "descending": 0})


def running_sum(x, axis, exclusive, reverse):
    x = x.flip(axis) if reverse else x
    y = x.cumsum(axis) - x if exclusive else x.cumsum(axis)
    return y.flip(axis) if reverse else y


# ---- Images ----

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def convolutions():
    for name, x, w, stride, padding, dilation, groups in (
        ("1-d", draw(2, 2, 6), draw(3, 2, 3), [2], [1], [1], 1),
        ("2-d, groups, dilation", draw(1, 4, 5, 4), draw(4, 2, 2, 2), [2, 1], [1, 0], [2, 1], 2),
        ("3-d", draw(1, 1, 3, 3, 2), draw(2, 1, 2, 2, 1), [1, 2, 1], [0, 1, 0], [1, 1, 1], 1),
        ("no sample", draw(0, 2, 5), draw(3, 2, 3), [1], [0], [1], 1),
    ):
        n, spatial = x.dim() - 2, list(x.shape[2:])

        def conv(x, w):
            return CONV[n](x, w, None, stride, padding, dilation, groups)

        def gradient(which, size):
            """Of the convolution by x or w, which is linear in d and differentiated again by torch itself."""
            def call(*given):
                other, d = (given[1], given[0]) if which == "x" else given
                free = torch.zeros(size, dtype=torch.float64, requires_grad=True)
                y = conv(free, other) if which == "x" else conv(other, free)
                return torch.autograd.grad(y, free, d, create_graph=True)[0]
            return call

        def attributes(size):
            filled = {"stride": stride, "low": padding, "high": padding, "dilation": dilation, "size": size}
            rest = {"stride": 1, "low": 0, "high": 0, "dilation": 1, "size": 1 if any(size) else 0}
            return {key: value + [rest[key]] * (3 - n) for key, value in filled.items()} | {"groups": groups}

        y = conv(x, w)
        case("conv", name, conv, x, w, conv=attributes([0] * n))
        if len(x):
            case("conv_data_grad", name, gradient("x", x.shape), draw(*y.shape), w, conv=attributes(spatial))
            case("conv_weight_grad", name, gradient("w", w.shape), x, draw(*y.shape), conv=attributes(list(w.shape[2:])))


MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE, EXCLUDE, CEIL = 1, 2, 4


def window(kernel, stride, padding, size=(), dilation=None, flags=0):
    n, zero = len(kernel), [0] * 3
    fill = {"kernel": (kernel, 1), "stride": (stride, 1), "low": (padding, 0), "high": (padding, 0), "dilation": (dilation or [1] * n, 1)}
    pool = {key: list(value) + [rest] * (3 - n) for key, (value, rest) in fill.items()} if not flags & ADAPTIVE else {key: zero for key in fill}
    return pool | {"size": list(size) + [1] * (3 - len(size)) if size else zero, "flags": flags}


def pools():
    x2, ties = draw(1, 2, 5, 4), f64([[[1.0, 1.0, 2.0, 2.0, nan, -inf, -inf, 0.5]]])
    case("max_pool", "1-d, ties and no number", lambda x: F.max_pool1d(x, 2, return_indices=True), ties, pool=window([2], [2], [0]))
    case("max_pool", "2-d, padding, dilation", lambda x: F.max_pool2d(x, [2, 2], [1, 2], [1, 0], [2, 1], return_indices=True), x2,
         pool=window([2, 2], [1, 2], [1, 0], dilation=[2, 1]))
    case("max_pool", "2-d, ceil", lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True, return_indices=True), x2, pool=window([2, 2], [2, 2], [0, 0], flags=CEIL))
    case("max_pool", "3-d", lambda x: F.max_pool3d(x, 2, 1, return_indices=True), draw(1, 1, 2, 3, 2), pool=window([2] * 3, [1] * 3, [0] * 3))
    case("max_pool", "adaptive", lambda x: F.adaptive_max_pool2d(x, [3, 2], return_indices=True), x2, pool=window([0, 0], [0, 0], [0, 0], [3, 2], flags=ADAPTIVE))
    for name, x, call, kernel, stride, padding, size, flags in (
        ("1-d", draw(2, 1, 6), lambda v: F.avg_pool1d(v, 3, 2), [3], [2], [0], (), 0),
        ("2-d, padding counts", x2, lambda v: F.avg_pool2d(v, 3, 2, 1), [3, 3], [2, 2], [1, 1], (), 0),
        ("2-d, padding does not", x2, lambda v: F.avg_pool2d(v, 3, 2, 1, count_include_pad=False), [3, 3], [2, 2], [1, 1], (), EXCLUDE),
        ("2-d, ceil", x2, lambda v: F.avg_pool2d(v, 2, 2, ceil_mode=True), [2, 2], [2, 2], [0, 0], (), CEIL),
        ("3-d", draw(1, 1, 2, 3, 2), lambda v: F.avg_pool3d(v, 2, 1), [2] * 3, [1] * 3, [0] * 3, (), 0),
        ("adaptive", x2, lambda v: F.adaptive_avg_pool2d(v, [3, 2]), [0, 0], [0, 0], [0, 0], (3, 2), ADAPTIVE),
    ):
        case("avg_pool", name, call, x, pool=window(kernel, stride, padding, size, flags=flags))
        case("avg_pool_grad", name, transposed(call, x.shape), draw(*call(x).shape), pool=window(kernel, stride, padding, x.shape[2:], flags=flags))


def transposed(call, shape):
    """The gradient of a linear function as one of what reaches it."""
    def back(d):
        free = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad(call(free), free, d, create_graph=True)[0]
    return back


def resizes():
    def three(values):
        return list(values) + [1] * (3 - len(values))

    LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
    for mode, name in enumerate(("nearest", "nearest-exact", "linear", "aligned")):
        for x, size in ((draw(1, 2, 3), [5]), (draw(1, 1, 3, 4), [5, 2]), (draw(1, 1, 2, 3, 2), [3, 2, 2])):
            n = len(size)

            def call(v, options=({"mode": LINEAR[n], "align_corners": mode == 3} if mode > 1 else {"mode": name})):
                return F.interpolate(v, size, **options)

            case("resize", f"{name}, {n}-d", call, x, resize={"size": three(size), "from": three(x.shape[2:]), "mode": mode})
            case("resize_grad", f"{name}, {n}-d", transposed(call, x.shape), draw(1, x.shape[1], *size),
                 resize={"size": three(size), "from": three(x.shape[2:]), "mode": mode})


# ---- Networks ----

def softmaxes():
    rows = [[1000.0, -1000.0, 999.0], [-inf, 0.5, 1.5], [0.25, 0.25, 0.25]]
    for op, call in (("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
        case(op, "the middle axis", lambda v: call(v, 1), draw(2, 3, 2), axis={"axis": 1})
        case(op, "far out", lambda v: call(v, -1), rows if op == "softmax" else rows[::2], axis={"axis": -1})
        case(op, "one", lambda v: call(v, 0), draw(1), axis={"axis": 0})
        case(op, "nothing", lambda v: call(v, 1), draw(0, 3), axis={"axis": 1})
        case(op, "no number", lambda v: call(v, 1), [[nan, 1.0], [0.5, 2.0]], axis={"axis": 1})
    for name, logits, target in (("", draw(3, 4), torch.tensor([1, 0, 3])), ("i32", draw(2, 3), torch.tensor([2, 0], dtype=torch.int32)),
                                 ("far out", f64(rows[::2]), torch.tensor([1, 2])), ("no sample", draw(0, 3), torch.tensor([], dtype=torch.int64))):
        case("cross_entropy", name, lambda x, t: (F.cross_entropy(x, t.long(), reduction="none"), x.logsumexp(1)), logits, target)
        case("cross_entropy_grad", name, lambda x, t, lse, d: ((x - lse[:, None]).exp() - F.one_hot(t.long(), x.shape[1])) * d[:, None], logits, target,
             logits.logsumexp(1), draw(len(logits)))


def norms():
    eps, x, flat = 1e-5, draw(2, 3, 4), [[0.5, 0.5, 0.5], [1.0, 2.0, 4.0]]

    def rsqrt(v, axes, centred):
        return (v.var(axes, correction=0) if centred else v.square().mean(axes)).add(eps).rsqrt()

    def layer(axes):
        return lambda v, e: (F.layer_norm(v, v.shape[-axes:], eps=eps), rsqrt(v, tuple(range(-axes, 0)), True))

    def rms(axes):
        return lambda v, e: (F.rms_norm(v, v.shape[-axes:], eps=eps), rsqrt(v, tuple(range(-axes, 0)), False))

    for op, call in (("layer_norm", layer), ("rms_norm", rms)):
        case(op, "the last axis", call(1), x, eps, fixed=(1,), axis={"axis": 1})
        case(op, "two axes", call(2), x, eps, fixed=(1,), axis={"axis": 2})
        case(op, "equal numbers", call(1), flat, eps, fixed=(1,), axis={"axis": 1})
        case(op, "no row", call(1), draw(0, 3), eps, fixed=(1,), axis={"axis": 1})

    def batch(v, e):
        axes = [a for a in range(v.dim()) if a != 1]
        return F.batch_norm(v, None, None, training=True, eps=eps), v.mean(axes), v.var(axes, correction=0)

    case("batch_norm", "(N, C)", batch, draw(4, 3), eps, fixed=(1,), axis={"axis": 1})
    case("batch_norm", "(N, C, d, d)", batch, draw(2, 3, 2, 2), eps, fixed=(1,), axis={"axis": 1})


def attention():
    def sdpa(scale, causal=False, mask=None, groups=1):
        def call(q, k, v, s, *m):
            k, v = (t.repeat_interleave(groups, 1) for t in (k, v))
            seen = m[0] if m else None
            y = F.scaled_dot_product_attention(q, k, v, seen, is_causal=causal, scale=scale)
            scores = (q @ k.mT) * scale
            scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -inf) if causal else scores
            if m:
                scores = scores.masked_fill(~seen, -inf) if seen.dtype == torch.bool else scores + seen
            return y, scores.logsumexp(-1)
        return call

    bools = torch.tensor([[True, False, True, True], [False, True, True, False], [True, True, True, True]])
    for name, (t, s), groups, causal, mask in (
        ("plain", (2, 3), 1, False, None), ("causal", (3, 3), 1, True, None), ("grouped heads", (2, 2), 2, False, None),
        ("which keys are seen", (3, 4), 1, False, bools), ("added", (3, 4), 1, False, draw(2, 1, 3, 4)), ("one", (1, 1), 1, True, None),
    ):
        q, k, v, scale = draw(2, 2, t, 3), draw(2, 2 // groups, s, 3), draw(2, 2 // groups, s, 2), 0.7
        more = [] if mask is None else [mask]
        call, flags = sdpa(scale, causal, mask, groups), {"flags": causal * 1 + bool(more) * 4, "id": 0}
        case("attention", name, call, q, k, v, scale, *more, fixed=(3,), attention=flags)
        d, (y, lse) = draw(2, 2, t, 2), call(q, k, v, None, *more)

        def back(q, k, v, s, *rest):
            x = [z.detach().requires_grad_(True) for z in (q, k, v)]
            return torch.autograd.grad(call(*x, None, *rest[:len(more)])[0], x, rest[-1], create_graph=True)

        n = 4 + len(more)
        case("attention_grad", name, back, q, k, v, scale, *more, y, lse, d, fixed=range(n + 2), attention=flags)


def rotaries():
    def turned(interleaved):
        def call(x, cos, sin):
            r = 2 * cos.shape[1]
            head, tail = x[..., :r], x[..., r:]
            a, b = (head[..., 0::2], head[..., 1::2]) if interleaved else (head[..., :r // 2], head[..., r // 2:])
            a, b = a * cos - b * sin, b * cos + a * sin
            head = torch.stack([a, b], -1).flatten(-2) if interleaved else torch.cat([a, b], -1)
            return torch.cat([head, tail], -1)
        return call

    for interleaved in (0, 1):
        case("rotary", f"all, {interleaved}", turned(interleaved), draw(1, 2, 3, 4), draw(3, 2), draw(3, 2), rotary={"interleaved": interleaved})
        case("rotary", f"a part, {interleaved}", turned(interleaved), draw(2, 2, 5), draw(2, 1), draw(2, 1), rotary={"interleaved": interleaved})


def recurrent():
    T, B, I, H = 3, 2, 2, 2
    makes = [lambda: torch.nn.RNN(I, H), lambda: torch.nn.RNN(I, H, nonlinearity="relu"), lambda: torch.nn.LSTM(I, H), lambda: torch.nn.GRU(I, H)]
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    for cell, (name, make) in enumerate(zip(("tanh", "relu", "lstm", "gru"), makes)):
        module, gates, states = make().double(), (1, 1, 4, 3)[cell], 2 if cell == 2 else 1
        for reverse in (0, 1):
            def call(x, *rest):
                start, parameters = rest[:states], dict(zip(names, rest[states:]))
                x = x.flip(0) if reverse else x
                h = tuple(s[None] for s in start) if states == 2 else start[0][None]
                y, last = torch.func.functional_call(module, parameters, (x, h))
                last = last if states == 2 else (last, last)
                return y.flip(0) if reverse else y, last[0][0], last[1][0]

            case("rnn", f"{name}, {reverse}", call, draw(T, B, I), *[draw(B, H) for _ in range(states)], draw(gates * H, I), draw(gates * H, H),
                 draw(gates * H), draw(gates * H), rnn={"cell": cell, "reverse": reverse})


def cell(kind, x, u, h, c):
    """One step of torch's RNN, RNN with relu, LSTM or GRU by its formulas: x = x W' + b, u = h U' + c -> h, c, what is saved."""
    if kind < 2:
        h = torch.tanh(x + u) if kind == 0 else torch.relu(x + u)
        return h, c, h if kind == 0 else x + u
    if kind == 2:
        i, f, g, o = (x + u).chunk(4, -1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        c = f * c + i * g
        return o * torch.tanh(c), c, torch.cat([i, f, g, o, c], -1)
    (r, z), (xn, un) = [torch.sigmoid(v) for v in (x + u).chunk(3, -1)[:2]], (x.chunk(3, -1)[2], u.chunk(3, -1)[2])
    n = torch.tanh(xn + r * un)
    return n + z * (h - n), c, torch.cat([r, z, n, un], -1)


def recurrent_steps():
    T, B, H = 3, 2, 2
    makes = [lambda i: torch.nn.RNN(i, H), lambda i: torch.nn.RNN(i, H, nonlinearity="relu"), lambda i: torch.nn.LSTM(i, H), lambda i: torch.nn.GRU(i, H)]
    for kind, name in enumerate(("tanh", "relu", "lstm", "gru")):
        gates, states, lstm, gru = (1, 1, 4, 3)[kind], 2 if kind == 2 else 1, kind == 2, kind == 3
        for reverse in (0, 1):
            def steps(x, h, c, w, b_ih, b_hh, more=None):
                """more: what is added to h U' + c, to differentiate by it."""
                ys, saved = [None] * T, [None] * T
                for t in reversed(range(T)) if reverse else range(T):
                    h, c, saved[t] = cell(kind, x[t] + b_ih, h @ w.mT + b_hh + (0 if more is None else more[t]), h, c)
                    ys[t] = h
                return torch.stack(ys), h, c if lstm else h[:0], torch.stack(saved)

            def call(x, *rest):
                return steps(x, rest[0], rest[1] if lstm else None, *rest[states:])

            x, start = draw(T, B, gates * H), [draw(B, H) for _ in range(states)]
            w, b_ih, b_hh = draw(gates * H, H), draw(gates * H), draw(gates * H)
            y, h, c, saved = call(x, *start, w, b_ih, b_hh)
            module = makes[kind](gates * H).double()
            own = dict(weight_ih_l0=torch.eye(gates * H, dtype=torch.float64), weight_hh_l0=w, bias_ih_l0=b_ih, bias_hh_l0=b_hh)
            h0 = tuple(s[None] for s in start) if lstm else start[0][None]
            theirs = torch.func.functional_call(module, own, (x.flip(0) if reverse else x, h0))[0]
            assert torch.allclose(theirs.flip(0) if reverse else theirs, y, rtol=1e-13, atol=1e-13)
            case("rnn_steps", f"{name}, {reverse}", call, x, *start, w, b_ih, b_hh, rnn={"cell": kind, "reverse": reverse})

            def back(*operands):
                v = [z.detach().requires_grad_(True) for z in (x + b_ih, *start, torch.zeros(T, B, gates * H, dtype=torch.float64))]
                y, h, c, _ = steps(v[0], v[1], v[2] if lstm else None, w, 0, b_hh, v[-1])
                d = operands[-3:] if lstm else (*operands[-2:], torch.zeros_like(c))
                found = torch.autograd.grad((y, h, c) if lstm else (y, h), v, d if lstm else d[:2], create_graph=True)
                return found[0], found[-1] if gru else found[-1][:0], found[1], found[2] if lstm else found[1][:0]

            upstream = [draw(T, B, H), draw(B, H)] + ([draw(B, H)] if lstm else [])
            case("rnn_steps_grad", f"{name}, {reverse}", back, saved, *start, w, y, *upstream, fixed=range(states + 3),
                 rnn={"cell": kind, "reverse": reverse})


def slopes():
    """GELU's derivatives: torch has them as gradients alone."""
    for op in ("gelu", "gelu_tanh"):
        def slope(x, f=UNARY[op]):
            return torch.autograd.grad(f(x).sum(), x, create_graph=True)[0]

        case(op + "_slope", "edges", slope, [v for v in EDGES if abs(v) < 700.0])
        case(op + "_slope", "drawn", slope, draw(2, 3))
        case(op + "_slope", "rank 0", slope, draw())
        case(op + "_slope", "nothing", slope, draw(2, 0))


for part in (pointwise, binary, shape, reductions, products, indexing, convolutions, pools, resizes, softmaxes, norms, attention, rotaries,
             recurrent, recurrent_steps, slopes):
    part()
assert len({(entry["op"], entry["name"]) for entry in CASES}) == len(CASES)
write_json("ops.json", made_by("ops.py"), "cases", CASES)
