"""A number without a log as one side of a comparison: a paper's, a leaderboard's, a colleague's.

``val_loss=3.28,updates=19560,tokens=10e9,parameters=124e6,tokenizer=gpt2`` in the place of a
path, or the same facts as a YAML file. Such a run has one point on each axis that was said.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from shindan.core.errors import ShindanError
from shindan.core.evidence.axes import AXES, Axis
from shindan.core.evidence.pairs import Over, Quoted, Side
from shindan.logs.facts import Given, fact, facts
from shindan.logs.numerals import number
from shindan.logs.roles import normal
from shindan.logs.sides import Of, Run, in_nats
from shindan.logs.spent import FLOPS
from shindan.logs.table import Numbers

LOSSES: Mapping[str, tuple[Of, str]] = {
    "loss": ("training", "nats"), "train_loss": ("training", "nats"),
    "val_loss": ("validation", "nats"), "validation_loss": ("validation", "nats"),
    "eval_loss": ("validation", "nats"), "test_loss": ("validation", "nats"),
    "ppl": ("training", "perplexity"), "perplexity": ("training", "perplexity"),
    "train_ppl": ("training", "perplexity"), "val_ppl": ("validation", "perplexity"),
    "val_perplexity": ("validation", "perplexity"), "eval_ppl": ("validation", "perplexity"),
    "test_ppl": ("validation", "perplexity"),
}  # fmt: skip
"""Names of the number itself: of which set it is, and its unit unless one is said."""
ERROR = "error"
NAME = "name"
_ENDINGS = (".yaml", ".yml")
_LARGEST = 1 << 16


def is_stated(path: Path) -> bool:
    """Whether this is no path but facts, or a file of facts with a loss among them."""
    if path.exists():
        return path.suffix in _ENDINGS and bool(_of_file(path))
    return bool(re.match(r"[A-Za-z_][\w-]*\s*=", str(path))) and bool(LOSSES.keys() & _keys(path))


def stated(path: Path, said: Given) -> Run:
    """The run that these facts tell of; ``said`` are more of them, which win.

    Raises ShindanError for a fact that there is not, and a value that is none of the fact's.
    """
    texts = _of_file(path) if path.exists() else _of_text(str(path))
    name = texts.pop(NAME, path.name if path.exists() else "")
    key = next(k for k in texts if k in LOSSES)
    (of, unit), text = LOSSES[key], texts.pop(key)
    error = texts.pop(ERROR, None)
    known = {**dict(fact(key, value) for key, value in texts.items()), **said}
    value = number(text)
    if value is None or not math.isfinite(value) or (unit == "perplexity" and value <= 0):
        raise ShindanError("fact-no-number", fact="loss", value=text)
    scatter = _rounding(text) if error is None else number(error)
    if scatter is None:
        raise ShindanError("fact-no-number", fact=ERROR, value=error)
    unit = str(known.get("unit", unit))
    nats = in_nats(np.array([value]), unit)
    at: dict[Axis, Numbers] = {a: np.array([float(known[a])]) for a in AXES if a in known}
    if "flops" not in at and {"tokens", "parameters"} <= set(known):
        at["flops"] = FLOPS * float(known["parameters"]) * at["tokens"]
    over: Over = known.get("loss_over", "step")  # type: ignore[assignment]
    quoted = Quoted(float(nats[0]), over, of)
    told = replace(facts(known), spent=tuple((a, float(x[0])) for a, x in at.items()))
    scatter = float(np.abs(in_nats(np.array([value + scatter]), unit) - nats)[0])
    return Run(
        Side(name or f"{key}={text}", told, quoted, (quoted,)), {of: nats}, at, error=scatter
    )


def _rounding(text: str) -> float:
    """The standard deviation of what rounding to these figures took away."""
    figures = re.search(r"\.(\d+)(?:[eE]([-+]?\d+))?$", text.strip())
    last = -len(figures[1]) + int(figures[2] or 0) if figures else 0
    return float(10.0**last / math.sqrt(12))


def _keys(path: Path) -> set[str]:
    return {normal(part.partition("=")[0]) for part in str(path).split(",")}


def _of_text(text: str) -> dict[str, str]:
    made = {}
    for part in text.split(","):
        key, equals, value = part.strip().partition("=")
        if not equals or not value:
            raise ShindanError("number-not-stated", text=text)
        made[normal(key)] = value.strip()
    return made


def _of_file(path: Path) -> dict[str, str]:
    """The facts of a YAML file; empty where it is none, or holds no loss."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return {}
        held = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    if not isinstance(held, dict) or not all(isinstance(v, str) for v in held.values()):
        return {}
    made = {normal(str(key)): value for key, value in held.items()}
    return made if LOSSES.keys() & made.keys() else {}
