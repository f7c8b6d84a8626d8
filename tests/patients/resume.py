"""A preemptible-cluster script: train, save everything, build everything anew, load, go on."""

import pathlib
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

BOS, EOS, KEYS, SYMBOLS = 0, 1, 4, 18
VOCAB, LENGTH, WIDTH = 2 + KEYS + SYMBOLS, 32, 64
BATCH, UPDATES, STOP_AT, WARMUP, PEAK_LR = 16, 120, 60, 12, 5e-3


def toy_corpus(n_docs, seed):
    """Documents `BOS key c0 c1 .. EOS` of LENGTH + 1 ids; the key chooses the successors."""
    shared = torch.Generator().manual_seed(0)
    table = torch.randint(SYMBOLS, (KEYS, SYMBOLS, 4), generator=shared)
    g = torch.Generator().manual_seed(seed)
    turns = torch.tensor([0.6, 0.2, 0.1, 0.1]).expand(n_docs, 4)
    turns = torch.multinomial(turns, LENGTH, replacement=True, generator=g)
    key = torch.randint(KEYS, (n_docs,), generator=g)
    c = torch.randint(SYMBOLS, (n_docs,), generator=g)
    columns = [torch.full_like(key, BOS), 2 + key]
    for t in range(LENGTH - 2):
        columns.append(2 + KEYS + c)
        c = table[key, c, turns[:, t]]
    return torch.stack([*columns, torch.full_like(key, EOS)], dim=1)


class Attention(nn.Module):
    def __init__(self, heads=4, dropout=0.1):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.to_qkv, self.to_out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = self.to_qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        p = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=p)
        return self.to_out(y.transpose(1, 2).reshape(b, t, WIDTH))


class LanguageModel(nn.Module):
    def __init__(self, depth=2):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCAB, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.dropout = nn.Dropout(0.1)
        self.attention = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(WIDTH), Attention()) for _ in range(depth)
        )
        self.feed_forward = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(WIDTH),
                nn.Linear(WIDTH, 4 * WIDTH),
                nn.GELU(),
                nn.Linear(4 * WIDTH, WIDTH),
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCAB, bias=False)
        for embedding in (self.tokens, self.positions):
            nn.init.normal_(embedding.weight, std=0.02)
        self.head.weight = self.tokens.weight

    def forward(self, ids):
        x = self.dropout(self.tokens(ids) + self.positions(torch.arange(ids.size(1))))
        for attention, feed_forward in zip(self.attention, self.feed_forward, strict=True):
            x = x + self.dropout(attention(x))
            x = x + self.dropout(feed_forward(x))
        return self.head(self.norm(x))  # (B, T, V)


def lr_factor(update):
    if update < WARMUP:
        return (update + 1) / WARMUP
    return max(0.1, 1.0 - 0.9 * (update - WARMUP) / (UPDATES - WARMUP))


def build():
    model = LanguageModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_factor)
    return model, optimizer, scheduler


def next_token_loss(model, docs, reduction="mean"):
    logits = model(docs[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), docs[:, 1:].flatten(), reduction=reduction)


@torch.no_grad()
def validate(model, docs):
    model.eval()
    nll = sum(next_token_loss(model, part, "sum").item() for part in docs.split(64))
    model.train()
    return nll / docs[:, 1:].numel()


def train(model, optimizer, scheduler, docs, start, stop):
    per_epoch = len(docs) // BATCH
    for update in range(start, stop):
        epoch, place = divmod(update, per_epoch)  # the place in the data follows from the update
        order = torch.randperm(len(docs), generator=torch.Generator().manual_seed(1000 + epoch))
        rows = order[place * BATCH : (place + 1) * BATCH]
        loss = next_token_loss(model, docs[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        if update % 20 == 0:
            print(f"update {update}: loss {loss.item():.4f}")


def save(path, model, optimizer, scheduler, update):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rng": torch.get_rng_state(),
        "update": update,
    }
    torch.save(state, path)


def load(path, model, optimizer, scheduler):
    state = torch.load(path)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    return state["update"]


if __name__ == "__main__":
    torch.manual_seed(5)
    train_docs, val_docs = toy_corpus(1280, seed=1), toy_corpus(128, seed=2)
    model, optimizer, scheduler = build()
    print(f"start: val loss {validate(model, val_docs):.4f}")
    train(model, optimizer, scheduler, train_docs, 0, STOP_AT)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "last.pt")
        save(path, model, optimizer, scheduler, STOP_AT)
        print(f"saved: val loss {validate(model, val_docs):.4f}")
        del model, optimizer, scheduler  # the job is preempted; a new one starts
        model, optimizer, scheduler = build()
        resumed_at = load(path, model, optimizer, scheduler)
    print(f"resumed at {resumed_at}: val loss {validate(model, val_docs):.4f}")
    train(model, optimizer, scheduler, train_docs, resumed_at, UPDATES)
    print(f"end: val loss {validate(model, val_docs):.4f}")
