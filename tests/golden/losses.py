# SPDX-License-Identifier: Apache-2.0
"""Values and gradients of losses, distances, activations, softmaxes and layer norm on small fp64 inputs.

usage: python losses.py      writes losses.json

A case names the function of torch.nn.functional (or torch), its tensors and its options by torch's own names. "grads" are those of
sum(output * upstream), of the output itself where it is a scalar; by a target of numbers, too, where torch has finite ones. Inputs
are short decimals: reading them gives torch's very doubles. Cases named "at kinks" hold torch's choice of subgradient.
"""

import warnings

import numpy as np
import torch
import torch.nn.functional as F
from common import made_by, write_json

random = np.random.default_rng(7)


def draw(*shape, low=-2.0, high=2.0):
    return random.uniform(low, high, shape).round(3).tolist()


def tensor(value):
    """Integers and booleans (a class, an index, a mask) keep their type; all else is fp64."""
    return torch.from_numpy(np.array(value))  # numpy reads Python's floats as float64, torch.tensor would as float32


# Whose target is a class or a sign, though a number: torch does not differentiate by it.
CLASSES_OR_SIGNS = ("soft_margin_loss", "hinge_embedding_loss", "margin_ranking_loss", "cosine_embedding_loss", "contrastive_loss")


def case(name, function, inputs, wrt=("input",), **options):
    call = globals().get(function) or getattr(F, function, None) or getattr(torch, function)
    tensors = {key: tensor(value) for key, value in inputs.items()}
    if "target" in inputs and tensors["target"].is_floating_point() and "target" not in wrt and function not in CLASSES_OR_SIGNS:
        wrt = (*wrt, "target")
    for key in wrt:
        tensors[key].requires_grad_(True)
    output = call(**tensors, **options)
    assert output.dtype == torch.float64
    entry = {"name": name, "function": function, "inputs": inputs, "options": options, "output": output.tolist()}
    if output.dim() == 0:
        output.backward()
    else:
        entry["upstream"] = draw(*output.shape)
        output.backward(tensor(entry["upstream"]))
    entry["grads"] = {key: tensors[key].grad.tolist() for key in wrt if key != "target" or tensors[key].grad.isfinite().all()}
    return entry


# What torch.nn.functional does not have (torchvision's focal loss, losses of papers), and CTC by its logits: torch's gradient by
# log probabilities leaves out the part that log_softmax adds.

def sigmoid_focal_loss(input, target, alpha=0.25, gamma=2.0):
    p, ce = input.sigmoid(), F.binary_cross_entropy_with_logits(input, target, reduction="none")
    loss = ce * (1 - (p * target + (1 - p) * (1 - target))) ** gamma
    return (loss * (alpha * target + (1 - alpha) * (1 - target)) if alpha >= 0 else loss).mean()


def dice_loss(input, target, smooth=1.0):
    x, y = input.flatten(1), target.flatten(1)
    return (1 - (2 * (x * y).sum(1) + smooth) / (x.sum(1) + y.sum(1) + smooth)).mean()


def jaccard_loss(input, target, smooth=1.0):
    x, y = input.flatten(1), target.flatten(1)
    return (1 - ((x * y).sum(1) + smooth) / (x.sum(1) + y.sum(1) - (x * y).sum(1) + smooth)).mean()


def contrastive_loss(input1, input2, target, margin=1.0):
    d = torch.linalg.vector_norm(input1 - input2, dim=-1)
    return torch.where(target > 0, d ** 2 / 2, (margin - d).clamp_min(0) ** 2 / 2).mean()


def info_nce_loss(query, positive, negatives=None, temperature=0.1):
    q, k = F.normalize(query, dim=1), F.normalize(positive, dim=1)
    if negatives is None:
        return F.cross_entropy(q @ k.T / temperature, torch.arange(len(q)))
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ F.normalize(negatives, dim=1).T], 1)
    return F.cross_entropy(logits / temperature, torch.zeros(len(q), dtype=torch.long))


def nt_xent_loss(input1, input2, temperature=0.5):
    z, n = F.normalize(torch.cat([input1, input2]), dim=1), len(input1)
    logits = (z @ z.T / temperature).masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
    return F.cross_entropy(logits, (torch.arange(2 * n) + n) % (2 * n))


def clip_loss(image, text, scale):
    logits = scale * F.normalize(image, dim=1) @ F.normalize(text, dim=1).T
    own = torch.arange(len(image))
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def ctc_loss(input, target, input_lengths, target_lengths, **options):
    return F.ctc_loss(F.log_softmax(input, 2), target, input_lengths, target_lengths, **options)


def swiglu(gate, input):
    return F.silu(gate) * input


def geglu(gate, input):
    return F.gelu(gate) * input


def reglu(gate, input):
    return F.relu(gate) * input


def classification():
    logits, target = draw(4, 5), [1, 0, 4, 2]
    ignored, weight = [1, -100, 4, 2], [0.5, 1.0, 2.0, 0.25, 1.5]
    soft = [[0.1, 0.2, 0.3, 0.4, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.2, 0.2, 0.2], [0.0, 0.5, 0.0, 0.5, 0.0]]
    plain, weighted = {"input": logits, "target": target}, {"input": logits, "target": target, "weight": weight}
    masked = {"input": logits, "target": ignored}
    cases = [case(f"cross_entropy {reduction}", "cross_entropy", plain, reduction=reduction) for reduction in ("mean", "sum", "none")]
    cases += [
        case("cross_entropy label smoothing", "cross_entropy", plain, label_smoothing=0.1),
        case("cross_entropy label smoothing, sum", "cross_entropy", plain, label_smoothing=0.1, reduction="sum"),
        case("cross_entropy ignore_index", "cross_entropy", masked, ignore_index=-100),
        case("cross_entropy ignore_index of a class", "cross_entropy", plain, ignore_index=4),
        case("cross_entropy ignore_index, none", "cross_entropy", masked, ignore_index=-100, reduction="none"),
        case("cross_entropy weights: mean divides by the sum of the weights", "cross_entropy", weighted),
        case("cross_entropy weights, sum", "cross_entropy", weighted, reduction="sum"),
        case("cross_entropy weights, label smoothing", "cross_entropy", weighted, label_smoothing=0.1),
        case("cross_entropy weights, label smoothing, ignore_index", "cross_entropy", masked | {"weight": weight},
             label_smoothing=0.2, ignore_index=-100),
        case("cross_entropy probabilities as target", "cross_entropy", {"input": logits, "target": soft}),
        case("cross_entropy large logits", "cross_entropy",
             {"input": [[1000.0, -1000.0, 0.0], [-800.0, 900.0, 899.0]], "target": [2, 1]}),
        case("cross_entropy (N, C, d)", "cross_entropy", {"input": draw(2, 3, 4), "target": [[0, 1, 2, 1], [2, 2, 0, 1]]}),
    ]
    log_p = F.log_softmax(tensor(logits), 1).numpy().round(4).tolist()
    nll = {"input": log_p, "target": target}
    cases += [
        case("nll_loss mean", "nll_loss", nll), case("nll_loss sum", "nll_loss", nll, reduction="sum"),
        case("nll_loss weights", "nll_loss", nll | {"weight": weight}),
        case("nll_loss ignore_index", "nll_loss", {"input": log_p, "target": ignored}, ignore_index=-100),
        case("multi_margin_loss", "multi_margin_loss", plain),
        case("multi_margin_loss p 2, margin 0.5", "multi_margin_loss", plain, p=2, margin=0.5),
        case("multi_margin_loss weights", "multi_margin_loss", weighted),
    ]
    zeros = {"input": [[0.0, 1.0, -1.0], [2.0, 2.0, 2.0]], "target": [0, 2]}
    maps = draw(2, 3, 2, 2)
    labels = {"input": maps, "target": [[[0, 1], [2, -1]], [[1, -1], [0, 2]]]}
    return cases + [
        case("multi_margin_loss at kinks", "multi_margin_loss", zeros),
        case("cross_entropy (N, C, d, d), weights, smoothing, ignore_index", "cross_entropy", labels | {"weight": [0.5, 2.0, 1.0]},
             label_smoothing=0.3, ignore_index=-1),
        case("cross_entropy (N, C, d, d), none", "cross_entropy", labels, ignore_index=-1, reduction="none"),
        case("cross_entropy probabilities, weights, smoothing", "cross_entropy", {"input": logits, "target": soft, "weight": weight},
             label_smoothing=0.2),
        case("cross_entropy probabilities (N, C, d), none", "cross_entropy",
             {"input": maps[0], "target": F.softmax(tensor(draw(3, 2, 2)), 1).numpy().round(4).tolist()}, reduction="none"),
        case("cross_entropy probabilities, large logits", "cross_entropy",
             {"input": [[1000.0, -1000.0, 0.0], [-800.0, 900.0, 899.0]], "target": [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]]}, reduction="sum"),
        case("nll_loss (N, C, d, d), weights, none", "nll_loss", labels | {"weight": [0.5, 2.0, 1.0]}, ignore_index=-1, reduction="none"),
    ]


def regression():
    a, b = draw(3, 4, low=-3, high=3), draw(3, 4, low=-3, high=3)
    pair = {"input": a, "target": b}
    both = ("input", "target")
    cases = [case(f"{name} {reduction}", name, pair, wrt=both, reduction=reduction)
             for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss") for reduction in ("mean", "sum")]
    edges = {"input": [0.0, 1.0, -1.0, 2.0, -2.0], "target": [0.0] * 5}
    variance = draw(3, 4, low=0.1, high=3)
    gaussian = {"input": a, "target": b, "var": variance}
    return cases + [
        case("mse_loss none", "mse_loss", pair, reduction="none"),
        case("smooth_l1_loss beta 0.5", "smooth_l1_loss", pair, beta=0.5),
        case("smooth_l1_loss beta 0 is l1", "smooth_l1_loss", pair, beta=0.0),
        case("huber_loss delta 2", "huber_loss", pair, delta=2.0),
        case("l1_loss at kinks", "l1_loss", edges, reduction="sum"),
        case("smooth_l1_loss at kinks", "smooth_l1_loss", edges, reduction="sum"),
        case("huber_loss at kinks", "huber_loss", edges, reduction="sum"),
        case("gaussian_nll_loss", "gaussian_nll_loss", gaussian, wrt=("input", "var"), full=False, eps=1e-6),
        case("gaussian_nll_loss full, sum", "gaussian_nll_loss", gaussian, wrt=("input", "var"), full=True, reduction="sum"),
        case("gaussian_nll_loss variance below eps", "gaussian_nll_loss",
             {"input": [0.5, 1.0], "target": [0.501, 1.0], "var": [1e-8, 0.5]}, wrt=("input", "var"), eps=1e-4),
        case("poisson_nll_loss log input", "poisson_nll_loss", {"input": a, "target": variance}, log_input=True),
        case("poisson_nll_loss full", "poisson_nll_loss", {"input": a, "target": [[0.0, 1.0, 2.0, 3.5]] * 3}, log_input=True, full=True),
        case("poisson_nll_loss", "poisson_nll_loss", {"input": variance, "target": draw(3, 4, low=0, high=4)}, log_input=False),
    ]


def binary_and_distances():
    logits, bits = draw(3, 4, low=-4, high=4), random.integers(0, 2, (3, 4)).astype(float).tolist()
    binary = {"input": logits, "target": bits}
    p = draw(3, 4, low=0.05, high=0.95)
    log_q = F.log_softmax(tensor(draw(3, 4)), 1).numpy().round(4).tolist()
    target = F.softmax(tensor(draw(3, 4)), 1).numpy().round(4).tolist()
    signs = [1.0, -1.0, -1.0]
    vectors = {"input1": draw(3, 4), "input2": draw(3, 4)}
    triplet = {"anchor": draw(3, 4), "positive": draw(3, 4), "negative": draw(3, 4)}
    return [
        case("binary_cross_entropy_with_logits mean", "binary_cross_entropy_with_logits", binary),
        case("binary_cross_entropy_with_logits sum", "binary_cross_entropy_with_logits", binary, reduction="sum"),
        case("binary_cross_entropy_with_logits soft targets", "binary_cross_entropy_with_logits", {"input": logits, "target": p}),
        case("binary_cross_entropy_with_logits pos_weight", "binary_cross_entropy_with_logits",
             binary | {"pos_weight": [0.5, 1.0, 3.0, 10.0]}),
        case("binary_cross_entropy_with_logits weight", "binary_cross_entropy_with_logits", binary | {"weight": draw(3, 4, low=0)}),
        case("binary_cross_entropy_with_logits large logits", "binary_cross_entropy_with_logits",
             {"input": [500.0, -500.0, 500.0, -500.0, 0.0], "target": [1.0, 1.0, 0.0, 0.0, 0.5]}, reduction="none"),
        case("binary_cross_entropy", "binary_cross_entropy", {"input": p, "target": bits}),
        case("binary_cross_entropy weight, sum", "binary_cross_entropy", {"input": p, "target": bits, "weight": draw(3, 4, low=0)},
             reduction="sum"),
        case("binary_cross_entropy at the ends", "binary_cross_entropy",
             {"input": [0.0, 1.0, 0.0, 1.0, 0.0, 1e-14], "target": [0.0, 1.0, 1.0, 0.0, 0.5, 1.0]}, reduction="none"),
        case("binary_cross_entropy soft targets", "binary_cross_entropy", {"input": p, "target": p[::-1]}, wrt=("input", "target")),
        case("sigmoid_focal_loss", "sigmoid_focal_loss", binary), case("sigmoid_focal_loss gamma 1.5, no alpha", "sigmoid_focal_loss",
             binary, alpha=-1.0, gamma=1.5),
        case("sigmoid_focal_loss large logits", "sigmoid_focal_loss",
             {"input": [500.0, -500.0, 500.0, -500.0, 0.0], "target": [1.0, 1.0, 0.0, 0.0, 0.0]}),
        case("multilabel_soft_margin_loss", "multilabel_soft_margin_loss", binary),
        case("multilabel_soft_margin_loss weight, none", "multilabel_soft_margin_loss", binary | {"weight": [0.5, 1.0, 2.0, 0.0]},
             reduction="none"),
        case("multilabel_margin_loss", "multilabel_margin_loss", {"input": logits, "target": [[3, 0, -1, 1], [-1, 2, 2, 2], [0, 1, 2, 3]]}),
        case("multilabel_margin_loss at kinks", "multilabel_margin_loss",
             {"input": [[0.0, 1.0, 1.0], [2.0, 2.0, 1.0]], "target": [[1, -1, 2], [2, -1, 0]]}, reduction="none"),
        case("dice_loss", "dice_loss", {"input": [p], "target": [bits]}), case("jaccard_loss smooth 0.1", "jaccard_loss",
             {"input": p, "target": bits}, smooth=0.1),
        case("soft_margin_loss", "soft_margin_loss", {"input": draw(3), "target": signs}),
        case("kl_div batchmean", "kl_div", {"input": log_q, "target": target}, reduction="batchmean"),
        case("kl_div mean", "kl_div", {"input": log_q, "target": target}, reduction="mean"),
        case("kl_div log_target, sum", "kl_div", {"input": log_q, "target": log_q[::-1]}, reduction="sum", log_target=True),
        case("kl_div zero in target", "kl_div", {"input": [[-0.5, -1.0]], "target": [[1.0, 0.0]]}, reduction="sum"),
        case("hinge_embedding_loss", "hinge_embedding_loss", {"input": [0.3, 0.4, 1.7], "target": signs}),
        case("hinge_embedding_loss margin 2, sum", "hinge_embedding_loss", {"input": [0.3, 0.4, 1.7], "target": signs},
             margin=2.0, reduction="sum"),
        case("margin_ranking_loss", "margin_ranking_loss",
             {"input1": [0.5, 1.0, -1.0], "input2": [1.0, 0.25, 1.5], "target": signs}, wrt=("input1", "input2"), margin=0.5),
        case("cosine_similarity", "cosine_similarity", {"x1": vectors["input1"], "x2": vectors["input2"]}, wrt=("x1", "x2"), dim=1),
        case("cosine_embedding_loss", "cosine_embedding_loss", vectors | {"target": signs}, wrt=("input1", "input2")),
        case("cosine_embedding_loss margin -0.5", "cosine_embedding_loss", vectors | {"target": signs}, wrt=("input1", "input2"),
             margin=-0.5),
        case("margin_ranking_loss at kinks, none", "margin_ranking_loss",
             {"input1": [0.5, 1.0, 2.0], "input2": [0.5, 1.0, 1.0], "target": signs}, wrt=("input1", "input2"), reduction="none"),
        case("hinge_embedding_loss at kinks", "hinge_embedding_loss", {"input": [0.3, 1.0, 2.0], "target": signs}, reduction="none"),
        case("soft_margin_loss large", "soft_margin_loss", {"input": [600.0, 600.0, -700.0], "target": signs}, reduction="sum"),
        case("cosine_similarity of nothing", "cosine_similarity", {"x1": [[0.0, 0.0], [1.0, 0.0]], "x2": [[1.0, 2.0], [0.0, 3.0]]},
             wrt=("x1", "x2"), dim=1),
        *(case(f"triplet_margin_loss {options}", "triplet_margin_loss", triplet, wrt=("anchor", "positive", "negative"), **options)
          for options in ({"margin": 1.0}, {"swap": True}, {"p": 1.0, "margin": 2.5}, {"p": 3.0, "swap": True, "reduction": "none"},
                          {"p": 2.0, "eps": 0.01, "margin": 0.1, "reduction": "sum"})),
    ]


def distances():
    x, y, z = draw(3, 4), draw(3, 4), draw(2, 4)
    pair, same = {"x1": x, "x2": y}, {"x1": [[1.0, 2.0], [0.5, 0.5]], "x2": [[1.0, 2.0], [0.5, -1.0]]}
    views = {"input1": x, "input2": y}
    both, names = ("x1", "x2"), ("input1", "input2")
    return [
        *(case(f"pairwise_distance p {p}", "pairwise_distance", pair, wrt=both, p=p) for p in (1.0, 2.0, 3.5)),
        case("pairwise_distance keepdim, eps 0.5", "pairwise_distance", pair, wrt=both, eps=0.5, keepdim=True),
        *(case(f"cdist p {p}", "cdist", {"x1": x, "x2": z}, wrt=both, p=p) for p in (1.0, 2.0, 3.5)),
        case("cdist batched", "cdist", {"x1": [x, y], "x2": [z, z]}, wrt=both),
        case("cdist of equal points", "cdist", same, wrt=both),
        case("normalize", "normalize", {"input": [[3.0, 4.0], [0.0, 0.0]]}, dim=1),
        case("contrastive_loss", "contrastive_loss", views | {"target": [1.0, -1.0, -1.0]}, wrt=names, margin=3.0),
        case("info_nce_loss", "info_nce_loss", {"query": x, "positive": y}, wrt=("query", "positive")),
        case("info_nce_loss negatives", "info_nce_loss", {"query": x, "positive": y, "negatives": z}, wrt=("query", "positive", "negatives"),
             temperature=0.07),
        case("nt_xent_loss", "nt_xent_loss", views, wrt=names), case("nt_xent_loss 0.1", "nt_xent_loss", views, wrt=names, temperature=0.1),
        case("clip_loss", "clip_loss", {"image": x, "text": y, "scale": 14.25}, wrt=("image", "text", "scale")),
    ]


def ctc():
    x = draw(6, 3, 4)
    whole = {"input": x, "target": [[1, 2, 3], [2, 2, -1], [3, 9, 9]], "input_lengths": [6, 5, 4], "target_lengths": [3, 2, 1]}
    empty = whole | {"target_lengths": [0, 2, 1]}
    impossible = whole | {"target": [[1, 1, 1], [2, 1, 2], [3, 3, 1]], "input_lengths": [4, 6, 5], "target_lengths": [3, 3, 2]}
    long = np.random.default_rng(40).uniform(-2, 2, (67, 2, 3)).round(2).tolist()
    peaked = [[[0.0, 400.0, 0.0, 0.0]], [[0.0, 0.0, -400.0, 0.0]], [[400.0, 0.0, 0.0, 0.0]]]
    return [
        *(case(f"ctc_loss {reduction}", "ctc_loss", whole, reduction=reduction) for reduction in ("mean", "sum", "none")),
        case("ctc_loss an empty target", "ctc_loss", empty, reduction="none"), case("ctc_loss an empty target, mean", "ctc_loss", empty),
        case("ctc_loss blank 3", "ctc_loss", whole | {"target": [[1, 2, 0], [2, 2, -1], [0, 9, 9]]}, blank=3),
        case("ctc_loss impossible, zero_infinity", "ctc_loss", impossible, reduction="none", zero_infinity=True),
        case("ctc_loss impossible, zero_infinity, mean", "ctc_loss", impossible, zero_infinity=True),
        case("ctc_loss as long as it can be", "ctc_loss", impossible | {"input_lengths": [5, 6, 5]}, reduction="none"),
        case("ctc_loss large logits", "ctc_loss", {"input": peaked, "target": [[1, 2]], "input_lengths": [3], "target_lengths": [2]}),
        case("ctc_loss of many steps", "ctc_loss", {"input": long, "target": [[1, 2, 2, 1], [2, 1, 1, 1]], "input_lengths": [67, 64],
             "target_lengths": [4, 2]}),
        case("ctc_loss one step", "ctc_loss", {"input": x[:1], "target": [[1], [2], [3]], "input_lengths": [1, 1, 1],
             "target_lengths": [1, 1, 0]}, reduction="none"),
    ]


def activations():
    grid = [-40.0, -6.0, -4.0, -2.5, -1.5, -0.75, -0.1, -0.001, 0.001, 0.1, 0.75, 1.5, 2.5, 4.0, 6.5, 40.0]
    kinks = [-3.0, -1.0, 0.0, 1.0, 3.0, 6.0]
    table = [
        ("relu", {}), ("relu6", {}), ("leaky_relu", {"negative_slope": 0.01}), ("elu", {"alpha": 1.0}), ("elu", {"alpha": 0.5}),
        ("selu", {}), ("celu", {"alpha": 0.5}), ("gelu", {"approximate": "none"}), ("gelu", {"approximate": "tanh"}), ("silu", {}),
        ("mish", {}), ("softplus", {"beta": 1.0, "threshold": 20.0}), ("softplus", {"beta": 2.0, "threshold": 5.0}),
        ("hardswish", {}), ("hardsigmoid", {}), ("hardtanh", {}), ("sigmoid", {}), ("logsigmoid", {}), ("tanh", {}), ("softsign", {}),
        ("hardshrink", {"lambd": 0.5}), ("softshrink", {"lambd": 0.5}), ("tanhshrink", {}),
    ]
    cases = [case(" ".join([name, *(str(value) for value in options.values())]), name, {"input": grid}, **options)
             for name, options in table]
    cases += [case(f"{name} at kinks", name, {"input": kinks})
              for name in ("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hardswish", "hardsigmoid", "hardtanh")]
    return cases + [
        case("prelu", "prelu", {"input": draw(2, 3), "weight": [0.25, 0.1, 0.5]}, wrt=("input", "weight")),
        case("glu", "glu", {"input": draw(2, 6)}, dim=-1),
    ]


def softmaxes():
    x, large = draw(2, 3, 4), [[1000.0, 999.0, -1000.0], [-1000.0, -1001.0, -1000.5]]
    cases = [case(f"{name} dim {dim}", name, {"input": x}, dim=dim) for name in ("softmax", "log_softmax", "logsumexp") for dim in (-1, 1)]
    return cases + [case(f"{name} large values", name, {"input": large}, dim=-1) for name in ("softmax", "log_softmax", "logsumexp")]


def norms():
    x, weight, bias = draw(2, 3, 4), draw(4), draw(4)
    return [
        case("layer_norm", "layer_norm", {"input": x, "weight": weight, "bias": bias}, wrt=("input", "weight", "bias"), normalized_shape=[4], eps=1e-5),
        case("layer_norm without affine", "layer_norm", {"input": x}, normalized_shape=[4], eps=1e-5),
        case("layer_norm over two dimensions", "layer_norm", {"input": x}, normalized_shape=[3, 4], eps=1e-5),
        case("layer_norm of a constant row", "layer_norm", {"input": [[0.5, 0.5, 0.5], [1.0, 2.0, 4.0]]}, normalized_shape=[3], eps=1e-5),
    ]


def more_activations():
    pair = {"gate": draw(2, 3), "input": draw(2, 3)}
    return [case(name, name, pair, wrt=("gate", "input")) for name in ("swiglu", "geglu", "reglu")] + [
        case("threshold", "threshold", {"input": [-1.5, 0.0, 0.25, 0.5, 2.0]}, threshold=0.25, value=-3.0),
        case("softmin", "softmin", {"input": draw(2, 3)}, dim=-1),
        case("prelu of one slope", "prelu", {"input": draw(2, 3, 2), "weight": [0.2]}, wrt=("input", "weight")),
        case("prelu of each channel", "prelu", {"input": draw(2, 3, 2), "weight": draw(3)}, wrt=("input", "weight")),
    ]


warnings.filterwarnings("ignore", "reduction: 'mean'")  # kl_div's mean is not the batch mean: recorded on purpose
CASES = [*classification(), *regression(), *binary_and_distances(), *distances(), *ctc(), *activations(), *softmaxes(), *norms(),
         *more_activations()]
assert len({entry["name"] for entry in CASES}) == len(CASES)
write_json("losses.json", made_by("losses.py"), "cases", CASES)
