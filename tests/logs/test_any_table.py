"""Whatever a table holds, it is judged: no crash, no failed check, a JSON document."""

import json
import warnings

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from shindan.diagnose.engine import diagnose
from shindan.logs.judged import judged
from shindan.report.jsondoc import schema, to_json

from .tables import table

NAMES = (
    "step", "optimizer_step", "epoch", "loss", "train_loss", "val_loss", "ppl", "lr", "grad_norm",
    "effective_lr", "grad_norm_raw", "grad_clip", "loss_scale", "tokens", "tsp_lr_scale", "reward",
)  # fmt: skip


def column(rng: np.random.Generator, rows: int) -> list[float | None]:
    kind = rng.integers(8)
    base = np.array([0.0, 1.0, -1.0, np.nan, np.inf, 1e300, 1e-300, 5e-324])
    made = {
        0: np.arange(rows) * float(rng.integers(1, 9)),
        1: np.full(rows, float(rng.choice(base))),
        2: rng.choice(base, rows),
        3: rng.normal(0, 10.0 ** rng.integers(-9, 9), rows),
        4: np.exp(-np.arange(rows) / 9),
        5: np.sort(rng.integers(0, 5, rows)).astype(float),
        6: rng.integers(0, 100, rows).astype(float),
        7: np.round(rng.normal(3, 1, rows), 1),
    }[int(kind)]
    holes = rng.random(rows) < rng.choice([0.0, 0.0, 0.3, 0.95])
    return [None if hole else float(v) for v, hole in zip(made, holes, strict=True)]


@pytest.mark.parametrize("seed", range(150))
def test_any_table_is_judged(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([0, 1, 2, 5, 31, 120, 400]))
    names = rng.choice(NAMES, int(rng.integers(1, len(NAMES))), replace=False)
    log = table(
        {str(name): column(rng, rows) for name in names},
        {"tsp_city": [str(c) for c in rng.choice(["a", "b"], rows)]} if seed % 3 == 0 else {},
        {"max_steps": float(rng.choice([0, 100, -1])), "max_grad_norm": "1.0", "lr": "nan"},
        form=str(rng.choice(["csv", "hf-trainer-state"])),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = judged(log)
        document = diagnose(read.evidence, read.missing, (), read.subject)
    assert document.failed == ()
    held = json.loads(json.dumps(to_json(document, "en"), allow_nan=False))
    assert list(Draft202012Validator(schema()).iter_errors(held)) == []
