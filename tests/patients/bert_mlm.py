"""A from-scratch BERT pre-training script in the style of small PyTorch BERT repositories."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader

PAD, CLS, SEP, MASK = 0, 1, 2, 3
FIRST_CONTENT, N_KEYS, N_SYMBOLS = 4, 2, 10  # content ids: the keys, then the symbols


@dataclass
class BertConfig:
    vocab_size: int = FIRST_CONTENT + N_KEYS + N_SYMBOLS
    hidden_size: int = 48
    num_layers: int = 2
    num_heads: int = 4
    intermediate_size: int = 192
    max_position: int = 33
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    dropout: float = 0.1


def make_rows(n_rows, seed):
    """Rows `CLS key a0 a1 .. SEP key b0 b1 .. SEP`; each symbol has 4 successors, by key."""
    g = torch.Generator().manual_seed(0)  # the language is the same for every split
    table = torch.randint(N_SYMBOLS, (N_KEYS, N_SYMBOLS, 4), generator=g).tolist()
    g = torch.Generator().manual_seed(seed)
    odds = torch.tensor([0.7, 0.1, 0.1, 0.1]).expand(n_rows, 4)
    steps = torch.multinomial(odds, 40, replacement=True, generator=g).tolist()
    heads = torch.randint(N_KEYS * N_SYMBOLS, (n_rows, 2), generator=g).tolist()
    lengths = torch.randint(8, 15, (n_rows, 2), generator=g).tolist()
    rows = []
    for step, head, length in zip(steps, heads, lengths, strict=True):
        ids, types = [CLS], [0]
        for segment in (0, 1):
            key, c = divmod(head[segment], N_SYMBOLS)
            ids.append(FIRST_CONTENT + key)
            for i in range(length[segment]):
                ids.append(FIRST_CONTENT + N_KEYS + c)
                c = table[key][c][step[20 * segment + i]]
            ids.append(SEP)
            types += [segment] * (len(ids) - len(types))
        rows.append((ids, types))
    return rows


def mask_tokens(ids, vocab_size, generator=None, p=0.15):
    labels = ids.clone()
    can_mask = ids >= FIRST_CONTENT  # never a special token, never padding
    chosen = (torch.rand(ids.shape, generator=generator) < p) & can_mask
    labels[~chosen] = -100
    dice = torch.rand(ids.shape, generator=generator)  # 80 % [MASK], 10 % random, 10 % kept
    random_ids = torch.randint(FIRST_CONTENT, vocab_size, ids.shape, generator=generator)
    ids = torch.where(chosen & (dice < 0.8), MASK, ids)
    ids = torch.where(chosen & (dice >= 0.8) & (dice < 0.9), random_ids, ids)
    return ids, labels


def pad_rows(rows):
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [PAD] * (width - len(ids)) for ids, _ in rows])
    types = torch.tensor([types + [0] * (width - len(types)) for _, types in rows])
    return ids, types, ids != PAD  # (B, T) each


def collate(rows):
    ids, types, attention_mask = pad_rows(rows)
    ids, labels = mask_tokens(ids, BertConfig.vocab_size)
    return ids, types, attention_mask, labels


class SelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.head_dim = c.num_heads, c.hidden_size // c.num_heads
        self.query = nn.Linear(c.hidden_size, c.hidden_size)
        self.key = nn.Linear(c.hidden_size, c.hidden_size)
        self.value = nn.Linear(c.hidden_size, c.hidden_size)
        self.dense = nn.Linear(c.hidden_size, c.hidden_size)
        self.dropout = nn.Dropout(c.dropout)

    def split_heads(self, x):  # (B, T, H) -> (B, h, T, d)
        return x.view(x.size(0), x.size(1), self.heads, self.head_dim).permute(0, 2, 1, 3)

    def forward(self, x, additive_mask):
        q, k, v = (self.split_heads(f(x)) for f in (self.query, self.key, self.value))
        scores = q @ k.transpose(-1, -2)  # (B, h, T, T)
        scores = scores / math.sqrt(self.head_dim)
        scores = scores + additive_mask
        probs = self.dropout(scores.softmax(dim=-1))
        context = (probs @ v).permute(0, 2, 1, 3).reshape(x.shape)
        return self.dense(context)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attention = SelfAttention(c)
        self.attention_norm = nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.up = nn.Linear(c.hidden_size, c.intermediate_size)
        self.down = nn.Linear(c.intermediate_size, c.hidden_size)
        self.output_norm = nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.dropout = nn.Dropout(c.dropout)

    def forward(self, x, additive_mask):
        x = self.attention_norm(x + self.dropout(self.attention(x, additive_mask)))
        return self.output_norm(x + self.dropout(self.down(F.gelu(self.up(x)))))


class BertForMLM(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word = nn.Embedding(c.vocab_size, c.hidden_size)
        self.position = nn.Embedding(c.max_position, c.hidden_size)
        self.token_type = nn.Embedding(c.type_vocab_size, c.hidden_size)
        self.embedding_norm = nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.dropout = nn.Dropout(c.dropout)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.num_layers))
        self.transform = nn.Linear(c.hidden_size, c.hidden_size)
        self.transform_norm = nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.decoder = nn.Linear(c.hidden_size, c.vocab_size)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        self.decoder.weight = self.word.weight

    def forward(self, ids, types, attention_mask):
        x = self.word(ids) + self.token_type(types)
        x = x + self.position(torch.arange(ids.size(1)))
        x = self.dropout(self.embedding_norm(x))  # (B, T, H)
        additive_mask = (~attention_mask)[:, None, None, :] * torch.finfo(x.dtype).min
        for layer in self.layers:
            x = layer(x, additive_mask)
        x = self.transform_norm(F.gelu(self.transform(x)))
        return self.decoder(x)  # (B, T, V)


def validate(model, batches):
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for ids, types, attention_mask, labels in batches:
            logits = model(ids, types, attention_mask)
            total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
            count += (labels != -100).sum().item()
    model.train()
    return total / count


def main():
    torch.manual_seed(42)
    config = BertConfig()
    train_rows, val_rows = make_rows(1200, seed=1), make_rows(192, seed=2)
    loader = DataLoader(train_rows, batch_size=24, shuffle=True, collate_fn=collate)
    fixed, val_batches = torch.Generator().manual_seed(7), []  # validation masks are drawn once
    for i in range(0, len(val_rows), 64):
        ids, types, attention_mask = pad_rows(val_rows[i : i + 64])
        ids, labels = mask_tokens(ids, config.vocab_size, fixed)
        val_batches.append((ids, types, attention_mask, labels))

    model = BertForMLM(config)
    criterion = nn.CrossEntropyLoss(ignore_index=-100)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]  # biases and LayerNorm gains
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}],
        lr=5e-3,
    )
    epochs = 2
    updates, warmup = epochs * len(loader), 12
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda u: (u + 1) / warmup if u < warmup else max(0.05, (updates - u) / (updates - warmup)),
    )
    print(f"before training: val loss {validate(model, val_batches):.4f}")
    for epoch in range(epochs):
        for ids, types, attention_mask, labels in loader:
            logits = model(ids, types, attention_mask)
            loss = criterion(logits.view(-1, config.vocab_size), labels.view(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            scheduler.step()
        val_loss = validate(model, val_batches)
        print(f"epoch {epoch + 1}: train loss {loss.item():.4f}, val loss {val_loss:.4f}")


if __name__ == "__main__":
    main()
