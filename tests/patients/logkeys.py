"""LogBERT style: masked log-key prediction plus a hypersphere around the [DIST] representation."""

import random

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

PAD, DIST, MASK, FIRST_KEY = 0, 1, 2, 3
NUM_KEYS = 20


class Automaton:
    """A service that writes logs: each job type has its own states, each with 3 next states."""

    def __init__(self, seed=0, job_types=5, states=6):
        rng = random.Random(seed)
        self.jobs = []
        for _ in range(job_types):
            keys = rng.sample(range(FIRST_KEY, FIRST_KEY + NUM_KEYS), states)
            self.jobs.append({key: rng.sample(keys, 3) for key in keys})

    def session(self, rng):
        next_keys = rng.choice(self.jobs)
        key, keys = rng.choice(list(next_keys)), []
        for turn in rng.choices((0, 1, 2), weights=(65, 25, 10), k=rng.randint(16, 31)):
            keys.append(key)
            key = next_keys[key][turn]
        return keys


class LogDataset(Dataset):
    def __init__(self, sessions, mask_ratio=0.3, fixed_seed=None):
        self.sessions, self.mask_ratio, self.fixed_seed = sessions, mask_ratio, fixed_seed

    def __len__(self):
        return len(self.sessions)

    def __getitem__(self, index):
        rng = random if self.fixed_seed is None else random.Random(self.fixed_seed + index)
        inputs, labels = [DIST], [PAD]  # label 0 is not counted
        for key in self.sessions[index]:
            masked = rng.random() < self.mask_ratio
            inputs.append(MASK if masked else key)
            labels.append(key if masked else PAD)
        return inputs, labels


def collate(samples):
    width = max(len(inputs) for inputs, _ in samples)
    inputs = torch.tensor([row + [PAD] * (width - len(row)) for row, _ in samples])
    labels = torch.tensor([row + [PAD] * (width - len(row)) for _, row in samples])
    return inputs, labels  # (B, T) each


class LogBERT(nn.Module):
    def __init__(self, hidden=48, layers=2, heads=4, max_len=32, dropout=0.1):
        super().__init__()
        self.key_embedding = nn.Embedding(FIRST_KEY + NUM_KEYS, hidden, padding_idx=PAD)
        self.position_embedding = nn.Embedding(max_len, hidden)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                hidden, heads, 4 * hidden, dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(hidden)
        self.output = nn.Linear(hidden, FIRST_KEY + NUM_KEYS)
        nn.init.normal_(self.position_embedding.weight, std=0.1)

    def forward(self, inputs):
        padding = inputs == PAD
        positions = torch.arange(inputs.size(1)).expand_as(inputs)
        x = self.dropout(self.key_embedding(inputs) + self.position_embedding(positions))
        for block in self.blocks:
            x = block(x, src_key_padding_mask=padding)
        x = self.norm(x)
        return self.output(x).log_softmax(dim=-1), x[:, 0]  # (B, T, V) and [DIST]: (B, H)


class Trainer:
    def __init__(self, model, train_data, valid_data, epochs=3, lr=4e-3, alpha=0.02):
        self.model, self.alpha, self.center = model, alpha, None
        self.train_data = DataLoader(train_data, batch_size=16, shuffle=True, collate_fn=collate)
        self.valid_data = DataLoader(valid_data, batch_size=64, collate_fn=collate)
        self.criterion = nn.NLLLoss(ignore_index=PAD)
        self.hyper_criterion = nn.MSELoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.999))
        total = epochs * len(self.train_data)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            max_lr=lr,
            total_steps=total,
            pct_start=0.1,
            cycle_momentum=False,
            div_factor=10,
            final_div_factor=1,
        )

    @torch.no_grad()
    def calculate_center(self):
        self.model.eval()
        outputs = [self.model(inputs)[1] for inputs, _ in self.train_data]
        return torch.cat(outputs).mean(dim=0)

    def train_epoch(self, epoch):
        self.model.train()
        for inputs, labels in self.train_data:
            log_probs, dist = self.model(inputs)
            mask_loss = self.criterion(log_probs.transpose(1, 2), labels)
            loss = mask_loss
            if self.center is not None:
                hyper_loss = self.hyper_criterion(dist, self.center.expand_as(dist))
                loss = loss + self.alpha * hyper_loss
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
        print(f"epoch {epoch}: train mask loss {mask_loss.item():.4f}, total {loss.item():.4f}")

    @torch.no_grad()
    def valid_epoch(self, epoch, top_g=3):
        self.model.eval()
        nll, hits, count = 0.0, 0, 0
        for inputs, labels in self.valid_data:
            log_probs, _ = self.model(inputs)
            masked = labels != PAD
            nll += self.criterion(log_probs.transpose(1, 2), labels).item() * masked.sum().item()
            best = log_probs[masked].topk(top_g, dim=-1).indices  # (n, g)
            hits += (best == labels[masked][:, None]).sum().item()
            count += masked.sum().item()
        print(f"epoch {epoch}: valid mask loss {nll / count:.4f}, hit@{top_g} {hits / count:.3f}")


def main():
    random.seed(1234)
    torch.manual_seed(1234)
    service, train_rng, valid_rng = Automaton(), random.Random(1), random.Random(2)
    train_sessions = [service.session(train_rng) for _ in range(640)]
    valid_sessions = [service.session(valid_rng) for _ in range(128)]
    trainer = Trainer(LogBERT(), LogDataset(train_sessions), LogDataset(valid_sessions, 0.3, 99))
    trainer.valid_epoch(0)
    for epoch in (1, 2, 3):
        trainer.train_epoch(epoch)
        trainer.valid_epoch(epoch)
        if epoch == 1:  # the sphere stays where it is from here on
            trainer.center = trainer.calculate_center()


if __name__ == "__main__":
    main()
