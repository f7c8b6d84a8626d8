"""Line breaking that knows Japanese: between any two wide characters, but never before 。."""

import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

NOT_FIRST = frozenset(
    "、。,.，．)）]］」』】〉》〕}｝・:：;；!！?？ー々ゝゞぁぃぅぇぉっゃゅょァィゥェォッャュョ%％"
)
NOT_LAST = frozenset("(（[［「『【〈《〔{｛")


def wide(char: str) -> bool:
    """Whether a terminal gives the character two cells."""
    return unicodedata.east_asian_width(char) in "WF"


def wrap(text: Text, width: int) -> Text:
    """The text with line ends put in, so that no line is wider than ``width`` cells."""
    wrapped: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        parts = line.divide(list(_ends(line.plain, width)))
        for part in parts:
            part.rstrip()
        wrapped.extend(parts)
    joined = Text("\n", style=text.style, no_wrap=True, end=text.end).join(wrapped)
    joined.no_wrap = True
    return joined


def _ends(plain: str, width: int) -> Iterator[int]:
    """Where lines end, as offsets into ``plain``."""
    used = 0
    at = 0
    for atom in _atoms(plain):
        size = cell_len(atom.rstrip())
        if used and used + size > width:
            yield at
            used = 0
        for piece in _pieces(atom, width):
            if used and used + cell_len(piece.rstrip()) > width:
                yield at
                used = 0
            at += len(piece)
            used += cell_len(piece)


def _atoms(plain: str) -> Iterator[str]:
    """The parts between which a line may end."""
    start = 0
    for i in range(1, len(plain)):
        if _may_break(plain[i - 1], plain[i]):
            yield plain[start:i]
            start = i
    yield plain[start:]


def _may_break(before: str, after: str) -> bool:
    if after == " " or after in NOT_FIRST or before in NOT_LAST:
        return False
    return before == " " or wide(before) or wide(after)


def _pieces(atom: str, width: int) -> Iterator[str]:
    """The atom whole, or in pieces when no line can hold it (a long path)."""
    if cell_len(atom.rstrip()) <= width:
        yield atom
        return
    start, used = 0, 0
    for i, char in enumerate(atom):
        size = cell_len(char)
        if i > start and used + size > width:
            yield atom[start:i]
            start, used = i, 0
        used += size
    yield atom[start:]
