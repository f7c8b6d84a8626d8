"""pytorch/examples word_language_model style: (T, B) streams, sinusoids, SGD with annealing."""

import math
import pydoc_data.topics
import re
from collections import Counter

import torch
import torch.nn as nn
import torch.nn.functional as F

EMSIZE, NHEAD, NHID, NLAYERS, DROPOUT = 64, 4, 128, 2, 0.1
BPTT, BATCH_SIZE, EVAL_BATCH_SIZE = 20, 20, 20
EPOCHS, LR, LR_FLOOR, CLIP, MAX_WORDS = 4, 0.7, 0.1, 1.0, 150


class Corpus:
    """Python's own help texts as a stream of words; every tenth paragraph is held out."""

    def __init__(self):
        topics = [text.lower() for _, text in sorted(pydoc_data.topics.topics.items())]
        paragraphs = [re.findall(r"\w+|[^\w\s]+", p) for text in topics for p in text.split("\n\n")]
        paragraphs = list(dict.fromkeys(tuple(p) for p in paragraphs if p))  # topics share text
        held_out = paragraphs[::10]
        kept = [p for i, p in enumerate(paragraphs) if i % 10 != 0]
        counts = Counter(w for ws in kept for w in ws)
        self.idx2word = ["<unk>", "<eos>"] + [w for w, _ in counts.most_common(MAX_WORDS)]
        self.word2idx = {w: i for i, w in enumerate(self.idx2word)}
        self.train, self.valid = self.encode(kept)[:20000], self.encode(held_out)[:4000]

    def encode(self, texts):
        ids = []
        for ws in texts:
            ids += [self.word2idx.get(w, 0) for w in ws] + [self.word2idx["<eos>"]]
        return torch.tensor(ids)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    return data[: nbatch * bsz].view(bsz, -1).t().contiguous()  # (nbatch, bsz): columns go on


def get_batch(source, i):
    data = source[i : i + BPTT]  # (T, B)
    target = source[i + 1 : i + 1 + BPTT].reshape(-1)  # (T * B)
    return data, target


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout, max_len=128):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return self.dropout(x + self.pe[: x.size(0)])


class TransformerModel(nn.Module):
    def __init__(self, ntoken):
        super().__init__()
        self.input_emb = nn.Embedding(ntoken, EMSIZE)
        self.pos_encoder = PositionalEncoding(EMSIZE, DROPOUT)
        layer = nn.TransformerEncoderLayer(EMSIZE, NHEAD, NHID, DROPOUT)
        self.encoder = nn.TransformerEncoder(layer, NLAYERS, enable_nested_tensor=False)
        self.decoder = nn.Linear(EMSIZE, ntoken)
        self.init_weights()

    def init_weights(self):
        for p in self.encoder.parameters():  # the encoder's layers start as copies of one another
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)
        nn.init.uniform_(self.input_emb.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)

    def forward(self, src):  # (T, B)
        mask = nn.Transformer.generate_square_subsequent_mask(len(src))
        x = self.input_emb(src) * math.sqrt(EMSIZE)
        x = self.pos_encoder(x)
        output = self.encoder(x, mask=mask)
        return F.log_softmax(self.decoder(output), dim=-1)  # (T, B, V)


def evaluate(model, data_source, criterion):
    model.eval()
    total_loss, total_words = 0.0, 0
    with torch.no_grad():
        for i in range(0, data_source.size(0) - BPTT, BPTT):
            data, targets = get_batch(data_source, i)
            output = model(data).view(-1, ntokens)
            total_loss += len(targets) * criterion(output, targets).item()
            total_words += len(targets)
    return total_loss / total_words


def train(model, data_source, criterion, optimizer):
    model.train()
    starts = range(0, data_source.size(0) - BPTT, BPTT)
    total_loss = 0.0
    for n in torch.randperm(len(starts)).tolist():  # nothing is carried over, so any order will do
        data, targets = get_batch(data_source, starts[n])
        output = model(data).view(-1, ntokens)
        loss = criterion(output, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        total_loss += loss.item()
    return total_loss / len(starts)


torch.manual_seed(1111)
corpus = Corpus()
ntokens = len(corpus.idx2word)
train_data, val_data = batchify(corpus.train, BATCH_SIZE), batchify(corpus.valid, EVAL_BATCH_SIZE)
model = TransformerModel(ntokens)
criterion = nn.NLLLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=LR)
best_val_loss = evaluate(model, val_data, criterion)
print(f"| start of training | valid loss {best_val_loss:5.2f} | {ntokens} words")
for epoch in range(1, EPOCHS + 1):
    train_loss = train(model, train_data, criterion, optimizer)
    val_loss = evaluate(model, val_data, criterion)
    lr = optimizer.param_groups[0]["lr"]
    print(f"| epoch {epoch} | lr {lr:.3f} | train {train_loss:5.2f} | valid {val_loss:5.2f}")
    if val_loss > best_val_loss - 0.2:  # anneal once the validation loss falls slowly
        for group in optimizer.param_groups:
            group["lr"] = max(LR_FLOOR, group["lr"] / 2.0)
    best_val_loss = min(best_val_loss, val_loss)
