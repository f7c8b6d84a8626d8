"""What an untrained masked model of BERT-base's size still knows of its words (report 0).

    python benchmarks/word_share.py [--page]

Of the input to the first layer: its standard deviation, and the share of its variance that tells
words (not positions) apart. And the cosine of each word's embedding with the last hidden state at
its position: what the tied decoder finds of a word that is shown.
"""

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent))

from settling.pages import put

from shindan.reference.models.bert import BertConfig, MaskedLM, vaswani, vaswani_as_reported

REPORTED, ROOT = vaswani_as_reported(), math.sqrt(768)
MODELS = {
    "BERT": BertConfig(),
    "BERT, no embedding LayerNorm": BertConfig(embedding_norm=False),
    "reported": REPORTED,
    "reported, embedding LayerNorm": replace(REPORTED, embedding_norm=True),
    "reported, words x root H": replace(REPORTED, embedding_scale=ROOT),
    "reported, positions x1": replace(REPORTED, position_scale=1.0),
    "reported, both": replace(REPORTED, embedding_scale=ROOT, position_scale=1.0),
    "reported, N(0, 0.02)": replace(REPORTED, init="normal"),
    "Vaswani, right": vaswani(),
}
ROWS, LENGTH = 16, 128


def main() -> None:
    """Print the table, or put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--page", action="store_true", help="into docs/findings/report-0.md")
    text = table()
    if parser.parse_args().page:
        put(Path(__file__).parent.parent / "docs/findings/report-0.md", "word share", text)
    else:
        print(text)


@torch.no_grad()
def table() -> str:
    """One row a model, on random words."""
    rows = [
        "| model, untrained | std of the input | share of words | cosine of word and last state |",
        "|---|---|---|---|",
    ]
    for name, config in MODELS.items():
        torch.manual_seed(0)
        model = MaskedLM(config).eval()
        ids = torch.randint(1000, config.vocab_size, (ROWS, LENGTH))
        given = model.embeddings(ids)
        apart = given - given.mean(0)  # at one position only the words differ
        of_words = apart.square().sum() / ((ROWS - 1) * LENGTH)
        of_all = (given - given.mean((0, 1))).square().sum() / (ROWS * LENGTH - 1)
        kept = F.cosine_similarity(model.embeddings.word(ids), model.encode(ids), dim=-1).mean()
        rows.append(f"| {name} | {given.std():.3f} | {of_words / of_all:.0%} | {kept:.2f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
