"""What watching costs: ratios of interleaved blocks in one run, start-up, peak memory.

    python benchmarks/overhead.py [steps]

Blocks of ten steps alternate with and without Shindan (same model, same process), so that
whatever else the machine does falls on both. The first block with is left out ("beyond the first
ten steps"); deep looks fall where they fall and are counted.
"""

import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from gpt_10m import GPT, step

from shindan.probes.catalogue import all_probes
from shindan.probes.session import Session
from shindan.probes.taps.all import tapped

BLOCK = 10


def steps_ratio(steps: int) -> tuple[float, float, float]:
    """Ratio of total times with/without, and a 95 % bootstrap interval over paired blocks."""
    torch.manual_seed(0)
    model, generator = GPT(), torch.Generator().manual_seed(0)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}M parameters")
    session = Session(all_probes()[0])
    with tapped(session):
        optimizer = torch.optim.AdamW(model.parameters(), 3e-4)
    pairs: list[tuple[float, float]] = []
    for number in range(steps // BLOCK + 1):
        times = {}
        for watched in (True, False) if number % 2 else (False, True):
            begun = time.perf_counter()
            if watched:
                with tapped(session):
                    for _ in range(BLOCK):
                        step(model, optimizer, generator)
            else:
                for _ in range(BLOCK):
                    step(model, optimizer, generator)
            times[watched] = time.perf_counter() - begun
        if number:
            pairs.append((times[True], times[False]))
            print(f"  block {number}: {times[True] / times[False]:.3f}", flush=True)
    draw = random.Random(0)
    ratios = sorted(_ratio([draw.choice(pairs) for _ in pairs]) for _ in range(2000))
    return _ratio(pairs), ratios[50], ratios[1949]


def _ratio(pairs: list[tuple[float, float]]) -> float:
    return sum(a for a, _ in pairs) / sum(b for _, b in pairs)


def startup() -> float:
    """Seconds of ``shindan run empty.py`` beyond ``import torch`` (median of five pairs)."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "empty.py"
        script.write_text("import torch\n")
        watched = [sys.executable, "-m", "shindan", "run", "--quiet", "--record-dir", folder]
        differences = []
        for _ in range(5):
            differences.append(
                _seconds([*watched, str(script)]) - _seconds([sys.executable, str(script)])
            )
    return statistics.median(differences)


def _seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


TRAIN = """
import sys; sys.path.insert(0, {here!r})
import torch
from gpt_10m import GPT, step
torch.manual_seed(0)
model, generator = GPT(), torch.Generator().manual_seed(0)
optimizer = torch.optim.AdamW(model.parameters(), 3e-4)
for _ in range(25): step(model, optimizer, generator)
import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory() -> float:
    """Ratio of peak resident memory after 25 steps, with/without."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "train.py"
        script.write_text(TRAIN.format(here=str(Path(__file__).parent)))
        peaks = []
        for command in (
            [sys.executable, "-m", "shindan", "run", "--quiet", "--record-dir", folder],
            [sys.executable],
        ):
            done = subprocess.run(
                [*command, str(script)], check=True, capture_output=True, text=True
            )
            peaks.append(int(done.stdout.split()[-1]))
    return peaks[0] / peaks[1]


if __name__ == "__main__":
    ratio, low, high = steps_ratio(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    print(f"step time with/without: {ratio:.3f} [{low:.3f}, {high:.3f}]  (bound 1.05)")
    print(f"start-up beyond import torch: {startup():.2f} s  (bound 1.5 s)")
    print(f"peak memory with/without: {memory():.3f}  (bound 1.10)")
    print(f"own peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
