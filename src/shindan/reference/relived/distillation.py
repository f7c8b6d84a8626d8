"""Field report 3, relived small: a student distilled by masked LM that learns only commas.

As reported: KL of the logits without temperature and with the default reduction beside the labels'
cross-entropy, MSE of the hidden states against a trainable projection of the *teacher's* (its width
is not the student's), the student's head not tied to its embedding.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from shindan.reference.corpus import CLS, MASK, PAD, SEP, SPECIALS, encode, sentences, vocabulary

VOCAB, MAX_LEN, BATCH = 300, 26, 16
TEACHER_STEPS, STUDENT_STEPS, ALPHA = 700, 300, 0.9
torch.manual_seed(0)


class MaskedLM(nn.Module):
    def __init__(self, dim, layers, tied):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.position = nn.Embedding(MAX_LEN, dim)
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, 4, 4 * dim, 0.1, F.gelu, batch_first=True)
            for _ in range(layers)
        )
        self.mlm_head = nn.Linear(dim, VOCAB)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.position.weight, std=0.02)
        if tied:
            self.mlm_head.weight = self.embedding.weight

    def forward(self, ids):
        """Logits (B, T, V) and the last hidden state (B, T, D)."""
        x = self.embedding(ids) + self.position(torch.arange(ids.shape[1]))
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=ids == PAD)
        return self.mlm_head(x), x


def padded(rows):
    longest = max(len(r) for r in rows)
    return torch.tensor([r + [PAD] * (longest - len(r)) for r in rows])


def masked(ids):
    chosen = (torch.rand(ids.shape) < 0.15) & (ids >= len(SPECIALS))
    dice = torch.rand(ids.shape)
    inputs = torch.where(chosen & (dice < 0.8), MASK, ids)
    others = torch.randint(len(SPECIALS), VOCAB, ids.shape)
    return torch.where(chosen & (dice >= 0.9), others, inputs), torch.where(chosen, ids, -100)


def batches(steps):
    order = []
    for _ in range(steps):
        if len(order) < BATCH:
            order = torch.randperm(len(train)).tolist()
        yield masked(padded([train[order.pop()] for _ in range(BATCH)]))


texts = sentences()
vocab = vocabulary(texts, VOCAB)
words = list(vocab)
Path("distillation.tokens.json").write_text(json.dumps(words))
rows = [[CLS, *encode(t, vocab), SEP] for t in texts]
rows = [r for r in rows if len(r) <= MAX_LEN]
train, held_out = rows[:-160], rows[-160:]

# -- the teacher, wider than the student; it learns as it should ---------------------------------

teacher = MaskedLM(dim=96, layers=2, tied=True)
optimizer = torch.optim.AdamW(teacher.parameters(), lr=2e-3, weight_decay=0.01)
for step, (inputs, labels) in enumerate(batches(TEACHER_STEPS), 1):
    for group in optimizer.param_groups:
        group["lr"] = 2e-3 * min(step / 50, (TEACHER_STEPS - step + 1) / TEACHER_STEPS)
    logits, _ = teacher(inputs)
    loss = F.cross_entropy(logits.view(-1, VOCAB), labels.view(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
    optimizer.step()
    if step % 20 == 0:
        total = TEACHER_STEPS + STUDENT_STEPS
        print(f"teacher {step}/{total} loss {loss.item():.3f}", flush=True)
teacher.eval()
for p in teacher.parameters():
    p.requires_grad = False


# -- the student ---------------------------------------------------------------------------------

student = MaskedLM(dim=32, layers=2, tied=False)
proj = nn.Linear(96, 32)
optimizer = torch.optim.AdamW([*student.parameters(), *proj.parameters()], lr=1e-3)
for step, (inputs, labels) in enumerate(batches(STUDENT_STEPS), 1):
    with torch.no_grad():
        t_logits, t_hidden = teacher(inputs)
    s_logits, s_hidden = student(inputs)
    here = labels != -100
    kd_loss = F.kl_div(F.log_softmax(s_logits[here], dim=-1), F.softmax(t_logits[here], dim=-1))
    real = inputs != PAD
    hidden_loss = F.mse_loss(s_hidden[real], proj(t_hidden[real].detach()))
    mlm_loss = F.cross_entropy(s_logits[here], labels[here])
    loss = ALPHA * kd_loss + (1 - ALPHA) * mlm_loss + hidden_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(
            f"student {TEACHER_STEPS + step}/{TEACHER_STEPS + STUDENT_STEPS} loss {loss.item():.4f}"
            f" kd {kd_loss.item():.4f} hidden {hidden_loss.item():.4f}",
            flush=True,
        )

# -- what the student says of held-out sentences -------------------------------------------------

student.eval()
inputs, labels = masked(padded(held_out))
here = labels != -100
with torch.no_grad():
    answers = {
        "teacher": teacher(inputs)[0][here].argmax(-1),
        "student": student(inputs)[0][here].argmax(-1),
    }
for name, said in answers.items():
    commonest, count = said.unique(return_counts=True)
    print(
        f"{name}: {(said == labels[here]).float().mean():.1%} right; says "
        f"{words[commonest[count.argmax()]]!r} {count.max() / count.sum():.0%} of the time"
    )
