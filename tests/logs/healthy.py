"""Healthy logs, row by row and as files in the format their writers use; and faults in them."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shindan.core.check import Rewrite

Row = dict[str, Any]
ROWS = 120


def _losses(seed: int, start: float = 10.9, end: float = 3.2, sd: float = 0.03) -> list[float]:
    rng = np.random.default_rng(seed)
    t = np.arange(ROWS)
    return list(end + (start - end) * np.exp(-t / 30) + rng.normal(0, sd, ROWS))


def nanogpt() -> list[Row]:
    return [
        {"iter": 10 * i, "loss": round(v, 4), "time": 460.1 + i % 3}
        for i, v in enumerate(_losses(1))
    ]


def hf_trainer() -> list[Row]:
    rng = np.random.default_rng(2)
    rows: list[Row] = []
    for i, loss in enumerate(_losses(2, 3.4, 2.1)):
        lr = 2e-4 * min((i + 1) / 12, (ROWS - 1 - i) / (ROWS - 13))
        row = {"epoch": i / 40, "grad_norm": float(rng.lognormal(0, 0.2)), "learning_rate": lr}
        rows.append({**row, "loss": round(loss, 4), "step": 10 * (i + 1)})
        if i % 20 == 19:
            rows.append({"epoch": i / 40, "eval_loss": loss + 0.1, "step": 10 * (i + 1)})
    return rows


def controlled() -> list[Row]:
    rng = np.random.default_rng(3)
    rows = []
    for i, loss in enumerate(_losses(3, 9.2, 5.5)):
        norm = float(rng.lognormal(-1, 0.5))
        city = ("J_explore", "J_active", "J_stabilize", "J_converge")[i // 15 % 4]
        rows.append(
            {"step": i + 1, "optimizer_step": i + 1, "loss": loss, "ppl": math.exp(loss),
             "lr": 2e-4, "tsp_effective_lr": 2e-4, "grad_norm": min(norm, 1.0),
             "grad_norm_raw": norm, "grad_clip": 1.0, "tsp_city": city, "tsp_lr_scale": 1.0}
        )  # fmt: skip
    return rows


def scaled() -> list[Row]:
    scale = [65536.0 / 2 ** min(i, 3) for i in range(ROWS)]
    return [
        {"step": 5 * i, "train_loss": v, "lr": 1e-4, "loss_scale": scale[i]}
        for i, v in enumerate(_losses(4))
    ]


def resumed() -> list[Row]:
    """Taken up again at step 800 after it had come to 890."""
    steps = [*range(0, 900, 10), *range(800, 1200, 10)]
    losses = _losses(6)
    return [
        {"step": s, "loss": round(losses[s // 10], 4), "lr": 3e-4 * (1 - s / 1200)} for s in steps
    ]


MAKERS: Mapping[str, Callable[[], list[Row]]] = {
    "nanogpt": nanogpt,
    "hf_trainer": hf_trainer,
    "controlled": controlled,
    "scaled": scaled,
    "resumed": resumed,
}


def rewritten(rows: list[Row], fault: Rewrite) -> list[Row]:
    """The rows with the fault in them: what is there from its first row on."""
    made = [dict(row) for row in rows]
    for name, value in fault.values.items():
        there = [row for row in made[fault.first :] if name in row]
        for i, row in enumerate(there):
            row[name] = value
            if isinstance(value, tuple):
                row[name] = value[0] + (value[1] - value[0]) * i / max(1, len(there) - 1)
    return made


def write(name: str, rows: list[Row], folder: Path) -> Path:
    """The log as its writer leaves it."""
    if name == "nanogpt":
        path = folder / "train.log"
        lines = (f"iter {r['iter']}: loss {r['loss']:.4f}, time {r['time']:.2f}ms" for r in rows)
        path.write_text("\n".join(lines) + "\n")
    elif name == "hf_trainer":
        path = folder / "trainer_state.json"
        state = {"global_step": 10 * ROWS, "max_steps": 10 * ROWS, "logging_steps": 10}
        path.write_text(json.dumps({**state, "log_history": rows}, indent=1))
    elif name == "controlled":
        path = folder / "training_log.json"
        path.write_text(json.dumps({"last_update": "2025-12-17T18:46:18", "steps": rows}))
    else:
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
