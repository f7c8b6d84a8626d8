"""A do-it-yourself researcher: own loss, own Lion optimizer, own RMSNorm, EMA of the weights."""

import copy
import math
import random

import torch
from torch import nn

PAD, BOS, EOS = 0, 1, 2
N_KEYS, N_SYMBOLS, MAX_T = 4, 16, 31
V = 3 + N_KEYS + N_SYMBOLS
D, H, L, B = 64, 4, 2, 16
STEPS, WARMUP, PEAK_LR, WEIGHT_DECAY = 120, 10, 1.5e-3, 0.1


class Language:
    """Documents `BOS key c0 c1 ... EOS`; the key chooses which 4 successors a symbol may have."""

    def __init__(self):
        rng, symbols = random.Random(0), range(N_SYMBOLS)
        self.table = [[rng.sample(symbols, 4) for _ in symbols] for _ in range(N_KEYS)]

    def document(self, rng):
        key, c = rng.randrange(N_KEYS), rng.randrange(N_SYMBOLS)
        doc = [BOS, 3 + key]
        for turn in rng.choices(range(4), weights=[60, 20, 10, 10], k=rng.randint(15, MAX_T - 2)):
            doc.append(3 + N_KEYS + c)
            c = self.table[key][c][turn]
        return doc + [EOS]

    def batch(self, rng, n):
        docs = [self.document(rng) for _ in range(n)]
        width = max(len(doc) for doc in docs)
        ids = torch.tensor([doc + [PAD] * (width - len(doc)) for doc in docs])
        return ids[:, :-1], ids[:, 1:]  # inputs and targets, (B, T)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.gain, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x):
        rms = torch.sqrt((x * x).mean(dim=-1, keepdim=True) + self.eps)
        return self.gain * x / rms


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_a, self.norm_m = RMSNorm(D), RMSNorm(D)
        self.q, self.k, self.v, self.o = (nn.Linear(D, D, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

    def attend(self, x):
        b, t, _ = x.shape
        q = self.q(x).view(b, t, H, D // H).transpose(1, 2)  # (B, H, T, d)
        k = self.k(x).view(b, t, H, D // H).transpose(1, 2)
        v = self.v(x).view(b, t, H, D // H).transpose(1, 2)
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(D // H)
        future = torch.ones(t, t, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=-1)
        mixed = torch.einsum("bhqk,bhkd->bqhd", weights, v)
        return self.o(mixed.reshape(b, t, D))

    def forward(self, x):
        x = x + self.attend(self.norm_a(x))
        return x + self.down(torch.relu(self.up(self.norm_m(x))))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(V, D), nn.Embedding(MAX_T, D)
        self.blocks = nn.Sequential(*(Block() for _ in range(L)))
        self.norm, self.head = RMSNorm(D), nn.Linear(D, V, bias=False)
        for weight in (self.tok.weight, self.pos.weight, self.head.weight):
            nn.init.normal_(weight, std=0.05)

    def forward(self, ids):
        x = self.tok(ids) + self.pos(torch.arange(ids.shape[1]))
        return self.head(self.norm(self.blocks(x)))


class Lion(torch.optim.Optimizer):
    """Sign of an interpolated momentum, with decoupled weight decay."""

    def __init__(self, params, lr, betas=(0.9, 0.98), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                direction = torch.lerp(p.grad, m, beta1).sign()
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(direction, alpha=-group["lr"])
                m.lerp_(p.grad, 1 - beta2)


def token_losses(logits, targets):
    log_probs = torch.log_softmax(logits, dim=-1)  # (B, T, V)
    nll = -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # (B, T)
    return nll, (targets != PAD).float()


def masked_mean(nll, mask):
    return (nll * mask).sum() / mask.sum().clamp(min=1)


@torch.no_grad()
def evaluate(model, batches):
    model.eval()
    total, count = 0.0, 0.0
    for inputs, targets in batches:
        nll, mask = token_losses(model(inputs), targets)
        total, count = total + (nll * mask).sum().item(), count + mask.sum().item()
    model.train()
    return total / count


@torch.no_grad()
def update_ema(ema, model, step):
    decay = min(0.8, (1 + step) / (10 + step))
    for averaged, current in zip(ema.parameters(), model.parameters(), strict=True):
        averaged.lerp_(current, 1 - decay)


def learning_rate(step):
    if step < WARMUP:
        return PEAK_LR * (step + 1) / WARMUP
    progress = (step - WARMUP) / (STEPS - WARMUP)
    return PEAK_LR * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))


torch.manual_seed(0)
language, train_rng, val_rng = Language(), random.Random(1), random.Random(2)
val_batches = [language.batch(val_rng, 64) for _ in range(2)]
model = Model()
ema = copy.deepcopy(model).requires_grad_(False)
matrices = [p for p in model.parameters() if p.ndim >= 2]
vectors = [p for p in model.parameters() if p.ndim < 2]
opt = Lion([{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors}], lr=PEAK_LR)
print(f"start: val {evaluate(model, val_batches):.4f}")
for step in range(STEPS):
    for group in opt.param_groups:
        group["lr"] = learning_rate(step)
    inputs, targets = language.batch(train_rng, B)
    loss = masked_mean(*token_losses(model(inputs), targets))
    opt.zero_grad()
    loss.backward()
    opt.step()
    update_ema(ema, model, step)
    if step % 20 == 0:
        print(f"step {step}: loss {loss.item():.4f}")
print(f"end: val {evaluate(model, val_batches):.4f}, with EMA {evaluate(ema, val_batches):.4f}")
