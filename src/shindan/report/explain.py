"""``shindan explain``: what a fault is, how it is recognised, how to cure it."""

import difflib

from rich.console import Console
from rich.text import Text

from shindan.core import registry
from shindan.core.check import Check
from shindan.core.errors import ShindanError
from shindan.core.text import Language, page
from shindan.report.prose import Prose
from shindan.report.words import words
from shindan.report.wrap import wrap

WIDEST = 100


def explain(id: str, language: Language, console: Console) -> None:
    """Print the page of the fault ``id``; an unknown id is an error that names the nearest."""
    say = words(language)
    check = _find(id)
    own = page(check.module, language)
    width = min(console.width, WIDEST)
    facts = f"{check.id} · {say(f'kind_{check.kind}')} · {say(f'severity_{check.severity}')}"
    console.print(wrap(Text(facts, style="dim"), width), highlight=False)
    if "{" not in own.front["title"]:
        console.print(Prose(own.front["title"]), width=width, style="bold")
    console.print()
    console.print(Prose(own.body, message=False), width=width)


def _find(id: str) -> Check:
    try:
        return registry.find(id)
    except KeyError:
        known = [check.id for check in registry.checks()]
    tails = [k for k in known if k.endswith(f"/{id}")]
    near = tails or difflib.get_close_matches(id, known, n=3, cutoff=0.5)
    if not near:
        raise ShindanError("no-fault", id=id)
    raise ShindanError("no-fault-but", id=id, nearest=", ".join(near))
