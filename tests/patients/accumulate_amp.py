"""Lab-style training script: argparse over a YAML file, AMP with a GradScaler, accumulation."""

import argparse
import json
import pathlib
import random
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F
import yaml

DEFAULT_CONFIG = """
model: {hidden: 64, layers: 2, heads: 4, max_len: 31}
data: {train_docs: 2400, val_docs: 160, n_keys: 4, n_symbols: 16}
train:
  seed: 11
  updates: 75
  micro_batch: 8
  gradient_accumulation_steps: 4
  lr: 6.0e-3
  warmup_updates: 8
  final_lr_fraction: 0.1
  weight_decay: 0.1
  max_grad_norm: 2.0
  amp: false  # float16 pays off on a GPU only; the scaler stays on either way
  init_scale: 1024.0
"""
PAD, BOS, EOS, IGNORE = 0, 1, 2, -100


def make_docs(cfg, n_docs, seed):
    """Documents BOS key c0 c1 .. EOS; the key chooses the 4 successors of every symbol."""
    n_keys, n_symbols = cfg["n_keys"], cfg["n_symbols"]
    lang = random.Random(0)
    table = [[lang.sample(range(n_symbols), 4) for _ in range(n_symbols)] for _ in range(n_keys)]
    rng, docs = random.Random(seed), []
    for _ in range(n_docs):
        key, c = rng.randrange(n_keys), rng.randrange(n_symbols)
        doc = [BOS, 3 + key]
        for turn in rng.choices(range(4), weights=[60, 20, 10, 10], k=rng.randint(12, 29)):
            doc.append(3 + n_keys + c)
            c = table[key][c][turn]
        docs.append(torch.tensor(doc + [EOS]))
    return docs


def pad_batch(docs):
    ids = nn.utils.rnn.pad_sequence(docs, batch_first=True, padding_value=PAD)
    inputs, targets = ids[:, :-1], ids[:, 1:]
    targets = targets.masked_fill(targets == PAD, IGNORE)
    return inputs, targets  # (B, T) each


class Block(nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.ffn = nn.Sequential(
            nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden)
        )

    def forward(self, x):  # right padding and causal: no real token ever sees a pad
        batch, length, hidden = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, hidden // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, h, T, d) each
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, length, hidden))
        return x + self.ffn(self.norm2(x))


class CausalLM(nn.Module):
    def __init__(self, vocab_size, hidden, layers, heads, max_len):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, hidden)
        self.positions = nn.Embedding(max_len, hidden)
        self.blocks = nn.Sequential(*[Block(hidden, heads) for _ in range(layers)])
        self.final_norm = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, vocab_size, bias=False)
        for table in (self.tokens, self.positions, self.head):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(ids.size(1), device=ids.device))
        return self.head(self.final_norm(self.blocks(x)))


def summed_loss(model, inputs, targets, amp):
    with torch.autocast("cpu", dtype=torch.float16, enabled=amp):
        logits = model(inputs)
    return F.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="sum"
    )


@torch.no_grad()
def validate(model, docs, amp):
    model.eval()
    nll, tokens = 0.0, 0
    for i in range(0, len(docs), 32):
        inputs, targets = pad_batch(docs[i : i + 32])
        nll += summed_loss(model, inputs, targets, amp).item()
        tokens += (targets != IGNORE).sum().item()
    model.train()
    return nll / tokens


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=pathlib.Path, default=None)
    parser.add_argument("--gradient-accumulation-steps", type=int, default=None)
    args = parser.parse_args()
    run_dir = tempfile.TemporaryDirectory()
    config_path = args.config or pathlib.Path(run_dir.name, "config.yaml")
    if args.config is None:
        config_path.write_text(DEFAULT_CONFIG)
    cfg = yaml.safe_load(config_path.read_text())
    data_cfg, train_cfg = cfg["data"], cfg["train"]
    if args.gradient_accumulation_steps is not None:  # the file holds unless the user says so
        train_cfg["gradient_accumulation_steps"] = args.gradient_accumulation_steps

    torch.manual_seed(train_cfg["seed"])
    train_docs = make_docs(data_cfg, data_cfg["train_docs"], seed=1)
    val_docs = make_docs(data_cfg, data_cfg["val_docs"], seed=2)
    model = CausalLM(vocab_size=3 + data_cfg["n_keys"] + data_cfg["n_symbols"], **cfg["model"])
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": train_cfg["weight_decay"]},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=train_cfg["lr"],
    )
    updates, warmup = train_cfg["updates"], train_cfg["warmup_updates"]
    floor = train_cfg["final_lr_fraction"]

    def lr_factor(update):
        if update < warmup:
            return (update + 1) / warmup
        return max(floor, 1.0 - (1.0 - floor) * (update - warmup) / (updates - warmup))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_factor)
    scaler = torch.amp.GradScaler("cpu", init_scale=train_cfg["init_scale"])
    loader = torch.utils.data.DataLoader(
        train_docs, train_cfg["micro_batch"], shuffle=True, collate_fn=pad_batch, drop_last=True
    )
    micro_batches = iter(loader)
    log_path = pathlib.Path(run_dir.name, "log.jsonl")
    print(f"update 0: val loss {validate(model, val_docs, train_cfg['amp']):.4f}")
    with log_path.open("w") as log:
        for update in range(1, updates + 1):
            window = []
            for _ in range(train_cfg["gradient_accumulation_steps"]):
                window.append(next(micro_batches))
            n_tokens = sum((targets != IGNORE).sum().item() for _, targets in window)
            update_loss = 0.0
            for inputs, targets in window:
                loss = summed_loss(model, inputs, targets, train_cfg["amp"]) / n_tokens
                scaler.scale(loss).backward()
                update_loss += loss.item()
            scaler.unscale_(optimizer)
            norm = nn.utils.clip_grad_norm_(model.parameters(), train_cfg["max_grad_norm"])
            lr = optimizer.param_groups[0]["lr"]
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
            record = {"update": update, "loss": update_loss, "lr": lr, "grad_norm": norm.item()}
            record |= {"tokens": n_tokens, "scale": scaler.get_scale()}
            log.write(json.dumps(record) + "\n")
    for line in log_path.read_text().splitlines()[::15]:
        print(line)
    print(f"update {updates}: val loss {validate(model, val_docs, train_cfg['amp']):.4f}")
    run_dir.cleanup()


if __name__ == "__main__":
    main()
