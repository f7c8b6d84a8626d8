"""What the doors of the reference systems share: their words, and refusals as one sentence."""

import functools
import os
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import click
import yaml

from shindan.core.text import LANGUAGES, Language


@functools.cache
def words(language: Language) -> Mapping[str, str]:
    """The strings of these doors, from ``training.<language>.yaml``."""
    file = resources.files(__package__).joinpath(f"training.{language}.yaml")
    loaded: Mapping[str, str] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return loaded


def spoken(lang: str | None) -> Language:
    """The language asked for, else that of the environment."""
    from shindan.report.words import language

    return language(lang, os.environ)


def language_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --lang."""
    option = click.option("--lang", type=click.Choice(LANGUAGES), help="Language of what is told.")
    return option(command)


def refusals_told(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what the reference systems refuse into one sentence and exit status 2."""

    @functools.wraps(command)
    def careful(*args: Any, **kwargs: Any) -> Any:
        from shindan.reference.refused import Refused

        try:
            return command(*args, **kwargs)
        except Refused as error:
            raise click.UsageError(error.told(spoken(kwargs.get("lang")))) from error

    return careful
