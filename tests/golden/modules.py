# SPDX-License-Identifier: Apache-2.0
"""What the scripts that record modules share: short random decimals, and a case of a module with all its gradients."""

import numpy as np
import torch

random = np.random.default_rng(11)


def draw(*shape, low=-1.0, high=1.0):
    return random.uniform(low, high, shape).round(3).tolist()


def tensor(value):
    """Integers and booleans keep their type; all else is fp64."""
    return torch.from_numpy(np.array(value))


def fill(module):
    """Every parameter becomes short decimals, so that reading the file gives torch's very doubles."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(tensor(draw(*parameter.shape)))
    return module.double()


def record(name, kind, call, inputs, parameters=None, options=None, outputs=("output",)):
    """call(tensors) returns what `outputs` names. Gradients: of sum(output * upstream) over all outputs, by every floating input and
    every parameter."""
    tensors = {key: tensor(value) for key, value in inputs.items()}
    for value in tensors.values():
        value.requires_grad_(value.is_floating_point())
    results = call(tensors)
    results = results if isinstance(results, tuple) else (results,)
    assert len(results) == len(outputs)
    upstream = {key: draw(*result.shape) for key, result in zip(outputs, results)}
    loss = sum((result * tensor(upstream[key])).sum() for key, result in zip(outputs, results))
    if loss.requires_grad:
        loss.backward()
    parameters = dict(parameters or {})
    wrt = {key: value for key, value in tensors.items() if value.requires_grad} | parameters
    return {
        "name": name, "module": kind, "options": options or {}, "parameters": {key: value.tolist() for key, value in parameters.items()},
        "inputs": inputs, "outputs": {key: result.tolist() for key, result in zip(outputs, results)}, "upstream": upstream,
        "grads": {key: (torch.zeros_like(value) if value.grad is None else value.grad).tolist() for key, value in wrt.items()},
    }
