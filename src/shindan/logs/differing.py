"""Settings that two logs both have and that differ, by what they belong to."""

import re
from collections.abc import Mapping

from shindan.core.evidence.pairs import Facts
from shindan.logs.facts import NUMBERS, TENSORS, WORDS
from shindan.logs.numerals import amount
from shindan.logs.roles import normal
from shindan.logs.sides import Run

FACTS = ("length", "optimizer", "model", "vocabulary", "tokenizer", "smoothing", "padding",
    "positions", "reduction", "data")  # fmt: skip
"""Facts that are neither budget nor schedule, rate or size."""
SIZE = (
    r"(?:n|num|no)_\w*(?:heads?|layers?|blocks?|kv\w*)|\w*(?:hidden|inner|intermediate|embed\w*|"
    r"emb|ffn?|mlp|ff|model|head)_?(?:size|dim|ratio|mult\w*|dims?)|d_\w+|n_embd|n_inner|nhid|"
    r"nhead|depth|width|\w*_dim"
)
"""Names of what a model is made of."""
NOT_SETTINGS = (
    r"units|\w*(?:seed|dir|directory|path|file|files|folder|prefix|id|date|time|host|port|rank|"
    r"version|commit|hash|url|user|project|group|notes|tags?|resume\w*|checkpoint\w*|ckpt\w*|"
    r"device\w*|gpus?|cuda|workers?|verbose|desc\w*|loss|metric\w*|score|accuracy|memory|backend|save)"
    r"|(?:log|save|eval|val|test|sample|print|output|out|wandb|best|last|global|total|stateful|"
    r"report|push|hub|generat\w*)_\w+|(?:run_|exp\w*_|job_)?name|epoch|step|command|args|host\w*"
)
"""Names, places, dates and counters: what differs of them is no setting of the training."""
PLACED = (
    r"(?:max|num|train|n)_(?:train_)?(?:steps|iters|iterations|epochs|updates)|epochs|steps"
    r"|(?:lr_?)?decay_(?:iters|steps|lr)|warm\w*|cool\w*|min_lr|\w*(?:learning_rate|lr|sched\w*)"
    r"|\w*batch\w*|(?:grad\w*_)?accum\w*|update_freq|lr_\w+|final_lr\w*"
)
"""What belongs to budget, schedule, rate or batch: read from the curves and the facts."""


def others(a: Run, b: Run) -> list[str]:
    """Facts and settings that differ and belong to nothing that has a share of its own."""
    made = [name for name in FACTS if _differ(a.side.facts, b.side.facts, name)]
    if "model" in made and a.side.facts.parameters != b.side.facts.parameters:
        names = [_family(run.side.facts.model or "") for run in (a, b)]
        made = [name for name in made if name != "model" or names[0] != names[1]]
    known = [p for patterns in (*NUMBERS.values(), *WORDS.values()) for p in patterns]
    placed = re.compile("|".join((NOT_SETTINGS, PLACED, SIZE, TENSORS, *known)))
    return made + [name for name in _differing(a, b) if not placed.fullmatch(name)]


def _family(name: str) -> str:
    """``EleutherAI/pythia-70m`` -> ``pythia``: of one family, another name is another size."""
    return re.split(r"[-_.\d]", name.rpartition("/")[2].lower())[0]


def other_model(a: Run, b: Run) -> bool:
    """Whether a setting of the model's size differs."""
    return any(re.fullmatch(SIZE, name) for name in _differing(a, b))


def _differ(a: Facts, b: Facts, name: str) -> bool:
    one, other = getattr(a, name), getattr(b, name)
    return one is not None and other is not None and one != other


def _differing(a: Run, b: Run) -> list[str]:
    one, other = _by_name(a.settings), _by_name(b.settings)
    return [name for name in one if name in other and not _same(one[name], other[name])]


def _by_name(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings by the last part of their names."""
    made: dict[str, object] = {}
    for name, value in settings.items():
        if not name.startswith("units."):
            made.setdefault(normal(name.rpartition(".")[2]), value)
    return made


def _same(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one == other
    numbers = amount(one), amount(other)
    if numbers[0] is not None and numbers[1] is not None:
        return abs(numbers[0] - numbers[1]) <= 1e-6 * max(abs(numbers[0]), abs(numbers[1]))
    return str(one) == str(other)
