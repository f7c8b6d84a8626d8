"""Losses of models that know little, and the stretches of a log that stand at them."""

import math
from collections.abc import Iterator, Sequence

from shindan.core.evidence.phases import AtLine, Phase, Phases

WELL_KNOWN = {
    65: "tinyshakespeare characters",
    256: "bytes",
    28996: "BERT cased",
    30522: "BERT uncased",
    32000: "Llama 1 and 2, Mistral",
    32128: "T5",
    50257: "GPT-2",
    50265: "RoBERTa, BART",
    50304: "GPT-2 padded to 64",
    100277: "cl100k",
    119547: "BERT multilingual",
    128256: "Llama 3",
    151936: "Qwen 2 and 3",
    250002: "XLM-R",
    256000: "Gemma",
}
"""Vocabulary sizes people train with; tried where nobody names one."""
NEAR = 0.02
"""As symptom/at-uniform-line: within 2 % of a line that is given ..."""
NEARER = 0.005
"""... and within half a percent of one that is only guessed. These lines cover an eighth of all
losses between 4 and 12.5, so a guess is told only of a log that never left the line; and a healthy
run may begin above its own ln V, at another's."""

EXACT = 5e-4
"""Of a handful of values each must be as near as this: the lines then cover a hundredth of all
losses, and a loss that begins to fall leaves within a few updates."""


def at_lines(
    found: Phases, vocabularies: Sequence[int] = (), unigram: float | None = None
) -> Iterator[AtLine]:
    """Stretches that stand at ln V or at the unigram entropy (nats), in order of time.

    Noisy ones, too, of which no direction can be told, where their ends are as near to each other.
    """
    for phase in found.phases:
        near = abs(phase.end - phase.start) <= NEAR * phase.level
        if phase.kind != "plateau" and not (phase.kind == "unclear" and near):
            continue
        level = phase.level
        if unigram is not None and abs(level - unigram) <= NEAR * unigram:
            yield _stands(found, phase, level, "unigram", unigram)
            continue
        sizes = sizes_at(level, vocabularies, NEAR)
        guessed = not sizes and not vocabularies
        if guessed and len(found.phases) == 1:
            sizes = sizes_at(level, tuple(WELL_KNOWN), NEARER)
        if sizes:
            at = math.log(sizes[0])
            yield _stands(found, phase, level, "uniform", at, sizes, given=not guessed)


def few_at_line(
    name: str, unit: str, x: Sequence[float], y: Sequence[float], vocabularies: Sequence[int]
) -> AtLine | None:
    """A log of too few values for phases, each of them at one and the same ln V.

    ``x`` and ``y`` are two finite values or more. Told as a guess: few values may be few because
    the log is young.
    """
    level = sum(y) / len(y)
    sizes = sizes_at(level, vocabularies or tuple(WELL_KNOWN), EXACT)
    if not sizes or max(y) - min(y) > EXACT * level:
        return None
    return AtLine(
        name, unit, "uniform", math.log(sizes[0]), level, x[0], x[-1], len(y), sizes,
        given=False, begins=True, ends=True,
    )  # fmt: skip


def sizes_at(level: float, sizes: Sequence[int], near: float) -> tuple[int, ...]:
    """Those whose logarithm is within ``near`` of the level, the nearest first."""
    off = {v: abs(level - math.log(v)) for v in sizes}
    return tuple(sorted((v for v in sizes if off[v] <= near * math.log(v)), key=off.__getitem__))


def _stands(
    found: Phases,
    phase: Phase,
    level: float,
    line: str,
    at: float,
    sizes: tuple[int, ...] = (),
    given: bool = True,
) -> AtLine:
    return AtLine(
        found.name,
        found.unit,
        "uniform" if line == "uniform" else "unigram",
        at,
        level,
        phase.first,
        phase.last,
        phase.points,
        sizes,
        given,
        begins=phase is found.phases[0],
        ends=phase is found.phases[-1],
    )
