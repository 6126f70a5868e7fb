# SPDX-License-Identifier: Apache-2.0
"""The order in which Lightning calls hooks, recorded over small runs.

usage: python hooks.py      writes hooks.json

Who is called: C a callback, M the LightningModule, D the LightningDataModule, O the torch optimizer (O.step: parameters have just
been updated), L a logger. Batch hooks carry batch_idx, setup and teardown the stage, L.log_metrics the step. Lightning's own
EarlyStopping and ModelCheckpoint stand after C in the list of callbacks: early_stopping.check, and checkpoint.save where a save
begins. One call is left as Lightning makes it though it does nothing: early_stopping.check under fast_dev_run.
"""

import contextlib
import tempfile
import warnings
from pathlib import Path

import torch
from common import made_by, wrapped, write_json
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers.logger import Logger
from torch.utils.data import DataLoader, TensorDataset

STAGED = ["setup", "teardown"]
LOOPS = [f"on_{loop}_{when}" for loop in ("train", "validation", "test", "predict")
         for when in ("start", "end", "epoch_start", "epoch_end")]
BATCHES = [f"on_{loop}_batch_{when}" for loop in ("train", "validation", "test", "predict") for when in ("start", "end")]
STEP_HOOKS = ["on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step"]
CHECKPOINT = ["on_save_checkpoint", "on_load_checkpoint"]
FIT = ["on_fit_start", "on_fit_end"]

CALLBACK_HOOKS = STAGED + FIT + LOOPS + BATCHES + STEP_HOOKS + CHECKPOINT + [
    "on_sanity_check_start", "on_sanity_check_end", "on_exception"]
MODULE_HOOKS = STAGED + FIT + LOOPS + BATCHES + STEP_HOOKS + CHECKPOINT + [
    "prepare_data", "configure_callbacks", "configure_model", "configure_gradient_clipping",
    "backward", "optimizer_step", "optimizer_zero_grad", "lr_scheduler_step", "state_dict", "load_state_dict",
    "on_validation_model_zero_grad", "on_validation_model_eval", "on_validation_model_train",
    "on_test_model_eval", "on_test_model_train", "on_predict_model_eval", "on_predict_model_train"]
DATAMODULE_HOOKS = STAGED + [
    "prepare_data", "on_exception", "on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer"]

calls = []


def say(who, hook, *details):
    calls.append(" ".join([f"{who}.{hook}", *map(str, details)]))


def detail(hook, arguments, keywords):
    """What of a hook's arguments is worth a word: the batch_idx or the stage."""
    if hook in BATCHES or hook in STAGED:
        given = [*arguments, *(keywords[k] for k in ("batch_idx", "stage") if k in keywords)]
        return [getattr(a, "value", a) for a in given if isinstance(a, (int, str))][:1]
    return []


def recording(who, base, hooks):
    """A subclass of `base` whose `hooks` speak, then do what the base does."""

    def make(hook):
        def method(self, *arguments, **keywords):
            say(who, hook, *detail(hook, arguments, keywords))
            return getattr(super(subclass, self), hook)(*arguments, **keywords)

        return method

    subclass = type(base.__name__, (base,), {hook: make(hook) for hook in hooks})
    return subclass


class RecordingCallback(recording("C", Callback, CALLBACK_HOOKS)):
    def state_dict(self):
        say("C", "state_dict")
        return {"kept": 1}  # an empty state would not be kept

    def load_state_dict(self, state):
        say("C", "load_state_dict")


class RecordingModule(recording("M", LightningModule, MODULE_HOOKS)):
    def __init__(self, scheduler="step"):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)
        self.scheduler = scheduler

    def loss(self, batch):
        return self.layer(batch[0]).square().mean()

    def training_step(self, batch, batch_idx):
        say("M", "training_step", batch_idx)
        return self.loss(batch)

    def validation_step(self, batch, batch_idx):
        say("M", "validation_step", batch_idx)
        self.log("val_loss", 1.0)

    def test_step(self, batch, batch_idx):
        say("M", "test_step", batch_idx)

    def predict_step(self, batch, batch_idx):
        say("M", "predict_step", batch_idx)
        return self.layer(batch[0])

    def make_optimizer(self):
        optimizer = torch.optim.SGD(self.layer.parameters(), lr=0.1)
        optimizer.register_step_post_hook(lambda *_: say("O", "step"))
        optimizer.register_load_state_dict_pre_hook(lambda *_: say("O", "load_state_dict"))
        return optimizer

    def configure_optimizers(self):
        say("M", "configure_optimizers")
        optimizer = self.make_optimizer()
        if self.scheduler is None:
            return optimizer
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 100)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": self.scheduler}}


class LoggingModule(RecordingModule):
    def __init__(self, scheduler="step"):
        super().__init__(scheduler)
        self.save_hyperparameters()

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("train_loss", 1.0, on_step=True, on_epoch=True)
        return loss


class PlateauModule(RecordingModule):
    def configure_optimizers(self):
        say("M", "configure_optimizers")
        optimizer = self.make_optimizer()
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "val_loss"}}


class FailingModule(RecordingModule):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if batch_idx == 1:
            raise RuntimeError("deliberate")
        return loss


class StoppingModule(RecordingModule):
    """Asks for the end in the middle of the first epoch."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        super().on_train_batch_end(outputs, batch, batch_idx)
        if batch_idx == 1:
            self.trainer.should_stop = True


class SkippingModule(RecordingModule):
    """Skips the rest of each epoch at batch 2."""

    def on_train_batch_start(self, batch, batch_idx):
        super().on_train_batch_start(batch, batch_idx)
        return -1 if batch_idx == 2 else None


class NoLossModule(RecordingModule):
    """training_step returns None on batch 1: the batch is skipped."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return None if batch_idx == 1 else loss


class ManualModule(RecordingModule):
    """Two optimizers by hand, as a GAN does it."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        say("M", "training_step", batch_idx)
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch))
            optimizer.step()

    def configure_optimizers(self):
        say("M", "configure_optimizers")
        return [self.make_optimizer(), self.make_optimizer()]


class RecordingDataModule(recording("D", LightningDataModule, DATAMODULE_HOOKS)):
    def __init__(self, train=4, val=2, test=2, predict=2):
        super().__init__()
        self.batches = {"train": train, "val": val, "test": test, "predict": predict}

    def loader(self, split):
        say("D", f"{split}_dataloader")
        return DataLoader(TensorDataset(torch.ones(2 * self.batches[split], 4)), batch_size=2)

    def train_dataloader(self):
        return self.loader("train")

    def val_dataloader(self):
        return self.loader("val")

    def test_dataloader(self):
        return self.loader("test")

    def predict_dataloader(self):
        return self.loader("predict")

    def state_dict(self):
        say("D", "state_dict")
        return {"kept": 1}

    def load_state_dict(self, state):
        say("D", "load_state_dict")


class RecordingLogger(Logger):
    name, version = "recording", 0

    def log_metrics(self, metrics, step=None):
        say("L", "log_metrics", step)

    def log_hyperparams(self, params=None, *args, **kwargs):
        say("L", "log_hyperparams")

    def log_graph(self, model, input_array=None):
        say("L", "log_graph")

    def save(self):
        say("L", "save")

    def after_save_checkpoint(self, checkpoint_callback):
        say("L", "after_save_checkpoint")

    def finalize(self, status):
        say("L", "finalize", status)


class RecordingEarlyStopping(EarlyStopping):
    def _run_early_stopping_check(self, trainer):
        say("early_stopping", "check")
        super()._run_early_stopping_check(trainer)


class RecordingTrainer(Trainer):
    def save_checkpoint(self, filepath, *args, **kwargs):
        say("checkpoint", "save")
        super().save_checkpoint(filepath, *args, **kwargs)


QUIET = {"accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
         "enable_model_summary": False, "num_sanity_val_steps": 0}
EXTRAS = {"early_stopping": RecordingEarlyStopping, "checkpoint": ModelCheckpoint}


def make_trainer(folder, trainer, extras):
    made = [EXTRAS[name](**options) for name, options in extras.items()]
    arguments = QUIET | {"default_root_dir": folder} | trainer | {"callbacks": [RecordingCallback(), *made]}
    if "checkpoint" in extras:
        arguments["enable_checkpointing"] = True
    if trainer.get("logger"):
        arguments["logger"] = RecordingLogger()
    return RecordingTrainer(**arguments)


def record(name, what="fit", module=RecordingModule, module_options=None, data=None, trainer=None, extras=None, first=None):
    """Runs one scenario. `first`: trainer and extras of an earlier, unrecorded fit whose checkpoint this one resumes."""
    module_options, data, trainer, extras = module_options or {}, data or {}, trainer or {}, extras or {}
    settings = {"stage": what, "trainer": QUIET | trainer, "callbacks": ["C", *extras], **extras,
                "batches": RecordingDataModule(**data).batches, "module": module.__name__}
    if what == "fit" and module not in (PlateauModule, ManualModule):
        settings["scheduler_interval"] = module_options.get("scheduler", "step")
    raised = contextlib.nullcontext()
    if module is FailingModule:
        raised = contextlib.suppress(RuntimeError)
    with tempfile.TemporaryDirectory() as folder:
        resume = {}
        if first:
            settings["resumes_from_the_checkpoint_of"] = first
            make_trainer(folder, first["trainer"], {"checkpoint": first["checkpoint"] | {"dirpath": folder}}).fit(
                module(**module_options), RecordingDataModule(**data))
            resume["ckpt_path"] = str(sorted(Path(folder).glob("*.ckpt"))[0])
        calls.clear()
        with raised:
            getattr(make_trainer(folder, trainer, extras), what)(module(**module_options), RecordingDataModule(**data), **resume)
    print(f"{name:58} {len(calls):4} calls")
    return {"name": name, "settings": settings, "calls": list(calls)}


def main():
    warnings.filterwarnings("ignore")
    three_val = {"train": 6, "val": 3}
    scenarios = [
        record("fit: sanity check, validation in mid-epoch, accumulation", data=three_val,
               trainer={"max_epochs": 2, "num_sanity_val_steps": 2, "val_check_interval": 0.5, "accumulate_grad_batches": 2}),
        record("fit: early stopping and checkpoint, no monitor", module_options={"scheduler": "epoch"}, data={"train": 2},
               trainer={"max_epochs": 3},
               extras={"early_stopping": {"monitor": "val_loss", "patience": 1}, "checkpoint": {"save_top_k": -1}}),
        record("fit: early stopping and checkpoint, both monitor", module_options={"scheduler": "epoch"}, data={"train": 2},
               trainer={"max_epochs": 3},
               extras={"early_stopping": {"monitor": "val_loss", "patience": 1},
                       "checkpoint": {"monitor": "val_loss", "save_top_k": -1}}),
        record("fit: early stopping and checkpoint, both monitor, validation in mid-epoch",
               trainer={"max_epochs": 2, "val_check_interval": 0.5},
               extras={"early_stopping": {"monitor": "val_loss", "patience": 2},
                       "checkpoint": {"monitor": "val_loss", "save_top_k": 1}}),
        record("fit: checkpoint every 2 steps, validation at the same step", trainer={"max_epochs": 1},
               extras={"checkpoint": {"every_n_train_steps": 2, "save_top_k": -1}}),
        record("fit: max_steps ends in mid-epoch, no validation",
               trainer={"max_epochs": -1, "max_steps": 3, "limit_val_batches": 0}),
        record("fit: max_steps ends in mid-epoch, validation at the end of epochs", trainer={"max_epochs": -1, "max_steps": 6}),
        record("fit: a short last accumulation window", data={"train": 5},
               trainer={"max_epochs": 1, "accumulate_grad_batches": 2, "limit_val_batches": 0}),
        record("fit: gradient clipping", module_options={"scheduler": None},
               trainer={"max_epochs": 1, "gradient_clip_val": 0.1, "limit_val_batches": 0}),
        record("fit: validation every second epoch", trainer={"max_epochs": 3, "check_val_every_n_epoch": 2}, data={"train": 2}),
        record("fit: validation every 3 batches, across epochs", data={"train": 4, "val": 1},
               trainer={"max_epochs": 2, "val_check_interval": 3, "check_val_every_n_epoch": None}),
        record("fit: plateau scheduler", module=PlateauModule, trainer={"max_epochs": 2}, data={"train": 2}),
        record("fit: logger", module=LoggingModule, trainer={"max_epochs": 1, "logger": True, "log_every_n_steps": 2},
               extras={"checkpoint": {"save_top_k": -1}}),
        record("fit: fast_dev_run", trainer={"fast_dev_run": True, "num_sanity_val_steps": 2, "max_epochs": 3},
               extras={"early_stopping": {"monitor": "val_loss"}, "checkpoint": {"save_top_k": -1}}),
        record("fit: resumed at the end of an epoch", data={"train": 2}, trainer={"max_epochs": 2, "num_sanity_val_steps": 2},
               first={"trainer": {"max_epochs": 1}, "checkpoint": {"save_top_k": -1}}),
        record("fit: resumed in mid-epoch", data={"train": 3}, trainer={"max_epochs": 2},
               first={"trainer": {"max_epochs": 1, "max_steps": 2}, "checkpoint": {"every_n_train_steps": 2}}),
        record("fit: training_step raises", module=FailingModule, trainer={"max_epochs": 1, "logger": True}),
        record("fit: should_stop set in mid-epoch", module=StoppingModule, trainer={"max_epochs": 2}),
        record("fit: on_train_batch_start skips the rest of an epoch", module=SkippingModule, trainer={"max_epochs": 2}),
        record("fit: training_step returns no loss", module=NoLossModule, data={"train": 2},
               trainer={"max_epochs": 1, "limit_val_batches": 0}),
        record("fit: manual optimization, two optimizers", module=ManualModule, data={"train": 2},
               trainer={"max_epochs": 1, "limit_val_batches": 0}),
        record("validate", "validate", data={"val": 3}),
        record("test", "test"),
        record("predict", "predict"),
    ]
    write_json("hooks.json", made_by("hooks.py"), "scenarios", scenarios, folded={"calls": wrapped})


main()
