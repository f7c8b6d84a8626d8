"""The fault matrix, ``matrix.txt``: what was found in every run, reviewed like code.

``make matrix`` writes it anew (``SHINDAN_GOLDEN=write pytest tests/run/test_faults.py -k ...`` only
those rows); read the diff before committing. ``info`` is left out: it is worth knowing, and accuses
nobody. A line that begins with ``?`` is found on some machines only (their rounding decides it): it
may be missing, and stays when the matrix is written anew. The mark is put by hand, knowing why.
A ``minor`` one may be missing without a mark, but never be new.
"""

import fcntl
import os
from pathlib import Path

from shindan.core.check import Edit
from shindan.core.document import Document
from shindan.core.registry import checks
from tests.run.patients import names

MATRIX = Path(__file__).with_name("matrix.txt")
MAYBE = "? "

Matrix = dict[str, list[str]]
FAULTS = [(c.id, i, e) for c in checks() for i, e in enumerate(c.faults)]


def name_of(id: str, number: int, edit: Edit) -> str:
    """The row of a fault."""
    return f"{id} #{number} {edit.script}"


def rows() -> list[str]:
    """Every row there must be: patients as they are, then faults by id."""
    return [*names(), *(name_of(*fault) for fault in FAULTS)]


def hold(row: str, document: Document) -> None:
    """Compare what was found with the row, or write it."""
    found = [f"{f.severity} {f.id}" for f in document.findings if f.severity != "info"]
    if os.environ.get("SHINDAN_GOLDEN") == "write":
        _write(row, found)
    matrix = read(MATRIX.read_text(encoding="utf-8"))
    assert row in matrix, "a new run: write its row (CONTRIBUTING.md)"
    expected = matrix[row]
    maybe = [line.removeprefix(MAYBE) for line in expected if line.startswith(MAYBE)]
    told = [line.removeprefix(MAYBE) for line in expected]
    maybe += [line for line in told if line.startswith("minor ")]
    assert found == [line for line in told if line in found or line not in maybe]


def read(text: str) -> Matrix:
    """Rows, and the indented lines below each: severity and id, in the order of the report."""
    matrix: Matrix = {}
    row = ""
    for line in text.splitlines():
        if line.startswith(" "):
            matrix[row].append(line.strip())
        elif line:
            row = line
            matrix[row] = []
    return matrix


def _write(row: str, found: list[str]) -> None:
    """Replace one row; rows of faults that are gone are dropped. Workers write in turn."""
    with MATRIX.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        matrix = read(file.read())
        matrix[row] = _merged(found, matrix.get(row, []))
        file.truncate(0)
        file.write(_text(matrix))


def _merged(found: list[str], before: list[str]) -> list[str]:
    """What was found, with the marks of before; a marked line not found now keeps its place."""
    merged = [MAYBE + line if MAYBE + line in before else line for line in found]
    for place, line in enumerate(before):
        if line.startswith(MAYBE) and line not in merged:
            merged.insert(place, line)
    return merged


def _text(matrix: Matrix) -> str:
    blocks = ("\n".join([r, *(f"  {line}" for line in matrix[r])]) for r in rows() if r in matrix)
    return "\n".join(blocks) + "\n"
