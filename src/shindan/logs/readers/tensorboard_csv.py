"""CSV as TensorBoard's page downloads it: ``Wall time,Step,Value``, one tag of one run a file.

The tag stands in the file's name alone: ``run-RUN-tag-TAG.csv``, or what the person made of it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shindan.core.reason import Reason
from shindan.logs.called import stem
from shindan.logs.formats import Claim, Format
from shindan.logs.readers.csv import shape_of, table_of
from shindan.logs.records import SPLIT
from shindan.logs.series import Series
from shindan.logs.settings import beside
from shindan.logs.source import Source
from shindan.logs.table import LogTable, Numbers

_NAME = "tensorboard-csv"
_HEADER = ("Wall time", "Step", "Value")
_DOWNLOADED = re.compile(r"run-(?P<run>.+)-tag-(?P<tag>.+)")


@dataclass(frozen=True)
class _Curve:
    """One tag's values (n,) at steps (n,) and times (n,) in seconds since 1970."""

    path: Path
    run: str
    tag: str
    times: Numbers
    steps: Numbers
    values: Numbers
    lost: tuple[Reason, ...]


def claims(source: Source) -> Claim:
    """The three columns that nothing else has."""
    if not source.head.lstrip().startswith(b"Wall time"):
        return Claim.NO
    shape = shape_of(source)
    return Claim.SURE if shape is not None and shape.names == _HEADER else Claim.NO


def folder(path: Path) -> Path:
    """The curves of one run lie in one folder; curves of others may lie there too."""
    return path.parent


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table a run: of files named for one run, or whose steps agree at the same times."""
    curves = [curve for source in sources if (curve := _curve(source))]
    runs: list[list[_Curve]] = []
    for curve in curves:
        own = next((run for run in runs if _same_run(run, curve)), None)
        if own is None:
            runs.append([curve])
        else:
            own.append(curve)
    return [table for run in runs if (table := _table(run))]


def _curve(source: Source) -> _Curve | None:
    table = table_of(source, _NAME)
    if table is None or not set(_HEADER) <= set(table.columns):
        return None
    times, steps, values = (table.columns[name] for name in _HEADER)
    good = np.isfinite(times) & np.isfinite(steps) & table.present["Value"]
    named = _DOWNLOADED.fullmatch(stem(source.path))
    run, tag = (named["run"], named["tag"]) if named else ("", stem(source.path))
    if SPLIT.fullmatch(run):  # Keras: a folder for each part of the data
        run, tag = "", f"{run}/{tag}"
    return _Curve(source.path, run, tag, times[good], steps[good], values[good], table.lost)


def _same_run(run: Sequence[_Curve], curve: _Curve) -> bool:
    if curve.run != run[0].run or any(curve.tag == other.tag for other in run):
        return False
    return bool(curve.run) or all(_agree(curve, other) for other in run)


def _agree(one: _Curve, other: _Curve) -> bool:
    """Whether both were at the same step at the same time, within a row of the sparser one."""
    if min(len(one.steps), len(other.steps)) < 2:
        return False
    inside = (one.times >= other.times.min()) & (one.times <= other.times.max())
    if not inside.any():
        return False
    order = np.argsort(other.times, kind="stable")
    then = np.interp(one.times[inside], other.times[order], other.steps[order])
    row = max(float(np.abs(np.diff(curve.steps)).max()) for curve in (one, other))
    return bool((np.abs(then - one.steps[inside]) <= row).all())


def _table(run: Sequence[_Curve]) -> LogTable | None:
    series = Series()
    for curve in run:
        for at, step, value in zip(
            curve.times.tolist(), curve.steps.tolist(), curve.values.tolist(), strict=True
        ):
            series.add(curve.tag, int(step), at, value)
    first = run[0]
    path = first.path if len(run) == 1 else first.path.parent
    lost: Iterable[Reason] = (said for curve in run for said in curve.lost)
    return series.table(path, _NAME, first.run or path.name, beside(first.path), tuple(lost))


FORMAT = Format(_NAME, claims, read, folder)
