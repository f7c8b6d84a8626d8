"""Field report 2, relived small: "Phase 8", a causal LM whose loss will not come down.

As reported: hooks clamp every gradient to +-10 with the GradScaler's scale still inside; clipping
at 1; a controller above the scheduler sets a tenth of its learning rate while the log shows the
scheduler's; gradient_accumulation_steps of the YAML loses against the command line's default; the
tokenizer of the YAML is never used; the controller is pinned in its most timid city.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from torch import nn

from shindan.reference.corpus import SEP, encode, sentences, vocabulary


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default=str(Path(__file__).with_suffix(".yaml")))
    parser.add_argument("--grad_accum_steps", type=int, default=16)
    parser.add_argument("--log", default="phase8.training_log.json")
    args = parser.parse_args()
    config = yaml.safe_load(Path(args.config).read_text())

    def get_val(key, default=None):
        given = getattr(args, key, None)
        return given if given is not None else config.get(key, default)

    settings = {key: get_val(key) for key in config}
    accumulate = get_val("grad_accum_steps", get_val("gradient_accumulation_steps", 16))
    return argparse.Namespace(**settings, grad_accum_steps=accumulate, log=args.log)


def prepare_data(config):
    """Write the corpus as token ids, as other tools left it, and map it into memory."""
    texts = sentences()
    vocab = vocabulary(texts, config.vocab_size)
    Path("phase8.tokens.json").write_text(json.dumps(list(vocab)))
    stream = [i for t in texts for i in [*encode(t, vocab), SEP]]
    train_bin = Path("phase8.train.bin")
    np.array(stream, dtype=np.uint16).tofile(train_bin)
    return np.memmap(train_bin, dtype=np.uint16, mode="r")


def get_batch(data, config, rng):
    starts = rng.integers(0, len(data) - config.n_seq - 1, config.batch_size)
    rows = torch.from_numpy(np.stack([data[s : s + config.n_seq + 1] for s in starts]).astype(int))
    return rows[:, :-1], rows[:, 1:]


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.n_heads
        self.norm1, self.norm2 = nn.LayerNorm(config.d_model), nn.LayerNorm(config.d_model)
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model)
        self.out = nn.Linear(config.d_model, config.d_model)
        self.up = nn.Linear(config.d_model, 4 * config.d_model)
        self.down = nn.Linear(4 * config.d_model, config.d_model)

    def forward(self, x):
        B, T, D = x.shape
        parts = self.qkv(self.norm1(x)).split(D, dim=-1)
        q, k, v = (p.view(B, T, self.heads, -1).transpose(1, 2) for p in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(B, T, D))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class IntegratedModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.d_model)
        self.wpe = nn.Embedding(config.n_seq, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
        self.head.weight = self.wte.weight

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def create_model(config):
    model = IntegratedModel(config)

    def safe_grad(grad):  # against NaN and Inf
        return torch.clamp(torch.nan_to_num(grad), -10.0, 10.0)

    for param in model.parameters():
        param.register_hook(safe_grad)
    return model


class PathOptimizer:
    """Visits "cities" of learning-rate scale; too much variation sends it to the last one."""

    CITIES = (("explore", 1.5), ("active", 1.2), ("stabilize", 1.0), ("finetune", 0.5))
    LAST = ("converge", 0.1)
    EMERGENCY, WINDOW = 0.01, 10  # 0.25 at full size, where the norm varies more

    def __init__(self):
        self.norms, self.city = [], self.CITIES[0]

    def record(self, grad_norm):
        self.norms = [*self.norms[1 - self.WINDOW :], grad_norm]

    def evaluate(self):
        variation = np.std(self.norms) / max(np.mean(self.norms), 1e-12)
        if variation > self.EMERGENCY:
            self.city = self.LAST
        else:
            self.city = self.CITIES[min(int(variation / 0.05), 3)]

    def apply(self, optimizer, scheduled):
        for group in optimizer.param_groups:
            group["lr"] = scheduled * self.city[1]


def main():
    torch.manual_seed(0)
    config = parse_args()
    data, rng = prepare_data(config), np.random.default_rng(0)
    model = create_model(config)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.learning_rate)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min(1.0, (n + 1) / config.warmup_steps)
    )
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)
    tsp, records, running = PathOptimizer(), [], 0.0
    print(f"Grad Accum: {config.grad_accum_steps}")
    for step in range(1, config.max_steps + 1):
        inputs, targets = get_batch(data, config, rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(inputs)
        loss = F.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), label_smoothing=config.label_smoothing
        )
        scaler.scale(loss / config.grad_accum_steps).backward()
        running += loss.item() / config.grad_accum_steps
        if step % config.grad_accum_steps:
            continue
        scaler.unscale_(optimizer)
        grad_norm = float(nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip_train))
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        scheduler.step()
        tsp.record(grad_norm)
        if step % 10 == 0:
            tsp.evaluate()
        lr = scheduler.get_last_lr()[0]
        tsp.apply(optimizer, lr)
        records.append(
            {"step": step, "optimizer_step": len(records) + 1, "loss": running,
             "ppl": math.exp(running), "lr": lr, "grad_norm": grad_norm,
             "grad_norm_raw": grad_norm, "grad_clip": config.grad_clip_train,
             "tsp_city": tsp.city[0], "tsp_lr_scale": tsp.city[1]}
        )  # fmt: skip
        print(f"step {step}/{config.max_steps} loss {running:.3f} lr {lr:.5f}", flush=True)
        running = 0.0
    Path(config.log).write_text(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
