"""More than two runs: their order at one budget, and sweeps, as tables."""

from collections.abc import Iterator

from shindan.core.evidence.pairs import DECAY, Comparison
from shindan.core.evidence.sweeps import Ranking, Sweep
from shindan.report.board import Board
from shindan.report.compared import amount, give_or_take
from shindan.report.words import Words


def boards(comparison: Comparison, say: Words) -> Iterator[Board]:
    """The order first, then each sweep."""
    if comparison.ranking is not None:
        yield _ranking(comparison, comparison.ranking, say)
    for sweep in comparison.sweeps:
        yield _sweep(sweep, say)


def _ranking(comparison: Comparison, ranking: Ranking, say: Words) -> Board:
    """A row a run, the best first, with what is known to differ among them."""
    sides = comparison.sides
    shares = [r.left for r in ranking.runs if r.left is not None]
    uneven = bool(shares) and max(shares) - min(shares) > DECAY
    rows = []
    for ranked in ranking.runs:
        facts = sides[ranked.run].facts
        known = [getattr(facts, name) for name in ranking.varied]
        cells = (
            str(ranked.place),
            give_or_take(f"{ranked.level:.4f}", ranked.error, say),
            *(say("not_known") if v is None else amount(v) for v in known),
            *([_left(ranked.left, say)] if uneven else []),
        )
        rows.append((sides[ranked.run].name, cells))
    axis = say(f"spent_{ranking.axis}")
    names = (
        say("col_place"), say("col_level"), *(say(f"known_{n}") for n in ranking.varied),
        *([say("col_left")] if uneven else []),
    )  # fmt: skip
    notes = [say("ranking_note"), *([say("ranking_uneven")] if uneven else [])]
    if not ranking.varied:
        notes.append(say("ranking_alike"))
    if ranking.absent:
        comma = "、" if say.language == "ja" else ", "
        names_of = comma.join(f"`{sides[i].name}`" for i in ranking.absent)
        notes.append(say("ranking_absent", names=names_of))
    title = say("section_ranking", axis=axis, at=amount(ranking.at))
    return Board(title, names, tuple(rows), tuple(notes))


def _left(share: float | None, say: Words) -> str:
    return say("not_known") if share is None else f"{share:.0%}"


def _sweep(sweep: Sweep, say: Words) -> Board:
    """A row a value, and where the best one is."""
    rows = tuple(
        (
            amount(tried.value),
            (give_or_take(f"{tried.level:.4f}", tried.error, say), tried.name),
        )
        for tried in sweep.tried
    )  # fmt: skip
    over, axis = say(f"known_{sweep.over}"), say(f"spent_{sweep.axis}")
    best = amount(sweep.best.value)
    if sweep.edge is None:
        note = say("sweep_inside", over=over, best=best)
    else:
        key = "sweep_edge_low" if sweep.edge == "low" else "sweep_edge_high"
        note = say(key, over=over, best=best)
    notes = [note] if sweep.clear else [note, say("sweep_unclear")]
    if sweep.optimum is not None and sweep.edge is None:
        notes.append(say("sweep_optimum", at=amount(float(f"{sweep.optimum:.2g}"))))
    title = say("section_sweep", over=over, axis=axis, at=amount(sweep.at))
    return Board(title, (say("col_level"), say("col_run")), rows, tuple(notes))
