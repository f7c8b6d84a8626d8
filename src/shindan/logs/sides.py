"""One run to be compared: the loss it is quoted by, and every other way to read it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shindan.core.evidence.axes import Axis
from shindan.core.evidence.logs import LogColumns
from shindan.core.evidence.pairs import Over, Quoted, Side
from shindan.logs.facts import Given, facts, known
from shindan.logs.judged import Judged, loss_of
from shindan.logs.spent import positions, spent
from shindan.logs.table import Numbers, once

Rows = NDArray[np.int64]
Of = Literal["training", "validation"]
ROLES: Mapping[Of, str] = {"training": "loss", "validation": "validation"}
WHOLE = "train_loss"
"""Hugging Face's mean of the whole run, once, in the last row."""
NEAR = 1e-3
BEGUN = 0.05
"""A log that begins within this share of its end has its run's largest learning rate."""
COMMON = 0.02
"""Of the commonest column's values: rarer columns may be what a run met with, not its script's."""
LAST = 0.05
"""The training loss of a step is the mean over this last share of its log: one step is noise."""


@dataclass(frozen=True)
class Run:
    """A side with its curves: per set, the rows' values in nats and where they stand."""

    side: Side
    curves: Mapping[Of, Numbers]
    at: Mapping[Axis, Numbers]
    rates: Numbers | None = None
    """Learning rates as used where that is logged (rows,)."""
    error: float | None = None
    """Standard error of a number without a log."""
    script: frozenset[str] = frozenset()
    """What is the writer's: the log's format, its commoner columns, the names of its settings."""
    settings: Mapping[str, object] = field(default_factory=dict)
    ordered: dict[tuple[Of, Axis], tuple[Numbers, Numbers]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """The points asked for before: a long log is put in order once."""

    def rate_left(self, axis: Axis, at: float) -> float | None:
        """The learning rate there, as a share of the largest one of the log."""
        if self.rates is None or axis not in self.at:
            return None
        rows = np.isfinite(self.rates) & np.isfinite(self.at[axis])
        there = rows & (self.at[axis] <= at * (1 + NEAR))
        peak = float(self.rates[rows].max()) if rows.any() else 0.0
        if not there.any() or peak <= 0 or rows.sum() < 2:
            return None
        last = np.flatnonzero(there)[np.argmax(self.at[axis][there])]
        return float(self.rates[last]) / peak

    def reach(self, of: Of, axis: Axis) -> float | None:
        """How far the run was measured on that axis."""
        x, _ = self.points(of, axis)
        return float(x[-1]) if len(x) else None

    def points(self, of: Of, axis: Axis) -> tuple[Numbers, Numbers]:
        """Positions (n,) and values (n,) of the rows that have both, in order of the position."""
        if of not in self.curves or axis not in self.at:
            return np.empty(0), np.empty(0)
        if (of, axis) not in self.ordered:
            x, y = self.at[axis], self.curves[of]
            rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
            order = rows[np.argsort(x[rows], kind="stable")]
            self.ordered[of, axis] = x[order], y[order]
        return self.ordered[of, axis]


def run(log: Judged, name: str, said: Given) -> Run:
    """A log as one of the runs that are compared."""
    found = known(log.table, said)
    places = positions(log, found)
    at = places.at
    curves: dict[Of, Numbers] = {}
    for of, role in ROLES.items():
        values = loss_of(log.table, log.roles, role)
        if values is not None and np.isfinite(values).any():
            kept = np.where(log.axis.kept, values, np.nan)
            curves[of] = in_nats(kept, str(found.get("unit", "nats")))
    readings = tuple(_readings(log, curves, at, found))
    rates = log.roles.get(log.table, "used_lr")
    rates = log.roles.get(log.table, "lr") if rates is None else rates
    told = replace(
        facts(found),
        spent=tuple(spent(log, found, at).items()),
        clock=places.clock,
        tokens_per_update=places.tokens_each,
        rate=facts(found).rate or _peak(log, rates),
        objective=_objective(log),
    )
    side = Side(name, told, _quoted(log, readings, found), readings)
    return Run(side, curves, at, rates, script=_script(log), settings=log.table.settings)


def _script(log: Judged) -> frozenset[str]:
    table = log.table
    counts = {name: int(there.sum()) for name, there in table.present.items()}
    common = (n for n, count in counts.items() if count >= COMMON * max(counts.values()))
    named = (name for name in table.settings if not name.startswith("units."))
    return frozenset((f"format {table.format}", *common, *named))


def _objective(log: Judged) -> str | None:
    columns = log.evidence.get(LogColumns)
    return columns.objective if isinstance(columns, LogColumns) else None


def _peak(log: Judged, rates: Numbers | None) -> float | None:
    """The largest learning rate, of a log that has the beginning of its run."""
    progress = log.axis.progress
    if rates is None or progress.first > BEGUN * progress.last:
        return None
    used = rates[log.axis.kept & np.isfinite(rates)]
    return float(used.max()) if len(used) and used.max() > 0 else None


def in_nats(values: Numbers, unit: str) -> Numbers:
    """Losses (n,) in nats, of ``nats``, ``bits`` or ``perplexity``."""
    if unit == "bits":
        return values * math.log(2)
    if unit == "perplexity":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(values))
    return values


def _quoted(log: Judged, readings: tuple[Quoted, ...], found: Given) -> Quoted | None:
    """What its writer shows at the end: HF's mean of the whole run, else the last of the log."""
    whole = next((q for q in readings if q.over == "run"), None)
    if whole is not None and (found.get("loss_over") == "run" or once(log.table, WHOLE)):
        return whole
    for of in ROLES:
        mine = [q for q in readings if q.of == of and q.over != "run"]
        if mine:
            return mine[0]
    return whole


def _readings(
    log: Judged, curves: Mapping[Of, Numbers], at: Mapping[Axis, Numbers], found: Given
) -> list[Quoted]:
    """Every way the log allows its loss to be read, the finest first, training first."""
    made: list[Quoted] = []
    for of, values in curves.items():
        rows = np.flatnonzero(np.isfinite(values))
        over = _over(log, rows, of, found)
        if over == "run":
            made.append(Quoted(float(values[rows[-1]]), "run", of))
            continue
        noisy = over == "step" and of == "training"
        tail = rows[-max(1, math.ceil(LAST * len(rows))) :] if noisy else rows[-1:]
        made.append(Quoted(float(values[tail].mean()), over, of))
        if of == "training" and over != "running":
            made += _means(values, rows, over, at)
    whole = once(log.table, WHOLE)
    if whole is not None and not any(q.over == "run" and q.value == whole for q in made):
        made = [q for q in made if (q.over, q.of) != ("run", "training")]
        made.append(Quoted(whole, "run", "training"))
    return made


def _over(log: Judged, rows: Rows, of: Of, found: Given) -> Over:
    """What a value of the log is the mean of, as said, else by how often it stands there."""
    if of == "validation":
        return "step"  # an evaluation is of one moment, however often it is made
    said = found.get("loss_over")
    if said in ("step", "epoch", "run", "running"):
        return said  # type: ignore[return-value]
    if log.roles.columns.get("loss") == WHOLE and log.table.format[:2] == "hf":
        return "run"
    columns = log.evidence.get(LogColumns)
    if isinstance(columns, LogColumns) and columns.averaged:
        return "running"
    epoch = log.roles.get(log.table, "epoch")
    if epoch is None or len(rows) == 0:
        return "step"
    there = epoch[rows]
    whole = np.isfinite(there).all() and np.array_equal(there, np.round(there))
    return "epoch" if whole and len(np.unique(there)) == len(there) else "step"


def _means(values: Numbers, rows: Rows, over: Over, at: Mapping[Axis, Numbers]) -> list[Quoted]:
    """The mean of the last epoch and of the whole run, from the rows."""
    made = []
    if over == "step" and "epochs" in at:
        epoch = np.ceil(at["epochs"][rows])
        latest = epoch[np.isfinite(epoch)].max(initial=0.0)  # a resumed log may count none
        last = values[rows][epoch == latest]
        if latest >= 2 and len(last):
            made.append(Quoted(float(last.mean()), "epoch", "training"))
    if len(rows) > 1 and over in ("step", "epoch"):
        made.append(Quoted(float(values[rows].mean()), "run", "training"))
    return made
