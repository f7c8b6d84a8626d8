"""minGPT style: Config, Dataset, Model and Trainer classes, here with RoPE, RMSNorm and SwiGLU."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class Config:
    n_layer, n_head, n_embd, block_size = 2, 4, 64, 32
    batch_size, epochs = 16, 3
    learning_rate, warmup_updates, grad_norm_clip = 5e-3, 12, 5.0


class ToyDataset(Dataset):
    """Documents `BOS key c0 c1 ... EOS`; the key chooses which 4 successors a symbol may have."""

    BOS, EOS, n_keys, n_symbols = 0, 1, 4, 18
    vocab_size = 2 + n_keys + n_symbols

    def __init__(self, n_docs, block_size, seed):
        table = torch.randint(
            self.n_symbols,
            (self.n_keys, self.n_symbols, 4),
            generator=torch.Generator().manual_seed(0),
        )
        g = torch.Generator().manual_seed(seed)
        odds = torch.tensor([0.6, 0.2, 0.1, 0.1]).expand(n_docs, 4)
        turns = torch.multinomial(odds, block_size, replacement=True, generator=g)
        key = torch.randint(self.n_keys, (n_docs,), generator=g)
        c = torch.randint(self.n_symbols, (n_docs,), generator=g)
        columns = [torch.full((n_docs,), self.BOS), 2 + key]
        for i in range(block_size - 2):
            columns.append(2 + self.n_keys + c)
            c = table[key, c, turns[:, i]]
        columns.append(torch.full((n_docs,), self.EOS))
        self.docs = torch.stack(columns, dim=1)  # (N, T + 1)

    def __len__(self):
        return len(self.docs)

    def __getitem__(self, i):
        doc = self.docs[i]
        return doc[:-1], doc[1:]  # the target of a token is the token after it


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-5):
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rotate(x):  # (B, h, T, d): RoPE, each pair of channels turned by an angle that grows with t
    half = x.size(-1) // 2
    frequencies = 1e4 ** -(torch.arange(half) / half)
    angles = torch.arange(x.size(-2))[:, None] * frequencies[None, :]  # (T, d / 2)
    cos, sin = angles.cos(), angles.sin()
    x1, x2 = x[..., :half], x[..., half:]
    return torch.cat([x1 * cos - x2 * sin, x1 * sin + x2 * cos], dim=-1)


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        d = config.n_embd
        self.n_head = config.n_head
        self.attn_norm, self.mlp_norm = RMSNorm(d), RMSNorm(d)
        self.wq, self.wk, self.wv = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.wo = nn.Linear(d, d, bias=False)
        self.w_gate, self.w_up = nn.Linear(d, 2 * d, bias=False), nn.Linear(d, 2 * d, bias=False)
        self.w_down = nn.Linear(2 * d, d, bias=False)

    def attention(self, x):
        B, T, D = x.shape
        q, k, v = (w(x).view(B, T, self.n_head, -1).transpose(1, 2) for w in self.qkv())
        q, k = rotate(q), rotate(k)  # (B, h, T, d)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.wo(y.transpose(1, 2).reshape(B, T, D))

    def qkv(self):
        return self.wq, self.wk, self.wv

    def mlp(self, x):
        return self.w_down(F.silu(self.w_gate(x)) * self.w_up(x))

    def forward(self, x):
        x = x + self.attention(self.attn_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class GPT(nn.Module):
    def __init__(self, config, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, config.n_embd)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.norm = RMSNorm(config.n_embd)
        self.head = nn.Linear(config.n_embd, vocab_size, bias=False)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, idx, targets=None):
        x = self.embed(idx)  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))  # (B, T, V)
        if targets is None:
            return logits, None
        loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), targets.reshape(-1))
        return logits, loss


class Trainer:
    def __init__(self, config, model, train_dataset, val_dataset):
        self.config, self.model = config, model
        self.train_loader = DataLoader(train_dataset, shuffle=True, batch_size=config.batch_size)
        self.val_loader = DataLoader(val_dataset, shuffle=False, batch_size=64)
        self.optimizer = torch.optim.Adam(
            model.parameters(), lr=config.learning_rate, betas=(0.9, 0.95)
        )
        self.total_updates = config.epochs * len(self.train_loader)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.lr_factor)

    def lr_factor(self, update):
        warmup = self.config.warmup_updates
        if update < warmup:
            return (update + 1) / warmup
        return max(0.1, (self.total_updates - update) / (self.total_updates - warmup))

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        nll, tokens = 0.0, 0
        for x, y in self.val_loader:
            _, loss = self.model(x, y)
            nll += loss.item() * y.numel()
            tokens += y.numel()
        self.model.train()
        return nll / tokens

    def run(self):
        print(f"epoch 0: val loss {self.evaluate():.4f}")
        for epoch in range(1, self.config.epochs + 1):
            for x, y in self.train_loader:
                _, loss = self.model(x, y)
                self.model.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_norm_clip)
                self.optimizer.step()
                self.scheduler.step()
            val_loss = self.evaluate()
            print(f"epoch {epoch}: train loss {loss.item():.4f}, val loss {val_loss:.4f}")


if __name__ == "__main__":
    torch.manual_seed(3407)
    config = Config()
    train_dataset = ToyDataset(640, config.block_size, seed=1)
    val_dataset = ToyDataset(128, config.block_size, seed=2)
    trainer = Trainer(config, GPT(config, ToyDataset.vocab_size), train_dataset, val_dataset)
    trainer.run()
