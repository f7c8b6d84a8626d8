"""How much of its loss a masked model owes to the order of words (report 0).

    python benchmarks/order_use.py OUT/report_0:cpu [--page]

The words of each validation row change places, masks and labels with them: a model that reads a row
as a bag of words has the same loss as before.
"""

import argparse
import sys
from pathlib import Path
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))

from settling.pages import put
from settling.report_0 import PLAN
from settling.runs import folder_name

from shindan.reference.data import tokenizers
from shindan.reference.data.masking import masking
from shindan.reference.data.order import generator
from shindan.reference.data.rows import SingleRows
from shindan.reference.data.tokens import TokenFile
from shindan.reference.models.bert import MaskedLM
from shindan.reference.recipes.text import in_batches, masked_batch
from shindan.reference.recipes.use import Run, opened
from shindan.reference.train.task import Batch, counted

ROWS = 2048
BATCH = 256


def main() -> None:
    """Print the table, or put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="of the runs, with their weights")
    parser.add_argument("--page", action="store_true", help="into docs/findings/report-0.md")
    asked = parser.parse_args()
    rows = [
        "| arm | seeds | loss | loss, words in another order | of it by order |",
        "|---" * 5 + "|",
    ]
    for arm in PLAN.arms:
        found = sorted(asked.folder.glob(f"{folder_name(arm)}-[0-9]*"))
        losses = [both_losses(opened(path)) for path in found if (path / "done.json").exists()]
        if losses:
            plain, moved = (fmean(column) for column in zip(*losses, strict=True))
            told = f"{plain:.3f} | {moved:.3f} | {moved - plain:.3f}"
            rows.append(f"| {arm} | {len(losses)} | {told} |")
    text = "\n".join(rows)
    if asked.page:
        size = asked.folder.name.partition(":")[2]
        page = Path(__file__).parent.parent / "docs/findings/report-0.md"
        put(page, f"{size} order", text)
    else:
        print(text)


@torch.no_grad()
def both_losses(run: Run) -> tuple[float, float]:
    """Nats per label on the first validation rows, as they are and with their words moved."""
    assert isinstance(run.model, MaskedLM)
    special = tokenizers.specials(run.tokenizer)
    held = TokenFile(run.folder / "validation.tokens", run.tokenizer)
    length = run.settings.length
    rows = SingleRows(held, length, special["begin"], special["end"], whole=True)
    ask = masking(run.tokenizer)
    sums, labels = [0.0, 0.0], 0
    for number, some in zip(range(ROWS // BATCH), in_batches(rows, BATCH), strict=False):
        batch = masked_batch(some, ask, special["pad"], 0, 2, number, length=length)
        for which, each in enumerate((batch, moved(batch, number))):
            logits = run.model(each["ids"], each["mask"]).flatten(0, 1)
            sums[which] += float(F.cross_entropy(logits, each["labels"].flatten(), reduction="sum"))
        labels += counted(batch)
    return sums[0] / labels, sums[1] / labels


def moved(batch: Batch, number: int) -> Batch:
    """The batch with what lies between the first and the last real token in a random order."""
    count_B = batch["mask"].sum(1)
    place_BL = torch.arange(batch["ids"].shape[1]).expand_as(batch["ids"])
    inside_BL = (place_BL > 0) & (place_BL < count_B[:, None] - 1)
    draw_BL: Tensor = torch.rand(place_BL.shape, generator=generator(3, number))
    # Outside keeps its place: [CLS] sorts before every draw, [SEP] and padding behind.
    key_BL = torch.where(inside_BL, draw_BL, place_BL.float() * 2)
    order_BL = key_BL.argsort(1)
    return {name: batch[name].gather(1, order_BL) for name in ("ids", "mask", "labels")}


if __name__ == "__main__":
    main()
