# SPDX-License-Identifier: Apache-2.0
"""Norms in fp64: values and gradients, and running statistics over several training batches, then in evaluation.

usage: python norm.py      writes norm.json, batch_norm.json
"""

import torch
from common import made_by, write_json
from modules import draw, fill, record, tensor
from torch import nn


def norm(name, module, *shape):
    fill(module)
    options = {key: getattr(module, key) for key in ("num_groups", "num_channels", "eps", "size", "alpha", "beta", "k") if hasattr(module, key)}
    options = {key: value for key, value in options.items() if value is not None}
    if hasattr(module, "normalized_shape"):
        options["normalized_shape"] = list(module.normalized_shape)
    options["affine"] = getattr(module, "weight", None) is not None
    options["bias"] = getattr(module, "bias", None) is not None
    parameters = {f"m.{key}": value for key, value in module.named_parameters()}
    return record(f"{type(module).__name__} {name}", type(module).__name__, lambda t: module(t["input"]), {"input": draw(*shape)},
                  parameters, options)


def batch(module, value):
    """One batch: what comes out, the gradients of sum(output * upstream), and the buffers after it."""
    x = tensor(value).requires_grad_()
    y = module(x)
    upstream = draw(*y.shape)
    module.zero_grad()
    (y * tensor(upstream)).sum().backward()
    grads = {"input": x.grad.tolist()} | {f"m.{key}": parameter.grad.tolist() for key, parameter in module.named_parameters()}
    return {"input": value, "upstream": upstream, "output": y.tolist(), "grads": grads,
            "buffers": {f"m.{key}": value.tolist() for key, value in module.named_buffers()}}


def running(name, kind, shapes, **options):
    """Training batches of the shapes, the last of which comes once more, in evaluation."""
    module = fill(kind(shapes[0][1], **options))
    parameters = {f"m.{key}": value.tolist() for key, value in module.named_parameters()}
    batches = [batch(module, draw(*shape)) for shape in shapes]
    module.eval()
    options = {key: value for key, value in options.items() if value is not None} | {"cumulative": options.get("momentum", 0) is None}
    return {"name": f"{kind.__name__} {name}", "module": kind.__name__, "options": options, "parameters": parameters,
            "training": batches, "evaluation": batch(module, draw(*shapes[-1]))}


torch.set_default_dtype(torch.float64)
NORMS = [
    norm("over the last axis", nn.LayerNorm(4), 2, 3, 4),
    norm("over two axes", nn.LayerNorm((3, 4), eps=1e-3), 2, 3, 4),
    norm("over all axes, a weight alone", nn.LayerNorm((2, 3), bias=False), 2, 3),
    norm("without affine", nn.LayerNorm((3,), elementwise_affine=False), 2, 3),
    norm("over the last axis, eps of the type", nn.RMSNorm(4), 2, 3, 4),
    norm("over two axes", nn.RMSNorm((3, 4), eps=1e-5), 2, 3, 4),
    norm("without affine", nn.RMSNorm(3, eps=1e-2, elementwise_affine=False), 2, 3),
    norm("of images", nn.GroupNorm(2, 6), 2, 6, 2, 2),
    norm("of a table", nn.GroupNorm(3, 6, eps=1e-2), 4, 6),
    norm("of one group", nn.GroupNorm(1, 3), 2, 3, 5),
    norm("as many groups as channels, without affine", nn.GroupNorm(3, 3, affine=False), 2, 3, 5),
    norm("of images", nn.LocalResponseNorm(3, alpha=0.5, beta=0.6, k=1.5), 2, 5, 2, 2),
    norm("of an even size", nn.LocalResponseNorm(2), 1, 4, 3),
    norm("of more than the channels", nn.LocalResponseNorm(7, alpha=0.2), 1, 3, 2, 1, 2),
]
BATCHES = [
    running("of tables", nn.BatchNorm1d, [(5, 3), (4, 3), (2, 3)]),
    running("of signals", nn.BatchNorm1d, [(2, 3, 4), (3, 3, 2), (1, 3, 4)], eps=1e-3, momentum=0.3),
    running("of images", nn.BatchNorm2d, [(2, 3, 2, 2), (3, 3, 2, 3)]),
    running("of images, the mean of all batches", nn.BatchNorm2d, [(2, 2, 2, 2), (3, 2, 1, 2), (2, 2, 2, 1)], momentum=None),
    running("of images without affine", nn.BatchNorm2d, [(2, 2, 2, 2), (2, 2, 2, 1)], affine=False),
    running("of images, untracked", nn.BatchNorm2d, [(2, 2, 2, 2), (2, 2, 2, 1)], track_running_stats=False),
    running("of volumes", nn.BatchNorm3d, [(2, 2, 1, 2, 2), (1, 2, 2, 2, 1)]),
    running("of signals", nn.InstanceNorm1d, [(2, 3, 4), (1, 3, 3)]),
    running("of images, affine", nn.InstanceNorm2d, [(2, 3, 2, 2)], affine=True, eps=1e-3),
    running("of images, tracked", nn.InstanceNorm2d, [(2, 3, 2, 2), (3, 3, 1, 2), (1, 3, 2, 2)], affine=True, track_running_stats=True),
    running("of volumes, tracked", nn.InstanceNorm3d, [(2, 2, 1, 2, 2), (2, 2, 2, 2, 1)], track_running_stats=True, momentum=0.4),
]
write_json("norm.json", made_by("norm.py"), "cases", NORMS)
write_json("batch_norm.json", made_by("norm.py"), "cases", BATCHES)
