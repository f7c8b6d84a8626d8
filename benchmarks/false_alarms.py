"""What is said of healthy logs, made up by the thousand: power laws, exponentials, noise of every
correlation, bumps of warm-up, staircases of epochs, cooldowns (tests/logs/test_healthy_curves.py).

python benchmarks/false_alarms.py [--logs 1000]
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.logs.test_healthy_curves import said


def main() -> None:
    """The findings by severity, and the sentences that say that something changed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--logs", type=int, default=1000)
    asked = parser.parse_args()
    counts: Counter[str] = Counter()
    for seed in range(asked.logs):
        counts.update(said(seed))
    for what, count in sorted(counts.items()):
        print(f"{what:55} {count:5} of {asked.logs}  {count / asked.logs:.2%}")


if __name__ == "__main__":
    main()
