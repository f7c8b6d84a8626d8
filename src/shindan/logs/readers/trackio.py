"""trackio's projects: a SQLite file with a JSON object a step."""

import json
from collections.abc import Sequence

from shindan.core.reason import Reason
from shindan.logs.formats import Claim, Format
from shindan.logs.rows import Rows
from shindan.logs.settings import settings_of
from shindan.logs.source import Source
from shindan.logs.sqlite import DAMAGED, has, opened
from shindan.logs.table import LogTable

_NAME = "trackio"


def claims(source: Source) -> Claim:
    """Its table of metrics."""
    ours = has(source, metrics={"timestamp", "run_name", "step", "metrics"})
    return Claim.SURE if ours else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table a run of each project."""
    return [table for source in sources for table in _project(source)]


def _project(source: Source) -> list[LogTable]:
    runs: dict[str, Rows] = {}
    configs: dict[str, dict[str, object]] = {}
    lost: list[Reason] = []
    damaged = 0
    try:
        with opened(source.path) as db:
            query = "SELECT run_name, step, timestamp, metrics FROM metrics ORDER BY id"
            for run, step, time, metrics in db.execute(query):
                content = _object(metrics)
                damaged += content is None
                row = {"step": step, "timestamp": time, **(content or {})}
                runs.setdefault(str(run), Rows()).add(row)
            for run, config in db.execute("SELECT run_name, config FROM configs"):
                found = settings_of(_object(config) or {})
                configs[str(run)] = {k: v for k, v in found.items() if k[:1] != "_"}
    except DAMAGED as error:
        if "no such table" not in str(error):
            lost.append(Reason("log-database-damaged", {"error": str(error)}))
    if damaged:
        lost.append(Reason("log-records-damaged", {"count": damaged}))
    return [
        rows.table(source.path, _NAME, name=run, settings=configs.get(run, {}), lost=lost)
        for run, rows in runs.items()
    ]


def _object(kept: object) -> dict[str, object] | None:
    text = kept.decode("utf-8", "replace") if isinstance(kept, bytes) else str(kept)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


FORMAT = Format(_NAME, claims, read)
