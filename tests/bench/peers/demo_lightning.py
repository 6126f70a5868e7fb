# SPDX-License-Identifier: Apache-2.0
"""demo_lightning.py DIGITS FOLDER THREADS: what plugins/models/mlp/run.ini does, by Lightning: 30 epochs of a perceptron on the
digits, validation after each, CSVLogger, ModelCheckpoint on val_loss."""
import gzip
import logging
import sys
import warnings

import lightning as L
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset, random_split

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Digits(L.LightningDataModule):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def setup(self, stage):
        with gzip.open(self.path, "rt") as file:
            rows = np.loadtxt(file, delimiter=",", dtype=np.float32)
        data = TensorDataset(torch.from_numpy(rows[:, :64] / 16), torch.from_numpy(rows[:, 64]).long())
        held = len(data) // 5
        self.train, self.val = random_split(data, [len(data) - held, held])

    def train_dataloader(self):
        return DataLoader(self.train, 64, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, 64)


class MLP(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 128), nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(F.dropout(F.relu(self.fc1(x)), 0.1, self.training))

    def training_step(self, batch, index):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, index):
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=3e-3, fused=True)


digits, folder, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
L.seed_everything(0, verbose=False)
trainer = L.Trainer(max_epochs=30, accelerator="cpu", logger=CSVLogger(folder), callbacks=[ModelCheckpoint(monitor="val_loss")],
                    default_root_dir=folder)
trainer.fit(MLP(), Digits(digits))
