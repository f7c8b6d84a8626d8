"""Tables and plots of ``docs/findings``: written between marks, so that no number is typed."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import matplotlib
from matplotlib.figure import Figure

from settling.plan import Plan
from settling.tables import Effect, effects, markdown, noise, summary

matplotlib.rcParams["svg.hashsalt"] = "shindan"  # or every drawing of the same differs


def put(page: Path, mark: str, text: str) -> None:
    """Replace what stands between ``<!-- mark -->`` and ``<!-- /mark -->`` of the page."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    old = page.read_text(encoding="utf-8") if page.exists() else f"{begin}\n{end}\n"
    if begin not in old or end not in old:
        raise SystemExit(f"{page} has no place {begin} … {end} for this table")
    head, rest = old.split(begin, 1)
    tail = rest.split(end, 1)[1]
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def page(
    plan: Plan, name: str, folder: Path, seeds: Sequence[int], measured: str, place: Path
) -> None:
    """The table of ``measured`` and its plot, into ``place/<name>.md`` and ``.svg``."""
    found = effects(plan, folder, seeds, measured)
    size = folder.name.partition(":")[2] or folder.name
    drawn = place / f"{name}-{size}-{measured.replace(' ', '-')}.svg"
    place.mkdir(parents=True, exist_ok=True)
    other = "the arm each is compared with" if plan.against else plan.base
    forest(found, measured, other, drawn)
    parts = [markdown(plan, found, measured), noise(found), f"![{measured}]({drawn.name})"]
    text = "\n\n".join(part for part in parts if part)
    put(place / f"{name}.md", f"{size} {measured}", text)


def means(plan: Plan, name: str, folder: Path, seeds: Sequence[int], place: Path) -> None:
    """The table of what the plan tells together, into ``place/<name>.md``."""
    size = folder.name.partition(":")[2] or folder.name
    put(place / f"{name}.md", f"{size} means", summary(plan, folder, seeds))


def forest(found: Sequence[Effect], measured: str, base: str, path: Path) -> None:
    """Each arm's values by seed, and its difference from the base with the interval."""
    names = [each.arm for each in found]
    figure = Figure(figsize=(9, 0.9 + 0.3 * len(found)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for row, each in enumerate(found):
        left.plot(list(each.values.values()), [row] * len(each.values), "o", ms=4, alpha=0.7)
        left.plot([fmean(each.values.values())], [row], "k|", ms=12)
        if each.low is not None and each.high is not None:
            right.plot([each.low, each.high], [row, row], "-", color="tab:blue")
            right.plot([each.difference], [row], "o", color="tab:blue", ms=5)
    left.set_yticks(range(len(names)), names)
    left.invert_yaxis()
    left.set_xlabel(measured)
    right.axvline(0, color="gray", lw=0.8)
    right.set_xlabel(f"difference from {base} (paired, 95 %)")
    figure.savefig(path, metadata={"Date": None})
