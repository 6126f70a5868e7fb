# SPDX-License-Identifier: Apache-2.0
"""Lightning as fast as it goes: no logger, no progress bar, no checkpoint, no summary."""
import logging
import time
import warnings

import lightning
import torch

import torch_peer

warnings.filterwarnings("ignore")
for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
    logging.getLogger(name).setLevel(logging.ERROR)


class Module(lightning.LightningModule):
    def __init__(self, row, module, loss):
        super().__init__()
        self.row, self.module, self.loss, self.losses = row, module, loss, None

    def training_step(self, batch, index):
        loss = self.loss(self.module, *batch)
        self.log("train_loss", loss)
        if self.losses is not None:
            self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        return torch_peer.adamw(self.module, self.row)


class Data(torch.utils.data.IterableDataset):
    def __init__(self, batches, steps):
        self.batches, self.steps = batches, steps

    def __iter__(self):
        return (self.batches[i % len(self.batches)] for i in range(self.steps))


class Clock(lightning.Callback):
    def __init__(self):
        self.ends = []

    def on_train_batch_end(self, *_):
        self.ends.append(time.perf_counter())


class Peer:
    def __init__(self, job):
        row, module, loss, self.batches = torch_peer.model_and_batches(job)
        self.module, self.precision = Module(row, module, loss), job["precision"]

    def fit(self, steps):
        clock = Clock()
        trainer = lightning.Trainer(max_steps=steps, max_epochs=1, accelerator="cpu", precision=self.precision, logger=False,
                                    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
                                    callbacks=[clock])
        loader = torch.utils.data.DataLoader(Data(self.batches, steps), batch_size=None)
        trainer.fit(self.module, loader)
        return clock.ends

    def losses(self, count):
        self.module.losses = losses = []
        self.fit(count)
        self.module.losses = None
        return losses

    def run(self, steps):
        """Milliseconds a step, of the steps after the first."""
        ends = self.fit(steps + 1)
        return (ends[-1] - ends[0]) / steps * 1e3
