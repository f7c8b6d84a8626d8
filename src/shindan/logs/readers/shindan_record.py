"""Shindan's own run record: the losses and updates of its ``Curve`` (core/evidence/curve.py).

Read from the SQLite file itself, because logs and record are siblings that do not import each
other.
"""

import json
from collections.abc import Mapping, Sequence

from shindan.core.evidence.curve import Curve
from shindan.core.reason import Reason
from shindan.logs.formats import Claim, Format
from shindan.logs.rows import Rows
from shindan.logs.settings import settings_of
from shindan.logs.source import Source
from shindan.logs.sqlite import DAMAGED, has, opened
from shindan.logs.table import LogTable

_NAME = "shindan-record"


def claims(source: Source) -> Claim:
    """Its tables."""
    ours = has(source, meta={"key", "value"}, evidence={"type", "content"})
    return Claim.SURE if ours else Claim.NO


def read(sources: Sequence[Source]) -> list[LogTable]:
    """One table: a row a backward (``micro_step``), an update and an evaluation, in their order."""
    return [table for source in sources for table in _record(source)]


def _record(source: Source) -> list[LogTable]:
    try:
        with opened(source.path) as db:
            meta = {str(k): _loaded(v) for k, v in db.execute("SELECT key, value FROM meta")}
            kept = db.execute(
                "SELECT content FROM evidence WHERE type = ?", (Curve.__name__,)
            ).fetchone()
    except DAMAGED:
        return []
    curve = _loaded(kept[0]) if kept else None
    if not isinstance(curve, Mapping):
        return []
    rows = Rows()
    for _, _, row in sorted(_rows(curve), key=lambda row: row[:2]):
        rows.add(row)
    settings = settings_of({k: v for k, v in (*meta.items(), *curve.items())})
    lost = []
    total, micro = curve.get("total_micro"), curve.get("micro")
    if isinstance(total, int) and isinstance(micro, list) and total > len(micro) > 0:
        lost.append(Reason("log-record-thinned", {"kept": len(micro), "total": total}))
    name = str(meta.get("name") or source.path.stem)
    return [rows.table(source.path, _NAME, name=name, settings=settings, lost=lost)]


def _rows(curve: Mapping[str, object]) -> list[tuple[float, int, dict[str, object]]]:
    """(update, order within it, row)."""
    found: list[tuple[float, int, dict[str, object]]] = []
    for order, part in enumerate(("micro", "updates", "evals")):
        listed = curve.get(part)
        for one in listed if isinstance(listed, list) else ():
            if not isinstance(one, Mapping):
                continue
            row = dict(one)
            if part == "micro":
                row["micro_step"] = row.pop("index", None)
            elif part == "updates":
                row["update"] = row.pop("index", None)
            else:
                row["eval_loss"] = row.pop("loss", None)
            if isinstance(row.get("lr"), list) and len(row["lr"]) == 1:
                row["lr"] = row["lr"][0]
            at = row.get("update")
            found.append((at if isinstance(at, int | float) else 0.0, order, row))
    return found


def _loaded(text: object) -> object:
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError):
        return None


FORMAT = Format(_NAME, claims, read)
