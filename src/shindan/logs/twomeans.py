"""Is the training loss the quantity that the validation loss (or the perplexity) is?

Dropout, augmentation, label smoothing and auxiliary terms add some nats to a training loss: then it
falls by as much as the validation loss does. A mean over the steps before an evaluation is of a
model that knew less: it lies between what the evaluation before and this one would have shown. A
loss that is TIMES the *larger* of the two at every evaluation, and falls by TIMES as many nats, is
neither; nor is one that no mean of any vocabulary reaches while the other is TIMES smaller.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.beside import TwoMeans
from shindan.logs.knownlines import WELL_KNOWN
from shindan.logs.trends import Array

Mask = NDArray[np.bool_]

TIMES = 3.0
LEAST = 4
"""Evaluations, all of which must agree."""
HIGHEST = math.log(max(WELL_KNOWN))
"""No mean of a model that is better than guessing is above it, in nats."""
ROWS, WITHIN = 10, 0.01
"""Rows of a perplexity, and how far a factor may scatter that is the same in each of them."""
MOST_ROWS = 0.95
MOVED = 0.1
"""Share of its mean by which ln of the perplexity must have moved: a sum would change the ratio."""
LOG10 = 1 / math.log(10)
"""The factor of perplexities that are powers of ten: another unit, no other mean."""


def two_means(
    names: tuple[str, str],
    training: tuple[Array, Array],
    validation: tuple[Array, Array],
    epochs: tuple[Array, Array],
) -> TwoMeans | None:
    """Training losses (x, y) against evaluations (x, y), all finite and in order of x.

    ``epochs`` (x, y) say in which epoch a step is. None below LEAST evaluations that have training
    losses between them.
    """
    (x, y), (at, losses) = training, validation
    edges = np.append(0, np.searchsorted(x, at, "right"))
    means = np.array([y[a:b].mean() if b > a else np.nan for a, b in pairwise(edges.tolist())])
    there = (means > 0) & (losses > 0)
    if there.sum() < LEAST:
        return None
    how = _how(means, losses, there)
    if not how and len(epochs[0]):
        early = there & (np.interp(at, *epochs) - epochs[1][0] < 1)
        how = "part" if early.sum() >= LEAST and _part(losses[early] / means[early]) else ""
        there = early if how else there
    ratio = (means / losses)[there]
    ratio = 1 / ratio if float(np.median(ratio)) < 1 else ratio
    return TwoMeans(
        how, *names, int(there.sum()), float(np.median(ratio)), float(ratio.min()),
        float(ratio.max()), float(means[there][-1]), float(losses[there][-1]),
    )  # fmt: skip


def _how(means: Array, losses: Array, there: Mask) -> str:
    """``means`` of the losses before each evaluation, ``losses`` of it (n,), where ``there``."""
    upper = np.maximum(losses[1:], losses[:-1])
    held = there[1:]
    above = means[1:][held]
    if len(above) < LEAST - 1:
        return ""
    if (above > TIMES * upper[held]).all() and means[there][0] > TIMES * losses[there][0]:
        third = max(1, len(above) // 3)
        fell = float(above[:third].mean() - above[-third:].mean())
        if fell > TIMES * float(losses.max() - losses.min()):
            return "sum"
        if float(above.min()) > HIGHEST:
            return "above"
    high = float(losses[there].min()) > HIGHEST
    return "above" if high and _all_above(losses, means, there) else ""


def _part(ratio: Array) -> bool:
    """Whether all ratios (n,) are high, and so alike that none grew by learning by heart.

    A count of epochs may be wrong (of streamed data): what is learnt by heart makes the ratio grow
    on and on, here by less than its square root.
    """
    low = float(ratio.min())
    return low > TIMES and float(ratio.max()) < low**1.5


def _all_above(losses: Array, means: Array, there: Mask) -> bool:
    return bool((losses[there] > TIMES * means[there]).all())


def of_perplexity(names: tuple[str, str], loss: Array, ppl: Array) -> TwoMeans | None:
    """Rows (n,) that have both: the loss as a multiple of ln of the perplexity; None for few."""
    good = np.isfinite(loss) & np.isfinite(ppl) & (ppl > 1) & (loss > 0)
    if good.sum() < ROWS:
        return None
    loss, logs = loss[good], np.log(ppl[good])
    ratio = loss / logs
    factor = float(np.median(ratio))
    same = float((np.abs(ratio / factor - 1) <= WITHIN).mean()) >= MOST_ROWS
    moved = float(logs.max() - logs.min()) >= MOVED * float(logs.mean())
    other = factor >= 2 * (1 - WITHIN) or factor <= (1 + WITHIN) / 2
    unit = abs(factor / LOG10 - 1) <= WITHIN
    how = "perplexity" if same and moved and other and not unit else ""
    return TwoMeans(
        how, *names, int(good.sum()), factor, float(ratio.min()), float(ratio.max()),
        float(loss[-1]), float(ppl[good][-1]),
    )  # fmt: skip
