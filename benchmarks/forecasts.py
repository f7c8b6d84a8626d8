"""Are forecasts of logs as good as they say? The last third of every log is hidden and forecast.

python benchmarks/forecasts.py LOG... : each log is cut at 60, 80 and 100 % of its rows, the last
third (in steps) of what is left is hidden, and its end is forecast from the rest. Printed: each
case, then how many truths lay in their 90 % interval.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shindan.core.evidence.phases import Forecast
from shindan.logs.course import SERIES
from shindan.logs.forecast import forecast
from shindan.logs.judged import judged, points
from shindan.logs.phases import log_time, phases
from shindan.logs.reading import read
from shindan.logs.trends import Array

Case = tuple[str, Forecast, float, bool]
CUTS = (0.6, 0.8, 1.0)


def main() -> None:
    """Every case, and the counts."""
    held = made = refused = 0
    widths: list[float] = []
    for name, told, truth, changed in cases([Path(p) for p in sys.argv[1:]]):
        if told.refusal is not None:
            refused += 1
            print(f"{name:48} refused: {told.refusal.key}")
            continue
        inside = told.low <= truth <= told.high
        made, held = made + 1, held + inside
        widths.append((told.high - told.low) / abs(truth) if truth else 0.0)
        note = "LR lowered in the hidden part" if changed else ""
        print(
            f"{name:48} {'in ' if inside else 'OUT'} {told.level:.4f} -> {told.value:.4f} "
            f"[{told.low:.4f}, {told.high:.4f}] truth {truth:.4f} {note}"
        )
    print(f"{held} of {made} in their 90 % interval, {refused} refused; "
          f"median width {np.median(widths):.1%} of the loss")  # fmt: skip


def cases(paths: list[Path]) -> Iterator[Case]:
    """Name, forecast, truth, and whether the learning rate fell by half in the hidden part."""
    for path in paths:
        for table in read(path):
            log = judged(table)
            for role in SERIES:
                x, y = points(table, log.roles, log.axis, role)
                x_lr, lr = points(table, log.roles, log.axis, "lr")
                good = np.isfinite(x) & np.isfinite(y)
                x, y = x[good], y[good]
                for cut in CUTS:
                    n = int(len(y) * cut)
                    if n >= 12:
                        yield from case(f"{table.name} {role} {cut:.0%}", x[:n], y[:n], x_lr, lr)


def case(name: str, x: Array, y: Array, x_lr: Array, lr: Array) -> Iterator[Case]:
    """The last third of the steps hidden."""
    last = x[0] + (x[-1] - x[0]) * 2 / 3
    past = x <= last
    found = phases(name, "step", x[past], y[past])
    if found is None or past.all():
        return
    seen, hidden = lr[x_lr <= last], lr[(x_lr > last) & (x_lr <= x[-1])]
    told = forecast(found, x[past], y[past], float(x[-1]), seen if len(seen) else None)
    u = log_time(x)
    end = u > u[-1] - (u[-1] - u[past][-1]) / 8
    changed = len(hidden) > 0 and len(seen) > 0 and hidden[-1] < 0.5 * seen[-1]
    yield name, told, float(y[end].mean()), bool(changed)


if __name__ == "__main__":
    main()
