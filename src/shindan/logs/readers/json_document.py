"""JSON that is no lines: a list of records, an object with one inside, lists as columns."""

from collections.abc import Sequence

from shindan.core.reason import Reason
from shindan.logs.documents import documents
from shindan.logs.formats import Claim, Format
from shindan.logs.records import found_in, settings_around
from shindan.logs.rows import Rows
from shindan.logs.settings import beside
from shindan.logs.source import Source
from shindan.logs.table import LogTable


def claims(source: Source) -> Claim:
    """It begins with an object or a list."""
    return Claim.PLAUSIBLE if source.head.lstrip()[:1] in (b"{", b"[") else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """A table for each list of records."""
    return [table for source in sources for table in tables(source, "json")]


def tables(source: Source, form: str) -> list[LogTable]:
    """A table for each list of records of each document of the file."""
    found, lost = documents(source.text())
    lost = [*source.lost, *lost]
    together = [item for item in found if isinstance(item, dict)]
    if len(together) > 1 and not any(found_in(item) for item in together):
        found = [together]  # records one after another, over several lines each
    elif len(found) > 1:
        lost.append(Reason("log-several-documents", {"count": len(found)}))
    made = []
    for index, document in enumerate(found):
        settings = {**beside(source.path), **settings_around(document)}
        for one in found_in(document):
            rows = Rows()
            for record in one.records:
                rows.add(record)
            parts = [source.path.name] + ([f"#{index + 1}"] if len(found) > 1 else [])
            parts += [".".join(one.way)] if one.way else []
            made.append(
                rows.table(source.path, form, name=" ".join(parts), settings=settings, lost=lost)
            )
    return made


FORMAT = Format("json", claims, read)
