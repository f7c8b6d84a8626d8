"""The disputed causes of the field reports, settled: many short paired runs of ``shindan train``.

    python benchmarks/settle.py OUT report_1:cpu report_4:cpu --cpu 2 --minutes 50
    python benchmarks/settle.py OUT report_1:cpu --page        # tables and plots of docs/findings

Every run has a folder of its own under OUT/REPORT:SIZE; one that was stopped, by --minutes or by
hand, goes on from its checkpoint with the same command. With several plans their seeds take turns,
so that what is there after a stop is whole pairs of all.
"""

import argparse
import importlib
import math
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from settling.pages import means, page
from settling.plan import Plan
from settling.runs import Job, Slots, jobs
from settling.tables import effects, markdown, noise, summary


def main() -> None:
    """Run what is not done yet; print the tables, or write the pages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("plans", nargs="+", help="REPORT:SIZE, as settling/REPORT.py has them")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--arms", nargs="+", help="of one plan, some of its arms")
    parser.add_argument("--cpu", type=int, default=2, help="runs at one time without a GPU")
    parser.add_argument("--gpu", type=int, default=1, help="runs at one time on the GPU")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after; go on later")
    parser.add_argument("--page", action="store_true", help="write docs/findings, run nothing")
    parser.add_argument("--docs", type=Path, default=Path(__file__).parent.parent / "docs/findings")
    asked = parser.parse_args()
    slots = Slots({"cpu": asked.cpu, "gpu": asked.gpu}, time.monotonic() + 60 * asked.minutes)
    chosen = [named(word) for word in asked.plans]
    if not asked.page:
        made = [work(plan, size, name, asked) for name, size, plan in chosen]
        needed = [job for first, _ in made for job in first]
        free = [rest for first, rest in made if not first]
        slots.prepare([*needed, *in_turns(free)])
        slots.run([*needed, *in_turns(free)])
        waiting = in_turns([rest for first, rest in made if first])
        slots.prepare(waiting)
        slots.run(waiting)
    for name, size, plan in chosen:
        seeds = asked.seeds or plan.sizes[size].seeds
        folder = asked.out / f"{name}:{size}"
        told(plan, name, folder, seeds, asked.docs if asked.page else None)


def told(plan: Plan, name: str, folder: Path, seeds: Sequence[int], docs: Path | None) -> None:
    """Every table of the plan, printed or put into its page of ``docs``."""
    title = name.replace("_", "-")
    for measured in measures(plan, folder):
        if measured in plan.beside:
            continue
        if docs is not None:
            page(plan, title, folder, seeds, measured, docs)
        else:
            found = effects(plan, folder, seeds, measured)
            print(f"\n{folder.name}\n{markdown(plan, found, measured)}\n{noise(found)}")
    if plan.beside and docs is not None:
        means(plan, title, folder, seeds, docs)
    elif plan.beside:
        print(f"\n{summary(plan, folder, seeds)}")


def in_turns(plans: Sequence[Sequence[Job]]) -> list[Job]:
    """The first of each, the second of each, …"""
    return [job for turn in zip_longest(*plans) for job in turn if job is not None]


def named(word: str) -> tuple[str, str, Plan]:
    """(report, size, plan) of ``REPORT:SIZE``."""
    name, _, size = word.partition(":")
    files = (Path(__file__).parent / "settling").glob("*.py")
    known = sorted(p.stem for p in files if p.stem.startswith(("report_", "against_")))
    if name not in known:
        sys.exit(f"there is no {name!r}; there are: {', '.join(known)}")
    plan: Plan = importlib.import_module(f"settling.{name}").PLAN
    if size not in plan.sizes:
        sys.exit(f"{name} has no size {size!r}; it has: {', '.join(plan.sizes)}")
    return name, size, plan


def work(
    plan: Plan, size: str, name: str, asked: argparse.Namespace
) -> tuple[list[Job], list[Job]]:
    """The plan's runs in OUT/REPORT:SIZE."""
    seeds = asked.seeds or plan.sizes[size].seeds
    folder = (asked.out / f"{name}:{size}").absolute()
    arms = asked.arms or plan.sizes[size].arms or list(plan.arms)
    return jobs(plan, size, folder, asked.data.absolute(), seeds, arms)


def measures(plan: Plan, folder: Path) -> list[str]:
    """The names of what was measured, in the plan's order; time and status are not of interest."""
    from settling.runs import numbers

    names: dict[str, None] = {}
    for run in sorted(folder.glob("*")):
        names |= dict.fromkeys(numbers(run) or {})
    return [name for name in names if name not in ("status", "seconds")]


if __name__ == "__main__":
    main()
