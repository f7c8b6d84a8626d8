"""Broken and extreme logs against each other: one sentence or a whole report, never a crash."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from shindan.core.errors import ShindanError
from shindan.core.evidence.pairs import Comparison
from shindan.diagnose.compare import compare
from shindan.report import html, jsondoc, markdown
from shindan.report.view import View

CASES = 8
ODD = (0, -1, 1e300, -1e300, 1e-300, "nan", "inf", 3, "x", "", 1e9)
SAID = ("A:lr=1e-3", "B:lr=1e-30", "A:lr=1e300", "A:batch_size=1", "B:batch_size=512",
    "A:parameters=1e300", "B:parameters=1e8", "A:schedule=constant", "B:updates=5",
    "A:sequence_length=128")  # fmt: skip
STATED = ("val_loss=3.2,updates=50", "loss=1e300,updates=100", "val_ppl=1e-9,tokens=5000",
    "loss=-3,updates=10")  # fmt: skip


def written(path: Path, rng: random.Random) -> Path:
    rows = rng.choice((1, 2, 3, 5, 20, 60, 200))
    made: dict[str, Callable[[int], float]] = {
        "step": lambda i: i * 10, "loss": lambda i: 5 * (i + 1) ** -0.2,
        "val_loss": lambda i: 5.1 * (i + 1) ** -0.2, "lr": lambda i: 1e-3 * (1 - i / rows),
        "epoch": lambda i: i // 10, "tokens": lambda i: 1000 * i, "dt": lambda i: 500,
        "tok/s": lambda i: 1e4, "timestamp": lambda i: 1.7e9 + i, "elapsed": lambda i: 3 * i,
    }  # fmt: skip
    names = ["loss", *rng.sample([n for n in made if n != "loss"], rng.randint(1, 8))]
    lines = [",".join(names)]
    for i in range(rows):
        cells = (rng.choice(ODD) if rng.random() < 0.06 else made[n](i) for n in names)
        lines.append(",".join(map(str, cells)))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("seed", range(4))
def test_no_log_stops_a_comparison(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    for case in range(CASES):
        paths = [
            written(tmp_path / f"{case}-{k}.csv", rng) for k in range(rng.choice((2, 2, 3, 5)))
        ]
        if rng.random() < 0.2:
            paths[1] = Path(rng.choice(STATED))
        try:
            made = compare(paths, rng.sample(SAID, rng.randint(0, 4)))
        except ShindanError:
            continue
        assert made.document.failed == ()
        view = View(made.document, {Comparison: made.comparison})
        page = html.render(view, "ja")
        assert 'x="nan' not in page
        assert markdown.render(view, "en")
        document = json.loads(json.dumps(jsondoc.to_json(made.document, "en")))
        jsonschema.validate(document, jsondoc.schema())
