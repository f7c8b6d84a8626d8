"""A log's columns held beside one another, and its loss beside what guessing gives."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.beside import Repeats, TwoMeans
from shindan.core.evidence.logs import LogColumns
from shindan.core.reason import Reason
from shindan.logs.axis import filled
from shindan.logs.chance import at_chance, risen
from shindan.logs.judged import Judged, named, points
from shindan.logs.norms import far_norms
from shindan.logs.repeats import repeats
from shindan.logs.trends import Array
from shindan.logs.twomeans import of_perplexity, two_means


def beside(log: Judged) -> tuple[Mapping[type[Evidence], Evidence], Sequence[Unavailable]]:
    """The evidence by type, and what a log of a language loss did not allow to look at."""
    columns = log.evidence.get(LogColumns)
    found: list[Evidence | None] = [far_norms(log.table, log.roles, log.axis)]
    missing: list[Unavailable] = []
    if isinstance(columns, LogColumns) and columns.objective == "language":
        x, y = _finite(log, "loss")
        name = named(log.roles, "loss")
        two, again = _means(log, x, y), _repeats(log)
        found += [two, again, risen(name, y)]
        if not log.axis.progress.late and (two is None or not two.how):
            second = (named(log.roles, "validation"), *_finite(log, "validation"))
            found.append(at_chance(log.table, log.roles, (name, x, y), second))
        missing += [Unavailable(TwoMeans.__name__, Reason("no-two-losses"))] if two is None else []
        missing += [Unavailable(Repeats.__name__, Reason("no-two-epochs"))] if again is None else []
    return {type(e): e for e in found if e is not None}, missing


def _finite(log: Judged, role: str) -> tuple[Array, Array]:
    """Steps and finite values (n,) of a role, in order of the steps."""
    x, y = points(log.table, log.roles, log.axis, role)
    good = np.isfinite(y)
    x, y = x[good], y[good]
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def _means(log: Judged, x: Array, y: Array) -> TwoMeans | None:
    """By a perplexity where one is beside the loss and tells, else by the evaluations."""
    roles, table = log.roles, log.table
    loss, ppl = roles.columns.get("loss"), roles.columns.get("ppl")
    told = None
    if loss is not None and ppl is not None and roles.why["loss"] != "derived":
        rows = log.axis.kept
        told = of_perplexity((loss, ppl), table.columns[loss][rows], table.columns[ppl][rows])
    if told is not None and told.how:
        return told
    if not len(y):
        return told
    names, late = (named(roles, "loss"), named(roles, "validation")), log.axis.progress.late
    epochs = (x[:0], y[:0]) if late else _finite(log, "epoch")
    found = two_means(names, (x, y), _finite(log, "validation"), epochs)
    if late and found is not None and found.b > found.a:
        found = replace(found, how="")  # learnt by heart before the log began, for all it says
    return found or told


def _repeats(log: Judged) -> Repeats | None:
    column, epoch = log.roles.columns.get("loss"), log.roles.get(log.table, "epoch")
    if column is None or epoch is None:
        return None
    values = log.table.columns[column]
    rows = np.flatnonzero(log.table.present[column] & log.axis.kept & np.isfinite(values))
    return repeats(column, values[rows], filled(epoch)[rows])
