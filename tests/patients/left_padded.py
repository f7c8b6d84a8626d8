"""Chat-bot repository style: causal LM on left-padded batches, positions from the mask."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class ToyTokenizer:
    """ids: 0 pad, 1 bos, 2 eos, then the keys, then the symbols."""

    pad_token_id, bos_token_id, eos_token_id = 0, 1, 2
    n_keys, n_symbols = 4, 16
    vocab_size = 3 + n_keys + n_symbols

    def __call__(self, documents):
        rows = [[self.bos_token_id, *doc, self.eos_token_id] for doc in documents]
        width = max(len(row) for row in rows)
        pads = [[self.pad_token_id] * (width - len(row)) for row in rows]
        input_ids = torch.tensor([pad + row for pad, row in zip(pads, rows, strict=True)])
        mask = [[0] * len(pad) + [1] * len(row) for pad, row in zip(pads, rows, strict=True)]
        return input_ids, torch.tensor(mask)  # (B, T) each


class Documents(Dataset):
    """A key, then symbols; the key chooses which 4 successors a symbol may have."""

    def __init__(self, n_docs, seed, tokenizer):
        language, rng, n = random.Random(0), random.Random(seed), tokenizer.n_symbols
        table = [[language.sample(range(n), 4) for _ in range(n)] for _ in range(tokenizer.n_keys)]
        self.docs = []
        for _ in range(n_docs):
            key, c = rng.randrange(tokenizer.n_keys), rng.randrange(n)
            doc = [3 + key]
            for turn in rng.choices(range(4), weights=[60, 20, 10, 10], k=rng.randint(12, 29)):
                doc.append(3 + tokenizer.n_keys + c)
                c = table[key][c][turn]
            self.docs.append(doc)

    def __len__(self):
        return len(self.docs)

    def __getitem__(self, i):
        return self.docs[i]


def build_attention_mask(attention_mask):
    """(B, T) of 1 and 0 -> (B, 1, T, T), True where a query may look."""
    t = attention_mask.size(1)
    causal = torch.ones(t, t, dtype=torch.bool).tril()
    allowed = causal & attention_mask.bool()[:, None, None, :]
    return allowed | torch.eye(t, dtype=torch.bool)  # a pad sees itself: no row is all False


class DecoderLayer(nn.Module):
    def __init__(self, dim, n_heads, dropout):
        super().__init__()
        self.n_heads, self.dropout = n_heads, nn.Dropout(dropout)
        self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.q_proj, self.k_proj = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.v_proj, self.o_proj = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x, mask):
        b, t, d = x.shape
        h = self.ln1(x)
        q, k, v = self.q_proj(h), self.k_proj(h), self.v_proj(h)
        q, k, v = (y.view(b, t, self.n_heads, -1).transpose(1, 2) for y in (q, k, v))
        h = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (B, h, T, d)
        x = x + self.dropout(self.o_proj(h.transpose(1, 2).reshape(b, t, d)))
        return x + self.dropout(self.fc2(F.gelu(self.fc1(self.ln2(x)))))


class Decoder(nn.Module):
    def __init__(self, vocab_size, dim=64, n_layers=2, n_heads=4, max_positions=40, dropout=0.1):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab_size, dim), nn.Embedding(max_positions, dim)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(DecoderLayer(dim, n_heads, dropout) for _ in range(n_layers))
        self.ln_f = nn.LayerNorm(dim)
        self.lm_head = nn.Linear(dim, vocab_size, bias=False)
        for module in (self.wte, self.wpe, self.lm_head):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, input_ids, attention_mask):
        position_ids = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)
        mask = build_attention_mask(attention_mask)
        x = self.dropout(self.wte(input_ids) + self.wpe(position_ids))
        for layer in self.layers:
            x = layer(x, mask)
        return self.lm_head(self.ln_f(x))  # (B, T, V)


def compute_loss(model, input_ids, attention_mask):
    logits = model(input_ids, attention_mask)
    labels = input_ids.masked_fill(attention_mask == 0, -100)
    labels = labels[:, 1:]  # the first real token follows a pad: no target for it either
    labels = labels.masked_fill(attention_mask[:, :-1] == 0, -100)
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels.flatten(), ignore_index=-100)
    return loss, (labels != -100).sum().item()


def run_validation(model, loader):
    model.eval()
    total, tokens = 0.0, 0
    with torch.no_grad():
        for batch in loader:
            loss, n = compute_loss(model, *batch)
            total, tokens = total + loss.item() * n, tokens + n
    model.train()
    return total / tokens


def train():
    torch.manual_seed(0)
    tokenizer = ToyTokenizer()
    train_loader = DataLoader(
        Documents(960, 1, tokenizer), batch_size=16, shuffle=True, collate_fn=tokenizer
    )
    val_loader = DataLoader(Documents(128, 2, tokenizer), batch_size=64, collate_fn=tokenizer)
    model = Decoder(tokenizer.vocab_size)
    epochs, warmup = 2, 12
    total_steps = epochs * len(train_loader)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: min((s + 1) / warmup, 1 - 0.9 * (s - warmup) / (total_steps - warmup)),
    )
    print(f"before: val loss {run_validation(model, val_loader):.4f}")
    for epoch in range(epochs):
        for step, batch in enumerate(train_loader):
            optimizer.zero_grad()
            loss, _ = compute_loss(model, *batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=2.0)
            optimizer.step()
            scheduler.step()
            if step % 20 == 0:
                print(f"epoch {epoch} step {step}: loss {loss.item():.4f}")
        print(f"epoch {epoch}: val loss {run_validation(model, val_loader):.4f}")


if __name__ == "__main__":
    train()
