"""What a line of text says: numbers under names, found by how the line is put together.

``iter 10: loss 2.31, time 12ms`` and ``{'loss': 2.31}`` and ``| lr 20.0 | 200/ 2983 batches``
are all text between numbers. The text before a number names it (or, where there is none, the text
behind it). Lines that differ in their numbers alone have one template.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shindan.logs.numerals import CLOCK, DATE, MULTIPLES, PLAIN, duration, moment
from shindan.logs.records import SPLIT, is_place

_UNIT = r"(?P<unit>%|(?!e[-+]?\d)[A-Za-zµ]{1,5}(?:/[A-Za-z]+)?)?"
TOKEN = re.compile(
    rf"(?P<date>{DATE})"
    rf"|(?<![\w.:])(?P<clock>{CLOCK})(?![\w:])"
    rf"|(?<![\w.@#$])(?<!\w[-+])(?![-+]?(?i:inf|nan)(?!inity|ms|[sz%]\b)[A-Za-z])"
    rf"(?P<number>{PLAIN}){_UNIT}(?![\w]|\.\d)"
)
_TOTAL = re.compile(r"\s*(?:/|\bof\b|\bout of\b)\s*")
_NAME = re.compile(
    r"[^\W\d_][\w./@%#\-]*(?:[ ](?:[^\W\d_]|[/@%#(])[\w./@%#\-]*\)?){0,5}(?:\s?\([^()]{1,12}\))?$"
    r"|_[\w./]+$"
)
_BREAK = re.compile(r"[|,;{}\[\]()<>•\t：、。]|\s[-–—]+\s|:\s|\s{3,}|=")
_BEHIND = re.compile(
    r"\s?(?P<name>(?:[A-Za-z]+/)?[A-Za-z][\w/]*(?: [A-Za-z][\w/]*){0,2})\s*(?=[|,;)\]]|$)"
)
_WORD = re.compile(r"(?<![\w.])['\"]?(?P<key>[A-Za-z_][\w.\-/]*)['\"]?(?:\s?=\s?|(?<=['\"]):\s?)"
                   r"['\"]?(?P<word>[A-Za-z_][\w.\-/]*)['\"]?(?![\w(])")  # fmt: skip
_VERB = re.compile(r"\s(?:is|was|are|at|of|with|to|equals)$")
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
    fields: list[Field] = []
    taken: dict[str, int] = {}
    part = ""
    for index, kind in enumerate(kinds):
        name, part = _name(_Place(literals, index, fields[-1] if fields else None), part)
        if kind == "date":
            name = "timestamp"
        if not name or _GLOG.match(name):
            continue
        again = taken[name] = taken.get(name, -1) + 1
        column = f"{name}.{again}" if again else name
        unit = _unit(literals[index + 1]) if kind == "number" else ""
        factor = MULTIPLES.get(unit, 1.0)
        fields.append(Field(index, column, _READ[kind], factor, "" if unit in MULTIPLES else unit))
    words = tuple(_words(literals)) if fields else ()
    return Template(literals, kinds, tuple(fields), words)


@dataclass(frozen=True)
class _Place:
    """A number's place in a line; ``last`` is the named number before it."""

    literals: tuple[str, ...]
    index: int
    last: Field | None

    @property
    def before(self) -> str:
        text = self.literals[self.index]
        return text.removeprefix(_unit(text)) if self.index else text

    @property
    def behind(self) -> str:
        text = self.literals[self.index + 1]
        return text.removeprefix(_unit(text))

    @property
    def behind_total(self) -> str | None:
        """What stands behind ``200/ 2983`` when this is the 200."""
        if _TOTAL.fullmatch(self.behind) and self.index + 2 < len(self.literals):
            return self.literals[self.index + 2]
        return None

    @property
    def names_the_next(self) -> bool:
        """Whether the text behind is the next number's name: ``250 train 3.4567``."""
        between = self.behind.strip()
        return self.index + 2 < len(self.literals) and _phrase(between) == between != ""


def _unit(after: str) -> str:
    """The unit that is glued to the number before this text."""
    glued = re.match(r"%|[A-Za-zµ]{1,5}(?:/[A-Za-z]+)?(?![\w])", after)
    return glued[0] if glued else ""


def _name(place: _Place, part: str) -> tuple[str, str]:
    """The column's name ("" where the number has none), and the part of the data spoken of."""
    if place.last is not None and place.last.index == place.index - 1:
        beside = _beside(place, place.last)
        if beside is not None:
            return beside, part
    core = place.before.rstrip(" \t:：=>-'\"[({~≈")
    phrase = _phrase(core)
    outside = core[: len(core) - len(phrase)]
    for found in SPLIT.finditer(outside):
        if outside[found.end() : found.end() + 1] not in (".", "/"):
            part = found[0]
    if not phrase and not place.index and not place.before.strip() and place.names_the_next:
        return "index", part
    if not phrase:
        return _behind(place), part
    if part and not SPLIT.search(phrase) and not is_place(phrase):
        phrase = f"{part} {phrase}"
    return phrase, part


def _beside(place: _Place, last: Field) -> str | None:
    """A name from the number before: its total, its mean in brackets, the next of its list."""
    text = place.before.strip()
    if _TOTAL.fullmatch(text):
        return "" if last.column.endswith("_total") else f"{last.column}_total"
    if text in ("(", "[") and place.behind.strip()[:1] in (")", "]"):
        unit = _unit(place.literals[place.index + 1])
        return "" if last.column.endswith("_total") else f"{last.column} ({unit or 'avg'})"
    if text == ",":
        base, _, at = last.column.rpartition(".")
        return f"{base}.{int(at) + 1}" if base and at.isdigit() else f"{last.column}.1"
    return None


def _phrase(text: str) -> str:
    """The name at the end of a text: its last words after the last thing that parts."""
    closing = re.search(r"\s?\(([^()\d]{1,12})\)$", text)
    bare = text[: closing.start()] if closing else text
    start = 0
    for sign in _BREAK.finditer(bare):
        start = sign.end()
    words = bare[start:].strip(" '\"*`.!?#&+-~\t")
    found = _NAME.search(words)
    if not found:
        return ""
    name = _VERB.sub("", found[0])
    return name + (f" ({closing[1]})" if closing else "")


def _behind(place: _Place) -> str:
    """A name that follows its number: ``200/ 2983 batches``, ``8.9it/s``, ``45.2% bf16 MFU``."""
    named = _BEHIND.match(place.behind_total or place.behind)
    if named:
        return named["name"].strip()
    if place.behind_total is not None:
        return "progress"
    unit = _unit(place.literals[place.index + 1])
    return unit if "/" in unit else ""


def _words(literals: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for text in literals:
        for pair in _WORD.finditer(text):
            if pair["word"].lower() not in ("nan", "inf", "none", "null"):
                yield pair["key"], pair["word"]


def pattern(made: Template) -> str:
    """A regular expression (RE2's too) of exactly the template's lines, a group a number."""
    forms = {"date": DATE, "clock": CLOCK, "number": PLAIN}
    parts = [r"^\s*"]
    for index, literal in enumerate(made.literals):
        if index:
            parts.append(rf"\s*(?P<g{index - 1}>{forms[made.tokens[index - 1]]})")
        pieces = [re.escape(piece) for piece in literal.split()]
        parts.append(r"\s*" + r"\s+".join(pieces) if pieces else r"\s*")
    return "".join(parts) + r"\s*$"
