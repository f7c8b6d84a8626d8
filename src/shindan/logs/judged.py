"""From a log's table to evidence: what its numbers do, as frozen records."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.logs import LogColumns, LogCurve, LogEpochs
from shindan.core.evidence.trend import Evaluations, FewLosses, Jump, LossTrend, Rise
from shindan.core.finding import Measure, Subject
from shindan.core.reason import Reason
from shindan.logs.axis import Axis, axis
from shindan.logs.few import evaluations, few_losses
from shindan.logs.finite import finite
from shindan.logs.norms import clip, controller, scale
from shindan.logs.rates import leapt, rates
from shindan.logs.roles import SETTINGS, Roles, infer, is_mean, normal, setting
from shindan.logs.shifts import at_leap, begins_high, shift
from shindan.logs.table import LogTable, Numbers
from shindan.logs.trends import FEWEST, Array, Told, jump, rise, trend

DRAWN = 2000
"""Points of a series that are kept to be drawn."""
SIDE = 20
"""Rows on each side of a return whose losses are compared."""
REWARD = ("reward", "kl", "advantage", "policy_loss", "value_loss", "completion_length")
NO_CROSS_ENTROPY = {
    "reward": Reason("loss-is-reward"),
    "adversarial": Reason("loss-is-adversarial"),
    "signed": Reason("loss-is-signed"),
}
ADVERSARIAL = ("d_loss", "g_loss", "loss_d", "loss_g", "discriminator_loss", "generator_loss")


@dataclass(frozen=True)
class Judged:
    """One log: its table, the roles of its columns, its axis and the evidence in it."""

    table: LogTable
    roles: Roles
    axis: Axis
    evidence: Mapping[type[Evidence], Evidence]
    missing: tuple[Unavailable, ...]
    subject: Subject


@np.errstate(over="ignore", invalid="ignore")
def judged(
    table: LogTable, asked: Mapping[str, str] | None = None, roles: Roles | None = None
) -> Judged:
    """What the log says; ``asked`` are roles given by a person, ``roles`` all, where known.

    A log may hold any number: what overflows in a sum is told as it is.
    """
    roles = infer(table, asked) if roles is None else roles
    way = axis(table, roles)
    columns = _columns(table, roles)
    found: list[Evidence] = [columns, way.progress]
    missing: list[Unavailable] = []
    loss = loss_of(table, roles)
    for made, name in (
        (finite(table, roles, way), "LogFinite"),
        (rates(table, roles, way), "LogRates"),
        (clip(table, roles, way), "LogClip"),
        (scale(table, roles, way), "LogScale"),
        (controller(table, roles, way), "LogController"),
        (_trend(table, roles, way, columns), "LossTrend"),
    ):
        if isinstance(made, Reason):
            missing.append(Unavailable(name, made))
        else:
            found.append(made)
    evidence = {type(e): e for e in found}
    if LossTrend not in evidence and columns.objective == "language":
        short = _epochs(table, roles, way)
        evidence |= {} if short is None else {LogEpochs: short}
        few = few_losses(named(roles, "loss"), *points(table, roles, way, "loss"))
        evidence |= {} if few is None else {FewLosses: few}
    tried = evaluations(named(roles, "validation"), points(table, roles, way, "validation")[1])
    evidence |= {} if tried is None or columns.objective != "language" else {Evaluations: tried}
    if loss is not None:
        evidence[LogCurve] = _curve(table, roles, way, evidence.get(LossTrend))
    return Judged(
        table, roles, way, evidence, tuple(missing), _subject(table, way, columns, evidence)
    )


def loss_of(table: LogTable, roles: Roles, role: str = "loss") -> Numbers | None:
    """The training (or ``validation``) loss (rows,); of a perplexity its logarithm."""
    values = roles.get(table, role)
    if values is None or roles.why[role] != "derived":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(values))


def named(roles: Roles, role: str) -> str:
    """The column's name; of a perplexity its logarithm is judged."""
    column = roles.columns.get(role, role)
    return f"ln {column}" if roles.why.get(role) == "derived" else column


def points(table: LogTable, roles: Roles, way: Axis, role: str) -> tuple[Array, Array]:
    """Steps and values (n,) of the rows of the surviving run that have this role."""
    values = loss_of(table, roles, role)
    if values is None:
        return np.empty(0), np.empty(0)
    rows = table.present[roles.columns[role]] & way.kept & np.isfinite(way.x)
    return way.x[rows], values[rows]


def _columns(table: LogTable, roles: Roles) -> LogColumns:
    named = set(roles.columns.values())
    names = {normal(c) for c in (*table.columns, *table.words)}
    loss = loss_of(table, roles)
    objective = "language"
    if any(
        n == word or n.endswith(f"_{word}") or n.startswith("rewards_")
        for n in names
        for word in REWARD
    ):
        objective = "reward"
    elif len(names & set(ADVERSARIAL)) > 1:
        objective = "adversarial"
    elif loss is not None and np.isfinite(loss).any() and float(np.nanmin(loss)) < 0:
        objective = "signed"
    filtered = table.settings.get("logging_nan_inf_filter", True)
    return LogColumns(
        format=table.format,
        rows=len(table),
        roles=roles.told(),
        others=tuple(c for c in (*table.columns, *table.words) if c not in named),
        objective=objective,
        averaged=is_mean(roles.columns.get("loss", "")),
        hides_nan=table.format.startswith("hf") and filtered not in (False, "False", "false"),
    )


def _whole_run(table: LogTable) -> float | None:
    """Hugging Face's ``train_loss``, once at the end: the mean of the whole run, not the last."""
    if not table.format.startswith("hf") or "train_loss" not in table.columns:
        return None
    values = table.columns["train_loss"]
    return float(values[-1]) if np.isfinite(values).sum() == 1 and np.isfinite(values[-1]) else None


def _trend(table: LogTable, roles: Roles, way: Axis, columns: LogColumns) -> LossTrend | Reason:
    x, y = points(table, roles, way, "loss")
    if not len(y):
        return Reason("no-loss-in-log")
    if columns.objective != "language":
        return NO_CROSS_ENTROPY[columns.objective]
    good = np.isfinite(y)
    if good.sum() < FEWEST:
        return Reason("few-losses-in-log", {"rows": int(good.sum()), "needed": FEWEST})
    _, lr = points(table, roles, way, "lr")
    lr = lr[np.isfinite(lr)]
    peak = float(lr.max()) if len(lr) else 0.0
    told = Told(
        lr_left=float(lr[-1]) / peak if peak > 0 else math.nan,
        jumps=(*_jumps(table, roles, way), *_untold(table, roles, way, x[good], y[good])),
        rise=_rise(table, roles, way, x[good], y[good]),
        updates=way.progress.updates,
    )
    found = trend("loss", x, y, told)
    return (
        Reason("few-losses-in-log", {"rows": int(good.sum()), "needed": FEWEST})
        if found is None
        else found
    )


def _jumps(table: LogTable, roles: Roles, way: Axis) -> Iterator[Jump]:
    """The losses around each place where the run was taken up again."""
    column = roles.columns["loss"]
    losses = loss_of(table, roles)
    rows = np.flatnonzero(table.present[column] & way.kept & np.isfinite(way.x))
    for row in way.resumed:
        at = int(np.searchsorted(rows, row))
        width = min(SIDE, at, len(rows) - at)
        if losses is None or width < 5:
            continue
        before, after = losses[rows[at - width : at]], losses[rows[at : at + max(5, width // 2)]]
        leap = jump(int(way.x[row]), before, after, width)
        if leap is not None:
            yield leap


def _untold(table: LogTable, roles: Roles, way: Axis, x: Array, y: Array) -> Iterator[Jump]:
    """Jumps of the finite losses where the log says nothing of a resume.

    As a late log begins; in its middle the most certain one of the places where the learning
    rate leaps, and the most certain of all places, where that is another.
    """
    first = begins_high(x, y) if way.progress.late else None
    places = np.searchsorted(x, way.x[leapt(table, roles, way)])
    known = [j for at in places if (j := at_leap(x, y, int(at))) is not None]
    surest = max(known, key=lambda j: (j.after - j.before) / (j.error or math.inf), default=None)
    any_place = shift(x, y)
    if surest is not None and any_place is not None:
        near = abs(np.searchsorted(x, [surest.update, any_place.update]) @ [1, -1])
        any_place = None if near <= any_place.window else any_place
    yield from filter(None, (first, surest, any_place))


def _rise(table: LogTable, roles: Roles, way: Axis, x: Array, y: Array) -> Rise | None:
    at, losses = points(table, roles, way, "validation")
    good = np.isfinite(losses)
    return rise(at[good].tolist(), losses[good].tolist(), x, y)


def _epochs(table: LogTable, roles: Roles, way: Axis) -> LogEpochs | None:
    x, y = points(table, roles, way, "loss")
    at, losses = points(table, roles, way, "validation")
    good, seen = np.isfinite(y), np.isfinite(losses)
    if not good.any():
        return None
    turned = rise(at[seen].tolist(), losses[seen].tolist(), x[good], y[good], width=1)
    return None if turned is None else LogEpochs(turned, float(y[good][0]))


def _curve(table: LogTable, roles: Roles, way: Axis, found: Evidence | None) -> LogCurve:
    series = {role: _thinned(*points(table, roles, way, role)) for role in
              ("loss", "validation", "lr", "used_lr", "grad_norm")}  # fmt: skip
    _, limits = points(table, roles, way, "clip")
    limits = limits[np.isfinite(limits)]
    x, losses = points(table, roles, way, "validation")
    good = np.isfinite(losses)
    best = int(np.argmin(losses[good])) if good.sum() > 1 else None
    high = found.spikes if isinstance(found, LossTrend) else ()
    return LogCurve(
        unit=way.unit,
        loss=series["loss"],
        evals=series["validation"],
        lr=series["lr"],
        used_lr=series["used_lr"],
        norms=series["grad_norm"],
        limit=float(limits[0]) if len(limits) and limits.min() == limits.max() else None,
        spikes=tuple((float(s.update), s.usual + s.height) for s in high),
        best=None if best is None else (float(x[good][best]), float(losses[good][best])),
    )


def _thinned(x: Array, y: Array) -> tuple[tuple[float, float], ...]:
    """At most about DRAWN points: the lowest and highest of equal stretches, NaN as highest."""
    if len(y) > DRAWN:
        size = -(-2 * len(y) // DRAWN)
        whole = len(y) // size * size
        ordered = np.where(np.isnan(y), np.inf, y)[:whole].reshape(-1, size)
        base = np.arange(0, whole, size)
        ends = np.arange(whole, len(y))
        both = np.concatenate([base + ordered.argmin(1), base + ordered.argmax(1), ends, [0]])
        rows = np.unique(both)
        x, y = x[rows], y[rows]
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def _subject(
    table: LogTable, way: Axis, columns: LogColumns, evidence: Mapping[type[Evidence], Evidence]
) -> Subject:
    facts: dict[str, Measure] = {"format": table.format, "rows": len(table)}
    progress = way.progress
    if progress.rows:
        facts |= {"axis": way.unit, "first_step": progress.first, "last_step": progress.last}
        facts |= {"interval": progress.interval, "updates": progress.updates}
        odd = {
            "per_update": progress.per_update if progress.per_update > 1 else 0,
            "planned": progress.planned or 0,
            "twice": progress.twice,
            "missing": progress.missing,
            "returns": len(progress.returns),
            "restarts": progress.restarts,
            "passes": progress.passes,
        }
        facts |= {name: value for name, value in odd.items() if value}
    facts["roles"] = tuple(f"{r.name} = {r.column}" for r in columns.roles)
    given = (setting(table, what) for what in SETTINGS)
    facts["settings"] = tuple(f"{name} = {value:g}" for name, value in filter(None, given))
    if (mean := _whole_run(table)) is not None:
        facts["whole_run_mean"] = mean
    if columns.others:
        facts["kept_unjudged"] = columns.others
    return Subject("log", table.name, str(table.path), facts, table.lost)
