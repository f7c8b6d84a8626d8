"""Numbers as logs write them: thousands, units, percentages, durations, dates, nan and inf."""

import datetime
import math
import re

PLAIN = (
    r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
    r"|(?i:nan|inf(?:inity)?))"
)
"""A number, without what may stand around it (also a pattern of RE2)."""
DATE = r"\d{4}[-/.]\d\d[-/.]\d\d[T _]\d\d:\d\d:\d\d(?:[.,:]\d+)?(?:Z|[-+]\d\d:?\d\d)?"
"""A date with a time of day (also a pattern of RE2)."""
CLOCK = r"(?:\d+ days?, )?\d+:\d\d(?::\d\d)?(?:\.\d+)?"
"""A duration, or a time of day (also a pattern of RE2)."""
_NUMBER = re.compile(PLAIN)
_DATE = re.compile(DATE)
_CLOCK = re.compile(CLOCK)
SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0,
           "min": 60.0, "m": 60.0, "h": 3600.0}  # fmt: skip
"""Units of time in seconds."""
MULTIPLES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
"""Letters that multiply the number they follow."""


def number(text: str) -> float | None:
    """The number that the whole text is, else None."""
    text = text.strip().removesuffix("%").strip()
    if not _NUMBER.fullmatch(text):
        return None
    return float(text.replace(",", ""))


def moment(text: str) -> float | None:
    """Seconds since 1970 of a text that is a date with a time of day, else None."""
    text = text.strip()
    if not _DATE.fullmatch(text):
        return None
    whole = f"{text[:10].replace('/', '-').replace('.', '-')}T{text[11:].replace(',', '.')}"
    whole = re.sub(r"(:\d\d:\d\d):(?=\d)", r"\1.", whole)
    whole = re.sub(r"(\.\d{6})\d+", r"\1", whole)
    try:
        at = datetime.datetime.fromisoformat(whole)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.UTC)
    return at.timestamp()


def duration(text: str) -> float | None:
    """Seconds of ``1 day, 2:03:04``, ``02:03:04`` or ``03:04``, else None."""
    text = text.strip()
    if not _CLOCK.fullmatch(text):
        return None
    days, _, clock = text.rpartition(", ")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds + 86400.0 * float(days.split(" ")[0] or 0) if days else seconds


def as_float(value: object) -> float | None:
    """A JSON scalar as a number: also true and false, and integers beyond the floats (inf)."""
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return None


def number_in(value: object) -> float | None:
    """The number that a setting is or spells; None for anything else, booleans too."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def amount(value: object) -> float | None:
    """A setting's number, which may be written ``124,475,904`` or ``30.03M``; None for others."""
    plain = number_in(value)
    if plain is not None or not isinstance(value, str):
        return plain
    found = re.match(rf"\s*({PLAIN})\s*([kKMBGT])?\b", value)
    if not found or found.end() < len(value.rstrip()):
        return None
    return float(found[1].replace(",", "")) * MULTIPLES.get(found[2] or "", 1.0)
