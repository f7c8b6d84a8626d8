"""What a line of text says: numbers under names, found by how the line is put together.

``iter 10: loss 2.31, time 12ms`` and ``{'loss': 2.31}`` and ``| lr 20.0 | 200/ 2983 batches``
are all text between numbers. The text before a number names it (or, where there is none, the text
behind it). Lines that differ in their numbers alone have one template.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shindan.logs.naming import INDEX, Place, name_of, unit_of
from shindan.logs.numerals import CLOCK, DATE, DAY, MULTIPLES, PLAIN, duration, moment
from shindan.logs.records import is_measure

_NAMED = r"A-Za-z\d_"
"""What a number that is part of a name stands beside; Japanese has no spaces."""
_UNIT = r"(?P<unit>%|(?!e[-+]?\d)[A-Za-zµ]{1,5}(?:/[A-Za-z]+)?)?"
TOKEN = re.compile(
    rf"(?P<date>{DATE})"
    rf"|(?<![\w.:/])(?P<day>{DAY})(?![\w:])"
    rf"|(?<![\w.:])(?P<clock>{CLOCK})(?![\w:])"
    rf"|(?<![{_NAMED}.@$])(?<!\S\#)(?<!\w[-+])(?![-+]?(?i:inf|nan)(?!inity|ms|[sz%]\b)[A-Za-z])"
    rf"(?!(?<=\bof )(?i:inf|nan))"
    rf"(?P<number>{PLAIN}){_UNIT}(?![{_NAMED}]|\.\d)"
)
_WORD = re.compile(r"(?<![\w.])['\"]?(?P<key>[A-Za-z_][\w.\-/]*)['\"]?(?:\s?=\s?|(?<=['\"]):\s?)"
                   r"['\"]?(?P<word>[A-Za-z_][\w.\-/]*)['\"]?(?![\w(])")  # fmt: skip
_MOST_BARE = 4
"""Numbers of a line that has nothing else; more are data, not a log's."""
_SAYS = re.compile(r"\s[A-Za-z][\w ]*")
_BARE = re.compile(r"[\s,;|:()\[\]\-]*")
_GLOG = re.compile(r"[IWEF]\d{4}$")
_MOST_FIELDS = 300


def plain(token: str) -> float:
    """A number that was found as one."""
    return float(token.replace(",", ""))


_READ: dict[str, Callable[[str], float | None]] = {
    "date": moment,
    "clock": duration,
    "number": plain,
}


@dataclass(frozen=True)
class Field:
    """A number of a line: which one (``index``), its column, and how it is read."""

    index: int
    column: str
    read: Callable[[str], float | None]
    factor: float = 1.0
    unit: str = ""


@dataclass(frozen=True)
class Template:
    """Lines alike but for their numbers. ``tokens`` are the kinds of all numbers, in order."""

    literals: tuple[str, ...]
    tokens: tuple[str, ...]
    fields: tuple[Field, ...]
    words: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> tuple[str, ...]:
        """The columns that these lines fill."""
        return tuple(f.column for f in self.fields) + tuple(key for key, _ in self.words)


def cut(line: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The text between a line's numbers, the numbers, and their kinds.

    The unit of a number stays in the text behind it.
    """
    literals, values, kinds, at = [], [], [], 0
    for token in TOKEN.finditer(line):
        kind = token.lastgroup or "number"
        kind = "number" if kind == "unit" else kind
        literals.append(_squeezed(line[at : token.start(kind)]))
        values.append(token[kind])
        kinds.append(kind)
        at = token.end(kind)
        if len(values) == _MOST_FIELDS:
            break
    literals.append(_squeezed(line[at:]))
    return tuple(literals), tuple(values), tuple(kinds)


def _squeezed(text: str) -> str:
    if "  " not in text and "\t" not in text:
        return text
    return re.sub(r"\s+", lambda m: "\t" if "\t" in m[0] or len(m[0]) > 2 else " ", text)


def template(literals: tuple[str, ...], kinds: tuple[str, ...]) -> Template:
    """What the numbers between these literals are."""
    if bare := _bare(literals, kinds):
        return Template(literals, kinds, bare, ())
    fields = list(_fields(literals, kinds))
    measured = any(is_measure(f.column) for f in fields)
    if fields and not measured and not _SAYS.fullmatch(literals[1]):
        fields = [f for f in fields if f.column.partition(".")[0] != INDEX]  # it counts nothing
    words = tuple(_words(literals)) if fields else ()
    return Template(literals, kinds, tuple(fields), words)


def _bare(literals: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[Field, ...]:
    """The numbers of a line that has no words, but for those with units:
    ``100 2.31``, ``1m 5s (- 9m 0s) (5000 6%) 2.31``."""
    units = ("", *map(unit_of, literals[1:]))
    between = (text.removeprefix(unit) for text, unit in zip(literals, units, strict=True))
    alone = [i for i, unit in enumerate(units[1:]) if not unit]
    if set(kinds) != {"number"} or not 1 < len(alone) <= _MOST_BARE:
        return ()
    if not all(map(_BARE.fullmatch, between)):
        return ()
    return tuple(Field(index, str(at), plain) for at, index in enumerate(alone))


def _fields(literals: tuple[str, ...], kinds: tuple[str, ...]) -> Iterator[Field]:
    taken: dict[str, int] = {}
    part, last = "", None
    for index, kind in enumerate(kinds):
        name, part = name_of(Place(literals, index, last), part)
        if kind == "date":
            name = "timestamp"
        if not name or kind == "day" or _GLOG.match(name) or (kind, name) == ("clock", INDEX):
            continue
        again = taken[name] = taken.get(name, -1) + 1
        column = f"{name}.{again}" if again else name
        unit = unit_of(literals[index + 1]) if kind == "number" and name != INDEX else ""
        last = (index, column)
        if unit == name or unit in MULTIPLES:
            yield Field(index, column, _READ[kind], MULTIPLES.get(unit, 1.0))
        else:
            yield Field(index, column, _READ[kind], unit=unit)


def _words(literals: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for text in literals:
        for pair in _WORD.finditer(text):
            if pair["word"].lower() not in ("nan", "inf", "none", "null"):
                yield pair["key"], pair["word"]


def pattern(made: Template) -> str:
    """A regular expression (RE2's too) of exactly the template's lines, a group a number."""
    forms = {"date": DATE, "day": DAY, "clock": CLOCK, "number": PLAIN}
    parts = [r"^\s*"]
    for index, literal in enumerate(made.literals):
        if index:
            parts.append(rf"\s*(?P<g{index - 1}>{forms[made.tokens[index - 1]]})")
        pieces = [re.escape(piece) for piece in literal.split()]
        parts.append(r"\s*" + r"\s+".join(pieces) if pieces else r"\s*")
    return "".join(parts) + r"\s*$"
