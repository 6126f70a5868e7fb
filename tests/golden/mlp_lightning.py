# SPDX-License-Identifier: Apache-2.0
"""The `mlp` model of this project as a Lightning user writes it: the yardstick for how many lines an author needs.

usage: python mlp_lightning.py DIGITS.csv.gz
"""

# --- the model: what the C plugin is compared with -----------------------------------------------------------------------------
import lightning as L
import torch
from torch import nn
from torch.nn import functional as F


class Mlp(L.LightningModule):
    def __init__(self, inputs=64, hidden=128, classes=10, dropout=0.1, lr=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.fc2(self.dropout(F.relu(self.fc1(x.flatten(1)))))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.evaluate(batch, "val")

    def test_step(self, batch, batch_idx):
        self.evaluate(batch, "test")

    def predict_step(self, batch, batch_idx):
        x, _ = batch
        return self(x)

    def evaluate(self, batch, stage):
        x, y = batch
        logits = self(x)
        self.log(f"{stage}_loss", F.cross_entropy(logits, y), prog_bar=True)
        self.log(f"{stage}_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)


# --- the run: what run.ini and the digits datamodule are compared with ---------------------------------------------------------
if __name__ == "__main__":
    import sys

    import numpy as np
    from torch.utils.data import DataLoader, TensorDataset, random_split

    L.seed_everything(42)
    table = np.loadtxt(sys.argv[1], delimiter=",", dtype=np.int64)
    data = TensorDataset(torch.from_numpy(table[:, :64]) / 16.0, torch.from_numpy(table[:, 64]))
    train, val = random_split(data, [0.8, 0.2])
    model = Mlp()
    trainer = L.Trainer(max_epochs=30, logger=False, enable_checkpointing=False, log_every_n_steps=10)
    trainer.fit(model, DataLoader(train, batch_size=64, shuffle=True), DataLoader(val, batch_size=64))
    trainer.validate(model, DataLoader(val, batch_size=64))
