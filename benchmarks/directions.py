"""False alarms of a curve's directions and cuts: pure AR(1) noise of every correlation and length.

python benchmarks/directions.py [--series 300] [--line 13] [--cut 6.6]: for each length and
coefficient, the share of series said to fall or rise anywhere, to have more than one phase,
to leave a plateau or a slow fall, and the share whose slope's 95 % interval leaves out zero; with
other limits than those of ``logs/direction.py`` where asked.
"""

import argparse
import math

import numpy as np
from numpy.typing import NDArray

from shindan.logs import direction
from shindan.logs.phases import phases
from shindan.logs.trends import slope

Array = NDArray[np.float64]
LENGTHS = (8, 14, 20, 40, 100, 1000)
COEFFICIENTS = (0.0, 0.5, 0.9, 0.99)


def main() -> None:
    """One row a length and coefficient."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=300)
    parser.add_argument("--line", type=float, default=direction.LINE)
    parser.add_argument("--cut", type=float, default=direction.CUT)
    asked = parser.parse_args()
    direction.LINE, direction.CUT = asked.line, asked.cut
    print("| points | coefficient | moves | cut | way out | slope |")
    print("|---|---|---|---|---|---|")
    for n in LENGTHS:
        for rho in COEFFICIENTS:
            told = np.array([judged(noise(n, rho, seed)) for seed in range(asked.series)])
            shares = " | ".join(f"{share:.1%}" for share in told.mean(axis=0))
            print(f"| {n} | {rho} | {shares} |", flush=True)


def noise(n: int, rho: float, seed: int) -> Array:
    """Stationary, of sd 1, about a level at which nothing counts as small (n,)."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 1, n)
    for i in range(1, n):
        y[i] = rho * y[i - 1] + math.sqrt(1 - rho * rho) * y[i]
    return y


def judged(y: Array) -> tuple[bool, bool, bool, bool]:
    """Whether it moves, is cut, leaves a plateau; whether its slope does not hold zero."""
    x = np.arange(1, len(y) + 1, dtype=np.float64)
    found, line = phases("loss", "update", x, y), slope(x, y)
    assert found is not None
    many = len(found.phases) > 1
    return found.directed, many, bool(found.ways_out), not line.low <= 0 <= line.high


if __name__ == "__main__":
    main()
