# SPDX-License-Identifier: Apache-2.0
"""How torch initialises each module: the law of every parameter, and the quantiles of one sample of it.

usage: python init.py      writes init.json

A parameter's law is uniform (bound), normal (mean, std), trunc_normal (mean, std, low, high), orthogonal (gain), constant
(value) or values (all of them). The sample is what torch draws with seed 0: "quantiles" at the levels given in the head, "std" and "mean" of `count` values.
"""

import math

import numpy as np
import torch
from common import made_by, write_json
from torch import nn

LEVELS = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0]


def uniform(bound):
    return {"law": "uniform", "bound": bound}


def normal(std, mean=0.0):
    return {"law": "normal", "mean": mean, "std": std}


def constant(value):
    return {"law": "constant", "value": value}


def describe(tensor, law):
    """The sample's figures beside its law; a law that the sample contradicts stops the script."""
    values = tensor.detach().double().flatten().numpy()
    entry = {"shape": list(tensor.shape)} | law | {"count": values.size}
    if law["law"] == "constant":
        assert (values == law["value"]).all(), law
        return entry
    if law["law"] == "values":
        return entry | {"values": values.tolist()}
    expected = law["bound"] / math.sqrt(3) if law["law"] == "uniform" else law.get("sample_std", law.get("std"))
    if law["law"] == "uniform":
        assert abs(values).max() <= law["bound"] * (1 + 1e-6), law
    assert abs(values.std() / expected - 1) < 5 / math.sqrt(2 * values.size), (law, values.std(), expected)
    figures = {"sample_mean": values.mean(), "sample_std": values.std(), "quantiles": np.quantile(values, LEVELS).tolist()}
    return entry | {key: float(f"{value:.6g}") if np.isscalar(value) else [float(f"{v:.6g}") for v in value]
                    for key, value in figures.items()}


def module(kind, options, laws):
    torch.manual_seed(0)
    made = getattr(nn, kind)(**options)
    tensors = made.state_dict()
    assert set(tensors) == set(laws), (kind, set(tensors) ^ set(laws))
    return {"module": kind, "options": options, "parameters": {name: describe(tensors[name], law) for name, law in laws.items()}}


def function(name, shape, law, **options):
    """A function of torch.nn.init on an empty tensor."""
    torch.manual_seed(0)
    tensor = torch.empty(*shape)
    getattr(nn.init, name)(tensor, **options)
    return {"function": name, "options": options | {"shape": list(shape)}, "parameters": {"weight": describe(tensor, law)}}


def layer(kind, options, fan_in, bias=True):
    """Linear and convolutions: weight and bias uniform in +-1/sqrt(fan_in)."""
    law = uniform(1 / math.sqrt(fan_in))
    return module(kind, options, {"weight": law} | ({"bias": law} if bias else {}))


def recurrent(kind, inputs, hidden, layers=1, **more):
    law = uniform(1 / math.sqrt(hidden))
    options = {"input_size": inputs, "hidden_size": hidden} | ({"num_layers": layers} if layers > 1 else {}) | more
    names = [f"{name}_l{layer}{direction}" for layer in range(layers) for direction in ("", "_reverse")[:1 + more.get("bidirectional", False)]
             for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    return module(kind, options, {name: law for name in names})


def recurrent_cell(kind, inputs, hidden):
    law = uniform(1 / math.sqrt(hidden))
    return module(kind, {"input_size": inputs, "hidden_size": hidden},
                  {name: law for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")})


def batch_norm(kind, features):
    return module(kind, {"num_features": features},
                  {"weight": constant(1.0), "bias": constant(0.0), "running_mean": constant(0.0),
                   "running_var": constant(1.0), "num_batches_tracked": constant(0)})


def glorot(fan_in, fan_out):
    return uniform(math.sqrt(6 / (fan_in + fan_out)))


def attention_laws(width, project=None):
    return {"in_proj_weight": glorot(width, 3 * width), "in_proj_bias": constant(0.0),
            "out_proj.weight": project or uniform(1 / math.sqrt(width)), "out_proj.bias": constant(0.0)}


def attention(width, heads):
    return module("MultiheadAttention", {"embed_dim": width, "num_heads": heads}, attention_laws(width))


def attention_of_widths(width, heads, kdim, vdim):
    laws = attention_laws(width)
    del laws["in_proj_weight"]
    laws |= {"q_proj_weight": glorot(width, width), "k_proj_weight": glorot(kdim, width), "v_proj_weight": glorot(vdim, width)}
    return module("MultiheadAttention", {"embed_dim": width, "num_heads": heads, "kdim": kdim, "vdim": vdim}, laws)


def transformer_layer_laws(width, hidden, decodes, all_glorot=False):
    """Of a layer by itself; in torch's Transformer every matrix begins by Glorot's law."""
    laws = {}
    for name in ("self_attn", "multihead_attn")[:1 + decodes]:
        laws |= {f"{name}.{key}": law for key, law in attention_laws(width, glorot(width, width) if all_glorot else None).items()}
    for name, fan_in in (("linear1", width), ("linear2", hidden)):
        laws[f"{name}.weight"] = glorot(width, hidden) if all_glorot else uniform(1 / math.sqrt(fan_in))
        laws[f"{name}.bias"] = uniform(1 / math.sqrt(fan_in))
    return laws | norm_laws("norm1", "norm2", *(["norm3"] if decodes else []))


def norm_laws(*names):
    return {f"{name}.{key}": constant(value) for name in names for key, value in (("weight", 1.0), ("bias", 0.0))}


def transformer_layer(kind, width, heads, hidden):
    return module(kind, {"d_model": width, "nhead": heads, "dim_feedforward": hidden},
                  transformer_layer_laws(width, hidden, "Decoder" in kind))


def transformer(width, heads, hidden):
    laws = {f"{stack}.layers.0.{key}": law for stack in ("encoder", "decoder")
            for key, law in transformer_layer_laws(width, hidden, stack == "decoder", True).items()}
    return module("Transformer", {"d_model": width, "nhead": heads, "num_encoder_layers": 1, "num_decoder_layers": 1, "dim_feedforward": hidden},
                  laws | norm_laws("encoder.norm", "decoder.norm"))


def truncated(std, low, high):
    """The std of what is left of a normal law between low and high."""
    a, b = low / std, high / std
    density = [math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (a, b)]
    mass = (math.erf(b / math.sqrt(2)) - math.erf(a / math.sqrt(2))) / 2
    variance = 1 + (a * density[0] - b * density[1]) / mass - ((density[0] - density[1]) / mass) ** 2
    return {"law": "trunc_normal", "mean": 0.0, "std": std, "low": low, "high": high, "sample_std": std * math.sqrt(variance)}


WIDE = (256, 128)  # fan_out 256, fan_in 128

MODULES = [
    layer("Linear", {"in_features": 64, "out_features": 128}, 64),
    layer("Linear", {"in_features": 128, "out_features": 10}, 128),
    layer("Linear", {"in_features": 1000, "out_features": 50, "bias": False}, 1000, bias=False),
    layer("Conv1d", {"in_channels": 16, "out_channels": 32, "kernel_size": 5}, 16 * 5),
    layer("Conv2d", {"in_channels": 3, "out_channels": 64, "kernel_size": 7}, 3 * 7 * 7),
    layer("Conv2d", {"in_channels": 32, "out_channels": 64, "kernel_size": 3, "groups": 4}, 32 // 4 * 3 * 3),
    layer("ConvTranspose2d", {"in_channels": 16, "out_channels": 32, "kernel_size": 3}, 32 * 3 * 3),
    module("Embedding", {"num_embeddings": 100, "embedding_dim": 64}, {"weight": normal(1.0)}),
    module("LayerNorm", {"normalized_shape": 64}, {"weight": constant(1.0), "bias": constant(0.0)}),
    module("RMSNorm", {"normalized_shape": 64}, {"weight": constant(1.0)}),
    module("GroupNorm", {"num_groups": 4, "num_channels": 32}, {"weight": constant(1.0), "bias": constant(0.0)}),
    batch_norm("BatchNorm1d", 32),
    batch_norm("BatchNorm2d", 32),
    module("PReLU", {"num_parameters": 8}, {"weight": constant(0.25)}),
    recurrent("RNN", 32, 64),
    recurrent("LSTM", 32, 64),
    recurrent("GRU", 32, 64),
    recurrent("LSTM", 24, 32, layers=2, bidirectional=True),
    recurrent_cell("RNNCell", 32, 64),
    recurrent_cell("LSTMCell", 32, 64),
    recurrent_cell("GRUCell", 32, 64),
    attention(64, 4),
    attention_of_widths(48, 4, 32, 80),
    transformer_layer("TransformerEncoderLayer", 48, 4, 80),
    transformer_layer("TransformerDecoderLayer", 48, 4, 80),
    transformer(48, 4, 80),
    function("uniform_", WIDE, uniform(0.5), a=-0.5, b=0.5),
    function("normal_", WIDE, normal(0.02), mean=0.0, std=0.02),
    function("trunc_normal_", WIDE, truncated(1.0, -2.0, 2.0), mean=0.0, std=1.0, a=-2.0, b=2.0),
    function("trunc_normal_", WIDE, truncated(0.02, -0.02, 0.02), mean=0.0, std=0.02, a=-0.02, b=0.02),
    function("xavier_uniform_", WIDE, uniform(math.sqrt(6 / (128 + 256)))),
    function("xavier_normal_", WIDE, normal(math.sqrt(2 / (128 + 256)))),
    function("kaiming_uniform_", WIDE, uniform(math.sqrt(2) * math.sqrt(3 / 128)), nonlinearity="relu"),
    function("kaiming_normal_", WIDE, normal(math.sqrt(2 / 128)), nonlinearity="relu"),
    function("kaiming_normal_", WIDE, normal(math.sqrt(2 / 256)), mode="fan_out", nonlinearity="relu"),
    function("kaiming_uniform_", (64, 3, 7, 7), uniform(math.sqrt(2) * math.sqrt(3 / (3 * 7 * 7))), nonlinearity="relu"),
    function("orthogonal_", (64, 64), {"law": "orthogonal", "gain": 1.0, "sample_std": 1 / math.sqrt(64)}),
    function("orthogonal_", (64, 32), {"law": "orthogonal", "gain": 2.0, "sample_std": 2 / math.sqrt(64)}, gain=2.0),
    function("eye_", (3, 4), {"law": "values"}),
    function("dirac_", (4, 3, 3), {"law": "values"}, groups=2),
]

write_json("init.json", made_by("init.py") | {"levels": LEVELS}, "modules", MODULES)
