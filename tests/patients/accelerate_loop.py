"""accelerate example style: prepare(), accumulate(), gather_for_metrics(), a by-the-book loop."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader, TensorDataset

BOS, EOS, N_KEYS, N_SYMBOLS, LENGTH = 0, 1, 4, 18, 32
VOCAB_SIZE = 2 + N_KEYS + N_SYMBOLS
CONFIG = {"lr": 5e-3, "num_epochs": 3, "batch_size": 8, "accumulation": 2, "warmup": 12, "seed": 42}


def get_dataset(n_docs, seed):
    """Documents `BOS key c0 c1 .. EOS`, LENGTH + 1 long; the key chooses the 4 successors."""
    table_generator = torch.Generator().manual_seed(0)
    table = torch.randint(N_SYMBOLS, (N_KEYS, N_SYMBOLS, 4), generator=table_generator)
    g = torch.Generator().manual_seed(seed)
    odds = torch.tensor([0.6, 0.2, 0.1, 0.1]).expand(n_docs, 4)
    turns = torch.multinomial(odds, LENGTH, replacement=True, generator=g)
    key = torch.randint(N_KEYS, (n_docs,), generator=g)
    symbol = torch.randint(N_SYMBOLS, (n_docs,), generator=g)
    columns = [torch.full((n_docs,), BOS), 2 + key]
    for t in range(LENGTH - 2):
        columns.append(2 + N_KEYS + symbol)
        symbol = table[key, symbol, turns[:, t]]
    columns.append(torch.full((n_docs,), EOS))
    return TensorDataset(torch.stack(columns, dim=1))


class DecoderLayer(nn.Module):
    def __init__(self, dim, heads, dropout):
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim), nn.Dropout(dropout)
        )

    def forward(self, x, causal_mask):
        h = self.attention_norm(x)
        h, _ = self.attention(h, h, h, attn_mask=causal_mask, need_weights=False)
        x = x + h
        return x + self.mlp(self.mlp_norm(x))


class TinyDecoder(nn.Module):
    def __init__(self, dim=64, layers=2, heads=4, dropout=0.1):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCAB_SIZE, dim), nn.Embedding(LENGTH, dim)
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, VOCAB_SIZE, bias=False)
        for table in (self.tokens, self.positions, self.head):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids):
        length = ids.size(1)
        x = self.tokens(ids) + self.positions(torch.arange(length, device=ids.device))
        causal_mask = torch.ones(length, length, dtype=torch.bool, device=ids.device).triu(1)
        for layer in self.layers:
            x = layer(x, causal_mask)
        return self.head(self.norm(x))  # (B, T, V)


def evaluate(accelerator, model, dataloader):
    model.eval()
    losses = []
    for (ids,) in dataloader:
        with torch.no_grad():
            logits = model(ids[:, :-1])
        targets = ids[:, 1:]
        loss = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")  # (B, T)
        losses.append(accelerator.gather_for_metrics(loss))
    model.train()
    return torch.cat(losses).mean().item()


def training_function(config):
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=config["accumulation"])
    set_seed(config["seed"])
    train_dataset, eval_dataset = get_dataset(640, seed=1), get_dataset(128, seed=2)
    train_dataloader = DataLoader(train_dataset, shuffle=True, batch_size=config["batch_size"])
    eval_dataloader = DataLoader(eval_dataset, shuffle=False, batch_size=64)
    model = TinyDecoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"], weight_decay=0.0)
    updates = config["num_epochs"] * len(train_dataloader) // config["accumulation"]

    def lr_lambda(update):
        if update < config["warmup"]:
            return (update + 1) / config["warmup"]
        return max(0.1, (updates - update) / (updates - config["warmup"]))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda)
    model, optimizer, train_dataloader, eval_dataloader, scheduler = accelerator.prepare(
        model, optimizer, train_dataloader, eval_dataloader, scheduler
    )
    accelerator.print(f"epoch 0: eval loss {evaluate(accelerator, model, eval_dataloader):.4f}")
    for epoch in range(1, config["num_epochs"] + 1):
        for (ids,) in train_dataloader:
            with accelerator.accumulate(model):
                logits = model(ids[:, :-1])
                loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), 2.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
        eval_loss = evaluate(accelerator, model, eval_dataloader)
        lr = scheduler.get_last_lr()[0]
        accelerator.print(
            f"epoch {epoch}: train {loss.item():.4f}, eval {eval_loss:.4f}, next lr {lr:.1e}"
        )


if __name__ == "__main__":
    training_function(CONFIG)
