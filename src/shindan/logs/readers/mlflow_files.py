"""MLflow's files: ``mlruns/EXPERIMENT/RUN/metrics/NAME``, lines of time, value and step."""

from collections.abc import Sequence
from pathlib import Path

from shindan.core.reason import Reason
from shindan.logs.formats import Claim, Format
from shindan.logs.numerals import number
from shindan.logs.series import Series
from shindan.logs.settings import scalar
from shindan.logs.source import Source
from shindan.logs.table import LogTable

_NAME = "mlflow-files"


def claims(source: Source) -> Claim:
    """Below a folder ``metrics``, and its first line is a time in milliseconds and a value."""
    if "metrics" not in source.path.parts[:-1]:
        return Claim.NO
    return (
        Claim.SURE if _row(source.head.partition(b"\n")[0].decode("utf-8", "replace")) else Claim.NO
    )


def _row(line: str) -> tuple[float, float, int] | None:
    """Time in seconds, value, step."""
    cells = [number(cell) for cell in line.split()]
    if not 2 <= len(cells) <= 3 or cells[0] is None or cells[1] is None or not cells[0] > 1e11:
        return None
    step = cells[2] if len(cells) == 3 else 0.0
    if step is None or not abs(step) < 2**62:
        return None
    return cells[0] / 1e3, cells[1], int(step)


def _run(path: Path) -> Path:
    """The run's folder: above the nearest ``metrics``."""
    parts = path.parts[:-1]
    return Path(*parts[: len(parts) - 1 - parts[::-1].index("metrics")])


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table: all metrics of the run."""
    series, damaged = Series(), 0
    run = _run(sources[0].path)
    for source in sources:
        name = "/".join(source.path.relative_to(run / "metrics").parts)
        for line in source.text().split("\n"):
            if row := _row(line):
                series.add(name, row[2], row[0], row[1])
            else:
                damaged += bool(line.strip())
    lost = [Reason("log-records-damaged", {"count": damaged})] if damaged else []
    name = _text(run / "tags" / "mlflow.runName") or run.name
    settings: dict[str, object] = {
        "/".join(file.relative_to(run / "params").parts): scalar(_text(file))
        for file in sorted((run / "params").rglob("*"))
        if file.is_file()
    }
    path = sources[0].path if len(sources) == 1 else run
    table = series.table(path, _NAME, name, settings, tuple(lost))
    return [table] if table else []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()[:10_000]
    except OSError:
        return ""


FORMAT = Format(_NAME, claims, read, _run)
