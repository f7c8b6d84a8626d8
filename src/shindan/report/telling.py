"""The words of a finding, whatever the state of its page."""

import string
from collections.abc import Mapping
from dataclasses import dataclass

from shindan.core import registry
from shindan.core.finding import Diagnosed, Measure
from shindan.core.text import Language, page, tell
from shindan.report.numbers import rows


@dataclass(frozen=True)
class Wording:
    """A finding in words; ``said`` are the measured numbers its message already tells.

    ``body`` is the page (Markdown). Without a usable page the title is the id, the message the
    bare numbers, and the rest is empty.
    """

    title: str
    message: str
    fix: str = ""
    verify: str = ""
    body: str = ""
    said: frozenset[str] = frozenset()

    def unsaid(self, measured: Mapping[str, Measure]) -> dict[str, Measure]:
        """The measured numbers the message leaves out."""
        return {k: v for k, v in measured.items() if k not in self.said}


def word(finding: Diagnosed, language: Language) -> Wording:
    """The finding in words; a page that cannot be used never stops a report."""
    try:
        check = registry.find(finding.id)
        told = tell(check, finding, language)
        own = page(check.module, language)
    except Exception:  # noqa: BLE001 - a report must be written though a page is broken
        numbers = ", ".join(f"{k} = {v}" for k, v in rows(finding.measured))
        return Wording(finding.id, numbers, said=frozenset(finding.measured))
    template = own.front.get(f"message_{finding.variant}") or own.front["message"]
    return Wording(
        title=told.title,
        message=told.message,
        fix=told.fix,
        verify=told.verify,
        body=own.body,
        said=frozenset(_fields(template)),
    )


def _fields(template: str) -> set[str]:
    names = (name for _, name, _, _ in string.Formatter().parse(template) if name)
    return {name.replace("[", ".").partition(".")[0] for name in names}
