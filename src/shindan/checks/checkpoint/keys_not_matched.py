"""A state was loaded with ``strict=False``, and its keys did not meet the module's."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.checkpoints import KeyMatch, KeyMatches
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

HALF = 0.5
LEAST = 2


@check(
    id="checkpoint/keys-not-matched",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=("pytorch/examples#1029", "QuCumber#18", "pytorch#6584"),
    explains=("symptom/loss-jump", "symptom/slow-progress"),
    fault=(
        Edit(
            script="resume",
            old='model.load_state_dict(state["model"])',
            new="""\
weights = {f"module.{k}": v for k, v in state["model"].items()}  # as DataParallel saved it
    model.load_state_dict(weights, strict=False)""",
        ),
    ),
)
def CHECK(matches: KeyMatches) -> Iterator[Finding]:
    """Nothing arrived, or most names would have met under another prefix."""
    for load in matches.loads:
        left = load.given - load.matched
        prefix = (
            load.renamed >= LEAST and load.renamed > HALF * left and load.renamed > load.matched
        )
        nothing = load.matched == 0 and left >= LEAST and load.keys >= LEAST
        if load.used and (prefix or nothing):
            yield Finding(
                measured={
                    "keys": load.keys,
                    "given": load.given,
                    "matched": load.matched,
                    "renamed": load.renamed,
                    "prefix_given": load.prefix_given or "''",
                    "prefix_wanted": load.prefix_wanted or "''",
                },
                where=Where(load.file, load.line, load.module),
                variant="prefix" if prefix else "",
            )


def _load(
    matched: int, given: int, renamed: int = 0, prefix: str = "", used: bool = True
) -> Example:
    match = KeyMatch("Model", 30, given, matched, renamed, prefix, "", used)
    return Example((KeyMatches((match,)),))


SICK = (
    Example(_load(0, 30, 30, "module.").evidence, finds=({"matched": 0, "renamed": 30},)),
    Example(_load(2, 30, 28, "_orig_mod.").evidence, finds=({"prefix_given": "_orig_mod."},)),
    Example(_load(0, 30).evidence, finds=({"given": 30},)),
)
HEALTHY = (
    _load(30, 30),
    _load(26, 26),  # a new head is missing
    _load(26, 32),  # the old head is left over
    _load(4, 4),  # adapters alone
    _load(0, 0),
    _load(0, 30, 30, "module.", used=False),  # tried, then loaded in another way
)
