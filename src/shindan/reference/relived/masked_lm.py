"""Field report 0, relived small: a masked LM from scratch, "loss is low, predictions are not".

As reported: pre-LN, sinusoidal positions times 0.1, ReLU, no embedding LayerNorm, no token types,
no attention dropout, Xavier weights, AdamW with decay on everything, linear warm-up and decay,
clipping at 1. The loss it tells is the mean of the last epoch, as the report's was.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from shindan.reference.corpus import CLS, MASK, PAD, SEP, SPECIALS, encode, sentences, vocabulary

VOCAB, HIDDEN, LAYERS, HEADS, FFN = 500, 96, 2, 4, 384
BATCH, EPOCHS, MAX_LEN, LR = 16, 3, 32, 3e-3
torch.manual_seed(0)


def layer_norm(x, gain, bias, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / torch.sqrt(variance + eps) * gain + bias


def positional_encoding(length, hidden):
    position = torch.arange(length).unsqueeze(1)
    rate = torch.exp(torch.arange(0, hidden, 2) * (-math.log(10000.0) / hidden))
    pe = torch.zeros(length, hidden)
    pe[:, 0::2] = torch.sin(position * rate)
    pe[:, 1::2] = torch.cos(position * rate)
    return pe


def matrix(rows, columns):
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(rows, columns)))


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(HIDDEN)), nn.Parameter(torch.zeros(HIDDEN))

    def forward(self, x):
        return layer_norm(x, self.gain, self.bias)


class MultiHeadAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.W_q, self.W_k = matrix(HIDDEN, HIDDEN), matrix(HIDDEN, HIDDEN)
        self.W_v, self.W_o = matrix(HIDDEN, HIDDEN), matrix(HIDDEN, HIDDEN)

    def forward(self, x, attention_mask):
        B, S, _ = x.shape

        def heads(y):  # (B, S, H) -> (B, h, S, d)
            return y.view(B, S, HEADS, HIDDEN // HEADS).transpose(1, 2)

        Q, K, V = heads(x @ self.W_q), heads(x @ self.W_k), heads(x @ self.W_v)
        scores = Q @ K.transpose(-2, -1) / math.sqrt(HIDDEN // HEADS)
        scores = scores + attention_mask[:, None, None, :]  # 1 for words, 0 for padding
        output = F.softmax(scores, dim=-1) @ V
        return output.transpose(1, 2).reshape(B, S, HIDDEN) @ self.W_o


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.W1, self.b1 = matrix(HIDDEN, FFN), nn.Parameter(torch.zeros(FFN))
        self.W2, self.b2 = matrix(FFN, HIDDEN), nn.Parameter(torch.zeros(HIDDEN))

    def forward(self, x):
        return F.relu(x @ self.W1 + self.b1) @ self.W2 + self.b2


class EncoderBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.mha, self.ln2, self.ffn = Norm(), MultiHeadAttention(), Norm(), FeedForward()

    def forward(self, x, attention_mask):
        y = x + F.dropout(self.mha(self.ln1(x), attention_mask), 0.1, self.training)
        return y + F.dropout(self.ffn(self.ln2(y)), 0.1, self.training)


class MaskedLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Parameter(nn.init.xavier_uniform_(torch.empty(VOCAB, HIDDEN)))
        self.blocks = nn.ModuleList(EncoderBlock() for _ in range(LAYERS))
        self.bias = nn.Parameter(torch.zeros(VOCAB))

    def forward(self, batch, attention_mask):
        embeddings = F.embedding(batch, self.embedding)
        x = embeddings + positional_encoding(batch.shape[1], HIDDEN) * 0.1
        for block in self.blocks:
            x = block(x, attention_mask)
        return x @ self.embedding.T + self.bias


def padded(rows):
    longest = max(len(r) for r in rows)
    return torch.tensor([r + [PAD] * (longest - len(r)) for r in rows])


def masked(ids):
    """15 % of the words: 80 % become [MASK], 10 % another word, 10 % stay."""
    chosen = (torch.rand(ids.shape) < 0.15) & (ids >= len(SPECIALS))
    dice = torch.rand(ids.shape)
    labels = torch.where(chosen, ids, -100)
    inputs = torch.where(chosen & (dice < 0.8), MASK, ids)
    others = torch.randint(len(SPECIALS), VOCAB, ids.shape)
    return torch.where(chosen & (dice >= 0.9), others, inputs), labels


texts = sentences()
vocab = vocabulary(texts, VOCAB)
words = list(vocab)
Path("masked_lm.tokens.json").write_text(json.dumps(words))
rows = [[CLS, *encode(t, vocab), SEP][:MAX_LEN] for t in texts]

model = MaskedLM()
optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.01)
updates = EPOCHS * (len(rows) // BATCH)
warmup = int(0.06 * updates)
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda n: min((n + 1) / warmup, (updates - n) / (updates - warmup))
)
losses = []
for _ in range(EPOCHS):
    order = torch.randperm(len(rows)).tolist()
    for first in range(0, len(rows) - BATCH + 1, BATCH):
        ids = padded([rows[i] for i in order[first : first + BATCH]])
        inputs, labels = masked(ids)
        logits = model(inputs, (ids != PAD).float())
        loss = F.cross_entropy(logits.view(-1, VOCAB), labels.view(-1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        if len(losses) % 10 == 0:
            print(f"update {len(losses)}/{updates} loss {losses[-1]:.3f}", flush=True)

last = losses[-(updates // EPOCHS) :]
print(f"final loss {sum(last) / len(last):.3f}")
model.eval()
probe = ["the", "[MASK]", "statement", "is", "used", "to", "define", "a", "function", "."]
ids = torch.tensor([[CLS, *encode(probe, vocab), SEP]])
best = model(ids, torch.ones(ids.shape))[0, 2].topk(5)
print(" ".join(probe), "->", ", ".join(f"{words[i]} {v:.2f}" for v, i in zip(*best, strict=True)))
