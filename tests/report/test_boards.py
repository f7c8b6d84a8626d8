"""Tables and waterfalls of comparisons, in both languages."""

import re

import pytest

from shindan.core.evidence.gap import Expected, Gap, Part
from shindan.core.evidence.pairs import Comparison, Facts, Meeting, Pair, Side
from shindan.core.evidence.sweeps import Ranked, Ranking, Sweep, Tried
from shindan.core.reason import Reason
from shindan.core.text import LANGUAGES, Language
from shindan.report import shares
from shindan.report.board import Board
from shindan.report.boards import boards
from shindan.report.waterfall import Bar, Waterfall, draw_fall
from shindan.report.words import words

GAP = Gap(
    -0.45, 0.02,
    (
        Part(("budget",), -0.59, 0.01),
        Part(("rate",), 0.0, how="equal"),
        Part(("schedule", "size"), 0.14, 0.02, "mixed"),
    ),
    "updates", 5000.0,
    notes=(
        ("budget", Reason("gap-budget", {"axis": "updates", "at": 5000.0})),
        ("rate", Reason("gap-rate-equal", {"rate": 1e-4})),
        ("schedule", Reason("gap-schedule-not-known", {"run": "a.csv"})),
        ("size", Reason("gap-size-differs")),
    ),
    expected=(Expected("kaplan", 0.158),), assumed=("data",),
)  # fmt: skip
TRIED = tuple(Tried(i, n, r, y, 0.01) for i, (n, r, y) in enumerate(
    (("a.csv", 1e-4, 3.3), ("b.csv", 2e-4, 3.2), ("c.csv", 4e-4, 3.1))))  # fmt: skip


def compared(n: int) -> Comparison:
    sides = [Side(name, Facts(rate=r)) for name, r in (("a.csv", 1e-4), ("b.csv", 2e-4),
             ("c.csv", 4e-4), ("d.csv", 4e-4), ("e.csv", 4e-4), ("f.csv", 4e-4))][:n]  # fmt: skip
    ends = Meeting("updates", 5000, 3.15, 3.6, 43065, 5000, 0.02)
    pairs = tuple(Pair(sides[0], side, ends=ends, rerun="lr=1", gap=GAP) for side in sides[1:])
    order = Ranking(
        "updates", 5000, (Ranked(1, 3.1, 0.01, 1, 0.0), Ranked(0, 3.3, 0.01, 2, 0.9)), ("rate",),
        (2,),
    )  # fmt: skip
    sweeps = (Sweep("rate", "updates", 5000, TRIED),)
    return Comparison(tuple(sides), pairs, None, *((order, sweeps) if n > 2 else (None, ())))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("runs", [2, 3, 6])
def test_every_table_is_whole(language: Language, runs: int) -> None:
    made = boards(compared(runs), words(language))
    assert len(made) == (2 if runs == 2 else 4)
    for board in made:
        assert all(len(cells) == len(board.names) for _, cells in board.rows)
        assert not re.search(r"[{}]", f"{board}".replace("{}", ""))
    assert [b.wide for b in made].count(True) == (runs == 6)


def test_the_shares_are_told() -> None:
    board = shares.board(compared(2), words("en"))
    assert board is not None
    rows = dict(board.rows)
    assert rows["budget"] == ("-0.5900 ± 0.0200",)
    assert rows["learning rate and batch"] == ("0 (equal)",)
    assert rows["size"] == ("open",)
    assert rows["what is open, together"] == ("+0.1400 ± 0.0400",)
    assert rows["size alone, by Kaplan et al. 2020 (N^-0.076)"] == ("+0.158",)
    assert "budget: what closes when both are read at equal updates (5,000)" in board.notes
    assert any("`lr=1`" in note for note in board.notes)
    assert any(note.endswith("data. If one of them differs, what is left goes with it.")
               for note in board.notes)  # fmt: skip


def test_what_holds_of_every_pair_is_said_once() -> None:
    board = shares.board(compared(4), words("en"))
    assert board is not None
    assert board.notes.count("size: the sizes differ") == 1
    assert not any("one batch" in note for note in board.notes)


def test_edges_and_unequal_schedules_are_noted() -> None:
    order, sweep, *_ = boards(compared(3), words("en"))
    assert order.names[-1] == "LR left (of its peak)"
    assert [cells[-1] for _, cells in order.rows] == ["0%", "90%"]
    assert any("c.csv" in note for note in order.notes)
    assert "the highest that was tried" in sweep.notes[0]


def test_a_board_turned() -> None:
    board = Board("t", ("x", "y"), (("a", ("1", "2")), ("b", ("3", "4"))), ("n",))
    assert board.turned() == Board("t", ("a", "b"), (("x", ("1", "3")), ("y", ("2", "4"))), ("n",))
    assert board.turned().turned() == board


def test_bars_start_where_the_last_one_ended() -> None:
    bars = (Bar("one", 0, -0.6), Bar("two", -0.6, -0.45, 0.04), Bar("all", 0, -0.45, whole=True))
    drawn = draw_fall(Waterfall("t", "s", "x", bars))
    one, two, whole = drawn.blocks
    assert one.end == two.x
    assert (one.look, two.look, whole.look) == (0, 1, 2)
    assert two.low < two.x + two.width < two.high
    assert drawn.zero == pytest.approx(one.x + one.width)
    assert whole.y + drawn.thick < drawn.bottom < drawn.height


def test_nothing_is_drawn_of_nothing() -> None:
    same = Gap(0.0, 0.0, (Part(("rest",), 0.0, how="left"),))
    pair = Pair(Side("a", Facts()), Side("b", Facts()), gap=same)
    assert shares.waterfalls(Comparison((pair.a, pair.b), (pair,)), words("en")) == []
    assert shares.board(Comparison((pair.a, pair.b), (Pair(pair.a, pair.b),)), words("en")) is None
