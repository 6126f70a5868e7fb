# SPDX-License-Identifier: Apache-2.0
"""PyTorch, eager and compiled: a step is zero_grad, forward, backward, fused AdamW."""
import time
import warnings

import torch

import batches
import torch_nets

warnings.filterwarnings("ignore")


def load(module, weights):
    tensors = {name: torch.from_numpy(value) for name, value in batches.read_weights(weights).items()}
    missing, unexpected = module.load_state_dict(tensors, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"lthost's weights are not this model's: missing {missing}, unexpected {unexpected}")


def model_and_batches(job):
    """The row, the module with lthost's weights, its loss, its batches; images channels last where the row asks for it."""
    torch.set_num_threads(job["threads"])
    row = batches.read_row(job["file"])
    module, loss = torch_nets.make(row)
    load(module, job["weights"])
    fields = [tuple(torch.from_numpy(f) for f in b) for b in batches.batches(row)]
    if job["channels_last"]:
        module = module.to(memory_format=torch.channels_last)
        fields = [tuple(f.contiguous(memory_format=torch.channels_last) if f.dim() == 4 else f for f in b) for b in fields]
    return row, module, loss, fields


def adamw(module, row):
    return torch.optim.AdamW(module.parameters(), lr=float(row["optimizer"]["lr"]), weight_decay=1e-2, fused=True)


class Peer:
    def __init__(self, job):
        row, self.module, loss, self.batches = model_and_batches(job)
        bf16 = job["precision"] == "bf16-mixed"

        def whole(*batch):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                return loss(self.module, *batch)
        self.loss = torch.compile(whole) if job["variant"] == "compile" else whole
        self.optimizer, self.at = adamw(self.module, row), 0

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(*self.batches[self.at % len(self.batches)])
        loss.backward()
        self.optimizer.step()
        self.at += 1
        return loss

    def losses(self, count):
        return [self.step().item() for _ in range(count)]

    def run(self, steps):
        """Milliseconds a step."""
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        return (time.perf_counter() - start) / steps * 1e3
