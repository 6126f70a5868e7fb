# SPDX-License-Identifier: Apache-2.0
"""Convolution, pooling, padding and resampling, in fp64: values and gradients.

usage: python conv.py      writes conv.json

Options that torch takes as a number or as one number an axis are lists here.
"""

import torch
import torch.nn.functional as F
from common import made_by, write_json
from modules import draw, fill, record
from torch import nn

PLACES = ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size", "size")


def lists(options, axes):
    return {key: [value] * axes if key in PLACES and isinstance(value, int) else value for key, value in options.items()}


def distinct(*shape):
    """No two elements are equal: no ties."""
    count = torch.Size(shape).numel()
    order = [(i * 7919 + 3) % 10007 for i in range(count)]
    ranks = sorted(range(count), key=order.__getitem__)
    values = [0.0] * count
    for rank, place in enumerate(ranks):
        values[place] = round((rank - count // 2) * 0.125, 3)
    return torch.tensor(values, dtype=torch.float64).reshape(shape).tolist()


def layer(kind, name, x, **options):
    axes = int(kind[-2])
    module = fill(getattr(nn, kind)(**options))
    return record(f"{kind} {name}", kind, lambda t: module(t["input"]), {"input": x},
                  {f"m.{key}": value for key, value in module.named_parameters()}, lists(options, axes))


def function(kind, name, x, outputs=("output",), **options):
    axes = torch.tensor(x).dim() - 2
    call = kind + f"{axes}d" if "pool" in kind else kind
    return record(f"{kind} {name}", kind, lambda t: getattr(F, call)(t["input"], **options), {"input": x}, options=lists(options, axes),
                  outputs=outputs)


def convolutions():
    return [
        layer("Conv1d", "plain", draw(2, 2, 5), in_channels=2, out_channels=3, kernel_size=3),
        layer("Conv1d", "padding same, even kernel", draw(1, 2, 5), in_channels=2, out_channels=2, kernel_size=4, padding="same"),
        layer("Conv2d", "without bias, stride and padding an axis", draw(1, 2, 4, 5), in_channels=2, out_channels=2, kernel_size=[3, 2],
              stride=[2, 1], padding=[1, 0], bias=False),
        layer("Conv2d", "dilation and groups", draw(1, 4, 5, 5), in_channels=4, out_channels=4, kernel_size=2, dilation=2, groups=2),
        layer("Conv2d", "depthwise", draw(1, 3, 4, 4), in_channels=3, out_channels=6, kernel_size=3, padding=1, groups=3, stride=2),
        layer("Conv2d", "reflect", draw(1, 1, 3, 4), in_channels=1, out_channels=2, kernel_size=3, padding=[1, 2], padding_mode="reflect"),
        layer("Conv2d", "replicate", draw(1, 1, 3, 3), in_channels=1, out_channels=1, kernel_size=3, padding=1, padding_mode="replicate"),
        layer("Conv1d", "circular, padding same", draw(1, 1, 4), in_channels=1, out_channels=2, kernel_size=4, padding="same",
              padding_mode="circular"),
        layer("Conv3d", "stride", draw(1, 1, 3, 4, 3), in_channels=1, out_channels=2, kernel_size=2, stride=[1, 2, 1], padding=[0, 1, 0]),
        layer("ConvTranspose1d", "dilated, output padding", draw(1, 2, 3), in_channels=2, out_channels=2, kernel_size=3, stride=2,
              dilation=2, padding=1, output_padding=1),
        layer("ConvTranspose1d", "output padding beyond the stride", draw(1, 1, 3), in_channels=1, out_channels=1, kernel_size=2, stride=1,
              dilation=3, output_padding=2),
        layer("ConvTranspose2d", "groups", draw(1, 4, 2, 3), in_channels=4, out_channels=2, kernel_size=[3, 2], stride=2, groups=2,
              padding=[1, 0], output_padding=[1, 0]),
        layer("ConvTranspose2d", "without bias", draw(2, 1, 2, 2), in_channels=1, out_channels=2, kernel_size=2, bias=False),
        layer("ConvTranspose3d", "stride", draw(1, 1, 2, 1, 2), in_channels=1, out_channels=1, kernel_size=2, stride=[2, 1, 1]),
    ]


def pools():
    return [
        function("max_pool", "1d", distinct(1, 2, 7), kernel_size=3, stride=2, padding=1),
        function("max_pool", "dilation", distinct(1, 1, 5, 5), kernel_size=2, stride=1, dilation=2),
        function("max_pool", "ceil mode", distinct(1, 1, 5, 4), kernel_size=[2, 3], stride=2, ceil_mode=True),
        function("max_pool", "3d", distinct(1, 1, 2, 3, 4), kernel_size=2, stride=[1, 1, 2]),
        function("avg_pool", "padding counts", draw(1, 1, 4, 4), kernel_size=3, stride=2, padding=1),
        function("avg_pool", "padding does not count", draw(1, 1, 4, 5), kernel_size=[3, 2], stride=2, padding=1, count_include_pad=False),
        function("avg_pool", "ceil mode, padding counts", draw(1, 1, 4, 6), kernel_size=3, stride=2, padding=1, ceil_mode=True),
        function("avg_pool", "1d, ceil mode, padding does not count", draw(1, 2, 6), kernel_size=2, stride=3, padding=1, ceil_mode=True,
                 count_include_pad=False),
        function("avg_pool", "3d", draw(1, 1, 2, 4, 3), kernel_size=2),
        function("lp_pool", "2", draw(1, 1, 4, 4, low=0.1), norm_type=2, kernel_size=[2, 3], stride=1),
        function("lp_pool", "3", draw(1, 2, 5, low=0.1), norm_type=3, kernel_size=2),
        function("adaptive_avg_pool", "to less", draw(1, 2, 5, 4), output_size=[3, 2]),
        function("adaptive_avg_pool", "to more", draw(1, 1, 3), output_size=5),
        function("adaptive_max_pool", "to less", distinct(1, 2, 5, 4), output_size=[2, 3]),
    ]


def resampling():
    x, image = draw(1, 2, 4), draw(1, 1, 3, 4)
    return [
        function("interpolate", "nearest", image, size=[5, 2], mode="nearest"),
        function("interpolate", "nearest exact", image, size=[5, 3], mode="nearest-exact"),
        function("interpolate", "linear", x, size=7, mode="linear"),
        function("interpolate", "linear, aligned", x, size=3, mode="linear", align_corners=True),
        function("interpolate", "bilinear", image, size=[2, 7], mode="bilinear"),
        function("interpolate", "bilinear, aligned", image, size=[5, 1], mode="bilinear", align_corners=True),
        function("interpolate", "bilinear by 2", image, scale_factor=2, mode="bilinear"),
        function("interpolate", "nearest by 3", x, scale_factor=3, mode="nearest"),
        function("interpolate", "trilinear", draw(1, 1, 2, 2, 3), size=[3, 1, 4], mode="trilinear"),
        function("pad", "reflect", image, pad=[1, 2, 2, 0], mode="reflect"),
        function("pad", "replicate", image, pad=[1, 2, 3, 0], mode="replicate"),
        function("pad", "circular", image, pad=[1, 2, 3, 0], mode="circular"),
        function("pad", "constant", image, pad=[1, 0, 0, 2], mode="constant", value=0.5),
        function("pixel_shuffle", "by 2", draw(1, 8, 2, 1), upscale_factor=2),
        function("pixel_unshuffle", "by 2", draw(1, 2, 2, 4), downscale_factor=2),
        function("unfold", "padding, dilation", draw(1, 2, 4, 5), kernel_size=[2, 3], padding=1, stride=2, dilation=[2, 1]),
        record("fold overlapping", "fold", lambda t: F.fold(t["input"], output_size=[4, 3], kernel_size=2, stride=1, padding=[1, 0]),
               {"input": draw(1, 8, 10)},
               options={"output_size": [4, 3], "kernel_size": [2, 2], "stride": [1, 1], "padding": [1, 0]}),
    ]


CASES = [*convolutions(), *pools(), *resampling()]
write_json("conv.json", made_by("conv.py"), "cases", CASES)
