# SPDX-License-Identifier: Apache-2.0
"""Losses of twenty training steps of the reference MLP under every optimizer, clipping and accumulation case.

usage: python optimizers.py DIGITS.csv.gz      writes optimizers.json and mlp_init.safetensors

Step k trains on rows 64k .. 64k+63. A case's "losses" are the mean cross entropies of the twenty batches before their update
(with accumulation: of each micro-batch, undivided); "loss_after" is that of the first batch after the last update.
"""

import sys

import torch
from common import HERE, Mlp, is_finite, load_digits, made_by, write_json
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

BATCH, STEPS = 64, 20


class Rule(torch.optim.Optimizer):
    """A rule that torch lacks: `step` of a subclass gives the new value of one parameter from its paper's formulas."""

    def __init__(self, parameters, **options):
        super().__init__(parameters, {**self.DEFAULTS, **options})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["t"] = state.get("t", 0) + 1
                p.copy_(self.rule(p, p.grad, state, group))


class Lion(Rule):
    """Chen et al. 2023, algorithm 2."""

    DEFAULTS = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0}

    def rule(self, p, g, state, o):
        m = state.get("m", torch.zeros_like(p))
        c = o["betas"][0] * m + (1 - o["betas"][0]) * g
        state["m"] = o["betas"][1] * m + (1 - o["betas"][1]) * g
        return p - o["lr"] * (c.sign() + o["weight_decay"] * p)


class Lamb(Rule):
    """You et al. 2020, algorithm 2, the norm itself as phi."""

    DEFAULTS = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 1e-2, "bias_correction": True}

    def rule(self, p, g, state, o):
        b1, b2 = o["betas"]
        state["m"] = b1 * state.get("m", torch.zeros_like(p)) + (1 - b1) * g
        state["v"] = b2 * state.get("v", torch.zeros_like(p)) + (1 - b2) * g * g
        m, v = state["m"], state["v"]
        if o["bias_correction"]:
            m, v = m / (1 - b1 ** state["t"]), v / (1 - b2 ** state["t"])
        u = m / (v.sqrt() + o["eps"]) + o["weight_decay"] * p
        ratio = p.norm() / u.norm() if p.norm() > 0 and u.norm() > 0 else 1
        return p - o["lr"] * ratio * u


class Lars(Rule):
    """You, Gitman, Ginsburg 2017, with the rate outside the momentum as torch's SGD has it."""

    DEFAULTS = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "trust_coefficient": 1e-3, "eps": 1e-8, "nesterov": False}

    def rule(self, p, g, state, o):
        d = g + o["weight_decay"] * p
        ratio = 1
        if p.norm() > 0 and g.norm() > 0:
            ratio = o["trust_coefficient"] * p.norm() / (g.norm() + o["weight_decay"] * p.norm() + o["eps"])
        d = ratio * d
        if o["momentum"]:
            state["b"] = o["momentum"] * state.get("b", torch.zeros_like(p)) + d
            d = d + o["momentum"] * state["b"] if o["nesterov"] else state["b"]
        return p - o["lr"] * d


def newton_schulz(gradient, coefficients, steps, eps):
    """torch.optim.Muon's own iteration, but in the gradient's type: torch's is in bf16 whatever that is."""
    a, b, c = coefficients
    x = gradient.T if gradient.size(0) > gradient.size(1) else gradient
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if gradient.size(0) > gradient.size(1) else x


torch.optim._muon._zeropower_via_newtonschulz = newton_schulz


class MuonAndAdamw:
    """Muon for the matrices, AdamW at its defaults for the rest, which Muon refuses."""

    def __init__(self, parameters, **options):
        parameters = list(parameters)
        self.both = [torch.optim.Muon([p for p in parameters if p.ndim == 2], **options)]
        self.both.append(torch.optim.AdamW([p for p in parameters if p.ndim != 2], lr=1e-3))

    def step(self):
        for one in self.both:
            one.step()

    def zero_grad(self):
        for one in self.both:
            one.zero_grad()


OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adafactor": torch.optim.Adafactor,
    "lion": Lion,
    "lamb": Lamb,
    "lars": Lars,
    "muon": MuonAndAdamw,
}


def case(name, optimizer, trainer=None, **options):
    return {"name": name, "optimizer": optimizer, "options": options, "trainer": trainer or {}}


CASES = [
    case("sgd", "sgd", lr=0.1),
    case("sgd momentum", "sgd", lr=0.1, momentum=0.9),
    case("sgd nesterov", "sgd", lr=0.1, momentum=0.9, nesterov=True),
    case("sgd dampening", "sgd", lr=0.1, momentum=0.9, dampening=0.5),
    case("sgd weight decay", "sgd", lr=0.1, weight_decay=0.01),
    case("sgd momentum and weight decay", "sgd", lr=0.1, momentum=0.9, weight_decay=0.01),
    case("adam", "adam", lr=1e-3),
    case("adam weight decay", "adam", lr=1e-3, weight_decay=0.01),
    case("adam betas and eps", "adam", lr=1e-3, betas=[0.8, 0.95], eps=1e-6),
    case("adam amsgrad", "adam", lr=1e-3, betas=[0.8, 0.95], amsgrad=True),
    case("adamw", "adamw", lr=1e-3, weight_decay=0.01),
    case("adamw strong decay", "adamw", lr=1e-3, weight_decay=0.1),
    case("adamw amsgrad", "adamw", lr=1e-3, betas=[0.8, 0.95], weight_decay=0.01, amsgrad=True),
    case("adagrad", "adagrad", lr=1e-2),
    case("adagrad with all", "adagrad", lr=0.05, lr_decay=0.1, weight_decay=0.01, initial_accumulator_value=0.1, eps=1e-6),
    case("adagrad the other way", "adagrad", lr=1e-3, maximize=True),
    case("adadelta", "adadelta", lr=1),
    case("adadelta with all", "adadelta", lr=2, rho=0.8, eps=1e-5, weight_decay=0.01),
    case("rmsprop", "rmsprop", lr=1e-3),
    case("rmsprop momentum", "rmsprop", lr=1e-3, alpha=0.9, momentum=0.9, weight_decay=0.01, eps=1e-6),
    case("rmsprop centered", "rmsprop", lr=1e-3, alpha=0.95, centered=True, eps=1e-4),
    case("rmsprop centered momentum", "rmsprop", lr=1e-3, alpha=0.95, centered=True, momentum=0.5, eps=1e-4),
    case("adamax", "adamax", lr=2e-3),
    case("adamax with all", "adamax", lr=5e-3, betas=[0.8, 0.95], eps=1e-5, weight_decay=0.01),
    case("nadam", "nadam", lr=2e-3),
    case("nadam with all", "nadam", lr=2e-3, betas=[0.8, 0.95], eps=1e-6, weight_decay=0.01, momentum_decay=0.05),
    case("nadam decoupled", "nadam", lr=2e-3, weight_decay=0.1, decoupled_weight_decay=True),
    case("radam", "radam", lr=5e-3),
    case("radam with all", "radam", lr=5e-3, betas=[0.8, 0.95], eps=1e-6, weight_decay=0.01),
    case("radam decoupled", "radam", lr=5e-3, weight_decay=0.1, decoupled_weight_decay=True),
    case("lion", "lion", lr=1e-3),
    case("lion with all", "lion", lr=1e-3, betas=[0.8, 0.95], weight_decay=0.1),
    case("lamb", "lamb", lr=1e-2),
    case("lamb with all", "lamb", lr=1e-2, betas=[0.8, 0.95], eps=1e-5, weight_decay=0.1, bias_correction=False),
    case("lars", "lars", lr=10, weight_decay=1e-4),
    case("lars nesterov", "lars", lr=5, momentum=0.8, weight_decay=1e-3, trust_coefficient=2e-3, nesterov=True),
    case("lars without momentum", "lars", lr=20, momentum=0),
    case("adafactor", "adafactor", lr=1e-2, eps=[1e-8, 1e-3]),
    case("adafactor with all", "adafactor", lr=0.05, beta2_decay=-0.5, eps=[1e-6, 1e-2], d=2, weight_decay=0.01),
    case("muon", "muon", lr=1e-2),
    case("muon with all", "muon", lr=1e-2, momentum=0.9, nesterov=False, weight_decay=0.2, ns_steps=4, adjust_lr_fn="match_rms_adamw"),
    case("muon unclamped", "muon", lr=1e-2, ns_coefficients=[2, -1.5, 0.5], ns_steps=6, adjust_lr_fn="spectral_unclamped"),
    case("clip by norm", "sgd", {"gradient_clip_val": 0.1, "gradient_clip_algorithm": "norm"}, lr=0.5),
    case("clip by value", "sgd", {"gradient_clip_val": 0.001, "gradient_clip_algorithm": "value"}, lr=0.5),
    case("accumulate 2", "adamw", {"accumulate_grad_batches": 2}, lr=1e-3, weight_decay=0.01),
    case("accumulate 4, last window short", "adamw", {"accumulate_grad_batches": 4}, lr=1e-3, weight_decay=0.01),
]


def clip(model, trainer):
    if trainer.get("gradient_clip_algorithm") == "norm":
        clip_grad_norm_(model.parameters(), trainer["gradient_clip_val"])
    elif trainer.get("gradient_clip_algorithm") == "value":
        clip_grad_value_(model.parameters(), trainer["gradient_clip_val"])


def train(case, initial, x, y, dtype):
    torch.set_default_dtype(dtype)  # torch keeps NAdam's product of momenta in it
    model = Mlp().to(dtype)
    model.load_state_dict({name: value.to(dtype) for name, value in initial.items()})
    optimizer = OPTIMIZERS[case["optimizer"]](model.parameters(), **case["options"])
    every = case["trainer"].get("accumulate_grad_batches", 1)
    x = x.to(dtype)
    losses = []
    for k in range(STEPS):
        rows = slice(BATCH * k, BATCH * (k + 1))
        loss = cross_entropy(model(x[rows]), y[rows])
        losses.append(loss.item())
        (loss / every).backward()
        if (k + 1) % every == 0 or k + 1 == STEPS:  # the last batch of an epoch always steps, as in Lightning
            clip(model, case["trainer"])
            optimizer.step()
            optimizer.zero_grad()
    after = cross_entropy(model(x[:BATCH]), y[:BATCH]).item()
    assert is_finite(losses + [after])
    return losses, after


def main(digits):
    x, y = load_digits(digits)
    torch.manual_seed(0)
    initial = Mlp().state_dict()
    save_file(initial, HERE / "mlp_init.safetensors")
    for case in CASES:
        case["losses"], case["loss_after"] = train(case, initial, x, y, torch.float32)
        case["losses_fp64"], case["loss_after_fp64"] = train(case, initial, x, y, torch.float64)
        worst = max(abs(a - b) / b for a, b in zip(case["losses"], case["losses_fp64"]))
        print(f"{case['name']:32} {case['losses'][0]:.6f} -> {case['loss_after']:.6f}   fp32 against fp64: {worst:.1e}")
    head = made_by("optimizers.py") | {"weights": "mlp_init.safetensors", "batch_size": BATCH, "steps": STEPS}
    write_json("optimizers.json", head, "cases", CASES)


main(*sys.argv[1:])
