"""Field report 4, relived small: a context-vector LM of 12 layers that is worse than one of 6.

As reported: no attention, no positions, no residual, no norm in the stack; h = [Linear, ReLU,
Dropout] x 12 on [token; context], the context updated through gates after every token, all weights
N(0, 0.02), Adam, clipping at 0.5; rare words are [UNK], which counts in the loss.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from shindan.reference.corpus import CLS, PAD, SEP, encode, sentences, vocabulary

VOCAB, EMBED, HIDDEN, CONTEXT, LAYERS = 200, 64, 256, 64, 12
WINDOW, STRIDE, BATCH, EPOCHS, LR = 16, 16, 32, 2, 1e-3
torch.manual_seed(0)


class ContextVectorLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embedding = nn.Embedding(VOCAB, EMBED)
        layers = []
        for i in range(LAYERS):
            width = EMBED + CONTEXT if i == 0 else HIDDEN
            layers += [nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(0.1)]
        self.fnn = nn.Sequential(*layers)
        self.token_output = nn.Linear(HIDDEN, VOCAB)
        self.context_update = nn.Linear(HIDDEN, CONTEXT)
        self.forget_gate = nn.Linear(HIDDEN, CONTEXT)
        self.input_gate = nn.Linear(HIDDEN, CONTEXT)
        self.context_norm = nn.LayerNorm(CONTEXT)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, mean=0.0, std=0.02)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, ids):
        embedded = self.token_embedding(ids)  # (B, T, E)
        context = torch.zeros(len(ids), CONTEXT)
        logits = []
        for t in range(ids.shape[1]):
            hidden = self.fnn(torch.cat([embedded[:, t], context], dim=-1))
            logits.append(self.token_output(hidden))
            kept = torch.sigmoid(self.forget_gate(hidden)) * context
            new = torch.sigmoid(self.input_gate(hidden)) * torch.tanh(self.context_update(hidden))
            context = self.context_norm(kept + new).clamp(-10, 10)
        return torch.stack(logits, dim=1)  # (B, T, V)


def windows(texts, vocab):
    """Every sentence as [CLS] words [SEP] in windows of WINDOW, padded at the end."""
    for text in texts:
        ids = [CLS, *encode(text, vocab), SEP]
        for first in range(0, max(len(ids) - WINDOW // 2, 1), STRIDE):
            row = ids[first : first + WINDOW + 1]
            yield row + [PAD] * (WINDOW + 1 - len(row))


texts = sentences()
vocab = vocabulary(texts, VOCAB)
Path("context_vector.tokens.json").write_text(json.dumps(list(vocab)))
held_out = texts[-200:]
train = torch.tensor(list(windows(texts[:-200], vocab)))
valid = torch.tensor(list(windows(held_out, vocab)))


def loss_of(model, rows):
    logits = model(rows[:, :-1])
    return F.cross_entropy(logits.reshape(-1, VOCAB), rows[:, 1:].reshape(-1), ignore_index=PAD)


model = ContextVectorLM()
optimizer = torch.optim.Adam(model.parameters(), lr=LR)
updates, done = EPOCHS * (len(train) // BATCH), 0
for epoch in range(1, EPOCHS + 1):
    model.train()
    for rows in train[torch.randperm(len(train))].split(BATCH)[: len(train) // BATCH]:
        loss = loss_of(model, rows)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        done += 1
        if done % 5 == 0:
            print(f"update {done}/{updates} loss {loss.item():.3f}", flush=True)
    model.eval()
    with torch.no_grad():
        val = sum(loss_of(model, rows).item() for rows in valid.split(BATCH))
        val /= len(valid.split(BATCH))
    print(f"epoch {epoch} validation loss {val:.3f} perplexity {math.exp(val):.1f}", flush=True)
