"""How fast the context-vector model of report 4 learns on a GPU, and whether what is fast is right.

    python benchmarks/context_vector.py --speed      # < 90 s on one GPU
    python benchmarks/context_vector.py --page OUT   # tables and curves beside settle.py's

Its 64 positions come one after another, in kernels that take longer to start than to run. Measured
are whole updates (forward, backward, clipping, AdamW) on random words: plain, with the positions
in CUDA graphs, and with the step of one position compiled besides, which is what ``compile=true``
does. The last two are first compared with the plain one, without dropout and in fp64: in fp32 a
unit near zero falls on either side of a ReLU, and 64 positions enlarge what follows to 1e-4.
--page tells what needs no training (the signal by layer, what frequencies alone reach) and draws
what settle.py does not.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

from settling import along, curves, fading, frequencies, report_4
from settling.pages import put

from shindan.reference.data.collate import next_tokens
from shindan.reference.models.context_vector import ContextVectorConfig, ContextVectorLM
from shindan.reference.recipes import context_vector
from shindan.reference.recipes.context_vector import KnownWordsObjective
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.resolve import from_words, given
from shindan.reference.train.task import Batch

SIX = ContextVectorConfig(residual=True, init="scaled")
SIZES = {"six": SIX, "twelve": replace(SIX, context=512, layers=12)}
AS_NEAR = 1e-5
"""Of the plain result: the largest difference of the loss and of each parameter's gradient."""


@dataclass(frozen=True)
class Variant:
    """A way to run the same update."""

    name: str
    precision: str
    graphs: bool = False
    compiled: bool = False


PLAIN = Variant("plain", "fp64")
FASTEST = Variant("compiled step in graphs", "bf16", graphs=True, compiled=True)
VARIANTS = (
    FASTEST,
    Variant("graphs", "bf16", graphs=True),
    replace(FASTEST, precision="tf32"),
    Variant("graphs", "tf32", graphs=True),
    Variant("plain", "tf32"),
)


def main() -> None:
    """Print the differences, then updates per second."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked_for = parser.add_mutually_exclusive_group(required=True)
    asked_for.add_argument("--speed", action="store_true")
    asked_for.add_argument("--page", type=Path, metavar="OUT", help="folder of settle.py's runs")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[2048, 512])
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=85, help="measure no more after")
    asked = parser.parse_args()
    if asked.page:
        pages(asked.page, asked.data.absolute())
        return
    until = time.monotonic() + asked.seconds
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{torch.__version__}, {torch.cuda.get_device_name() if device == 'cuda' else device}")
    batch = random_words(64, asked.length, device)
    for variant in (FASTEST, VARIANTS[1]):
        far = difference(replace(SIX, dropout=0.0), replace(variant, precision="fp64"), batch)
        print(f"{variant.name}: largest difference {far:.1e}, to be below {AS_NEAR:g}", flush=True)
    for size, rows, variant in plan(asked.sizes, asked.batch_sizes):
        if time.monotonic() > until:
            print("time is up")
            break
        told = measured(SIZES[size], variant, random_words(rows, asked.length, device))
        print(f"{size:7} {rows:5} rows, {variant.name:24} {variant.precision}: {told}", flush=True)


def pages(out: Path, data: Path) -> None:
    """What stands beside the tables of docs/findings/report-4.md."""
    place = Path(__file__).parent.parent / "docs/findings"
    page = place / "report-4.md"
    put(page, "signal by layer", fading.table())
    known = frequencies_of(data)
    put(page, "frequencies", frequencies.table(known))
    lines = {"unigram": known.training, "bigram": known.training - known.unigram + known.bigram}
    for size, names in report_4.DRAWN.items():
        folder, drawn = out / f"report_4:{size}", place / f"report-4-{size}-curves.svg"
        if not folder.is_dir():
            continue
        curves.draw(report_4.PLAN, folder, names, lines, drawn)
        put(page, f"{size} curves", f"![training loss, {size}]({drawn.name})")
    put(page, "gpu along", along.table(out / "report_4:gpu", report_4.REAL, range(250, 2001, 250)))
    full, updates = out / "report_4_figure:full", range(500, 2501, 500)
    told = [
        along.table(full, ("six", "twelve"), updates),
        along.gaps(full, "twelve", "six", updates),
        along.losses(full, ("six", "twelve"), updates),
    ]
    put(place / "report-4-figure.md", "full along", "\n".join(told))


def frequencies_of(data: Path) -> frequencies.Lines:
    """Of the protocol at its own size."""
    words = [word.format(data=data) for word in report_4.TEXT]
    with tempfile.TemporaryDirectory() as folder:
        told = given({"output_dir": folder}, "here"), from_words(words)
        layers = [[each for each in layer if each.key != "size"] for layer in told]
        settings = context_vector.RECIPE.resolve("six", *layers).settings
        context_vector.task(settings, Path(folder), Ranks(0, 1, torch.device("cpu")))
        return frequencies.lines_of(settings, Path(folder))


def plan(sizes: list[str], batch_sizes: list[int]) -> Iterator[tuple[str, int, Variant]]:
    """Everything at the first batch size, the fastest alone at the others."""
    for variant in VARIANTS:
        for size in sizes:
            yield size, batch_sizes[0], variant
        if variant is FASTEST:
            for rows in batch_sizes[1:]:
                for size in sizes:
                    yield size, rows, variant


def random_words(rows: int, length: int, device: str) -> Batch:
    """Words of no meaning, and which follows each."""
    ids = torch.randint(4, 1000, (rows, length), generator=torch.Generator().manual_seed(0))
    return {"ids": ids.to(device), "labels": next_tokens(ids, pad=0).to(device)}


def built(config: ContextVectorConfig, variant: Variant) -> KnownWordsObjective:
    """The objective of the recipe, the weights always the same."""
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high" if variant.precision == "tf32" else "highest")
    graphs = variant.graphs and torch.cuda.is_available()
    made = KnownWordsObjective(ContextVectorLM(config), 0.0, 1, graphs=graphs)
    if variant.compiled:
        made.compile()
    dtype = torch.float64 if variant.precision == "fp64" else torch.float32
    return made.to("cuda" if torch.cuda.is_available() else "cpu", dtype).train()


def learnt(objective: KnownWordsObjective, variant: Variant, batch: Batch) -> torch.Tensor:
    """Gradients of the mean loss in place; returns it."""
    low = variant.precision == "bf16"
    with torch.autocast(batch["ids"].device.type, torch.bfloat16, enabled=low):
        loss = objective(batch)["loss"] / batch["labels"].numel()
    loss.backward()
    found: torch.Tensor = loss.detach()
    return found


def difference(config: ContextVectorConfig, variant: Variant, batch: Batch) -> float:
    """The largest, relative to the plain result: of the loss, or of a parameter's gradient."""
    found = []
    for each in (PLAIN, variant):
        objective = built(config, each)
        loss = learnt(objective, each, batch)
        gradients = [p.grad for p in objective.parameters() if p.grad is not None]
        found.append([loss.double(), *(g.double() for g in gradients)])
    return max(float((b - a).norm() / a.norm()) for a, b in zip(*found, strict=True))


def measured(config: ContextVectorConfig, variant: Variant, batch: Batch) -> str:
    """Updates per second, the time until the first was done, the memory."""
    cuda = torch.cuda.is_available()
    objective = built(config, variant)
    parameters = list(objective.parameters())
    optimizer = torch.optim.AdamW(parameters, 1e-4, fused=cuda)

    def update() -> None:
        learnt(objective, variant, batch)
        norm = float(nn.utils.clip_grad_norm_(parameters, 1.0))  # waits, as the loop does
        assert norm > 0
        optimizer.step()
        optimizer.zero_grad()

    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    update()
    first = time.perf_counter() - began
    update()
    done, began = 0, time.perf_counter()
    while done < 100 and time.perf_counter() - began < 2:
        update()
        done += 1
    rate = done / (time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else 0.0
    return f"{rate:6.2f} updates/s, first after {first:.1f} s, {peak:.1f} GiB"


if __name__ == "__main__":
    main()
