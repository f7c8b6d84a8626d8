"""What would be a fair rerun: the second run's command with the first one's settings."""

import re
import shlex
from collections.abc import Mapping

from shindan.core.evidence.pairs import Facts
from shindan.logs.facts import NUMBERS
from shindan.logs.roles import normal

EQUAL = 0.1
"""Budgets within this of each other are equal."""
OWN = "shindan train "
FLAGS: Mapping[str, tuple[str, ...]] = {
    "max_updates": (r"max_(?:updates|steps|iters)", r"num_(?:iterations|steps|updates)",
        r"total_steps", r"train_steps", r"steps"),
}  # fmt: skip
"""Names of a budget in commands; of the others, as in settings."""


def rerun(a: Facts, b: Facts) -> str:
    """The second run again as the first in batch, learning rate and updates; its model stays.

    Options of the run's own command are changed in it, as it has them; recipes of Shindan take
    ``key=value``; of what a command has no option for, the settings alone are told after it.
    """
    wanted = _wanted(a, b)
    if not wanted:
        return ""
    if not b.command:
        return " ".join(_pairs(wanted))
    if b.command.startswith(OWN):
        return " ".join([b.command, *_pairs(wanted)])
    command, left = _changed(b.command, wanted)
    return " ".join([command, *(["#", *_pairs(left)] if left else [])])


def _wanted(a: Facts, b: Facts) -> dict[str, float]:
    """The batch and the rate that belongs to it, the budget, and one seed where all else is."""
    wanted: dict[str, float] = {}
    if a.batch is not None and b.batch is not None and a.batch != b.batch:
        wanted["batch_size"] = a.batch
    if a.rate is not None and b.rate is not None and abs(a.rate - b.rate) > 0.05 * a.rate:
        wanted["learning_rate"] = a.rate
    one, other = a.of("updates"), b.of("updates")
    if one is not None and other is not None and abs(one - other) > EQUAL * max(one, other):
        wanted["max_updates"] = round(one)
    if a.seed is not None and b.seed is not None and a.seed != b.seed and wanted:
        wanted["seed"] = a.seed
    return wanted


def _pairs(wanted: Mapping[str, float]) -> list[str]:
    return [f"{name}={value:.10g}" for name, value in wanted.items()]


def _changed(command: str, wanted: Mapping[str, float]) -> tuple[str, dict[str, float]]:
    """The command with its own options changed, and what it has no option for."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command, dict(wanted)
    left = dict(wanted)
    for at, word in enumerate(words):
        name, equals, _ = word.partition("=")
        fact = next((f for f in left if _is_flag(name, f)), None)
        if fact is None or not (equals or at + 1 < len(words)):
            continue
        value = f"{left.pop(fact):.10g}"
        if equals:
            words[at] = f"{name}={value}"
        else:
            words[at + 1] = value
    return shlex.join(words), left


def _is_flag(name: str, fact: str) -> bool:
    """Whether ``--lr`` (or ``optim.lr``) sets the fact."""
    last = normal(name.rpartition(".")[2])
    return any(re.fullmatch(p, last) for p in FLAGS.get(fact) or NUMBERS.get(fact, ()))
