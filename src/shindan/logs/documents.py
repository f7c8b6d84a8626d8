"""JSON documents, whole or broken, one or several in a file."""

import json
import re
from typing import Any

from shindan.core.reason import Reason

_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]', re.DOTALL)
_CLOSES = re.compile(r"[}\]]")
_OPENS = re.compile(r"[{\[]")
_FLAT = re.compile(r"\{[^{}]{1,20000}\}")
_CLOSERS = {"{": "}", "[": "]"}
_DEEPEST = 200
"""Levels; a deeper document is none of a log, and would exhaust the interpreter's stack."""


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 300 else float(digits)


_decoder = json.JSONDecoder(parse_int=_integer)
_MOST_BROKEN = 100


def documents(text: str) -> tuple[list[Any], list[Reason]]:
    """All objects and lists of the file, each as far as it goes, and what was lost.

    What stands between documents is skipped. A file with too many broken places is given up there.
    """
    found: list[Any] = []
    broken: list[int] = []
    at = _next(text, 0)
    while 0 <= at < len(text) and len(broken) < _MOST_BROKEN:
        try:
            value, at = _decoder.raw_decode(text, at)
        except RecursionError:
            broken.append(at)
            at = _next(text, text.find("\n", at) % (len(text) + 1))
            continue
        except ValueError as error:
            broken.append(max(getattr(error, "pos", at), at))
            value, at = _salvaged(text, at, broken[-1])
        if value:
            found.append(value)
        at = _next(text, at)
    return found, _said(text, broken)


def _said(text: str, broken: list[int]) -> list[Reason]:
    if not broken:
        return []
    line = text.count("\n", 0, broken[0]) + 1
    if len(broken) == 1 and not _CLOSES.search(text, broken[0]):
        return [Reason("log-cut", {"line": line})]
    return [Reason("log-damaged-at", {"line": line})]


def _next(text: str, at: int) -> int:
    """Where the next object or list begins; -1 where none does."""
    found = _OPENS.search(text, at)
    return found.start() if found else -1


def _salvaged(text: str, at: int, broken: int) -> tuple[Any, int]:
    """The document that begins at ``at`` with what stands before the damage, and whole flat
    records of the same kind after it; and where reading goes on."""
    value = _closed(text, at, broken)
    records = _innermost(value)
    if not records:
        return value, max(broken, at + 1)
    keys = {key for record in records[-3:] if isinstance(record, dict) for key in record}
    end = broken
    for match in _FLAT.finditer(text, broken):
        try:
            record = json.loads(match[0])
        except (ValueError, RecursionError):
            continue
        if not keys & set(record):
            break
        records.append(record)
        end = match.end()
    rest = text.find("\n{", end)  # a document begun anew, as a resumed run leaves it
    return value, len(text) if rest < 0 else rest


def _closed(text: str, at: int, broken: int) -> Any:
    """The document up to its last whole element before ``broken``, its brackets closed."""
    stack: list[str] = []
    end, open_then = at, ""
    for token in _STRUCTURE.finditer(text, at, broken):
        sign = token[0]
        if sign in _CLOSERS:
            stack.append(sign)
            if len(stack) > _DEEPEST:
                return None
            if not open_then:
                end, open_then = token.end(), sign
        elif sign == ",":
            end, open_then = token.start(), "".join(stack)
        elif sign in "}]":
            if not stack:
                break
            stack.pop()
            end, open_then = token.end(), "".join(stack)
            if not stack:
                break
    closers = "".join(_CLOSERS[sign] for sign in reversed(open_then))
    try:
        return _decoder.decode(text[at:end] + closers)
    except (ValueError, RecursionError):
        return None


def _innermost(value: Any) -> list[dict[str, Any]]:
    """The list of records that stands last in a document."""
    best: list[dict[str, Any]] = []
    while value:
        if isinstance(value, list):
            if isinstance(value[-1], dict):
                best = value
            value = value[-1]
        elif isinstance(value, dict):
            value = next(reversed(value.values()))
        else:
            break
    return best
