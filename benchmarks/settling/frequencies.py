"""What frequencies alone reach by the protocol of report 4, and when a run does better."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shindan.reference.data import tokenizers
from shindan.reference.recipes.context_vector import ContextVectorSettings, batch, windows
from shindan.reference.recipes.text import kept_tokenizer, training_and_validation
from shindan.reference.train.metrics import Line
from shindan.reference.train.task import IGNORE, Batch

SHARE = 0.1
"""Of the way from the unigram to the bigram line: a run that is so far has left the plateau."""
UPDATES = 100
"""The mean loss over so many: of 32 rows it has a standard deviation of .012 nats on the plateau,
a sixth of what must be gained."""

Pairs = NDArray[np.int64]
"""(labels, 2): the word before, and the label."""


class Lines(NamedTuple):
    """Mean losses (nats a label) of answering by the frequencies of the training labels."""

    training: float
    """Always by the share of each word, on the training labels: their entropy."""
    unigram: float
    """The same on the validation labels."""
    bigram: float
    """Given the word before, on the validation labels (Witten and Bell 1991)."""
    commonest: float
    """How often the commonest label of training is the label, on validation."""

    @property
    def left(self) -> float:
        """The training loss below which a run knows more than frequencies."""
        return self.training - SHARE * (self.unigram - self.bigram)


def lines_of(settings: ContextVectorSettings, folder: Path) -> Lines:
    """The lines of the data that a run has in its folder."""
    tokenizer = kept_tokenizer(folder)
    special = tokenizers.specials(tokenizer)
    learnt, asked = (
        pairs(batch(windows(settings, part, special), special["pad"]))
        for part in training_and_validation(settings, folder, tokenizer)
    )
    return lines(learnt, asked, tokenizers.vocabulary_size(tokenizer))


def pairs(seen: Batch) -> Pairs:
    """What stands before each label that counts, and the label."""
    counts = seen["labels"] != IGNORE
    found: Pairs = np.stack([seen["ids"][counts].numpy(), seen["labels"][counts].numpy()], axis=1)
    return found


def lines(learnt: Pairs, asked: Pairs, words: int) -> Lines:
    """From the pairs of training and of validation, words being numbers below ``words``.

    Every word counts once more than it stands, so that none is impossible.
    """
    joint = np.zeros((words, words))
    np.add.at(joint, (learnt[:, 0], learnt[:, 1]), 1)
    single = joint.sum(axis=0) + 1
    single /= single.sum()
    seen, kinds = joint.sum(axis=1, keepdims=True), (joint > 0).sum(axis=1, keepdims=True)
    after = (joint + kinds * single) / np.maximum(seen + kinds, 1)
    after[seen[:, 0] == 0] = single
    return Lines(
        training=float(-np.log(single[learnt[:, 1]]).mean()),
        unigram=float(-np.log(single[asked[:, 1]]).mean()),
        bigram=float(-np.log(after[asked[:, 0], asked[:, 1]]).mean()),
        commonest=float((asked[:, 1] == single.argmax()).mean()),
    )


def plateau(told: Sequence[Line], line: float) -> int:
    """Updates until the mean loss of the last ones is below the line; all, where it never is."""
    losses = [(int(each["update"]), float(each["loss"])) for each in told]
    for place, (update, _) in enumerate(losses):
        recent = [loss for at, loss in losses[: place + 1] if update - UPDATES < at]
        if update >= UPDATES and sum(recent) / len(recent) < line:
            return update
    return losses[-1][0] if losses else 0


def table(known: Lines) -> str:
    """What frequencies alone reach, as rows of Markdown."""
    rows = [
        "| answering by | loss on validation | perplexity | accuracy % |",
        "|---|---|---|---|",
        f"| the share of each word | {known.unigram:.3f} | {math.exp(known.unigram):.2f} "
        f"| {100 * known.commonest:.2f} |",
        f"| the word before | {known.bigram:.3f} | {math.exp(known.bigram):.2f} | – |",
    ]
    return "\n".join(rows)
