# SPDX-License-Identifier: Apache-2.0
"""Layers and stacks of transformers, rotary embedding, and the blocks of Llama and GPT, in fp64: values and gradients.

usage: python transformer.py      writes transformer.json

The blocks of Llama and GPT are those of traces.py, written down here with the options that the recordings vary.
"""

import warnings

import torch
from common import made_by, write_json
from modules import draw, fill, record
from torch import nn

warnings.filterwarnings("ignore", category=UserWarning)  # torch.nn.Transformer tells of its fast path
C, H, F = 4, 2, 3


def parameters(module):
    return {f"m.{key}": value for key, value in module.named_parameters()}


def option_names(options):
    return {key: value for key, value in options.items() if not isinstance(value, nn.Module)}


def hidden_later(count, other=None):
    return torch.triu(torch.ones(count, other or count, dtype=torch.bool), 1)


def causal_masks(call, t, pairs):
    """torch wants a mask beside its is_causal; lthost wants none."""
    return {mask: hidden_later(t[x].shape[1], t[y].shape[1]) for flag, mask, x, y in pairs if call.get(flag)}


def encoder_layer(name, masks=None, call=None, **options):
    module = fill(nn.TransformerEncoderLayer(C, H, F, 0.0, batch_first=True, **options))
    masks, call = masks or {}, call or {}
    pairs = [("causal", "src_mask", "x", "x")]

    def run(t):
        return module(t["x"], **{key: t[key] for key in masks}, **causal_masks(call, t, pairs))

    return record(f"encoder layer {name}", "TransformerEncoderLayer", run, {"x": draw(2, 3, C)} | masks, parameters(module), options | call)


def decoder_layer(name, masks=None, call=None, **options):
    module = fill(nn.TransformerDecoderLayer(C, H, F, 0.0, batch_first=True, **options))
    masks, call = masks or {}, call or {}
    pairs = [("causal", "tgt_mask", "x", "x"), ("memory_causal", "memory_mask", "x", "memory")]

    def run(t):
        return module(t["x"], t["memory"], **{key: t[key] for key in masks}, **causal_masks(call, t, pairs))

    return record(f"decoder layer {name}", "TransformerDecoderLayer", run, {"x": draw(2, 2, C), "memory": draw(2, 3, C)} | masks,
                  parameters(module), options | call)


def encoder(name, layers, masks, norm, **options):
    layer = nn.TransformerEncoderLayer(C, H, F, 0.0, batch_first=True, **options)
    module = fill(nn.TransformerEncoder(layer, layers, nn.LayerNorm(C) if norm else None, enable_nested_tensor=False))
    return record(f"encoder {name}", "TransformerEncoder", lambda t: module(t["x"], src_key_padding_mask=t["src_key_padding_mask"]),
                  {"x": draw(2, 3, C)} | masks, parameters(module), options | {"layers": layers, "norm": norm})


def decoder(name, layers, norm, **options):
    layer = nn.TransformerDecoderLayer(C, H, F, 0.0, batch_first=True, **options)
    module = fill(nn.TransformerDecoder(layer, layers, nn.LayerNorm(C) if norm else None))
    return record(f"decoder {name}", "TransformerDecoder", lambda t: module(t["x"], t["memory"], tgt_mask=hidden_later(2)),
                  {"x": draw(1, 2, C), "memory": draw(1, 3, C)}, parameters(module),
                  options | {"layers": layers, "norm": norm, "causal": True})


def transformer(name, masks, call=None, **options):
    module = fill(nn.Transformer(C, H, 1, 1, F, 0.0, batch_first=True, **options))
    call = call or {}
    pairs = [("src_causal", "src_mask", "src", "src"), ("tgt_causal", "tgt_mask", "tgt", "tgt"),
             ("memory_causal", "memory_mask", "tgt", "src")]

    def run(t):
        return module(t["src"], t["tgt"], **{key: t[key] for key in masks}, **causal_masks(call, t, pairs))

    return record(f"transformer {name}", "Transformer", run, {"src": draw(2, 3, C), "tgt": draw(2, 2, C)} | masks, parameters(module),
                  options | call)


padding = [[False, False, True], [False, True, False]]
pairs = [[False, True, False], [False, False, True], [True, False, False]]
CASES = [
    encoder_layer("as it comes"),
    encoder_layer("norms first, gelu, without biases", norm_first=True, activation="gelu", bias=False),
    encoder_layer("hidden pairs and padding", {"src_mask": pairs, "src_key_padding_mask": padding}),
    encoder_layer("an added mask, norms first, eps", {"src_mask": draw(3, 3)}, norm_first=True, layer_norm_eps=0.01),
    encoder_layer("causal", call={"causal": True}),
    decoder_layer("as it comes"),
    decoder_layer("norms first, gelu, causal", call={"causal": True}, norm_first=True, activation="gelu"),
    decoder_layer("all masks", {"tgt_mask": draw(2, 2), "memory_mask": pairs[:2],
                                "tgt_key_padding_mask": [[0.0, -1.5], [0.5, 0.0]], "memory_key_padding_mask": [[False, False, True], [False] * 3]}),
    encoder("of two layers and a last norm, norms first", 2, {"src_key_padding_mask": padding}, True, norm_first=True),
    encoder("of one layer without a last norm", 1, {"src_key_padding_mask": padding}, False),
    decoder("of two layers and a last norm", 2, True),
    transformer("as it comes", {}),
    transformer("padded source, causal target, norms first, gelu",
                {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}, {"tgt_causal": True}, norm_first=True, activation="gelu"),
    transformer("masks of pairs", {"src_mask": pairs, "tgt_mask": draw(2, 2), "memory_mask": pairs[:2],
                                   "tgt_key_padding_mask": [[0.5, 0.0], [0.0, -1.5]]}),
]
write_json("transformer.json", made_by("transformer.py"), "cases", CASES)
