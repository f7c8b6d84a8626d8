"""Distillation script, TinyBERT / DistilBERT style: a small MLM encoder learns from a larger."""

import torch
import torch.nn as nn
import torch.nn.functional as F

PAD_ID, CLS_ID, SEP_ID, MASK_ID, FIRST_WORD = 0, 1, 2, 3, 4
N_KEYS, N_SYMBOLS, MAX_LEN = 2, 10, 30
VOCAB_SIZE = FIRST_WORD + N_KEYS + N_SYMBOLS
BATCH_SIZE, TEACHER_STEPS, STUDENT_STEPS = 22, 66, 66
TEMPERATURE, ALPHA_KD, ALPHA_MLM, ALPHA_HIDDEN = 2.0, 1.0, 0.5, 1.0


def make_documents(n, seed):
    """`CLS key c0 c1 ... SEP`, padded on the right; the key chooses each symbol's successors."""
    language = torch.Generator().manual_seed(0)
    table = torch.randint(N_SYMBOLS, (N_KEYS, N_SYMBOLS, 4), generator=language)
    g = torch.Generator().manual_seed(seed)
    odds = torch.tensor([0.7, 0.1, 0.1, 0.1]).expand(n, 4)
    turns = torch.multinomial(odds, MAX_LEN, replacement=True, generator=g)
    key = torch.randint(N_KEYS, (n,), generator=g)
    symbol = torch.randint(N_SYMBOLS, (n,), generator=g)
    columns = [torch.full((n,), CLS_ID), FIRST_WORD + key]
    for t in range(MAX_LEN - 2):
        columns.append(FIRST_WORD + N_KEYS + symbol)
        symbol = table[key, symbol, turns[:, t]]
    ids = torch.stack(columns, dim=1)  # (N, T)
    last = torch.randint(16, MAX_LEN, (n, 1), generator=g)
    position = torch.arange(MAX_LEN)
    ids = torch.where(position == last, SEP_ID, ids)
    return torch.where(position > last, PAD_ID, ids)


def mask_tokens(ids, generator=None):
    chosen = (torch.rand(ids.shape, generator=generator) < 0.2) & (ids >= FIRST_WORD)
    labels = torch.where(chosen, ids, -100)
    dice = torch.rand(ids.shape, generator=generator)
    words = torch.randint(FIRST_WORD, VOCAB_SIZE, ids.shape, generator=generator)
    inputs = torch.where(chosen & (dice < 0.8), MASK_ID, ids)
    inputs = torch.where(chosen & (dice > 0.9), words, inputs)
    return inputs, labels


class Encoder(nn.Module):
    def __init__(self, hidden, n_layers, n_heads):
        super().__init__()
        self.words = nn.Embedding(VOCAB_SIZE, hidden)
        self.positions = nn.Embedding(MAX_LEN, hidden)
        self.norm, self.dropout = nn.LayerNorm(hidden), nn.Dropout(0.1)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(hidden, n_heads, 4 * hidden, 0.1, "gelu", batch_first=True)
            for _ in range(n_layers)
        )
        self.decoder = nn.Linear(hidden, VOCAB_SIZE)
        nn.init.normal_(self.words.weight, std=0.02)
        nn.init.normal_(self.positions.weight, std=0.02)
        self.decoder.weight = self.words.weight

    def forward(self, ids):
        padding = ids == PAD_ID
        x = self.words(ids) + self.positions(torch.arange(ids.size(1)))
        x = self.dropout(self.norm(x))
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        return self.decoder(x), x  # (B, T, V), (B, T, H)


def mlm_loss(logits, labels):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


def kd_loss(student_logits, teacher_logits):  # (n, V) each: masked positions only
    student_log_probs = F.log_softmax(student_logits / TEMPERATURE, dim=-1)
    teacher_probs = F.softmax(teacher_logits / TEMPERATURE, dim=-1)
    kl = F.kl_div(student_log_probs, teacher_probs, reduction="batchmean")
    return kl * TEMPERATURE**2


def hidden_loss(projected, teacher_hidden, real):  # (B, T, H_teacher) twice and (B, T)
    return F.mse_loss(projected[real], teacher_hidden[real])


def warmup_then_linear(optimizer, total, warmup=8):
    def factor(step):
        if step < warmup:
            return (step + 1) / warmup
        return max(0.1, 1.0 - 0.9 * (step - warmup) / (total - warmup))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def batches(ids, n_steps):
    for _ in range(0, n_steps * BATCH_SIZE, len(ids)):
        for rows in torch.randperm(len(ids)).split(BATCH_SIZE):
            yield ids[rows]


@torch.no_grad()
def evaluate(model, inputs, labels):
    was_training = model.training
    model.eval()
    loss = mlm_loss(model(inputs)[0], labels).item()
    model.train(was_training)
    return loss


torch.manual_seed(0)
train_ids, val_ids = make_documents(1452, seed=1), make_documents(160, seed=2)
val_inputs, val_labels = mask_tokens(val_ids, torch.Generator().manual_seed(3))

teacher = Encoder(hidden=64, n_layers=2, n_heads=4)
teacher_optimizer = torch.optim.Adam(teacher.parameters(), lr=6e-3)
teacher_scheduler = warmup_then_linear(teacher_optimizer, TEACHER_STEPS)
for ids in batches(train_ids, TEACHER_STEPS):
    inputs, labels = mask_tokens(ids)
    teacher_loss = mlm_loss(teacher(inputs)[0], labels)
    teacher_optimizer.zero_grad()
    teacher_loss.backward()
    teacher_optimizer.step()
    teacher_scheduler.step()
teacher.eval()
teacher.requires_grad_(False)
print(f"teacher: val loss {evaluate(teacher, val_inputs, val_labels):.4f}")

student = Encoder(hidden=32, n_layers=1, n_heads=2)
project = nn.Linear(32, 64)  # the student goes up to the teacher's width; the teacher stays put
student_optimizer = torch.optim.Adam([*student.parameters(), *project.parameters()], lr=8e-3)
student_scheduler = warmup_then_linear(student_optimizer, STUDENT_STEPS)
print(f"student: val loss {evaluate(student, val_inputs, val_labels):.4f} before")
for step, ids in enumerate(batches(train_ids, STUDENT_STEPS), start=1):
    inputs, labels = mask_tokens(ids)
    with torch.no_grad():
        teacher_logits, teacher_hidden = teacher(inputs)
    student_logits, student_hidden = student(inputs)
    masked = labels != -100
    kd = kd_loss(student_logits[masked], teacher_logits[masked])
    mlm = mlm_loss(student_logits, labels)
    mse = hidden_loss(project(student_hidden), teacher_hidden, inputs != PAD_ID)
    student_loss = ALPHA_KD * kd + ALPHA_MLM * mlm + ALPHA_HIDDEN * mse
    student_optimizer.zero_grad()
    student_loss.backward()
    nn.utils.clip_grad_norm_([*student.parameters(), *project.parameters()], 5.0)
    student_optimizer.step()
    student_scheduler.step()
    if step % 10 == 0:
        print(f"step {step}: kd {kd.item():.4f}, mlm {mlm.item():.4f}, mse {mse.item():.4f}")
print(f"student: val loss {evaluate(student, val_inputs, val_labels):.4f} after")
