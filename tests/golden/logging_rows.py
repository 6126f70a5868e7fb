# SPDX-License-Identifier: Apache-2.0
"""What Lightning's CSVLogger writes, and which metrics callbacks see, for a module that logs in every way.

usage: python logging_rows.py      writes logging.json

(A script named logging.py would hide Python's own logging module.) The data set is the row number: batch i of size B holds rows
iB, iB + 1, ...; each value logged is a function of batch_idx b and epoch e alone, given in "logged" below, so that a model in any
language can log the same. A row of the result holds only the columns that have a value; "header" is the file's column order.
"""

import csv
import tempfile
import warnings
from pathlib import Path

import torch
from common import made_by, one_a_line, write_json
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

LOGGED = {
    "training_step": {
        "t_default": "b + 10 e; no flags", "t_step": "b + 10 e; on_step", "t_epoch": "b + 10 e; on_epoch",
        "t_both": "b + 10 e; on_step, on_epoch, prog_bar", "t_bar_only": "b; on_step, prog_bar, logger off",
        "t_max": "b mod 3; on_epoch, reduce max", "t_sum": "b; on_epoch, reduce sum", "t_min": "b + 1; on_epoch, reduce min",
        "t_weighted": "b; on_epoch, batch_size = b + 1"},
    "on_train_epoch_end": {"t_hook": "e + 0.5; no flags"},
    "validation_step": {"v_default": "b + e; no flags, prog_bar", "v_both": "b + e; on_step, on_epoch"},
    "on_validation_epoch_end": {"v_hook": "e + 0.25; no flags"},
    "test_step": {"test_default": "b; no flags"},
}


class Model(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def training_step(self, batch, b):
        e = self.current_epoch
        self.log("t_default", b + 10.0 * e)
        self.log("t_step", b + 10.0 * e, on_step=True, on_epoch=False)
        self.log("t_epoch", b + 10.0 * e, on_step=False, on_epoch=True)
        self.log("t_both", b + 10.0 * e, on_step=True, on_epoch=True, prog_bar=True)
        self.log("t_bar_only", float(b), on_step=True, prog_bar=True, logger=False)
        self.log("t_max", float(b % 3), on_step=False, on_epoch=True, reduce_fx="max")
        self.log("t_sum", float(b), on_step=False, on_epoch=True, reduce_fx="sum")
        self.log("t_min", b + 1.0, on_step=False, on_epoch=True, reduce_fx="min")
        self.log("t_weighted", float(b), on_step=False, on_epoch=True, batch_size=b + 1)
        return (self.weight * batch).mean()

    def on_train_epoch_end(self):
        self.log("t_hook", self.current_epoch + 0.5)

    def validation_step(self, batch, b):
        self.log("v_default", float(b + self.current_epoch), prog_bar=True)
        self.log("v_both", float(b + self.current_epoch), on_step=True, on_epoch=True)

    def on_validation_epoch_end(self):
        self.log("v_hook", self.current_epoch + 0.25)

    def test_step(self, batch, b):
        self.log("test_default", float(b))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(rows, batch_size):
    return DataLoader(torch.arange(rows, dtype=torch.float32).unsqueeze(1), batch_size=batch_size)


def read_rows(folder):
    path = next(Path(folder).rglob("metrics.csv"), None)
    if path is None:
        return [], []
    with path.open() as file:
        reader = csv.DictReader(file)
        rows = [{k: float(v) if "." in v else int(v) for k, v in row.items() if v != ""} for row in reader]
        return list(reader.fieldnames), rows


def as_numbers(metrics):
    return {name: float(value) for name, value in metrics.items()}


def record(name, what="fit", train_rows=18, val_rows=10, batch_size=4, **trainer_options):
    options = {"max_epochs": 2, "log_every_n_steps": 2, "num_sanity_val_steps": 0} | trainer_options
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(accelerator="cpu", devices=1, logger=CSVLogger(folder), enable_checkpointing=False,
                          enable_progress_bar=False, enable_model_summary=False, **options)
        if what == "fit":
            trainer.fit(Model(), loader(train_rows, batch_size), loader(val_rows, batch_size))
        else:
            getattr(trainer, what)(Model(), loader(val_rows, batch_size), verbose=False)
        header, rows = read_rows(folder)
        settings = {"stage": what, "train_rows": train_rows, "val_rows": val_rows, "batch_size": batch_size, "trainer": options}
        return {"name": name, "settings": settings, "global_step": trainer.global_step,
                "callback_metrics": as_numbers(trainer.callback_metrics),
                "progress_bar_metrics": as_numbers(trainer.progress_bar_metrics),
                "logged_metrics": as_numbers(trainer.logged_metrics), "header": header, "rows": rows}


def main():
    warnings.filterwarnings("ignore")
    cases = [
        record("a row every 2 steps, short last batches"),
        record("accumulation of 2: steps count, not batches", accumulate_grad_batches=2),
        record("accumulation of 2, every step", accumulate_grad_batches=2, log_every_n_steps=1),
        record("validation in mid-epoch", val_check_interval=0.5),
        record("validation in mid-epoch, accumulation of 2", val_check_interval=0.5, accumulate_grad_batches=2, max_epochs=1),
        record("sanity check leaves no row", num_sanity_val_steps=2, max_epochs=1),
        record("interval longer than the run: epoch rows only", log_every_n_steps=50),
        record("max_steps ends in mid-epoch", max_steps=7, max_epochs=-1),
        record("validation every second epoch", check_val_every_n_epoch=2, max_epochs=3, log_every_n_steps=5),
        record("validate", "validate"),
        record("test", "test"),
    ]
    head = made_by("logging_rows.py") | {"logged": LOGGED}
    write_json("logging.json", head, "cases", cases, folded={"rows": one_a_line})


main()
