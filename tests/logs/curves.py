"""Series for the tests of ``logs/``: typed tables, logs at hand, and curves of known truth."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from tests.reference.real import DATA

Array = NDArray[np.float64]
FIGURES = Path(__file__).parent / "figures"


def table(name: str) -> dict[str, Array]:
    """A typed table's columns by name; what is not given is NaN."""
    rows = np.genfromtxt(FIGURES / f"{name}.csv", delimiter=",", names=True)
    return {column: np.asarray(rows[column], dtype=np.float64) for column in rows.dtype.names or ()}


def noise(n: int, rho: float, sd: float, seed: int) -> Array:
    """AR(1) noise (n,) of that standard deviation."""
    white = np.random.default_rng(seed).normal(0, sd * math.sqrt(1 - rho**2), n + 200)
    return np.asarray(lfilter([1], [1, -rho], white))[200:]


def steps(n: int) -> Array:
    """1 to n."""
    return np.arange(1, n + 1, dtype=np.float64)


def records(path: Path) -> tuple[Array, Array]:
    """(optimizer steps, losses) of a log of report 2's project."""
    held = json.loads(path.read_text(encoding="utf-8"))
    told = held["steps"] if isinstance(held, dict) else held
    return _columns([(r.get("optimizer_step") or r["step"], r["loss"]) for r in told])


def at_hand() -> Iterator[tuple[str, Array, Array]]:
    """Every loss series of the logs in ``../shared/data/logs``: name, steps, values."""
    place = DATA / "logs"
    for path in sorted([*place.glob("p8_300m_ja.json"), *place.glob("phase8/*.json")]):
        yield path.stem, *records(path)
    for path in sorted(place.glob("trainer_state_[abc].json")):
        told = json.loads(path.read_text(encoding="utf-8"))["log_history"]
        yield path.stem, *_columns([(r["step"], r["loss"]) for r in told if "loss" in r])
    for path in sorted(place.glob("*.steps.csv")):
        rows = np.genfromtxt(path, delimiter=",", names=True)
        yield path.stem, rows["step"], rows["train_loss"]
    patterns = {
        "gpt2_adamw.log": (r"s:(\d+) trl:([\d.]+)", r"s:(\d+) tel:([\d.]+)"),
        "gpt2_fp4.txt": (
            r"step:(\d+)/\d+ train_loss:([\d.]+)",
            r"step:(\d+)/\d+ val_loss:([\d.]+)",
        ),
    }
    for name, forms in patterns.items():
        text = (place / name).read_text(encoding="utf-8", errors="replace")
        for form in forms:
            yield f"{name} {form[-18:]}", *_columns(re.findall(form, text))
    for name in ("wt2_gru.log", "wt2_lstm.log"):
        text = (place / name).read_text(encoding="utf-8")
        form = r"epoch +(\d+) \| +(\d+)/ *(\d+) batches.*?loss +([\d.]+)"
        found = re.findall(form, text)
        yield name, *_columns([((int(e) - 1) * int(n) + int(b), v) for e, b, n, v in found])


def _columns(pairs: list[tuple[object, object]]) -> tuple[Array, Array]:
    made = np.array(pairs, dtype=np.float64)
    return made[:, 0], made[:, 1]
