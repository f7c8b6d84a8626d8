"""What in a batch says where the prompt ends (CPU tensors, (B, T))."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from shindan.probes.labelled import Labelled

ANSWER_MASK = re.compile(
    r"(loss|labels?|response|completion|assistant|answer|target|output)s?_?(tokens?_?)?masks?$",
    re.IGNORECASE,
)
PROMPT_MASK = re.compile(
    r"(prompt|instruction|source|question|context|query)s?_?(tokens?_?)?masks?$", re.IGNORECASE
)
LENGTH = re.compile(
    r"(prompt|instruction|source|src|question|context|query)s?_?"
    r"(len|lens|length|lengths|end|ends)$",
    re.IGNORECASE,
)
ONCE = 0.95
"""Share of rows that hold a marker, once."""
PLACES = 3
"""Different places a marker must have (always at one place it is a field, or the first token)."""


def targets(batch: Labelled) -> Tensor:
    """(B, T) True at positions whose next token is a real one (the last column: False)."""
    found = torch.zeros_like(batch.counted)
    found[:, :-1] = ~batch.padding[:, 1:]
    return found


def left_out(name: str, mark: Tensor, batch: Labelled) -> Tensor | None:
    """(B, T) True at the positions whose label this tensor of the batch leaves out; else None."""
    rows, t = batch.ids.shape
    last = name.rpartition(".")[2]
    if mark.ndim == 1:
        if len(mark) != rows or not LENGTH.fullmatch(last) or mark.dtype == torch.bool:
            return None
        starts = (~batch.padding).int().argmax(1)
        return torch.arange(t)[None, :] + 1 < (starts + mark.cpu())[:, None]
    mark = mark.cpu()
    if mark.shape[0] != rows or mark.shape[1] not in (t, t + 1):
        return None
    if ANSWER_MASK.search(last) and set(mark.unique().tolist()) == {0, 1}:
        return _next(mark == 0, t)
    if PROMPT_MASK.search(last) and set(mark.unique().tolist()) == {0, 1}:
        return _next(mark == 1, t)
    return _ignored(mark, batch) if mark.dtype != torch.bool else None


def _ignored(mark: Tensor, batch: Labelled) -> Tensor | None:
    """Labels with negative values, equal to the tokens elsewhere; shifted already or not."""
    t = batch.ids.shape[1]
    marked = mark < 0
    if not bool(marked.any()) or mark.shape[1] != t:
        return None
    same = (mark == batch.ids)[~marked].float().mean() if bool((~marked).any()) else 0.0
    if same >= 0.98:
        return _next(marked, t)
    real = ~marked[:, :-1]
    ahead = (mark[:, :-1] == batch.ids[:, 1:])[real]
    return marked if len(ahead) and float(ahead.float().mean()) >= 0.98 else None


def _next(at: Tensor, t: int) -> Tensor:
    """A property of tokens as one of the positions that predict them."""
    shifted = torch.zeros(at.shape[0], t, dtype=torch.bool)
    n = min(t, at.shape[1] - 1)
    shifted[:, :n] = at[:, 1 : n + 1]
    return shifted


def spared(batches: Sequence[Labelled]) -> tuple[int, int]:
    """(labels of real tokens that count, labels of real tokens)."""
    counted = sum(int((b.counted & targets(b)).sum()) for b in batches)
    return counted, sum(int(targets(b).sum()) for b in batches)


def marker(batches: Sequence[Labelled]) -> tuple[int, int] | None:
    """(id, labels up to and with it) that stands once inside nearly every row, at many places.

    Inside: neither first nor last of the real tokens, after 5 % and before 95 % of them.
    """
    held: dict[int, int] = {}
    places: dict[int, set[int]] = {}
    before: dict[int, int] = {}
    rows = 0
    for batch in batches:
        for ids, padding in zip(batch.ids, batch.padding, strict=True):
            tokens = ids[~padding]
            if len(tokens) < 4:
                continue
            rows += 1
            values, index, n = tokens.unique(return_inverse=True, return_counts=True)
            at = torch.zeros_like(n).index_copy_(0, index, torch.arange(len(index)))
            relative = at.float() / (len(tokens) - 1)
            inside = (n == 1) & (relative > 0.05) & (relative < 0.95)
            for value, place in zip(values[inside].tolist(), at[inside].tolist(), strict=True):
                held[value] = held.get(value, 0) + 1
                places.setdefault(value, set()).add(place)
                before[value] = before.get(value, 0) + place
    found = [v for v, n in held.items() if n >= ONCE * rows and len(places[v]) >= PLACES]
    if rows < 40 or not found:
        return None
    best = max(found, key=lambda v: held[v])
    return best, before[best]


def failed_rows(batches: Sequence[Labelled]) -> tuple[int, int, int, int] | None:
    """(rows whose prompt is left out, rows where that failed, labels of prompts there, marker).

    A row is masked when its first labels are ignored up to a token that ends the masked part of
    (nearly) all such rows; it failed when that token stands inside and every label counts.
    """
    ends: list[int] = []
    whole: list[Tensor] = []
    for batch in batches:
        need = targets(batch)
        for ids, use, counts in zip(batch.ids, need, batch.counted & need, strict=True):
            if bool((counts == use).all()):
                whole.append(ids[use])
            elif bool(counts.any()):
                first, start = int(counts.int().argmax()), int(use.int().argmax())
                if first - start >= 2:
                    ends.append(int(ids[first]))
    if len(ends) < 20:
        return None
    values, n = torch.tensor(ends).unique(return_counts=True)
    mark = int(values[n.argmax()])
    if int(n.max()) < 0.9 * len(ends):
        return None
    prompts = [int((ids == mark).int().argmax()) for ids in whole if bool((ids[1:] == mark).any())]
    return len(ends), len(prompts), sum(prompts), mark
