"""What watching costs on a GPU: GPT-2 124M, bf16, compiled, interleaved blocks in one run."""

import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
import gpt_10m

from shindan.probes.catalogue import all_probes
from shindan.probes.session import Session
from shindan.probes.taps.all import tapped

BLOCK = 10


def main(blocks: int, compiled: bool) -> None:
    """Print the ratio of total times and the peak memory with and without."""
    gpt_10m.VOCAB, gpt_10m.WIDTH, gpt_10m.DEPTH = 50304, 768, 12
    gpt_10m.HEADS, gpt_10m.LENGTH, gpt_10m.BATCH = 12, 1024, 16
    torch.set_float32_matmul_precision("high")
    model = gpt_10m.GPT().cuda()
    call = torch.compile(model) if compiled else model
    session = Session(all_probes()[0])
    with tapped(session):
        optimizer = torch.optim.AdamW(model.parameters(), 3e-4, fused=True)
    generator = torch.Generator().manual_seed(0)
    batches = [gpt_10m.batch(generator, "cuda") for _ in range(8)]

    def run() -> float:
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for i in range(BLOCK):
            x, y = batches[i % 8]
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = F.cross_entropy(call(x).flatten(0, 1), y.flatten())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        torch.cuda.synchronize()
        return time.perf_counter() - begun

    run()
    torch.cuda.reset_peak_memory_stats()
    run()
    plain_peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    totals = {True: 0.0, False: 0.0}
    for number in range(blocks + 1):
        for watched in (True, False) if number % 2 else (False, True):
            if watched:
                with tapped(session):
                    took = run()
            else:
                took = run()
            if number:
                totals[watched] += took
    print(
        f"compiled={compiled}: {totals[True] / totals[False]:.4f} of the time without "
        f"({1e3 * totals[False] / blocks / BLOCK:.1f} ms a step), peak memory "
        f"{torch.cuda.max_memory_allocated() / plain_peak:.3f}, failures {session.failures}"
    )


if __name__ == "__main__":
    for compiled in (False, True):
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, compiled)
