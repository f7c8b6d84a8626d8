"""Configuration as it is read, and what the script says of itself."""

import argparse
import builtins
import json
import logging
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import yaml

from shindan.probes.events import LogEvent, SettingsEvent
from shindan.probes.frames import is_user_file, where
from shindan.probes.patching import Patches
from shindan.probes.session import Session

CALLERS = 3
"""Frames looked at to see that a file was read on behalf of the user's own code."""
MOST_READ = 200
"""Texts heard of one reader: a data set of JSON lines is no configuration."""
MOST_KEYS = 64
"""Entries of a dictionary that is logged as JSON; larger ones are data."""


def install_readers(session: Session, patches: Patches) -> None:
    """argparse, YAML, JSON."""
    parse = argparse.ArgumentParser.parse_known_args

    def parsed(self: Any, args: Any = None, namespace: Any = None) -> Any:
        result = parse(self, args, namespace)
        if session.alive and session.hears("on_settings"):
            given = list(sys.argv[1:] if args is None else args)
            session.guarded(
                "argparse", lambda: session.tell("on_settings", _asked(self, result[0], given))
            )
        return result

    patches.set(argparse.ArgumentParser, "parse_known_args", parsed)
    for module, name in (
        (yaml, "load"),
        (yaml, "safe_load"),
        (yaml, "full_load"),
        (json, "load"),
        (json, "loads"),
    ):
        patches.set(module, name, _reader(session, module.__name__, getattr(module, name)))


def _reader(session: Session, kind: str, original: Callable[..., Any]) -> Callable[..., Any]:
    heard = 0

    def read(*args: Any, **kwargs: Any) -> Any:
        nonlocal heard
        values = original(*args, **kwargs)
        if (
            isinstance(values, dict)
            and heard < MOST_READ
            and session.alive
            and session.hears("on_settings")
            and _for_the_user(sys._getframe(1))
        ):
            heard += 1
            session.guarded(
                kind, lambda: session.tell("on_settings", SettingsEvent(kind, values, where()))
            )
        return values

    return read


def _for_the_user(frame: FrameType | None) -> bool:
    """Is one of the nearest callers the user's own code? (A thread's stack may be shorter.)"""
    for _ in range(CALLERS):
        if frame is None:
            return False
        if is_user_file(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def _asked(parser: argparse.ArgumentParser, result: Any, given: list[str]) -> SettingsEvent:
    named = {a.partition("=")[0] for a in given if a.startswith("-")}
    options = {
        action.dest: bool(named & set(action.option_strings)) or not action.option_strings
        for action in parser._actions
    }
    return SettingsEvent(
        "argparse",
        dict(vars(result)),
        where(),
        {
            "defaults": {a.dest: a.default for a in parser._actions},
            "given": sorted(d for d, g in options.items() if g),
        },
    )


def install_speech(session: Session, patches: Patches) -> None:
    """``print``, ``logging`` and dictionaries written as JSON: only heard, never changed."""
    printed, handled = builtins.print, logging.Logger.handle

    def say(*args: Any, **kwargs: Any) -> None:
        printed(*args, **kwargs)
        if session.alive and session.hears("on_log") and len(args) <= 32:
            session.guarded(
                "print",
                lambda: session.tell(
                    "on_log", LogEvent("print", " ".join(map(_short, args))[:1000], where())
                ),
            )

    def handle(self: logging.Logger, record: logging.LogRecord) -> None:
        handled(self, record)
        if session.alive and session.hears("on_log"):
            session.guarded(
                "logging",
                lambda: session.tell(
                    "on_log", LogEvent("logging", record.getMessage()[:1000], where())
                ),
            )

    patches.set(builtins, "print", say)
    patches.set(logging.Logger, "handle", handle)
    for name in ("dump", "dumps"):
        patches.set(json, name, _written(session, getattr(json, name)))


def _written(session: Session, original: Callable[..., Any]) -> Callable[..., Any]:
    def write(*args: Any, **kwargs: Any) -> Any:
        text = original(*args, **kwargs)
        record = args[0] if args else None
        if session.alive and session.hears("on_log") and isinstance(record, dict):
            session.guarded("json", lambda: _record(session, record))
        return text

    return write


def _record(session: Session, record: dict[Any, Any]) -> None:
    """Tell the plain numbers of a dictionary that was written as JSON."""
    if len(record) <= MOST_KEYS:
        values = {str(k): float(v) for k, v in record.items() if type(v) in (int, float)}
        session.tell("on_log", LogEvent("json", "", where(), values))


def _short(value: Any) -> str:
    """The text of plain values; a tensor is never read (that could wait for the device)."""
    if isinstance(value, dict):
        return " ".join(f"{k}={_short(v)}" for k, v in list(value.items())[:50])
    return str(value)[:500] if isinstance(value, (str, int, float)) else ""
