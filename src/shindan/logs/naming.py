"""The name of a number in a line of text, by the text around it."""

import re
from dataclasses import dataclass

from shindan.logs.records import SPLIT, is_measure, is_place

_TOTAL = re.compile(r"\s*(?:/|\bof\b|\bout of\b)\s*")
_NAME = re.compile(
    r"[^\W\d_][\w./@%#\-]*(?:[ ](?:[^\W\d_]|[/@%#(])[\w./@%#\-]*\)?){0,5}(?:\s?\([^()]{1,12}\))?$"
    r"|_[\w./]+$"
)
_BREAK = re.compile(r"[|,;{}\[\]()<>•\t：、。]|\s[-–—]+\s|:\s|\s{3,}|=")
_BEHIND = re.compile(
    r"\s?(?P<name>(?:[A-Za-z]+/)?[A-Za-z][\w/]*(?: [A-Za-z][\w/]*){0,2})\s*(?=[|,;)\]]|$)"
)
_LEVEL = re.compile(r"^(?:(?:TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL)\b[\s:]*)+")
_COUNTED = re.compile(
    r"(?:-\d+)?(?P<name>epochs?|steps?|iters?|batch(?:es)?|エポック|ステップ|轮|步)(?![\w/])"
)
"""What is glued to the number it names: ``3epoch``, ``101-200batch``."""
_NO_VALUE = re.compile(r"\s*[:=]\s*(?:n/a|none|null|-+)(?![\w.])", re.IGNORECASE)
_SOURCE = re.compile(r"[\w\-]+\.(?:py|cc|cpp|cu|rs|go|jl)$")
"""A line of a program: ``train.py:123``."""
_AT = re.compile(r"(?i)\bat (?P<place>(?:global )?(?:step|iteration|iter|epoch|update))$")
"""The end of a text that says where something was measured, not what."""
_QUOTES = re.compile("['\"`]")
_VERB = re.compile(r"\s(?:is|was|are|at|of|with|to|equals|reached)$")


INDEX = "index"
"""The name of a count that has none."""


@dataclass(frozen=True)
class Place:
    """A number's place in a line; ``last`` is the place and name of the named number before it."""

    literals: tuple[str, ...]
    index: int
    last: tuple[int, str] | None

    @property
    def before(self) -> str:
        """The text before the number."""
        text = self.literals[self.index]
        return text.removeprefix(unit_of(text)) if self.index else text

    @property
    def behind(self) -> str:
        """The text behind the number and its unit."""
        text = self.literals[self.index + 1]
        return text.removeprefix(unit_of(text))

    @property
    def named_by(self) -> str:
        """The text that may hold the name: of ``loss 526: 3.25`` what stands before the count."""
        if self.last == (self.index - 1, INDEX) and self.before.strip() == ":":
            return self.literals[self.index - 1]
        return self.before

    @property
    def counts(self) -> bool:
        """Whether a value follows behind a colon (``loss 526: 3.25``), no bar (``loss: 2: 5%``)."""
        follows = self.behind.strip() == ":" and self.index + 2 < len(self.literals)
        return follows and not self.literals[self.index + 2].startswith("%")

    @property
    def is_bar(self) -> bool:
        """Whether it is the share of a progress bar: ``valid: 100%| | 39/39``."""
        after = self.literals[self.index + 1]
        return after.startswith("%") and after[1:].lstrip().startswith("|")

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


def unit_of(after: str) -> str:
    """The unit that is glued to the number before this text."""
    glued = re.match(r"%|[A-Za-zµ]{1,5}(?:/[A-Za-z]+)?(?![\w])", after)
    return glued[0] if glued else ""


def name_of(place: Place, part: str) -> tuple[str, str]:
    """The column's name ("" where the number has none), and the part of the data spoken of."""
    if place.last is not None and place.last[0] == place.index - 1:
        beside = _beside(place, place.last[1])
        if beside is not None:
            return beside, part
    if counted := _COUNTED.match(place.literals[place.index + 1]):
        return counted["name"], part
    core = place.named_by.rstrip(" \t:：=>-'\"[({~≈")
    phrase = _phrase(core)
    place_in = _AT.search(phrase)
    named = place_in["place"] if place_in else phrase
    part = _part(core[: len(core) - len(named)], part)
    if not phrase:
        return INDEX if _leads(place) else _behind(place), part
    if place.is_bar:
        return "", _part(phrase, part)
    if _SOURCE.fullmatch(named):
        return "", part
    if is_measure(named) and place.counts:
        return INDEX, part  # ``validation loss 526: 3.25``
    if part and not SPLIT.search(named) and not is_place(named):
        named = f"{part} {named}"
    return named, part


def _part(text: str, part: str) -> str:
    """The part of the data that the text speaks of last, else as before."""
    for found in SPLIT.finditer(text):
        rest = text[found.end() :]
        if rest[:1] not in (".", "/") and not _NO_VALUE.match(rest):
            part = found[0]
    return part


def _leads(place: Place) -> bool:
    """Whether it is a line's first number, alone or in brackets: ``250 train 3.4``, ``[100] lr=``.

    Behind a comma follows a second one: ``[1, 2000] loss: 2.3``.
    """
    if place.last is not None or unit_of(place.literals[place.index + 1]):
        return False
    before, behind = place.before.strip(), place.behind.strip()
    if before[-1:] == "[":
        return behind[:1] in ("]", ",")
    if before in ("-", "|") and behind[:1] == before:
        return True
    return not before and (place.names_the_next or behind[:1] in (":", "|", "]", ")", ","))


def _beside(place: Place, last: str) -> str | None:
    """A name from the number before: its total, its mean in brackets, the next of its list."""
    text = place.before.strip()
    if _TOTAL.fullmatch(text):
        return "" if last.endswith("_total") else f"{last}_total"
    if text in ("(", "[") and place.behind.strip()[:1] in (")", "]"):
        unit = unit_of(place.literals[place.index + 1])
        return "" if last.endswith("_total") else f"{last} ({unit or 'avg'})"
    if text == "," and place.behind_total is None:
        base, _, at = last.rpartition(".")
        return f"{base}.{int(at) + 1}" if base and at.isdigit() else f"{last}.1"
    return None


def _phrase(text: str) -> str:
    """The name at the end of a text: its last words after the last thing that parts."""
    closing = re.search(r"\s?\(([^()\d]{1,12})\)$", text)
    bare = text[: closing.start()] if closing else text
    start = 0
    for sign in _BREAK.finditer(bare):
        start = sign.end()
    words = _QUOTES.sub("", bare[start:]).strip(" *.!?#&+-~\t")
    words = _LEVEL.sub("", words)
    found = _NAME.search(words)
    if not found:
        return ""
    name = _VERB.sub("", found[0])
    return name + (f" ({closing[1]})" if closing else "")


def _behind(place: Place) -> str:
    """A name that follows its number: ``200/ 2983 batches``, ``8.9it/s``, ``45.2% bf16 MFU``."""
    named = _BEHIND.match(place.behind_total or place.behind)
    if named:
        return named["name"].strip()
    if place.behind_total is not None:
        return "progress"
    unit = unit_of(place.literals[place.index + 1])
    return unit if "/" in unit else ""
