"""Many damaged logs of every format through the readers: what came of each, and how long it took.

    PYTHONPATH=src:. python benchmarks/fuzz_logs.py 10000 --seed 0 --keep FOLDER

A case that raises anything but one clear sentence is told, and its file kept in FOLDER.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.logs.fuzzing import cases, looked_at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    ends: Counter[str] = Counter()
    slowest, started = (0.0, ""), time.process_time()
    with tempfile.TemporaryDirectory() as room:
        for what, path in cases(Path(room), asked.count, asked.seed):
            begun = time.process_time()
            try:
                ends[looked_at(path)] += 1
            except Exception as error:  # noqa: BLE001 (counted and told: what is looked for)
                ends["crash"] += 1
                print(f"{what}: {error!r}", flush=True)
                if asked.keep:
                    (asked.keep / what.split()[0]).write_bytes(path.read_bytes())
            slowest = max(slowest, (time.process_time() - begun, what))
    print(f"{asked.count} cases, {ends['crash']} crashes, {time.process_time() - started:.0f} s")
    print(f"slowest {slowest[0]:.2f} s: {slowest[1]}")
    print(dict(ends.most_common()))


if __name__ == "__main__":
    main()
