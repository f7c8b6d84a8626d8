"""Figure 4 of issue 3: a mixture of Japanese, English and code, trained right and as reported.

    python benchmarks/causal_mix.py OUT --size gpu --minutes 9
    python benchmarks/causal_mix.py OUT --size gpu --page     # table and plot of docs/findings

Both arms see rows of the same tokens. What is asked is whether the loss falls steadily: in every
window of 200 updates that lies before the plateau the slope has t <= -3, by the line with
Newey-West errors that ``shindan`` itself tells trends with. A window lies before the plateau while
its mean is more than 1 % above the lowest mean of any. The loss is the cross-entropy without label
smoothing. A run that was stopped goes on from its checkpoint with the same command, and is judged
as far as it came.
"""

import argparse
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, pstdev

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from settling.pages import put
from settling.plan import Plan, Size
from settling.report_2 import MIX
from settling.runs import Slots, folder_name, jobs

from shindan.logs.trends import slope
from shindan.reference.train.controller import CITIES
from shindan.reference.train.controller import WINDOW as WINDOW_OF_NORMS
from shindan.reference.train.metrics import read

WINDOW, STEEP, NEAR = 200, -3.0, 0.01


@dataclass(frozen=True)
class Course:
    """How one run went."""

    loss: NDArray[np.float64]
    """Nats per token of each update, shape (updates,)."""
    starts: NDArray[np.int64]
    """First updates of the windows, shape (windows,)."""
    means: NDArray[np.float64]
    t: NDArray[np.float64]
    """Of each window: its mean loss and the t of its slope, shape (windows,)."""
    tokens: int
    seconds: float
    validation: dict[str, float]

    @property
    def before(self) -> NDArray[np.bool_]:
        """Which windows lie before the plateau."""
        above: NDArray[np.bool_] = self.means > (1 + NEAR) * self.means.min(initial=math.inf)
        return above


def measure(folder: Path) -> dict[str, float]:
    """What a finished run says at once."""
    return course(folder).validation


PLAN = Plan(
    question="Does the loss fall steadily over a thousand updates?",
    arms={"right": ["causal-mix"], "as reported": ["causal-mix-as-reported"]},
    sizes={
        "cpu": Size("cpu", ["size=small", MIX, "log_every=1", "evaluate_every=100"], (0,)),
        "gpu": Size(
            "gpu",
            [
                *("size=300m", MIX, "max_updates=1000", "log_every=1", "compile=true"),
                *("evaluate_every=100", "save_every=500"),
            ],
            (0,),
        ),
    },
    measure=measure,
)


def main() -> None:
    """Make the tokens once, run what is not done, then tell; or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("--size", choices=PLAN.sizes, default="cpu")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--arms", nargs="+", choices=PLAN.arms, default=list(PLAN.arms))
    parser.add_argument("--together", type=int, default=1, help="runs at one time")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after; go on later")
    parser.add_argument("--page", action="store_true", help="write docs/findings, run nothing")
    parser.add_argument("--docs", type=Path, default=Path(__file__).parent.parent / "docs/findings")
    asked = parser.parse_args()
    out = (asked.out / f"causal_mix:{asked.size}").absolute()
    if not asked.page:
        until = time.monotonic() + 60 * asked.minutes
        _, todo = jobs(PLAN, asked.size, out, asked.data.absolute(), (0,), asked.arms)
        slots = Slots({PLAN.sizes[asked.size].device: asked.together}, until)
        slots.prepare(todo)
        slots.run(todo)
    courses = {arm: course(out / f"{folder_name(arm)}-0") for arm in asked.arms}
    told = {arm: one for arm, one in courses.items() if len(one.loss)}
    way = weights(out / f"{folder_name('as reported')}-0")
    print(f"{table(told)}\n\n{way}")
    if asked.page:
        drawn = asked.docs / f"report-2-figure-4-{asked.size}.svg"
        asked.docs.mkdir(parents=True, exist_ok=True)
        draw(told, drawn)
        text = f"{table(told)}\n\n{way}\n\n![loss and slope of both runs]({drawn.name})"
        put(asked.docs / "report-2.md", f"figure 4 {asked.size}", text)


def course(folder: Path) -> Course:
    """What ``metrics.jsonl`` of a run, finished or not, says of it."""
    lines = read(folder)
    train = [line for line in lines if line["kind"] == "train"]
    loss = np.array([float(line["nll" if "nll" in line else "loss"]) for line in train])
    starts = np.arange(max(0, len(loss) - WINDOW + 1))
    x = np.arange(WINDOW, dtype=np.float64)
    windows = [loss[start : start + WINDOW] for start in starts]
    validation = [line for line in lines if line["kind"] == "validation"]
    last = validation[-1] if validation else {}
    return Course(
        loss,
        starts,
        np.array([window.mean() for window in windows]),
        np.array([slope(x, window).t for window in windows]),
        int(train[-1]["tokens"]) if train else 0,
        sum(float(line["seconds"]) for line in train),
        {
            name: float(last[key])
            for name, key in (("validation loss", "loss"), ("displacement", "displacement"))
            if key in last
        },
    )


def table(courses: dict[str, Course]) -> str:
    """One row an arm."""
    rows = [
        "| run | updates | tokens | minutes | loss, first 10 | last 100 | validation "
        "| windows before the plateau | weakest t among them | of all windows t <= -3 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm, one in courses.items():
        before = one.before
        weakest = f"{one.t[before].max():.1f}" if before.any() else "–"
        steep = f"{(one.t <= STEEP).mean():.1%}" if len(one.t) else "–"
        rows.append(
            f"| {arm} | {len(one.loss)} | {one.tokens:,} | {one.seconds / 60:.1f} "
            f"| {one.loss[:10].mean():.3f} | {one.loss[-100:].mean():.3f} "
            f"| {one.validation.get('validation loss', math.nan):.3f} "
            f"| {before.sum()} of {len(before)} | {weakest} | {steep} |"
        )
    return "\n".join(rows)


def weights(folder: Path) -> str:
    """How far the weights of the run as reported went, and what of it was its gradients' doing."""
    lines = read(folder)
    last = [line for line in lines if "displacement" in line][-1:]
    if not last or last[0]["update"] < WINDOW_OF_NORMS:
        return ""
    train = [x for x in lines if x["kind"] == "train" and x["update"] <= last[0]["update"]]
    norms = [x["grad_norm"] for x in train]
    own = sum(x["lr"] * CITIES[-1].lr_scale * min(x["grad_norm"], x["grad_clip"]) for x in train)
    cut = [x["cut"] for x in train if "cut" in x]
    windows = [norms[end - WINDOW_OF_NORMS : end] for end in range(WINDOW_OF_NORMS, len(norms) + 1)]
    variations = [pstdev(window) / fmean(window) for window in windows]
    above = fmean(x["grad_norm"] > x["grad_clip"] for x in train)
    return (
        f"The weights of the run as reported, after {len(train)} updates: "
        f"{last[0]['displacement']:.3f} in L2 from where they began "
        f"({last[0]['displacement_rms']:.1e} each, RMS), by a way of "
        f"{sum(x['moved'] for x in train):.3f}; the clipped gradients alone, without weight "
        f"decay, make a way of {own:.3f}. The norm was above the clip in {above:.0%} of the "
        f"updates; the hooks cut {cut[0]:.1%} of the gradients at first and {cut[-1]:.1%} in the "
        f"end; the CV of ten norms was {min(variations):.3f} at least and {median(variations):.3f} "
        f"in the median."
    )


def draw(courses: dict[str, Course], path: Path) -> None:
    """Losses above, the t of every window below, solid before the plateau."""
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    losses, slopes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for color, (arm, one) in zip(("tab:blue", "tab:red"), courses.items(), strict=False):
        losses.plot(np.arange(1, len(one.loss) + 1), one.loss, lw=0.7, color=color, label=arm)
        middle = one.starts + WINDOW / 2
        slopes.plot(middle, one.t, ":", lw=1.2, color=color)
        slopes.plot(middle, np.where(one.before, one.t, np.nan), lw=1.6, color=color)
    losses.set_ylabel("training loss (nats per token)")
    losses.legend()
    slopes.axhline(STEEP, color="gray", lw=0.8)
    slopes.axhline(0, color="black", lw=0.5)
    slopes.set_yscale("symlog", linthresh=3)
    slopes.set_ylabel(f"t of the slope over {WINDOW} updates")
    slopes.set_xlabel("update (middle of the window); solid before the plateau")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
