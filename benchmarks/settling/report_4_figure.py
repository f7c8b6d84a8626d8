"""Figure 6: how far the context-vector model comes by the protocol of report 4.

``search`` looks for settings at one seed, on validation as the report did. ``full`` is six layers
against twelve at equal updates with the first settings, which were for too long; ``found`` with the
best that was found. Perplexities are of the weights at the end, in
fp32: none is the best of many evaluations.
"""

import math
from pathlib import Path

import torch

from settling.plan import Plan, Size, Words
from shindan.reference.data import tokenizers
from shindan.reference.data.rows import Documents
from shindan.reference.models.context_vector import ContextVectorLM
from shindan.reference.recipes.context_vector import KnownWordsObjective, batch, windows
from shindan.reference.recipes.text import source, tokens_of
from shindan.reference.recipes.use import Run, opened

RECIPE = "context-vector"
TWELVE: Words = ["model.context=512", "model.layers=12"]
FIRST: Words = ["batch_size=512", "learning_rate=2e-3", "model.dropout=0.1", "weight_decay=0"]
SEARCHED: dict[str, Words] = {
    "512 rows, lr 2e-3": [],
    "512 rows, lr 4e-3": ["learning_rate=4e-3"],
    "512 rows, lr 2e-3, dropout .2": ["model.dropout=0.2"],
    "512 rows, lr 2e-3, decay .1": ["weight_decay=0.1"],
    "512 rows, lr 1e-3": ["learning_rate=1e-3"],
    "2048 rows, lr 4e-3": ["batch_size=2048", "learning_rate=4e-3", "max_updates=1200"],
}
"""One thing beside what the first has."""
FOUND: Words = ["weight_decay=0.1"]


def measure(folder: Path) -> dict[str, float]:
    """Perplexities on validation, as we and as the report take the mean, and on test."""
    run = opened(folder)
    found: dict[str, float] = {}
    valid = Path(run.settings.validation)
    test = valid.with_name(valid.name.replace("valid", "test"))
    for name, file in (("", valid), ("test ", test)):
        documents = tokens_of(
            folder / f"{file.stem}.tokens",
            run.tokenizer,
            lambda file=file: source(run.settings, str(file)),  # type: ignore[misc]
        )
        found |= {name + what: value for what, value in perplexities(run, documents).items()}
    return found


@torch.no_grad()
def perplexities(run: Run, documents: Documents) -> dict[str, float]:
    """Over all labels; as the mean of batches; over labels that are a known word."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    special = tokenizers.specials(run.tokenizer)
    assert isinstance(run.model, ContextVectorLM)
    objective = KnownWordsObjective(run.model, 0.0, special["unk"]).eval().to(device)
    totals = dict.fromkeys(("loss", "accuracy", "known", "nll_known"), 0.0)
    labels, means = 0, []
    for ids in windows(run.settings, documents, special).split(run.settings.evaluation_batch_size):
        asked = {name: value.to(device) for name, value in batch(ids, special["pad"]).items()}
        counted = int((asked["labels"] >= 0).sum())
        sums = {name: float(value) for name, value in objective(asked).items()}
        totals = {name: total + sums[name] for name, total in totals.items()}
        means.append(sums["loss"] / counted)
        labels += counted
    return {
        "perplexity": math.exp(totals["loss"] / labels),
        "perplexity by batches": math.exp(math.fsum(means) / len(means)),
        "perplexity without UNK": math.exp(totals["nll_known"] / totals["known"]),
        "accuracy": 100 * totals["accuracy"] / labels,
    }


WORDS: Words = [
    "size=six", "data={data}/wikitext-2/train.raw.gz", "validation={data}/wikitext-2/valid.raw.gz",
    "unit=line", "warmup_share=0.05", "log_every=50", "evaluate_every=500", *FIRST,
]  # fmt: skip
FAST: Words = ["precision=bf16", "compile=true"]
SEARCH = {name: [RECIPE, *words] for name, words in SEARCHED.items()}
FULL = {"six": [RECIPE], "twelve": [RECIPE, *TWELVE]}

PLAN = Plan(
    question="Below the report's perplexity of 20.1, and are twelve layers no worse than six?",
    arms={**FULL, **SEARCH},
    sizes={
        "search": Size("gpu", [*WORDS, *FAST, "max_updates=1500"], (0,), arms=tuple(SEARCH)),
        "full": Size("gpu", [*WORDS, *FAST, "max_updates=2500"], arms=tuple(FULL)),
        "found": Size("gpu", [*WORDS, *FAST, "max_updates=1500", *FOUND], arms=tuple(FULL)),
    },
    measure=measure,
    against={name: next(iter(SEARCH)) for name in list(SEARCH)[1:]},
    apart=frozenset(list(SEARCH)[:1]),
    beside=(
        "perplexity by batches",
        "perplexity without UNK",
        "accuracy",
        "test perplexity",
        "test perplexity by batches",
        "test perplexity without UNK",
        "test accuracy",
    ),
    once=["model.hidden=8", "model.layers=1"],
)
