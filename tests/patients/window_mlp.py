"""Bengio style: a feed-forward language model over the last tokens, a plain stack without residuals."""

import torch
import torch.nn as nn
import torch.nn.functional as F

N_KEYS, N_SYMBOLS, MAX_LEN = 2, 12, 25
BOS_ID, EOS_ID, FIRST_KEY = 0, 1, 2
VOCAB_SIZE = FIRST_KEY + N_KEYS + N_SYMBOLS
WINDOW, EMBED, HIDDEN, N_LAYERS = 3, 32, 64, 6
BATCH_SIZE, UPDATES, LR = 16, 160, 1.5e-3


def make_documents(n, seed):
    """`BOS key c0 c1 ... EOS`; the key chooses which successors a symbol may have."""
    table = torch.randint(
        N_SYMBOLS, (N_KEYS, N_SYMBOLS, 4), generator=torch.Generator().manual_seed(0)
    )
    g = torch.Generator().manual_seed(seed)
    odds = torch.tensor([0.7, 0.1, 0.1, 0.1]).expand(n, 4)
    turns = torch.multinomial(odds, MAX_LEN, replacement=True, generator=g)
    key = torch.randint(N_KEYS, (n,), generator=g)
    symbol = torch.randint(N_SYMBOLS, (n,), generator=g)
    columns = [torch.full((n,), BOS_ID), FIRST_KEY + key]
    for t in range(MAX_LEN - 2):
        columns.append(FIRST_KEY + N_KEYS + symbol)
        symbol = table[key, symbol, turns[:, t]]
    columns.append(torch.full((n,), EOS_ID))
    return torch.stack(columns, dim=1)  # (N, T + 1)


class WindowModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB_SIZE, EMBED)
        widths = [WINDOW * EMBED] + [HIDDEN] * N_LAYERS
        self.hidden = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.out = nn.Linear(HIDDEN, VOCAB_SIZE)
        for module in self.hidden:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)

    def forward(self, ids):
        e = self.embed(ids)  # (B, T, E)
        past = [F.pad(e, (0, 0, k, 0))[:, : e.shape[1]] for k in range(WINDOW)]
        x = torch.cat(past, dim=-1)  # a token and the two before it
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.out(x)


def main():
    torch.manual_seed(0)
    documents = make_documents(BATCH_SIZE * UPDATES, seed=1)
    held_out = make_documents(32, seed=2)
    model = WindowModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min(1.0, (n + 1) / 8) * (1 - 0.9 * n / UPDATES)
    )

    def loss_of(rows):
        logits = model(rows[:, :-1])
        return F.cross_entropy(logits.reshape(-1, VOCAB_SIZE), rows[:, 1:].reshape(-1))

    order = torch.randperm(len(documents))
    for step, picked in enumerate(order.split(BATCH_SIZE)):
        loss = loss_of(documents[picked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 40 == 0:
            print(f"step {step} loss {loss.item():.3f}")
    model.eval()
    with torch.no_grad():
        print(f"held-out loss {loss_of(held_out).item():.3f}")


if __name__ == "__main__":
    main()
