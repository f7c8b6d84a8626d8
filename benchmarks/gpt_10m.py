"""A plain 10M-parameter GPT on random tokens: what the overhead is measured on."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VOCAB, WIDTH, DEPTH, HEADS, LENGTH, BATCH = 4096, 320, 6, 5, 128, 8


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, HEADS, d // HEADS).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tok, self.pos = nn.Embedding(VOCAB, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(DEPTH)))
        self.ln = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCAB, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        at = torch.arange(ids.shape[1], device=ids.device)
        return self.head(self.ln(self.blocks(self.tok(ids) + self.pos(at))))


def batch(generator: torch.Generator, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Zipf-like random tokens, (BATCH, LENGTH) inputs and targets."""
    u = torch.rand(BATCH, LENGTH + 1, generator=generator)
    ids = (VOCAB**u - 1).long().clamp(max=VOCAB - 1).to(device)
    return ids[:, :-1], ids[:, 1:]


def step(model: GPT, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> None:
    """One ordinary training step."""
    x, y = batch(generator)
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
