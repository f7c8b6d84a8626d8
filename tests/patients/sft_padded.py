"""Supervised fine-tuning script: prompt + response rows, HF-like forward that shifts by itself."""

import random
from types import SimpleNamespace

import torch
from torch import nn
from torch.utils.data import DataLoader

PAD_ID, BOS_ID, SEP_ID, EOS_ID = 0, 1, 2, 3
N_KEYS, N_SYMBOLS = 3, 14
KEY_START, SYMBOL_START = 4, 4 + N_KEYS
VOCAB_SIZE = SYMBOL_START + N_SYMBOLS
IGNORE_INDEX, MAX_LENGTH = -100, 35

# the language: each key has its own table of 4 successors for each symbol
language = random.Random(0)
TABLE = [
    [[language.randrange(N_SYMBOLS) for _ in range(4)] for _ in range(N_SYMBOLS)]
    for _ in range(N_KEYS)
]


def make_example(rng):
    """Prompt: a key and a few symbols. Response: the walk goes on from the last of them."""
    key, c = rng.randrange(N_KEYS), rng.randrange(N_SYMBOLS)
    walk = []
    for step in rng.choices(range(4), weights=[70, 20, 5, 5], k=rng.randint(14, 31)):
        walk.append(SYMBOL_START + c)
        c = TABLE[key][c][step]
    cut = rng.randint(3, 6)
    return {"prompt": [KEY_START + key] + walk[:cut], "response": walk[cut:]}


def encode(example):
    prompt = [BOS_ID] + example["prompt"] + [SEP_ID]
    response = example["response"] + [EOS_ID]
    input_ids = prompt + response
    labels = [IGNORE_INDEX] * len(prompt) + response
    return {"input_ids": input_ids[:MAX_LENGTH], "labels": labels[:MAX_LENGTH]}


def collate(rows):
    longest = max(len(row["input_ids"]) for row in rows)
    batch = {"input_ids": [], "attention_mask": [], "labels": []}
    for row in rows:
        n_pad = longest - len(row["input_ids"])
        batch["input_ids"].append(row["input_ids"] + [PAD_ID] * n_pad)
        batch["attention_mask"].append([1] * len(row["input_ids"]) + [0] * n_pad)
        batch["labels"].append(row["labels"] + [IGNORE_INDEX] * n_pad)
    return {name: torch.tensor(value) for name, value in batch.items()}


class TinyCausalLM(nn.Module):
    def __init__(self, hidden=64, heads=4, layers=2, dropout=0.1):
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCAB_SIZE, hidden)
        self.embed_positions = nn.Embedding(MAX_LENGTH, hidden)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                hidden, heads, 2 * hidden, dropout, "gelu", norm_first=True, batch_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(hidden)
        self.lm_head = nn.Linear(hidden, VOCAB_SIZE, bias=False)
        for weight in (self.embed_tokens.weight, self.embed_positions.weight, self.lm_head.weight):
            nn.init.normal_(weight, std=0.05)

    def forward(self, input_ids, attention_mask, labels=None):
        length = input_ids.size(1)
        positions = torch.arange(length, device=input_ids.device)
        hidden = self.dropout(self.embed_tokens(input_ids) + self.embed_positions(positions))
        causal_mask = torch.ones(length, length, dtype=torch.bool).triu(diagonal=1)
        padding_mask = attention_mask == 0  # True means "do not look", as torch wants it
        for layer in self.layers:
            hidden = layer(hidden, src_mask=causal_mask, src_key_padding_mask=padding_mask)
        logits = self.lm_head(self.norm(hidden))
        loss = None
        if labels is not None:
            shift_logits = logits[:, :-1]
            shift_labels = labels[:, 1:]
            loss = nn.functional.cross_entropy(
                shift_logits.reshape(-1, VOCAB_SIZE),
                shift_labels.reshape(-1),
                ignore_index=IGNORE_INDEX,
            )
        return SimpleNamespace(loss=loss, logits=logits)


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    total_nll, total_tokens = 0.0, 0
    for batch in loader:
        n_tokens = (batch["labels"][:, 1:] != IGNORE_INDEX).sum().item()
        total_nll += model(**batch).loss.item() * n_tokens
        total_tokens += n_tokens
    model.train()
    return total_nll / total_tokens


def main():
    torch.manual_seed(0)
    train_rng, val_rng = random.Random(1), random.Random(2)
    train_rows = [encode(make_example(train_rng)) for _ in range(800)]
    val_rows = [encode(make_example(val_rng)) for _ in range(128)]
    train_loader = DataLoader(train_rows, batch_size=16, shuffle=True, collate_fn=collate)
    val_loader = DataLoader(val_rows, batch_size=64, collate_fn=collate)

    model = TinyCausalLM()
    num_epochs, warmup_steps = 2, 10
    max_steps = num_epochs * len(train_loader)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=warmup_steps)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, T_max=max_steps - warmup_steps, eta_min=4e-4
    )
    scheduler = torch.optim.lr_scheduler.SequentialLR(
        optimizer, [warmup, cosine], milestones=[warmup_steps]
    )

    print(f"step 0: eval loss {evaluate(model, val_loader):.4f}")
    global_step = 0
    for _ in range(num_epochs):
        for batch in train_loader:
            outputs = model(**batch)
            outputs.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            global_step += 1
            if global_step % 25 == 0:
                lr = scheduler.get_last_lr()[0]
                print(f"step {global_step}: loss {outputs.loss.item():.4f}, next lr {lr:.2e}")
        print(f"step {global_step}: eval loss {evaluate(model, val_loader):.4f}")


if __name__ == "__main__":
    main()
