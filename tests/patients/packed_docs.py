"""torchtitan / litgpt style: documents packed into rows and kept apart by a block mask."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

BOS, EOS, N_KEYS, N_SYMBOLS = 0, 1, 4, 16
VOCAB, SEQ_LEN, DIM, N_LAYERS, N_HEADS = 2 + N_KEYS + N_SYMBOLS, 64, 64, 2, 4
BATCH, STEPS, WARMUP, LR, MIN_LR = 8, 110, 10, 6e-3, 6e-4


def documents(seed):
    """For ever: `BOS key c0 c1 ... EOS`, where the key chooses each symbol's 4 successors."""
    table = torch.randint(
        N_SYMBOLS, (N_KEYS, N_SYMBOLS, 4), generator=torch.Generator().manual_seed(0)
    ).tolist()
    g = torch.Generator().manual_seed(seed)
    odds = torch.tensor([0.6, 0.2, 0.1, 0.1])
    while True:
        key, c, n = (torch.randint(k, (1,), generator=g).item() for k in (N_KEYS, N_SYMBOLS, 18))
        doc = [BOS, 2 + key]
        for turn in torch.multinomial(odds, 10 + n, replacement=True, generator=g).tolist():
            doc.append(2 + N_KEYS + c)
            c = table[key][c][turn]
        yield doc + [EOS]


def packed_rows(seed):
    """Rows of SEQ_LEN + 1 tokens and the document number of each; the last document is cut."""
    stream = documents(seed)
    while True:
        tokens, doc_ids, n = [], [], 0
        while len(tokens) <= SEQ_LEN:
            doc = next(stream)
            tokens += doc
            doc_ids += [n] * len(doc)
            n += 1
        yield torch.tensor(tokens[: SEQ_LEN + 1]), torch.tensor(doc_ids[: SEQ_LEN + 1])


def next_batch(rows):
    pairs = [next(rows) for _ in range(BATCH)]
    tokens, doc_ids = (torch.stack(column) for column in zip(*pairs, strict=True))
    inputs, input_docs = tokens[:, :-1], doc_ids[:, :-1]
    labels = tokens[:, 1:].clone()
    labels[doc_ids[:, 1:] != input_docs] = -100  # no document foretells the next one's start
    return inputs, input_docs, labels  # (B, T) each


def positions_in_document(doc_ids):
    index = torch.arange(doc_ids.size(1)).expand_as(doc_ids)
    starts = F.pad(doc_ids[:, 1:] != doc_ids[:, :-1], (1, 0), value=True)
    return index - torch.where(starts, index, 0).cummax(dim=1).values


def block_causal_mask(doc_ids):  # (B, 1, T, T), True where a query may look
    same_document = doc_ids[:, None, :, None] == doc_ids[:, None, None, :]
    t = doc_ids.size(1)
    causal = torch.tril(torch.ones(t, t, dtype=torch.bool))
    return same_document & causal


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.wqkv = nn.Linear(DIM, 3 * DIM, bias=False)
        self.wo = nn.Linear(DIM, DIM, bias=False)

    def forward(self, x, mask):
        b, t, _ = x.shape
        q, k, v = (
            y.view(b, t, N_HEADS, DIM // N_HEADS).transpose(1, 2)
            for y in self.wqkv(x).chunk(3, dim=-1)
        )
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.wo(y.transpose(1, 2).reshape(b, t, DIM))


class TransformerBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.attention = nn.RMSNorm(DIM, eps=1e-5), Attention()
        self.ffn_norm = nn.RMSNorm(DIM, eps=1e-5)
        self.feed_forward = nn.Sequential(
            nn.Linear(DIM, 4 * DIM), nn.GELU(approximate="tanh"), nn.Linear(4 * DIM, DIM)
        )

    def forward(self, x, mask):
        x = x + self.attention(self.attention_norm(x), mask)
        return x + self.feed_forward(self.ffn_norm(x))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok_embeddings = nn.Embedding(VOCAB, DIM)
        self.pos_embeddings = nn.Embedding(SEQ_LEN, DIM)
        self.layers = nn.ModuleList(TransformerBlock() for _ in range(N_LAYERS))
        self.norm = nn.RMSNorm(DIM, eps=1e-5)
        self.output = nn.Linear(DIM, VOCAB, bias=False)
        for weight in (self.tok_embeddings.weight, self.pos_embeddings.weight, self.output.weight):
            nn.init.normal_(weight, std=0.02)

    def forward(self, tokens, doc_ids):
        mask = block_causal_mask(doc_ids)
        positions = positions_in_document(doc_ids)
        h = self.tok_embeddings(tokens) + self.pos_embeddings(positions)
        for layer in self.layers:
            h = layer(h, mask)
        return self.output(self.norm(h))  # (B, T, V)


def cross_entropy(logits, labels, reduction="mean"):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction=reduction)


@torch.no_grad()
def evaluate(model, batches):
    model.eval()
    nll = sum(cross_entropy(model(x, docs), y, "sum").item() for x, docs, y in batches)
    model.train()
    return nll / sum((y != -100).sum().item() for _, _, y in batches)


def lr_at(step):
    if step < WARMUP:
        return LR * (step + 1) / WARMUP
    return MIN_LR + (LR - MIN_LR) * 0.5 * (
        1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))
    )


def main():
    torch.manual_seed(2024)
    train_rows, val_rows = packed_rows(seed=1), packed_rows(seed=2)
    val_batches = [next_batch(val_rows) for _ in range(8)]
    model = Transformer()
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
            {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=LR,
        betas=(0.9, 0.95),
    )
    print(f"step 0: val loss {evaluate(model, val_batches):.4f}")
    for step in range(STEPS):
        lr = lr_at(step)
        for group in optimizer.param_groups:
            group["lr"] = lr
        inputs, doc_ids, labels = next_batch(train_rows)
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs, doc_ids), labels)
        loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step}: loss {loss.item():.4f}, lr {lr:.2e}, grad norm {grad_norm:.2f}")
    print(f"step {STEPS}: val loss {evaluate(model, val_batches):.4f}")


if __name__ == "__main__":
    main()
