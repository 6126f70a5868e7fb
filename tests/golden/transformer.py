# SPDX-License-Identifier: Apache-2.0
"""Layers and stacks of transformers, rotary embedding, and the blocks of Llama and GPT, in fp64: values and gradients.

usage: python transformer.py      writes transformer.json

torch has no rotary embedding and no blocks of Llama and GPT: they are written down here as Llama's own code, Hugging Face's and
nanoGPT have them.
"""

import warnings

import torch
import torch.nn.functional as F
from common import made_by, write_json
from modules import draw, fill, record
from torch import nn

warnings.filterwarnings("ignore", category=UserWarning)  # torch.nn.Transformer tells of its fast path
C, H, WIDTH = 4, 2, 3


def parameters(module):
    return {f"m.{key}": value for key, value in module.named_parameters()}


def hidden_later(count, other=None):
    return torch.triu(torch.ones(count, other or count, dtype=torch.bool), 1)


def causal_masks(call, t, pairs):
    """torch wants a mask beside its is_causal; lthost wants none."""
    return {mask: hidden_later(t[x].shape[1], t[y].shape[1]) for flag, mask, x, y in pairs if call.get(flag)}


def encoder_layer(name, masks=None, call=None, **options):
    module = fill(nn.TransformerEncoderLayer(C, H, WIDTH, 0.0, batch_first=True, **options))
    masks, call = masks or {}, call or {}
    pairs = [("causal", "src_mask", "x", "x")]

    def run(t):
        return module(t["x"], **{key: t[key] for key in masks}, **causal_masks(call, t, pairs))

    return record(f"encoder layer {name}", "TransformerEncoderLayer", run, {"x": draw(2, 3, C)} | masks, parameters(module), options | call)


def decoder_layer(name, masks=None, call=None, **options):
    module = fill(nn.TransformerDecoderLayer(C, H, WIDTH, 0.0, batch_first=True, **options))
    masks, call = masks or {}, call or {}
    pairs = [("causal", "tgt_mask", "x", "x"), ("memory_causal", "memory_mask", "x", "memory")]

    def run(t):
        return module(t["x"], t["memory"], **{key: t[key] for key in masks}, **causal_masks(call, t, pairs))

    return record(f"decoder layer {name}", "TransformerDecoderLayer", run, {"x": draw(2, 2, C), "memory": draw(2, 3, C)} | masks,
                  parameters(module), options | call)


def encoder(name, layers, masks, norm, **options):
    layer = nn.TransformerEncoderLayer(C, H, WIDTH, 0.0, batch_first=True, **options)
    module = fill(nn.TransformerEncoder(layer, layers, nn.LayerNorm(C) if norm else None, enable_nested_tensor=False))
    return record(f"encoder {name}", "TransformerEncoder", lambda t: module(t["x"], src_key_padding_mask=t["src_key_padding_mask"]),
                  {"x": draw(2, 3, C)} | masks, parameters(module), options | {"layers": layers, "norm": norm})


def decoder(name, layers, norm, **options):
    layer = nn.TransformerDecoderLayer(C, H, WIDTH, 0.0, batch_first=True, **options)
    module = fill(nn.TransformerDecoder(layer, layers, nn.LayerNorm(C) if norm else None))
    return record(f"decoder {name}", "TransformerDecoder", lambda t: module(t["x"], t["memory"], tgt_mask=hidden_later(2)),
                  {"x": draw(1, 2, C), "memory": draw(1, 3, C)}, parameters(module),
                  options | {"layers": layers, "norm": norm, "causal": True})


def transformer(name, masks, call=None, **options):
    module = fill(nn.Transformer(C, H, 1, 1, WIDTH, 0.0, batch_first=True, **options))
    call = call or {}
    pairs = [("src_causal", "src_mask", "src", "src"), ("tgt_causal", "tgt_mask", "tgt", "tgt"),
             ("memory_causal", "memory_mask", "tgt", "src")]

    def run(t):
        return module(t["src"], t["tgt"], **{key: t[key] for key in masks}, **causal_masks(call, t, pairs))

    return record(f"transformer {name}", "Transformer", run, {"src": draw(2, 3, C), "tgt": draw(2, 2, C)} | masks, parameters(module),
                  options | call)


# --- rotary embedding and sinusoidal positions ----------------------------------------------------------------------------------
def angles(T, R, theta, first):
    return torch.outer(torch.arange(first, first + T, dtype=torch.float64),
                       theta ** (-torch.arange(0, R, 2, dtype=torch.float64) / R))


def rotated(x, R=None, theta=10000.0, first=0, interleaved=False):
    """x (..., T, D), of whose channels the first R are rotated."""
    R = R or x.shape[-1]
    angle, part, rest = angles(x.shape[-2], R, theta, first), x[..., :R], x[..., R:]
    if interleaved:  # as complex numbers
        pairs = torch.view_as_complex(part.reshape(*part.shape[:-1], R // 2, 2).contiguous())
        part = torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2)
    else:
        cos, sin = (torch.cat((f(angle), f(angle)), -1) for f in (torch.cos, torch.sin))
        a, b = part.chunk(2, -1)
        part = part * cos + torch.cat((-b, a), -1) * sin
    return torch.cat((part, rest), -1)


def rotary(name, **options):
    names = {"R": "channels"}
    return record(f"rotary {name}", "rotary", lambda t: rotated(t["x"], **options), {"x": draw(2, 2, 3, 6)},
                  options={names.get(key, key): value for key, value in options.items()})


def sinusoidal(name, theta=10000.0, first=0):
    def run(t):
        angle = angles(4, 6, theta, first)
        table = torch.zeros(4, 6, dtype=torch.float64)
        table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
        return t["x"] + table

    return record(f"sinusoidal {name}", "sinusoidal", run, {"x": draw(1, 4, 6)}, options={"theta": theta, "first": first})


# --- a block of GPT -------------------------------------------------------------------------------------------------------------
class GptBlock(nn.Module):
    def __init__(self, bias, approximate):
        super().__init__()
        self.approximate = approximate
        self.ln_1, self.ln_2 = (nn.LayerNorm(C, bias=bias) for _ in range(2))
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(C, 3 * C, bias), "c_proj": nn.Linear(C, C, bias)})
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(C, WIDTH, bias), "c_proj": nn.Linear(WIDTH, C, bias)})

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (H, -1)).transpose(1, 2) for part in self.attn["c_attn"](self.ln_1(x)).split(C, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.attn["c_proj"](y)
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate=self.approximate))


def gpt(name, bias, approximate):
    module = fill(GptBlock(bias, approximate))
    return record(f"GPT's block {name}", "GptBlock", lambda t: module(t["x"]), {"x": draw(2, 3, C)}, parameters(module),
                  {"bias": bias, "tanh": approximate == "tanh"})


# --- a layer of Llama -----------------------------------------------------------------------------------------------------------
class GroupedAttention(nn.Module):
    def __init__(self, heads=2, groups=1, head=2, bias=False):
        super().__init__()
        self.heads = (heads, groups, groups)
        self.q_proj = nn.Linear(C, heads * head, bias)
        self.k_proj, self.v_proj = (nn.Linear(C, groups * head, bias) for _ in range(2))
        self.o_proj = nn.Linear(heads * head, C, bias=False)

    def forward(self, x, mask, rotation):
        parts = zip((self.q_proj, self.k_proj, self.v_proj), self.heads)
        q, k, v = (projection(x).unflatten(-1, (heads, -1)).transpose(1, 2) for projection, heads in parts)
        if rotation is not None:
            q, k = rotated(q, **rotation), rotated(k, **rotation)
        seen = ~hidden_later(x.shape[1]) if mask is None else mask & ~hidden_later(x.shape[1])
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class LlamaLayer(nn.Module):
    def __init__(self, eps=1e-5, **options):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = (nn.RMSNorm(C, eps) for _ in range(2))
        self.self_attn = GroupedAttention(**options)
        self.mlp = nn.ModuleDict({"gate_proj": nn.Linear(C, WIDTH, False), "up_proj": nn.Linear(C, WIDTH, False),
                                  "down_proj": nn.Linear(WIDTH, C, False)})

    def forward(self, x, mask, rotation):
        x = x + self.self_attn(self.input_layernorm(x), mask, rotation)
        h, mlp = self.post_attention_layernorm(x), self.mlp
        return x + mlp["down_proj"](F.silu(mlp["gate_proj"](h)) * mlp["up_proj"](h))


def llama(kind, name, rotation=None, mask=None, **options):
    module = fill({"GroupedQueryAttention": GroupedAttention, "LlamaLayer": LlamaLayer}[kind](**options))
    inputs = {"x": draw(2, 3, C)} | ({"mask": mask} if mask else {})
    names = {"R": "channels"}
    rotary = {"rotary": rotation is not None} | {names.get(key, key): value for key, value in (rotation or {}).items()}
    return record(f"{kind} {name}", kind, lambda t: module(t["x"], t.get("mask"), rotation), inputs, parameters(module), options | rotary)


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
    rotary("of halves"),
    rotary("of neighbours", interleaved=True),
    rotary("of some channels, from a place on, theta", R=4, theta=100.0, first=7),
    rotary("of some neighbours", R=2, interleaved=True),
    sinusoidal("from the first place on"),
    sinusoidal("from a place on, theta", 50.0, 9),
    gpt("without biases", False, "none"),
    gpt("with biases, GELU by tanh", True, "tanh"),
    llama("GroupedQueryAttention", "of two heads on one, rotated", {}),
    llama("GroupedQueryAttention", "of four wide heads on two with biases, a mask, neighbours of some channels rotated from a place on",
          {"R": 2, "theta": 100.0, "first": 5, "interleaved": True}, [[True, True, True], [True, False, True], [True, True, False]],
          heads=4, groups=2, head=4, bias=True),
    llama("GroupedQueryAttention", "of as many heads of each, not rotated", heads=2, groups=2),
    llama("LlamaLayer", "rotated", {}),
    llama("LlamaLayer", "of other options", {"theta": 50.0}, eps=0.01, groups=2),
]
write_json("transformer.json", made_by("transformer.py"), "cases", CASES)
