"""``trainer_state.json`` of the Hugging Face Trainer."""

import re
from collections.abc import Sequence

from shindan.core.reason import Reason
from shindan.logs.documents import documents
from shindan.logs.formats import Claim, Format
from shindan.logs.rows import Rows
from shindan.logs.settings import beside, settings_of
from shindan.logs.source import Source
from shindan.logs.table import LogTable

_NAME = "hf-trainer-state"


def claims(source: Source) -> Claim:
    """An object with ``log_history`` and the Trainer's own counters."""
    head = source.head
    ours = head.lstrip()[:1] == b"{" and b'"log_history"' in head
    return Claim.SURE if ours and re.search(rb'"(global_step|max_steps|epoch)"', head) else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table a document; a run that has logged nothing yet is an empty table."""
    made: list[LogTable] = []
    for source in sources:
        found, lost = documents(source.text())
        states = [one for one in found if isinstance(one, dict) and "log_history" in one]
        lost = [*source.lost, *lost]
        if len(states) > 1:
            lost.append(Reason("log-several-documents", {"count": len(states)}))
        for index, state in enumerate(states):
            rows = Rows()
            history = state.pop("log_history")
            found = history if isinstance(history, list) else []
            rows.extend([record for record in found if isinstance(record, dict)])
            name = source.path.name + (f" #{index + 1}" if len(states) > 1 else "")
            settings = {**beside(source.path), **settings_of(state)}
            made.append(rows.table(source.path, _NAME, name=name, settings=settings, lost=lost))
    return made


FORMAT = Format(_NAME, claims, read)
