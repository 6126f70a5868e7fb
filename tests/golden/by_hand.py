# SPDX-License-Identifier: Apache-2.0
"""Losses of training steps with several optimizers, losses and rhythms, in fp64: those of tests/integration/plugins/by_hand.

usage: python by_hand.py      writes by_hand.json

Two epochs of 28 samples in batches of 6 (the last of an epoch is short), samples as in traces.py; weights by the formula below.
"""

import torch
from common import made_by, write_json
from traces import classes, numbers, steps

Z, D, HIDDEN, EVERY = 6, 5, 7, 2


def parameter(p, *shape):
    e = torch.arange(torch.Size(shape).numel())
    values = ((31 * p * p + 17 * e + 7 * p * e + 5 * e * e) % 97).double() / 48 - 1
    return torch.nn.Parameter((values / 2).view(shape))


class Model:
    def __init__(self):
        self.generator = [parameter(1, Z, D), parameter(2, D)]
        self.critic = [parameter(3, D, HIDDEN), parameter(4, HIDDEN), parameter(5, HIDDEN, 1), parameter(6, 1)]

    def make(self, z):
        weight, bias = self.generator
        return torch.tanh(z @ weight + bias)

    def judge(self, x):
        w1, b1, w2, b2 = self.critic
        return torch.tanh(x @ w1 + b1) @ w2 + b2


def step(optimizer, loss):
    optimizer.zero_grad()
    loss.backward(inputs=[p for group in optimizer.param_groups for p in group["params"]], retain_graph=True)
    optimizer.step()


def in_order(m, batches):
    """Biases of the critic at ten times its rate; the generator's rate halves at every step."""
    g = torch.optim.SGD(m.generator, 0.1, momentum=0.9)
    weights, biases = m.critic[::2], m.critic[1::2]
    c = torch.optim.Adam([{"params": weights}, {"params": biases, "lr": 0.02}], 0.002)
    schedule = torch.optim.lr_scheduler.ExponentialLR(g, 0.5)
    for i, batch in batches:
        a = ((m.judge(m.make(batch["z"])) - 1) ** 2).mean()
        step(g, a)
        made = m.make(batch["z"]).detach()
        b = ((m.judge(batch["x"]) - 1) ** 2).mean() + (m.judge(made) ** 2).mean()
        step(c, b)
        schedule.step()
        yield {"a_loss": a, "b_loss": b}


def wgan_gp(m, batches):
    """The generator's schedule counts its own steps."""
    g, c = torch.optim.RMSprop(m.generator, 0.01), torch.optim.Adam(m.critic, 0.005, (0.5, 0.9))
    schedule = torch.optim.lr_scheduler.StepLR(g, 2, 0.1)
    for i, batch in batches:
        made = m.make(batch["z"]).detach()
        between = (0.3 * batch["x"] + 0.7 * made).requires_grad_()
        (slope,) = torch.autograd.grad(m.judge(between).sum(), between, create_graph=True)
        penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
        b = m.judge(made).mean() - m.judge(batch["x"]).mean() + 10 * penalty
        step(c, b)
        losses = {"b_loss": b}
        if (i + 1) % EVERY == 0:
            losses["a_loss"] = -m.judge(m.make(batch["z"])).mean()
            step(g, losses["a_loss"])
            schedule.step()
        yield losses


def accumulate(m, batches):
    """Each batch's gradients are clipped before they are added."""
    parameters = m.generator + m.critic
    sgd = torch.optim.SGD(parameters, 0.5, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ExponentialLR(sgd, 0.8)
    kept = [torch.zeros_like(p) for p in parameters]
    for i, batch in batches:
        loss = ((m.judge(m.make(batch["z"])) - batch["x"].mean(1, keepdim=True)) ** 2).mean()
        sgd.zero_grad()
        (loss / EVERY).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.05)
        for total, p in zip(kept, parameters, strict=True):
            total += p.grad
        if (i + 1) % EVERY != 0:
            yield {}
            continue
        for total, p in zip(kept, parameters, strict=True):
            p.grad.copy_(total)
            total.zero_()
        sgd.step()
        schedule.step()
        yield {"a_loss": loss}


def losses_of_actor_and_critic(m, batch):
    returned, value = batch["x"].mean(1, keepdim=True), m.judge(batch["x"])
    log_p = m.make(batch["z"]).log_softmax(1).gather(1, batch["y"][:, None])
    return -(log_p * (returned - value).detach()).mean(), ((value - returned) ** 2).mean()


def actor_critic(m, batches):
    g, c = torch.optim.Adam(m.generator, 0.01), torch.optim.SGD(m.critic, 0.1)
    for i, batch in batches:
        a, b = losses_of_actor_and_critic(m, batch)
        g.zero_grad()
        c.zero_grad()
        a.backward()
        b.backward()
        g.step()
        c.step()
        yield {"a_loss": a, "b_loss": b}


def one_optimizer(m, batches):
    adam = torch.optim.Adam(m.generator + m.critic, 0.01)
    for i, batch in batches:
        a, b = losses_of_actor_and_critic(m, batch)
        step(adam, a + b)
        yield {"a_loss": a, "b_loss": b}


def trace(how):
    data = {"x": numbers(D).double(), "z": numbers(Z, start=100).double(), "y": classes(D)}
    batches = list(steps(lambda rows: {name: value[rows] for name, value in data.items()}))
    numbered = [(n % (len(batches) // 2), batch) for n, batch in enumerate(batches)]  # in its epoch
    losses = {}
    for found in how(Model(), numbered):
        for name, loss in found.items():
            losses.setdefault(name, []).append(loss.item())
    return losses


CASES = [{"how": how.__name__, "losses": trace(how)} for how in (in_order, wgan_gp, accumulate, actor_critic, one_optimizer)]

if __name__ == "__main__":
    write_json("by_hand.json", made_by("by_hand.py"), "cases", CASES)
