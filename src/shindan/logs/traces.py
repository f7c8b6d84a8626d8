"""Curves of a JSON document that carry their own steps, one for each metric, joined by step.

``{"train_loss": [[0, 5.1], [10, 4.9]], "lr": {"steps": [0, 10], "values": [1e-3, 9e-4]}}``
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from shindan.logs.numerals import as_float, number

_STEPS = ("step", "steps", "x", "iter", "iters", "iteration", "iterations", "epoch", "epochs")
_VALUES = ("value", "values", "y")
_Trace = list[tuple[float, Any]]


def traced(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Records by step of all traces of an object: ``{"step": 0, "train_loss": 5.1, "lr": ...}``.

    A step that comes again in a trace begins a record of its own.
    """
    traces = {name: found for name, inner in value.items() if (found := _trace(inner))}
    records: dict[tuple[int, float], dict[str, Any]] = {}
    for name, trace in traces.items():
        seen: Counter[float] = Counter()
        for step, one in trace:
            records.setdefault((seen[step], step), {"step": step})[name] = one
            seen[step] += 1
    if all(_sorted(trace) for trace in traces.values()):
        return [records[key] for key in sorted(records, key=lambda k: (k[1], k[0]))]
    return list(records.values())


def is_trace(value: Any) -> bool:
    """Whether it is a curve with its own steps."""
    return bool(_trace(value))


def _trace(value: Any) -> _Trace:
    """Pairs of a step and a value; empty where it is no curve."""
    if isinstance(value, list):
        return _of_pairs(value) or _of_records(value)
    if isinstance(value, Mapping) and len(value) == 2:
        steps = next((value[name] for name in _STEPS if name in value), None)
        values = next((value[name] for name in _VALUES if name in value), None)
        if isinstance(steps, list) and isinstance(values, list) and len(steps) == len(values):
            return _of_pairs(list(zip(steps, values, strict=True)))
    return []


def _of_pairs(value: Sequence[Any]) -> _Trace:
    """``[[0, 5.1], [10, 4.9]]``: whole numbers that do not fall, before others."""
    if len(value) < 2 or not all(isinstance(p, list | tuple) and len(p) == 2 for p in value):
        return []
    steps = [as_float(step) for step, _ in value]
    if any(step is None or step != step // 1 or step < 0 for step in steps):
        return []
    if any(as_float(one) is None and one is not None and _word(one) for _, one in value):
        return []
    made = [(step, one) for step, (_, one) in zip(steps, value, strict=True) if step is not None]
    rises = sum(b[0] > a[0] for a, b in pairwise(made))
    return made if 2 * rises > len(made) - 1 else []


def _of_records(value: Sequence[Any]) -> _Trace:
    """``[{"step": 0, "value": 5.1}, ...]``"""
    if len(value) < 2 or not all(isinstance(one, Mapping) and len(one) in (2, 3) for one in value):
        return []
    steps = next((name for name in _STEPS if name in value[0]), None)
    values = next((name for name in _VALUES if name in value[0]), None)
    if steps is None or values is None or any(not {steps, values} <= set(one) for one in value):
        return []
    return _of_pairs([(one[steps], one[values]) for one in value])


def _word(value: Any) -> bool:
    return not isinstance(value, str) or number(value) is None


def _sorted(trace: _Trace) -> bool:
    return all(a[0] <= b[0] for a, b in pairwise(trace))
