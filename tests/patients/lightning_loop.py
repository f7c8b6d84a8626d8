"""Lightning style: a LightningModule with configure_optimizers, and a bare Trainer on the CPU."""

import math
import random

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

PAD, BOS, EOS, KEYS, SYMBOLS, MAX_LEN = 0, 1, 2, 4, 16, 32
VOCAB = 3 + KEYS + SYMBOLS


class ToyText(Dataset):
    """Documents `BOS key c0 c1 .. EOS`; the key chooses which 4 successors a symbol may have."""

    def __init__(self, n_docs, seed):
        language, rng = random.Random(0), random.Random(seed)
        table = [[language.sample(range(SYMBOLS), 4) for _ in range(SYMBOLS)] for _ in range(KEYS)]
        self.docs = []
        for _ in range(n_docs):
            key, c = rng.randrange(KEYS), rng.randrange(SYMBOLS)
            doc = [BOS, 3 + key]
            for turn in rng.choices(range(4), (60, 20, 10, 10), k=rng.randint(12, MAX_LEN - 2)):
                doc.append(3 + KEYS + c)
                c = table[key][c][turn]
            self.docs.append(torch.tensor(doc + [EOS]))

    def __len__(self):
        return len(self.docs)

    def __getitem__(self, index):
        return self.docs[index]


def collate(docs):
    ids = nn.utils.rnn.pad_sequence(docs, batch_first=True, padding_value=PAD)
    return {"inputs": ids[:, :-1], "targets": ids[:, 1:]}


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # (B, h, T, d)
        return self.proj(y.transpose(1, 2).reshape(b, t, d))


class LitLanguageModel(L.LightningModule):
    def __init__(self, dim=64, heads=4, depth=2, dropout=0.1, lr=5e-3, warmup=12):
        super().__init__()
        self.save_hyperparameters()
        self.embed, self.positions = nn.Embedding(VOCAB, dim), nn.Embedding(MAX_LEN, dim)
        self.dropout = nn.Dropout(dropout)
        self.attention = nn.ModuleList(Attention(dim, heads) for _ in range(depth))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
            for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2 * depth + 1))
        self.head = nn.Linear(dim, VOCAB, bias=False)
        for module in (self.embed, self.positions, self.head):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids):
        x = self.dropout(self.embed(ids) + self.positions.weight[: ids.size(1)])
        for i, (attention, mlp) in enumerate(zip(self.attention, self.mlp, strict=True)):
            x = x + self.dropout(attention(self.norms[2 * i](x)))
            x = x + self.dropout(mlp(self.norms[2 * i + 1](x)))
        return self.head(self.norms[-1](x))  # (B, T, V)

    def training_step(self, batch, batch_idx):
        logits = self(batch["inputs"])
        loss = F.cross_entropy(logits.flatten(0, 1), batch["targets"].flatten(), ignore_index=PAD)
        self.log("train_loss", loss)
        return loss

    def on_validation_epoch_start(self):
        self.val_nll, self.val_tokens = 0.0, 0

    def validation_step(self, batch, batch_idx):
        logits = self(batch["inputs"]).flatten(0, 1)
        targets = batch["targets"].flatten()
        self.val_nll += F.cross_entropy(logits, targets, ignore_index=PAD, reduction="sum").item()
        self.val_tokens += (targets != PAD).sum().item()

    def on_validation_epoch_end(self):
        val_loss = self.val_nll / self.val_tokens
        self.log("val_loss", val_loss)
        print(f"update {self.global_step}: val loss {val_loss:.4f}")

    def configure_optimizers(self):
        decay = [p for p in self.parameters() if p.dim() >= 2]
        no_decay = [p for p in self.parameters() if p.dim() < 2]
        optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": 0.05}, {"params": no_decay, "weight_decay": 0.0}],
            lr=self.hparams.lr,
        )
        total, warmup = int(self.trainer.estimated_stepping_batches), self.hparams.warmup

        def factor(update):
            if update < warmup:
                return (update + 1) / warmup
            return 0.1 + 0.45 * (1 + math.cos(math.pi * (update - warmup) / (total - warmup)))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


if __name__ == "__main__":
    L.seed_everything(7, verbose=False)
    train_loader = DataLoader(ToyText(960, 1), batch_size=16, shuffle=True, collate_fn=collate)
    val_loader = DataLoader(ToyText(128, 2), batch_size=64, collate_fn=collate)
    trainer = L.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=2.0,
    )
    trainer.fit(LitLanguageModel(), train_loader, val_loader)
