"""Gradient norms against their limit, the loss scale, and controllers fed by norms."""

import re
from itertools import pairwise

import numpy as np

from shindan.core.evidence.beside import FarNorms
from shindan.core.evidence.logs import LogClip, LogController, LogScale
from shindan.core.reason import Reason
from shindan.logs.axis import Axis, place
from shindan.logs.roles import Roles, normal, setting
from shindan.logs.table import LogTable, Numbers

LEAST = 10
FEWEST_REFUSALS = 5
"""Lines that each tell of a refused update say more than rows of a column."""
REFUSED = re.compile(r"(?:\w+_)?(?:setting|reducing)(?:_loss_scale)?(?:_to)?")
"""``reducing loss scale to 2.0``, ``Attempted loss scale: 64, reducing to 32``, ``setting loss
scale to: 0.25``."""
AT = 1e-4
"""Relative difference of a norm that was clipped to its limit: clip_grad_norm_ adds 1e-6."""
FAR = 1e3
"""Times the limit from which no norm of a sound run comes: as numerics/exploding-gradients has it,
spikes of large models are 10 to 100 times the median."""
DEFAULTS = {"hf-trainer-state": 1.0, "hf-printed": 1.0}
"""``max_grad_norm`` of Hugging Face's ``TrainingArguments`` where nobody sets it."""
WINDOW, EMERGENCY = 10, 0.25
"""The "TSP path optimizer" (SYSTEMS.md, report 2): a coefficient of variation of ten gradient
norms above 0.25 is an emergency, which sends it to its last city."""


def clip(table: LogTable, roles: Roles, way: Axis) -> LogClip | Reason:
    """The norm before clipping where the log has it, against the limit of a column or setting."""
    column = roles.columns.get("raw_norm") or roles.columns.get("grad_norm")
    if column is None:
        return Reason("no-norm-in-log")
    rows = np.flatnonzero(table.present[column] & way.kept & np.isfinite(table.columns[column]))
    if len(rows) < LEAST:
        return Reason("few-norms-in-log", {"rows": len(rows), "needed": LEAST})
    limits, source = _limits(table, roles, rows)
    if limits is None:
        return Reason("no-limit-in-log")
    norms = table.columns[column][rows]
    raw, said = roles.columns.get("raw_norm"), roles.columns.get("grad_norm")
    both = raw is not None and said is not None
    clipped = table.columns[said][rows] if both and said else np.full(len(rows), np.nan)
    over = norms > limits
    at_limit = np.isclose(norms, limits, rtol=AT, atol=0)
    after = raw is None and bool(at_limit.any()) and not (over & ~at_limit).any()
    over = at_limit if after else over
    return LogClip(
        column=column,
        rows=len(rows),
        norm=float(np.median(norms)),
        highest=float(norms.max()),
        limit=float(np.median(limits)),
        limit_from=source,
        active=int(over.sum()),
        raw=raw if both and raw else "",
        same=bool(both and np.allclose(clipped, norms, rtol=1e-5, atol=0)),
        above=int((clipped > limits * 1.01).sum()),
        after=after,
        bound=_bound(table, roles, rows, limits),
        where=place(table, int(rows[int(np.argmax(over))] if over.any() else rows[0])),
    )


def far_norms(table: LogTable, roles: Roles, way: Axis) -> FarNorms | None:
    """Norms before clipping that are all FAR above the limit a writer takes by default."""
    column = roles.columns.get("raw_norm") or roles.columns.get("grad_norm")
    default = DEFAULTS.get(table.format)
    if column is None or default is None:
        return None
    rows = np.flatnonzero(table.present[column] & way.kept & np.isfinite(table.columns[column]))
    if len(rows) < LEAST or _limits(table, roles, rows)[0] is not None:
        return None
    norms = table.columns[column][rows]
    lowest = float(norms.min())
    if lowest < FAR * default:
        return None
    return FarNorms(column, len(rows), lowest, float(np.median(norms)), default)


def _limits(table: LogTable, roles: Roles, rows: np.ndarray) -> tuple[Numbers | None, str]:
    column = roles.columns.get("clip")
    if column is not None:
        values = table.columns[column][rows]
        if np.isfinite(values).all() and (values > 0).all():
            return values, column
    given = setting(table, "clip")
    if given is None or given[1] <= 0:
        return None, ""
    return np.full(len(rows), given[1]), given[0]


def _bound(table: LogTable, roles: Roles, rows: np.ndarray, limits: Numbers) -> float | None:
    """Sum over the logged updates of rate times limit: no longer way is possible (plain SGD)."""
    column = roles.columns.get("used_lr") or roles.columns.get("lr")
    if column is None:
        return None
    lr = table.columns[column][rows]
    return float((lr * limits).sum()) if np.isfinite(lr).all() else None


def scale(table: LogTable, roles: Roles, way: Axis) -> LogScale | Reason:
    """The loss scale over the run, from a column or from lines that tell of a refused update."""
    column = roles.columns.get("scale")
    said = _refusals(table)
    known = np.full(len(table), np.nan) if column is None else table.columns[column].copy()
    for one in said:
        known = np.where(table.present[one], table.columns[one], known)
    rows = np.flatnonzero(way.kept & np.isfinite(known))
    if len(rows) < (FEWEST_REFUSALS if said else LEAST):
        return Reason("no-scale-in-log")
    values = known[rows]
    rises = np.flatnonzero(np.diff(values) >= 0)
    since = int(rises[-1]) + 1 if len(rises) else 0
    refused = np.zeros(len(table), dtype=np.bool_)
    for one in said:
        refused |= table.present[one]
    return LogScale(
        column or said[0], len(rows), float(values[0]), float(values.max()), float(values[-1]),
        len(values) - 1 - since, place(table, int(rows[since])), int(refused[rows[since:]].sum()),
        float(values[since]),
    )  # fmt: skip


def _refusals(table: LogTable) -> list[str]:
    """Columns of the scale to which a refused update led: Apex, DeepSpeed, fairseq say it so."""
    return [c for c in table.columns if REFUSED.fullmatch(normal(c))]


def controller(table: LogTable, roles: Roles, way: Axis) -> LogController | Reason:
    """The states of a controller whose rule is known, against what it looks at."""
    column = roles.columns.get("state")
    if column is None or normal(column) != "tsp_city":
        return Reason("no-controller-in-log")
    rows = np.flatnonzero(way.kept)
    words = [w for row in rows.tolist() if (w := table.words[column][row]) is not None]
    norm = roles.columns.get("raw_norm") or roles.columns.get("grad_norm")
    if len(words) < LEAST or norm is None:
        return Reason("no-controller-in-log")
    norms = table.columns[norm][rows]
    norms = norms[np.isfinite(norms)]
    if len(norms) < WINDOW:
        return Reason("no-controller-in-log")
    windows = np.lib.stride_tricks.sliding_window_view(norms, WINDOW)
    means = windows.mean(axis=1)
    spread = np.divide(windows.std(axis=1), means, out=np.zeros_like(means), where=means > 0)
    state = max(sorted(set(words)), key=words.count)
    return LogController(
        column=column,
        rows=len(words),
        state=state,
        share=words.count(state) / len(words),
        states=len(set(words)),
        changes=sum(a != b for a, b in pairwise(words)),
        window=WINDOW,
        windows=len(spread),
        beyond=int((spread > EMERGENCY).sum()),
        limit=EMERGENCY,
        lowest=float(spread.min()),
        middle=float(np.median(spread)),
        factor=_factor(table, column, state),
        where=place(table, int(rows[0])),
    )


def _factor(table: LogTable, column: str, state: str) -> float | None:
    """What stands beside the state as its factor of the learning rate (median)."""
    names = [c for c in table.columns if normal(c) == "tsp_lr_scale"]
    if not names:
        return None
    values = table.columns[names[0]][[word == state for word in table.words[column]]]
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None
