# SPDX-License-Identifier: Apache-2.0
"""Sorting, running sums, statistics, putting together and taking apart, einsum, in fp64: values and gradients.

usage: python order.py      writes order.json
"""

import torch
from common import made_by, write_json
from modules import draw, record

TIES = [[1.0, 0.5, 1.0, -2.0, 1.0, 0.5], [0.0, 3.0, 0.0, 0.0, -1.0, 3.0]]


def case(kind, name, call, x, outputs=("output",), more=None, **options):
    return record(f"{kind} {name}", kind, lambda t: call(t["input"], t), {"input": x, **(more or {})}, options=options, outputs=outputs)


def indexed(result):
    """Values and indices of torch's sort and topk; indices as numbers, so that they are compared like these."""
    return result.values, result.indices.double()


def running_sums():
    def call(x, axis, exclusive, reverse):
        x = x.flip(axis) if reverse else x
        y = x.cumsum(axis) - x if exclusive else x.cumsum(axis)
        return y.flip(axis) if reverse else y

    return [case("cumsum", f"{axis} {exclusive} {reverse}", lambda x, t, o=(axis, exclusive, reverse): call(x, *o), draw(2, 3, 4), axis=axis,
                 exclusive=exclusive, reverse=reverse)
            for axis, exclusive, reverse in [(0, False, False), (1, True, False), (-1, False, True), (2, True, True)]]


def order():
    both = ("values", "indices")
    return [
        *running_sums(),
        case("sort", "up", lambda x, t: indexed(torch.sort(x, dim=1, stable=True)), draw(3, 5), both, axis=1),
        case("sort", "down, the first axis", lambda x, t: indexed(torch.sort(x, 0, True)), draw(5, 2), both, axis=0, descending=True),
        case("sort", "ties", lambda x, t: indexed(torch.sort(x, dim=-1, stable=True)), TIES, both, axis=-1),
        case("sort", "ties, down", lambda x, t: indexed(torch.sort(x, dim=-1, stable=True, descending=True)), TIES, both, axis=-1,
             descending=True),
        case("topk", "2", lambda x, t: indexed(torch.topk(x, 2, 1)), draw(3, 5), both, k=2, axis=1),
        case("topk", "3 least of the middle axis", lambda x, t: indexed(torch.topk(x, 3, 1, largest=False)), draw(2, 4, 2), both, k=3,
             axis=1, smallest=True),
        case("median", "even", lambda x, t: torch.median(x, 1).values, draw(2, 6), axis=1),
        case("median", "odd, kept", lambda x, t: torch.median(x, 0, True).values, draw(5, 2), axis=0, keep=True),
        *[case("quantile", f"{q}", lambda x, t, q=q: torch.quantile(x, q, 1), draw(2, 6), axis=1, q=q) for q in (0.0, 0.3, 0.5, 0.97, 1.0)],
        case("quantile", "kept", lambda x, t: torch.quantile(x, 0.25, 0, True), draw(4, 2), axis=0, q=0.25, keep=True),
    ]


def statistics():
    wide, flat = draw(3, 4), [[0.5, 0.5, 0.5], [1.0, 2.0, 4.0]]
    zeros = [[0.0, 0.0, 0.0], [1.5, -2.0, 0.0]]
    return [
        *[case("var", f"all, correction {c}", lambda x, t, c=c: x.var(correction=c), wide, correction=c) for c in (0, 1)],
        case("var", "an axis, kept", lambda x, t: x.var(0, correction=1, keepdim=True), wide, axis=0, correction=1, keep=True),
        case("var", "an axis, correction 2", lambda x, t: x.var(-1, correction=2), wide, axis=-1, correction=2),
        case("std", "all", lambda x, t: x.std(correction=1), wide, correction=1),
        case("std", "of equal numbers, too", lambda x, t: x.std(1, correction=0), flat, axis=1, correction=0),
        *[case("norm", f"{p}", lambda x, t, p=p: torch.linalg.vector_norm(x, p, 1), zeros, axis=1, p=p) for p in (1, 2, 3, 0.5)],
        case("norm", "inf, ties", lambda x, t: torch.linalg.vector_norm(x, float("inf"), 1), [[2.0, -2.0, 1.0], [0.5, 0.25, -1.0]], axis=1,
             p="inf"),
        case("norm", "-inf", lambda x, t: torch.linalg.vector_norm(x, float("-inf"), 1), draw(2, 3), axis=1, p="-inf"),
        case("norm", "all, 2", lambda x, t: torch.linalg.vector_norm(x, 2), wide, p=2),
    ]


def choice():
    x = draw(3, 4)
    mask = [[True, False, True, False], [False, False, True, True], [True, True, False, False]]
    return [
        case("clamp", "at the bounds", lambda x, t: x.clamp(-0.5, 0.5), [-1.0, -0.5, 0.0, 0.5, 2.0], low=-0.5, high=0.5),
        case("clamp", "bounds crossed", lambda x, t: x.clamp(0.5, -0.5), [-1.0, -0.5, 0.0, 0.5, 2.0], low=0.5, high=-0.5),
        case("clamp_tensors", "at the bounds", lambda x, t: torch.clamp(x, t["low"], t["high"]), [-1.0, -0.5, 0.0, 0.5, 2.0],
             more={"low": [-0.5], "high": [0.5]}),
        case("clamp_tensors", "", lambda x, t: torch.clamp(x, t["low"], t["high"]), x, more={"low": draw(4, high=0.0), "high": draw(3, 1, low=0.0)}),
        case("masked_fill", "", lambda x, t: x.masked_fill(t["mask"], 0.25), x, more={"mask": mask}, value=0.25),
        case("index_select", "rows", lambda x, t: x.index_select(0, t["index"]), x, more={"index": [2, 0, 2]}, axis=0),
        case("index_select", "columns", lambda x, t: x.index_select(1, t["index"]), x, more={"index": [3, 1]}, axis=1),
        *[case("tril", f"{d}", lambda x, t, d=d: x.tril(d), draw(2, 3, 4), diagonal=d) for d in (0, 1, -1)],
        *[case("triu", f"{d}", lambda x, t, d=d: x.triu(d), draw(2, 3, 4), diagonal=d) for d in (0, 1, -1)],
    ]


def arrangement():
    x = draw(2, 3)
    return [
        *[case("stack", f"axis {axis}", lambda x, t, axis=axis: torch.stack([x, t["other"], x], axis), x, more={"other": draw(2, 3)}, axis=axis)
          for axis in (0, 1, 2, -1)],
        case("stack", "scalars", lambda x, t: torch.stack([x, t["other"], x], 0), 0.5, more={"other": 0.25}, axis=0),
        case("split", "", lambda x, t: torch.split(x, [1, 4, 2], 1), draw(2, 7), ("a", "b", "c"), axis=1, lengths=[1, 4, 2]),
        case("chunk", "", lambda x, t: torch.chunk(x, 3, 0), draw(7, 2), ("a", "b", "c"), axis=0),
        case("squeeze", "", lambda x, t: x.squeeze(1).unsqueeze(0).unsqueeze(-1), draw(2, 1, 3)),
        case("repeat", "", lambda x, t: x.repeat(2, 3, 2), x, times=[2, 3, 2]),
        case("repeat", "as many axes", lambda x, t: x.repeat(1, 2), x, times=[1, 2]),
        case("repeat_interleave", "", lambda x, t: x.repeat_interleave(2, 0), x, times=2, axis=0),
        case("repeat_interleave", "the last axis", lambda x, t: x.repeat_interleave(3, -1), x, times=3, axis=-1),
        *[case("roll", f"{shift}", lambda x, t, s=shift: x.roll(s, 1), draw(2, 5), shift=shift, axis=1) for shift in (0, 2, -1, 12)],
        case("flip", "", lambda x, t: x.flip(0, 2), draw(2, 2, 3), axes=[0, 2]),
    ]


def places():
    x = draw(2, 3, 5)
    every = lambda x, axis, start, stop, step: x.movedim(axis, 0)[start:stop:step].movedim(0, axis)  # noqa: E731
    return [
        *[case("select", f"{axis} {index}", lambda x, t, at=(axis, index): x.select(*at), x, axis=axis, index=index)
          for axis, index in [(0, 1), (1, -1), (-1, 0)]],
        *[case("slice_step", f"{at}", lambda x, t, at=at: every(x, *at), x, axis=at[0], start=at[1], stop=at[2], step=at[3])
          for at in [(2, 0, 5, 2), (-1, 1, 99, 3), (1, -2, -1, 1), (0, 0, 2, 7)]],
        *[case(f"{name}_axes", f"{axes} {keep}", lambda x, t, f=f, a=axes, k=keep: f(x, a, k), x, axes=list(axes), keep=keep)
          for name, f in [("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax), ("min", torch.amin)]
          for axes, keep in [((0, 2), False), ((-1, -2), True)]],
    ]


SHAPES = [
    ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ij", (2, 3)), ("ba", (2, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("iji->j", (2, 3, 2)),
    ("iii->i", (2, 2, 2)), ("i,i->", (4,), (4,)), ("i,j->ij", (2,), (3,)), ("i,i->i", (3,), (3,)), ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)), ("ij,kj->ki", (2, 3), (4, 3)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), ("bhtd,bhsd->bhts", (1, 2, 2, 3), (1, 2, 3, 3)),
    ("...ij,...jk->...ik", (2, 1, 2, 3), (2, 3, 2)), ("b...,b->...", (3, 2, 2), (3,)), ("...,...", (2, 3), (3,)), ("...i->i", (2, 2, 3)),
    ("ij,j->ij", (2, 3), (3,)), ("ij,ij,ij->i", (2, 3), (2, 3), (2, 3)), ("ab,bc,cd,de->ae", (2, 2), (2, 3), (3, 2), (2, 2)),
    ("i j , k -> k i", (2, 3), (2,)), ("ij,jk->k", (2, 3), (3, 2)), ("aB,Bc->ca", (2, 3), (3, 2)), ("bi,io,bo->b", (2, 3), (3, 2), (2, 2)),
    ("ij,jk->ik", (2, 1), (3, 2)),
]


def products():
    names = ("input", "b", "c", "d")
    cases = []
    for formula, *shapes in SHAPES:
        inputs = {name: draw(*shape) for name, shape in zip(names, shapes)}
        cases.append(record(f"einsum {formula}", "einsum", lambda t: torch.einsum(formula, *t.values()), inputs, options={"formula": formula}))
    cases.append(case("outer", "", lambda x, t: torch.outer(x, t["b"]), draw(2), more={"b": draw(3)}))
    cases.append(case("bmm", "", lambda x, t: torch.bmm(x, t["b"]), draw(2, 2, 3), more={"b": draw(2, 3, 1)}))
    return cases


CASES = [*order(), *statistics(), *choice(), *arrangement(), *products(), *places()]
write_json("order.json", made_by("order.py"), "cases", CASES)
