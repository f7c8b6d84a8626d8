"""Lists of records, wherever they are in a JSON document."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from shindan.logs.numerals import as_float, number
from shindan.logs.settings import settings_of
from shindan.logs.tongues import english
from shindan.logs.traces import is_trace, traced

SPLIT = re.compile(
    r"(?i)(?<![A-Za-z0-9])(train(?:ing)?|val(?:id(?:ation)?)?|eval(?:uation)?|test|dev)(?![a-z0-9])"
)
"""A word that names a part of the data."""
_NUMBERED = re.compile(r"(?P<name>\D*?)[ _\-:]?(?P<number>\d+)$")
_LISTED = 5
"""Numbers of a list that is all of a document, and may be losses; ``[1, 200]`` begins a line."""
_WALL = 1e9
"""A first number above this in a triple is a time: TensorBoard's export [wall, step, value]."""


@dataclass(frozen=True)
class Found:
    """A list of records and the way to it (``("runs", "0", "history")``)."""

    way: tuple[str, ...]
    records: Sequence[Mapping[str, Any]]


class Columns(Sequence[Mapping[str, Any]]):
    """Records that are kept as lists of equal length, by name."""

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @overload
    def __getitem__(self, at: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> "Columns": ...
    def __getitem__(self, at: int | slice) -> "Mapping[str, Any] | Columns":
        cut = {name: values[at] for name, values in self.columns.items()}
        return Columns(cut) if isinstance(at, slice) else cut


def found_in(document: Any) -> list[Found]:
    """All lists of records of a document; parts of one run (train, val) joined into one."""
    return _joined(list(_search(document, ())))


def settings_around(document: Any) -> dict[str, object]:
    """What the document says besides its records: scalars and short lists, flat."""
    if not isinstance(document, Mapping):
        return {}
    plain = {k: v for k, v in document.items() if not (isinstance(v, list) and _is_records(v))}
    return settings_of(plain)


def _search(value: Any, way: tuple[str, ...]) -> Iterator[Found]:
    if len(way) > 12:
        return
    if isinstance(value, list):
        yield from _search_list(value, way)
    elif isinstance(value, dict):
        if records := _by_number(value):
            yield Found(way, records)
            return
        if traces := traced(value):
            yield Found(way, traces)
            value = {key: inner for key, inner in value.items() if not is_trace(inner)}
        yield from _columns(value, way)
        for key, inner in value.items():
            if isinstance(inner, dict | list) and not _is_column(inner):
                yield from _search(inner, (*way, key))


def _search_list(value: list[Any], way: tuple[str, ...]) -> Iterator[Found]:
    if not way and len(value) >= _LISTED and _is_column(value):
        yield Found(way, Columns({"0": value}))
    elif records := _records(value):
        yield Found(way, records)
    else:
        for index, item in enumerate(value[:1000]):
            if isinstance(item, dict | list):
                yield from _search(item, (*way, str(index)))


def _is_records(value: list[Any]) -> bool:
    return list(map(type, value)).count(dict) * 2 > len(value)


def _records(value: list[Any]) -> list[Mapping[str, Any]]:
    """Rows of a list: of objects, or of lists of numbers (of equal length, at most 16)."""
    if _is_records(value):
        rows: list[Mapping[str, Any]] = [item for item in value if isinstance(item, dict)]
        nested = any(
            isinstance(v, list) and v and _is_records(v) for r in rows[:5] for v in r.values()
        )
        return [] if nested else rows
    if not value or not all(isinstance(item, list) for item in value):
        return []
    width = len(value[0])
    if not 1 < width <= 16 or any(len(item) != width for item in value):
        return []
    if all(isinstance(cell, str) for cell in value[0]):  # a table with its header
        return [dict(zip(value[0], item, strict=True)) for item in value[1:]]
    if any(as_float(cell) is None and cell is not None for item in value for cell in item):
        return []
    triple = width == 3 and (as_float(value[0][0]) or 0.0) > _WALL
    names = ("Wall time", "Step", "Value") if triple else tuple(map(str, range(width)))
    return [dict(zip(names, item, strict=True)) for item in value]


def _is_column(value: Any) -> bool:
    """A list of two or more scalars, most of them numbers."""
    if not isinstance(value, list) or len(value) < 2:
        return False
    kinds = set(map(type, value))
    if kinds & {dict, list}:
        return False
    return kinds <= {int, float} or 2 * sum(_numeric(item) for item in value) > len(value)


def _numeric(value: Any) -> bool:
    return as_float(value) is not None or (isinstance(value, str) and number(value) is not None)


def _columns(value: Mapping[str, Any], way: tuple[str, ...]) -> Iterator[Found]:
    """Lists of numbers side by side; those of equal length are columns of one table."""
    by_length: dict[int, dict[str, list[Any]]] = {}
    for key, inner in value.items():
        if isinstance(inner, list) and inner and not set(map(type, inner)) & {dict, list}:
            by_length.setdefault(len(inner), {})[key] = inner
    for columns in by_length.values():
        if any(map(_is_column, columns.values())):
            yield Found(way, Columns(columns))


def _by_number(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Records by step: ``{"100": {...}, "200": {...}}``, ``{"epoch_1": {...}}``; pandas' columns
    (``{"loss": {"0": 2.3, "1": 2.1}}``)."""
    if len(value) < 2 or not all(isinstance(inner, dict) and inner for inner in value.values()):
        return _pandas(value)
    numbered = [_NUMBERED.fullmatch(key) for key in value]
    names = {match["name"].strip(" _-:") if match else None for match in numbered}
    if len(names) != 1 or None in names:
        return _pandas(value)
    name = names.pop() or "step"
    steps = [float(match["number"]) for match in numbered if match]
    if sorted(set(steps)) != steps:
        return _pandas(value)
    return [
        {name: float(match["number"]), **inner}
        for match, inner in zip(numbered, value.values(), strict=True)
        if match
    ]


def _pandas(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    names, rows = value.get("columns"), value.get("data")
    if (
        isinstance(names, list)
        and isinstance(rows, list)
        and all(isinstance(r, list) for r in rows)
    ):
        return [dict(zip(map(str, names), row, strict=False)) for row in rows]
    inner = list(value.values())
    if not inner or not all(isinstance(column, dict) and len(column) > 1 for column in inner):
        return []
    keys = list(inner[0])
    if any(list(column) != keys for column in inner) or not all(key.isdigit() for key in keys):
        return []
    return [{name: column[key] for name, column in value.items()} for key in keys]


def _joined(found: list[Found]) -> list[Found]:
    """Lists under sibling names that are parts of the data (``train``, ``val``) in one list."""
    if beside := _side_by_side(found):
        return beside
    parts: dict[tuple[str, ...], list[Found]] = {}
    for one in found:
        named = bool(one.way) and SPLIT.search(one.way[-1])
        parts.setdefault((*one.way[:-1], "*") if named else one.way, []).append(one)
    return (
        [
            Found(way[:-1], [_prefixed(r, one.way[-1]) for one in ones for r in one.records])
            if way and way[-1] == "*" and len(ones) > 1
            else ones[0]
            if len(ones) == 1
            else Found(way, [r for one in ones for r in one.records])
            for way, ones in parts.items()
        ]
        if all(len(ones) == 1 or way[-1:] == ("*",) for way, ones in parts.items())
        else found
    )


def _side_by_side(found: list[Found]) -> list[Found]:
    """Parts of the data as columns of one length, without a step: row beside row."""
    whole: dict[str, Sequence[Any]] = {}
    for one in found:
        named = bool(one.way) and SPLIT.search(one.way[-1])
        columns = one.records.columns if isinstance(one.records, Columns) else {}
        if (
            not named
            or one.way[:-1] != found[0].way[:-1]
            or len(one.records) != len(found[0].records)
        ):
            return []
        if not columns or any(map(is_place, columns)):
            return []
        whole |= {f"{one.way[-1]}.{name}": values for name, values in columns.items()}
    return [Found(found[0].way[:-1], Columns(whole))] if len(found) > 1 else []


_PLACE = re.compile(
    r"(?i)(?:(?:train|trainer|global|num|current|completed|optimizer|micro|consumed|end of"
    r"|total)[_ /]?)?"
    r"(?:epoch|step|iter(?:ation)?|update|batch|sample|token|time(?:stamp)?|wall.?time|index"
    r"|progress)(?:e?s)?"
)


def is_place(name: str) -> bool:
    """Whether a column says where a row stands, not what was measured."""
    return _PLACE.fullmatch(english(name).strip("_ ")) is not None


_MEASURE = re.compile(
    r"(?i)(?<![a-z])(loss(es)?|ppl|perplexity|nll|ce|mlm|clm|bp[bcd]|trl|tel|acc(uracy)?|rewards?|bleu|wer"
    r"|entropy|grad.?norm|gnorm)(?![a-z])"
)


def is_measure(name: str) -> bool:
    """Whether a column's name has a word for what training measures."""
    return name.lower() in ("train", "val") or _MEASURE.search(english(name)) is not None


def _prefixed(record: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {key if is_place(key) else f"{part}.{key}": value for key, value in record.items()}
