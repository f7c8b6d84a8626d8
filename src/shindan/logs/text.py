"""The engine for logs that are text: lines that repeat become rows.

Small files, and the odd lines of large ones, are cut line by line (logs/template.py). In large ones
the commonest templates are found on a sample and then matched by Arrow, a piece at a time.
"""

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shindan.core.reason import Reason
from shindan.logs.bulk import Bulk
from shindan.logs.formats import Claim, Format
from shindan.logs.likeness import counts_evenly, like_a_loss
from shindan.logs.numerals import SECONDS, duration
from shindan.logs.records import is_measure, is_place
from shindan.logs.settings import beside, settings_in
from shindan.logs.source import PIECE, Source
from shindan.logs.table import LogTable
from shindan.logs.template import Template, cut, plain, template
from shindan.logs.tidying import Redrawn, tidy

_LONGEST = 4000
"""Characters of a line; in a longer one numbers are data, not a log's."""
_CACHED = 20_000
"""Templates remembered; a text without order has more."""
_LEARNT = 1 << 17
"""Bytes from which the commonest templates are learnt."""
_MANY = 500
"""Lines of a piece that no template matched, from which more are learnt."""
_RARE = 0.05
"""Of the commonest kind's lines: rarer kinds must share a name with the common ones, or measure."""
_CONTROL = bytes(b for b in range(32) if b not in b"\t\n\r\x08\x0c\x1b\x00\x1e")
_STRUCTURED = {".json", ".yaml", ".yml", ".toml", ".xml", ".conllu"}
"""Endings of files that have a grammar, by which they are read or not at all."""
_TEXT = {".log", ".txt", ".out", ".err", ".stdout", ".stderr", ".gz"}


@dataclass
class _Kind:
    """All lines of one template: their numbers in the file, and their values, row by row."""

    made: Template
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))


class Lines:
    """The file cut into kinds of lines."""

    def __init__(self) -> None:
        self.kinds: dict[tuple[str, ...], _Kind] = {}
        self.early: list[tuple[int, str]] = []
        self.nameless = array("q")
        """Lines that are a number that is not finite, and nothing else."""
        self._without: set[tuple[str, ...]] = set()

    def add(self, line: str, at: int) -> None:
        """Cut one line; ``at`` is its number."""
        if len(self.early) < 3000:
            self.early.append((at, line))
        if len(line) > _LONGEST:
            return
        literals, values, tokens = cut(line)
        bare = tokens == ("number",) and not "".join(literals).strip()
        if bare and not math.isfinite(plain(values[0])):
            self.nameless.append(at)
        if not values or literals in self._without:
            return
        key = (*literals, *tokens)
        kind = self.kinds.get(key)
        if kind is None:
            made = template(literals, tokens)
            if not made.fields or len(self.kinds) > _CACHED:
                if len(self._without) < _CACHED:
                    self._without.add(literals)
                return
            kind = self.kinds[key] = _Kind(made)
        kind.lines.append(at)
        kind.values.extend(_read(kind.made, values))


def _read(made: Template, values: Sequence[str]) -> Iterable[float]:
    for one in made.fields:
        value = one.read(values[one.index])
        yield float("nan") if value is None else value * one.factor


@dataclass(frozen=True)
class Block:
    """Lines of one template as arrays: ``lines`` [n], ``values`` [n, fields]."""

    made: Template
    lines: NDArray[np.int64]
    values: NDArray[np.float64]


def style(name: str, mark: bytes = b"") -> Format:
    """The format of texts that hold ``mark`` (a regular expression) near their beginning.

    All are read alike; the name tells those who judge what the numbers are means of.
    """
    form = re.compile(mark)

    def claims(source: Source) -> Claim:
        endings = {ending.lower() for ending in source.path.suffixes}
        if endings & _STRUCTURED or not (source.named or endings <= _TEXT or mark):
            return Claim.NO
        head = tidy(source.head)
        strange = len(head) - len(head.translate(None, _CONTROL))
        if not head or 50 * strange > len(head):
            return Claim.NO
        return Claim.PERHAPS if not mark else Claim.SURE if form.search(head) else Claim.NO

    def read(sources: Sequence[Source]) -> list[LogTable]:
        return [table for source in sources if (table := read_text(source, name))]

    return Format(name, claims, read)


def read_text(source: Source, form: str) -> LogTable | None:
    """The table of a text; None where no line repeats."""
    lines, bulk, redrawn, at = Lines(), Bulk(), Redrawn(), 0
    for whole in source.pieces(PIECE // 2):
        for piece in _parts_of(redrawn.cut(tidy(whole), at), first=at == 0):
            rest = bulk.left_over(piece, at)
            for number, line in rest:
                lines.add(line, number)
            at += piece.count(b"\n")
            if len(rest) > _MANY:
                bulk.learn(k.made for k in _commonest(lines))
    blocks = [
        Block(
            k.made,
            np.array(k.lines, np.int64),
            np.array(k.values, np.float64).reshape(len(k.lines), -1),
        )
        for k in lines.kinds.values()
    ]
    blocks += [Block(*parts) for parts in bulk.blocks()]
    kept = _kept(blocks)
    if not kept:
        return None
    return _table(source, form, kept, lines, redrawn)


def _parts_of(piece: bytes, first: bool) -> list[bytes]:
    """The piece; the first one in two, to learn on the smaller."""
    cut = piece.find(b"\n", _LEARNT) + 1 if first else 0
    return [piece[:cut], piece[cut:]] if cut else [piece]


def _commonest(lines: Lines) -> list[_Kind]:
    return sorted(lines.kinds.values(), key=lambda k: -len(k.lines))[:24]


def _kept(blocks: Sequence[Block]) -> list[Block]:
    """Blocks of kinds that repeat, and single lines after the first of them that share a name."""
    blocks = _without_data(blocks)
    counts: Counter[tuple[str, ...]] = Counter()
    for block in blocks:
        counts[block.made.kind] += len(block.lines)
    if not counts:
        return []
    most = max(counts.values())
    main = {kind for kind, count in counts.items() if count >= max(2.0, _RARE * most)}
    if not main:
        return []
    names = {name for kind in main for name in kind}
    common = _common(counts, main)
    start = min(int(block.lines[0]) for block in blocks if block.made.kind in common)
    shared = {name for kind in common for name in kind}

    def belongs(block: Block) -> bool:
        kind = block.made.kind
        related = bool(names & set(kind)) or any(map(is_measure, kind))
        return kind in main or (related and (counts[kind] > 1 or int(block.lines[0]) >= start))

    kept = [_from(block, start, shared) for block in blocks if belongs(block)]
    kept = [block for block in kept if len(block.lines)]
    spoken = [block for block in kept if not _is_bar(block.made)]
    return [
        block if counts[block.made.kind] > 1 else _plain(block, names) for block in spoken or kept
    ]


def _without_data(blocks: Sequence[Block]) -> Sequence[Block]:
    """Without lines of bare numbers, where others measure and these are no log themselves."""
    bare = [block for block in blocks if block.made.kind[0] == "0"]
    others = [block for block in blocks if block.made.kind[0] != "0"]
    measuring = sum(len(b.lines) for b in others if any(map(is_measure, b.made.kind)))
    count = sum(len(block.lines) for block in bare)
    logs = (counts_evenly(b.values[:, 0]) and like_a_loss(b.values[:, -1]) for b in bare)
    return others if measuring and (count < measuring or not any(logs)) else blocks


def _common(counts: Counter[tuple[str, ...]], main: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The commonest kinds that measure: with the first of them the log begins."""
    measuring = {kind: counts[kind] for kind in main if any(map(is_measure, kind))}
    least = 0.5 * max(measuring.values(), default=0)
    return {kind for kind, count in measuring.items() if count >= least} or main


def _from(block: Block, start: int, shared: set[str]) -> Block:
    """The block without lines before the log begins, where the script itself may stand; but such
    that say a place (``Epoch 1``) or share a name with the common lines are the log's."""
    if any(name in shared or is_place(name) for name in block.made.kind):
        return block
    after = block.lines >= start
    return Block(block.made, block.lines[after], block.values[after])


_BAR = re.compile(r".*(?:progress(?:_total)?|it/s|s/it|\w*/s|Loading \w+ shards)(?:\.\d)?")


def _is_bar(made: Template) -> bool:
    """Whether the line is a progress bar with nothing beside."""
    return all(_BAR.fullmatch(one.column) or one.read is duration for one in made.fields)


def _plain(block: Block, names: set[str]) -> Block:
    """Of a line that came but once, the numbers whose names others share or that measure."""
    fields = block.made.fields
    kept = [
        at
        for at, one in enumerate(fields)
        if one.column in names or is_measure(one.column) or is_place(one.column)
    ]
    made = replace(block.made, fields=tuple(fields[at] for at in kept))
    return Block(made, block.lines, block.values[:, kept])


def _table(
    source: Source,
    form: str,
    blocks: Sequence[Block],
    cut_lines: Lines,
    redrawn: Redrawn,
) -> LogTable:
    """One row a line, in the order of the file."""
    lines = np.sort(np.concatenate([block.lines for block in blocks]), kind="stable")
    columns: dict[str, NDArray[np.float64]] = {}
    present: dict[str, NDArray[np.bool_]] = {}
    words: dict[str, list[str | None]] = {}
    units: dict[str, str] = {}
    for block in sorted(blocks, key=lambda b: int(b.lines[0])):
        rows = np.searchsorted(lines, block.lines)
        for index, one in enumerate(block.made.fields):
            if one.column not in columns:
                columns[one.column] = np.full(len(lines), np.nan)
                present[one.column] = np.zeros(len(lines), np.bool_)
            unit = units.setdefault(one.column, one.unit) if one.unit else ""
            columns[one.column][rows] = block.values[:, index] * _converted(one.unit, unit)
            present[one.column][rows] = True
        for key, word in block.made.words:
            column = words.setdefault(key, [None] * len(lines))
            for row in rows.tolist():
                column[row] = word
    before = settings_in(line for at, line in cut_lines.early if at < lines[0])
    settings: dict[str, Any] = {**beside(source.path), **before}
    settings |= {f"units.{name}": unit for name, unit in units.items()}
    return LogTable(
        source.path,
        form,
        source.path.name,
        columns,
        present,
        {key: tuple(column) for key, column in words.items()},
        redrawn.real(lines),
        settings,
        (*source.lost, *_nameless(cut_lines, lines, redrawn)),
    )


def _nameless(cut_lines: Lines, lines: NDArray[np.int64], redrawn: Redrawn) -> Iterator[Reason]:
    """Says of numbers among the ``lines`` of the log that are not finite and have no name."""
    at = np.array(cut_lines.nameless, np.int64)
    at = at[(at > lines[0]) & (at < lines[-1])]
    if len(at):
        first = int(redrawn.real(at)[0])
        yield Reason("log-numbers-nameless", {"count": len(at), "line": first})


def _converted(unit: str, wanted: str) -> float:
    """The factor from one unit of time into another; 1 where they are none."""
    if unit != wanted and unit in SECONDS and wanted in SECONDS:
        return SECONDS[unit] / SECONDS[wanted]
    return 1.0
