"""MLflow's SQLite store."""

import sqlite3
from collections.abc import Sequence

from shindan.core.reason import Reason
from shindan.logs.formats import Claim, Format
from shindan.logs.numerals import as_float
from shindan.logs.series import Series
from shindan.logs.settings import scalar
from shindan.logs.source import Source
from shindan.logs.sqlite import DAMAGED, has, opened
from shindan.logs.table import LogTable

_NAME = "mlflow-sqlite"


def claims(source: Source) -> Claim:
    """Its tables of metrics and runs."""
    metrics = {"key", "value", "timestamp", "run_uuid", "step"}
    return Claim.SURE if has(source, metrics=metrics, runs={"run_uuid"}) else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table a run of each store."""
    return [table for source in sources for table in _store(source)]


def _store(source: Source) -> list[LogTable]:
    runs: dict[str, Series] = {}
    names: dict[str, str] = {}
    settings: dict[str, dict[str, object]] = {}
    lost: list[Reason] = []
    try:
        with opened(source.path) as db:
            names.update(_pairs(db, "SELECT run_uuid, name FROM runs"))
            for run, key, value in db.execute("SELECT run_uuid, key, value FROM params"):
                settings.setdefault(str(run), {})[str(key)] = scalar(str(value))
            nan = any(row[1] == "is_nan" for row in db.execute("PRAGMA table_info(metrics)"))
            query = (
                f"SELECT run_uuid, key, value, timestamp, step, {'is_nan' if nan else '0'}"
                " FROM metrics ORDER BY timestamp, step"
            )
            for run, key, value, time, step, is_nan in db.execute(query):
                number = float("nan") if is_nan else as_float(value)
                at, when = as_float(step), as_float(time)
                if number is not None and at is not None and when is not None:
                    runs.setdefault(str(run), Series()).add(str(key), int(at), when / 1e3, number)
    except DAMAGED as error:
        lost.append(Reason("log-database-damaged", {"error": str(error)}))
    tables = [
        series.table(source.path, _NAME, names.get(run) or run, settings.get(run, {}), tuple(lost))
        for run, series in runs.items()
    ]
    return [table for table in tables if table]


def _pairs(db: sqlite3.Connection, query: str) -> dict[str, str]:
    try:
        return {str(key): str(value or "") for key, value in db.execute(query)}
    except sqlite3.OperationalError:  # older stores have no such column
        return {}


FORMAT = Format(_NAME, claims, read)
