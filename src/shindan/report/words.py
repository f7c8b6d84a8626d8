"""Every string of the interface, in both languages, and which language to speak."""

import functools
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import yaml

from shindan.core.errors import ShindanError
from shindan.core.text import LANGUAGES, Language


class Words:
    """The strings of one language; call it with a key and what the placeholders stand for."""

    def __init__(self, language: Language, table: Mapping[str, str]) -> None:
        self.language = language
        self.table = table

    def __call__(self, key: str, **values: object) -> str:
        """The string ``key``, its placeholders filled."""
        return self.table[key].format(**values)

    def joined(self, keys: Iterable[str]) -> str:
        """Sentences one after another, as the language joins them."""
        return ("" if self.language == "ja" else " ").join(self(key) for key in keys)

    def count(self, key: str, n: int) -> str:
        """The string ``key`` for ``n`` things; ``key_one`` when there is one of them."""
        one = f"{key}_one"
        return self(one if n == 1 and one in self.table else key, n=n)


@functools.cache
def words(language: Language) -> Words:
    """The interface in that language, from ``words.<language>.yaml``."""
    return Words(language, sheet("words", language))


@functools.cache
def sheet(name: str, language: Language) -> Mapping[str, Any]:
    """``<name>.<language>.yaml`` of this room."""
    text = resources.files(__package__).joinpath(f"{name}.{language}.yaml")
    loaded: Mapping[str, Any] = yaml.safe_load(text.read_text(encoding="utf-8"))
    return loaded


def language(option: str | None, env: Mapping[str, str]) -> Language:
    """Which language to speak: the option, else ``SHINDAN_LANG``, else the locale, else English.

    An option that is no language is an error; an environment never is.
    """
    if option is not None:
        chosen = _known(option)
        if chosen is None:
            raise ShindanError("no-language", option=option, known=", ".join(LANGUAGES))
        return chosen
    own = _known(env.get("SHINDAN_LANG", ""))
    locale = next((env[k] for k in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(k)), "")
    return own or _known(locale) or "en"


def _known(tag: str) -> Language | None:
    """``ja`` for ``ja``, ``ja_JP.UTF-8`` and ``JA-jp``; None for what is not spoken here."""
    stem = tag.replace("-", "_").partition(".")[0].partition("_")[0].lower()
    return next((known for known in LANGUAGES if known == stem), None)
