# SPDX-License-Identifier: Apache-2.0
"""Attention and the layers made of it, in fp64: values and gradients.

usage: python attention.py      writes attention.json

Masks are as torch has them: true where a key is seen in scaled_dot_product_attention, where it is NOT in MultiheadAttention.
"""

import torch
import torch.nn.functional as F
from common import made_by, write_json
from modules import draw, fill, record
from torch import nn


def sdpa(name, B, H, G, T, S, **options):
    mask = options.pop("attn_mask", None)
    inputs = {"query": draw(B, H, T, 4), "key": draw(B, G, S, 4), "value": draw(B, G, S, 3)}
    inputs |= {"attn_mask": mask} if mask else {}
    return record(f"attention {name}", "scaled_dot_product_attention",
                  lambda t: F.scaled_dot_product_attention(**t, **options, enable_gqa=H != G), inputs, options=options)


def multihead(name, inputs, masks=None, call=None, **options):
    module = fill(nn.MultiheadAttention(**options, batch_first=True))
    call, masks = call or {}, masks or {}
    C = module.embed_dim

    def run(t):
        query = t["query"]
        key = t.get("key", query)
        more = {"attn_mask": torch.triu(torch.ones(query.shape[1], key.shape[1], dtype=torch.bool), 1)} if call.get("causal") else {}
        return module(query, key, t.get("value", key), **{k: t[k] for k in masks}, **more,
                      average_attn_weights=call.get("average_attn_weights", True))

    return record(f"multi-head attention {name}", "MultiheadAttention", run, inputs | masks,
                  {f"m.{key}": value for key, value in module.named_parameters()}, options | call, ("output", "weights"))


hidden = [[False, True, False, False], [True, False, False, True], [False, False, False, False]]
padding = [[False, False, False, True], [False, False, True, True]]
square = {"query": draw(2, 3, 4)}
cross = {"query": draw(2, 3, 4), "key": draw(2, 4, 4)}
CASES = [
    sdpa("plain", 2, 2, 2, 3, 4),
    sdpa("causal", 1, 2, 2, 4, 4, is_causal=True),
    sdpa("scale", 1, 2, 2, 3, 3, scale=0.25),
    sdpa("grouped heads, causal", 2, 4, 2, 3, 3, is_causal=True),
    sdpa("mask true where a key is seen", 1, 2, 2, 3, 4, attn_mask=[[not h for h in row] for row in hidden]),
    sdpa("added mask of each head, by which it is differentiated, too", 2, 2, 1, 3, 4, attn_mask=draw(2, 3, 4)),
    multihead("self", square, embed_dim=4, num_heads=2),
    multihead("self without bias, weights of each head", square, call={"average_attn_weights": False}, embed_dim=4, num_heads=2, bias=False),
    multihead("self, causal", square, call={"causal": True}, embed_dim=4, num_heads=2),
    multihead("cross, padded keys", cross, {"key_padding_mask": padding}, embed_dim=4, num_heads=2),
    multihead("cross, hidden pairs and padded keys", cross, {"attn_mask": hidden, "key_padding_mask": padding}, embed_dim=4, num_heads=1),
    multihead("an added mask and padded keys", cross, {"attn_mask": draw(3, 4), "key_padding_mask": [[0.0] * 3 + [-2.5], [0.5] + [0.0] * 3]},
              embed_dim=4, num_heads=2),
    multihead("a mask of each sequence and head", cross, {"attn_mask": draw(4, 3, 4)}, embed_dim=4, num_heads=2),
    multihead("keys and values of other widths", {"query": draw(2, 3, 4), "key": draw(2, 4, 3), "value": draw(2, 4, 5)},
              embed_dim=4, num_heads=2, kdim=3, vdim=5),
]
write_json("attention.json", made_by("attention.py"), "cases", CASES)
