"""The words of a finding, whatever the state of its page."""

import string
from dataclasses import dataclass, replace

from shindan.core import registry
from shindan.core.finding import Diagnosed
from shindan.core.text import Language, page, tell
from shindan.report.terms import rows, worded


@dataclass(frozen=True)
class Wording:
    """A finding in words; ``measured`` are names and values, ``unsaid`` those the message omits.

    ``body`` is the page (Markdown). Without a usable page the title is the id, the message the
    bare numbers, and the rest is empty.
    """

    title: str
    message: str
    fix: str = ""
    verify: str = ""
    body: str = ""
    measured: tuple[tuple[str, str], ...] = ()
    unsaid: tuple[tuple[str, str], ...] = ()


def word(finding: Diagnosed, language: Language) -> Wording:
    """The finding in words; a page that cannot be used never stops a report."""
    try:
        check = registry.find(finding.id)
        measured = worded(finding.measured, language)
        told = tell(check, replace(finding, measured=measured), language)
        own = page(check.module, language)
    except Exception:  # noqa: BLE001 - a report must be written though a page is broken
        bare = rows(finding.measured, language)
        return Wording(finding.id, ", ".join(f"{k} = {v}" for k, v in bare), measured=bare)
    template = own.front.get(f"message_{finding.variant}") or own.front["message"]
    said = _fields(template)
    unsaid = {k: v for k, v in finding.measured.items() if k not in said}
    return Wording(
        title=told.title,
        message=told.message,
        fix=told.fix,
        verify=told.verify,
        body=own.body,
        measured=rows(finding.measured, language, own.front),
        unsaid=rows(unsaid, language, own.front),
    )


def _fields(template: str) -> set[str]:
    names = (name for _, name, _, _ in string.Formatter().parse(template) if name)
    return {name.replace("[", ".").partition(".")[0] for name in names}
