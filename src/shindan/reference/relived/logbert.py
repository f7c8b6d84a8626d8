"""Field report 1, relived small: LogBERT, whose loss becomes NaN after some healthy batches.

As reported: log lines become keys, 65 % of the keys of a session are masked, and the loss is 0.9 x
masked-key cross-entropy + 0.1 x distance of the [DIST] state from the centre (a root); seconds as
they come go into a time embedding, LayerNorm is written by hand as (x - mean) / (std + eps), SGD
with Nesterov momentum, warm-up, clipping at 10.
"""

import json
import math
import re
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from shindan.reference.logs import sessions

HIDDEN, LAYERS, HEADS, WINDOW = 64, 2, 4, 20
SESSIONS, BATCH, EPOCHS, LR, WARMUP = 1300, 16, 2, 1e-2, 5
MASK_RATIO, MASK_WEIGHT, SPHERE_WEIGHT = 0.65, 0.9, 0.1
PAD, DIST, MASK = 0, 1, 2
torch.manual_seed(0)


class LayerNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        std = ((x - mean) ** 2).mean(-1, keepdim=True).sqrt()
        return self.gain * (x - mean) / (std + self.eps) + self.bias


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.value, self.out = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)

    def forward(self, x, mask):
        B, T, _ = x.shape

        def heads(y):  # (B, T, H) -> (B, h, T, d)
            return y.view(B, T, HEADS, HIDDEN // HEADS).transpose(1, 2)

        q, k, v = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        scores = q @ k.transpose(-2, -1) / math.sqrt(HIDDEN // HEADS)
        scores = scores.masked_fill(mask[:, None, None, :] == 0, -1e9)
        return self.out((F.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(B, T, HIDDEN))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.attention, self.norm2 = LayerNorm(HIDDEN), Attention(), LayerNorm(HIDDEN)
        self.feed = nn.Sequential(
            nn.Linear(HIDDEN, 4 * HIDDEN), nn.GELU(), nn.Linear(4 * HIDDEN, HIDDEN)
        )
        self.dropout = nn.Dropout(0.1)

    def forward(self, x, mask):
        x = x + self.dropout(self.attention(self.norm1(x), mask))
        x = x + self.dropout(self.feed(self.norm2(x)))
        return x * mask[:, :, None]  # nothing stays at padded places


class LogBERT(nn.Module):
    def __init__(self, keys):
        super().__init__()
        self.token = nn.Embedding(keys, HIDDEN, padding_idx=PAD)
        self.position = nn.Embedding(WINDOW + 1, HIDDEN)
        self.time = nn.Linear(1, HIDDEN)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.head = LayerNorm(HIDDEN), nn.Linear(HIDDEN, keys)

    def forward(self, keys, seconds, mask):
        places = torch.arange(keys.shape[1])
        x = self.token(keys) + self.position(places) + self.time(seconds[:, :, None])
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x)
        return self.head(x), x[:, 0]


def hypersphere_loss(state, centre):
    return torch.sqrt(((state - centre) ** 2).sum(-1)).mean()


def template(line):
    return re.sub(r"-?\d+", "*", re.sub(r"/?\d+(\.\d+)+(:\d+)?", "<ip>", line))


def batch_of(found):
    """Keys (B, T) with [DIST] first, seconds since the session began, mask, labels (B, T)."""
    length = 1 + max(len(s) for s in found)
    keys = torch.zeros(len(found), length, dtype=torch.long)
    seconds, mask = torch.zeros(len(found), length), torch.zeros(len(found), length)
    for row, session in enumerate(found):
        keys[row, : len(session) + 1] = torch.tensor([DIST] + [k for _, k in session])
        seconds[row, 1 : len(session) + 1] = torch.tensor([float(at) for at, _ in session])
        mask[row, : len(session) + 1] = 1
    chosen = (torch.rand(keys.shape) < MASK_RATIO) & (keys > MASK)
    return keys.masked_fill(chosen, MASK), seconds, mask, torch.where(chosen, keys, -100)


names = {"[PAD]": PAD, "[DIST]": DIST, "[MASK]": MASK}
windows = []
for session in sessions(SESSIONS):
    start = session[0][0]
    keyed = [(at - start, names.setdefault(template(t), len(names))) for at, t in session]
    whole = [keyed[i : i + WINDOW] for i in range(0, max(len(keyed) - WINDOW, 0) + 1, WINDOW)]
    windows += [w for w in whole if len(w) >= 10]
Path("logbert.tokens.json").write_text(json.dumps(list(names)))
windows.sort(key=len, reverse=True)  # the longest first: what does not fit fails at once
print(f"{len(windows)} windows of {len(names) - 3} keys")

model = LogBERT(len(names))
optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, nesterov=True)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / WARMUP))
centre = torch.zeros(HIDDEN)
updates = EPOCHS * (len(windows) // BATCH)
done = 0
for _ in range(EPOCHS):
    states = []
    for first in range(0, len(windows) - BATCH + 1, BATCH):
        keys, seconds, mask, labels = batch_of(windows[first : first + BATCH])
        logits, cls_output = model(keys, seconds, mask)
        mask_loss = F.cross_entropy(logits.view(-1, len(names)), labels.view(-1))
        loss = MASK_WEIGHT * mask_loss + SPHERE_WEIGHT * hypersphere_loss(cls_output, centre)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=10.0)
        optimizer.step()
        scheduler.step()
        states.append(cls_output.detach())
        done += 1
        print(f"update {done}/{updates} loss {loss.item():.3f}", flush=True)
    centre = torch.cat(states).mean(0)
