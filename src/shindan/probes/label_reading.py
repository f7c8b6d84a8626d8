"""Which argument holds the tokens, which loss asks about them, and how its rows lie on them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from shindan.probes.alignment import align, usual
from shindan.probes.capture import LANGUAGE
from shindan.probes.label_sampling import Counted, Sample
from shindan.probes.labelled import IGNORE, Labelled, Related, relate
from shindan.probes.look import Look, NoReplay

RANK = ("causal", "masked", "shifted", "copied", "other")
"""An honest reading wins: a loss that is right for one input is not wrong for another (several
heads, decoder inputs beside encoder inputs)."""


@dataclass(frozen=True)
class Reading:
    """``path`` of the ids among the forward's arguments, ``loss`` its number in the micro-step.

    ``slice``: which of the usual slices of the positions the loss's rows are (None: an irregular
    selection, known for captured micro-steps only); ``turned``: the script's layout is (T, B).
    """

    path: str
    loss: int
    slice: int | None
    turned: bool


def read(look: Look, sample: Sample) -> tuple[Reading, Labelled, Related]:
    """The best reading of the captured micro-step. NoReplay when there is none."""
    seen = [s for s in look.taken.losses if s.kind in LANGUAGE and not s.target.is_floating_point()]
    found: list[tuple[int, Reading, Labelled, Related]] = []
    for path, ids in _fed(look):
        for number, (one, counted) in enumerate(zip(seen, sample.losses, strict=False)):
            rows = align(one, look.taken.outputs, (ids.shape[0], ids.shape[1]))
            if counted.waits or rows is None or len(rows.rows) != counted.target.numel():
                continue
            which = _slice(rows.rows, ids)
            for turned in (False, True) if which is not None else (not look.first_is_batch,):
                batch = labelled(ids, counted, rows.rows, turned, which == 0)
                related = relate([batch])
                prior = 2 * (turned == look.first_is_batch)
                found.append(
                    (
                        RANK.index(related.relation) * 4 + prior,
                        Reading(path, number, which, turned),
                        batch,
                        related,
                    )
                )
    if not found:
        raise NoReplay("no-loss-on-tokens")
    return min(found, key=lambda f: f[0])[1:]


def reread(reading: Reading | None, sample: Sample) -> Labelled | None:
    """Another micro-step in the same reading; None where it does not fit."""
    ids = None if reading is None else sample.args.get(reading.path)
    if reading is None or ids is None or ids.ndim != 2 or reading.loss >= len(sample.losses):
        return None
    counted = sample.losses[reading.loss]
    if reading.slice is None or counted.waits:
        return None
    rows = usual((ids.shape[0], ids.shape[1]), ids.device)[reading.slice]
    if len(rows) != counted.target.numel():
        return None
    return labelled(ids, counted, rows, reading.turned, reading.slice == 0)


def labelled(ids: Tensor, counted: Counted, rows: Tensor, turned: bool, every: bool) -> Labelled:
    """(B, T) ids and labels on the CPU."""
    labels = counted.labels(IGNORE)
    flat = torch.full((ids.numel(),), IGNORE, dtype=torch.long, device=labels.device)
    flat[rows.to(labels.device)] = labels
    grid, tokens = flat.reshape(ids.shape).cpu(), ids.long().cpu()
    return Labelled(*((tokens.T, grid.T) if turned else (tokens, grid)), every=every)


def _fed(look: Look) -> list[tuple[str, Tensor]]:
    """The integer arguments that feed an embedding, the widest embedding's first, each once."""
    widest = sorted(look.fed, key=lambda f: -f[0])
    return list({path: (path, ids) for _, path, ids in widest}.values())


def _slice(rows: Tensor, ids: Tensor) -> int | None:
    for number, candidate in enumerate(usual((ids.shape[0], ids.shape[1]), rows.device)):
        if len(candidate) == len(rows) and torch.equal(candidate, rows):
            return number
    return None
