"""The perplexity that is told is the mean of the batches' perplexities."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.perplexity import Perplexities, ToldPerplexity
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity

APART = 3.0
"""Distance from the true value, in units of what the printed digits leave open."""
MATTERS = 0.01
"""Relative error from which on the figure is another one (two digits)."""


@check(
    id="evaluation/perplexity-averaged-wrongly",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=("keras-hub#2958", "neuralconvo#67", "ParlAI#623", "reformer-pytorch#147"),
    fault=(
        Edit(
            script="sft_padded",
            old="        total_nll += model(**batch).loss.item() * n_tokens\n"
            "        total_tokens += n_tokens\n"
            "    model.train()\n",
            new="        rows = [{k: v[i : i + 1] for k, v in batch.items()} for i in range(8)]\n"
            "        ppls = [model(**row).loss.exp().item() for row in rows]\n"
            "        print(f'perplexity {sum(ppls) / 8:.4f}')\n"
            "        total_nll, total_tokens = total_nll + sum(ppls), total_tokens + 8\n"
            "        break\n"
            "    model.train()\n",
        ),
    ),
)
def CHECK(perplexities: Perplexities) -> Iterator[Finding]:
    """Digit for digit another average than the one over labels, and that one is apart from it.

    The mean of the batches' losses is common practice: a remark, where it matters.
    """
    for told in perplexities.told:
        error = told.value / told.tokens - 1
        if abs(told.value - told.tokens) <= APART * told.slack or abs(error) < MATTERS:
            continue
        variant = _average(told)
        if variant is not None:
            severity: Severity | None = "info" if variant == "losses" else None
            yield Finding(
                {
                    "value": told.value,
                    "right": told.tokens,
                    "error": error,
                    "batches": told.batches,
                },
                told.where,
                severity,
                variant=variant,
            )
            return


def _average(told: ToldPerplexity) -> str | None:
    if abs(told.value - told.batch_perplexities) <= told.slack:
        return "" if told.batch_perplexities != told.batch_losses else None
    return "losses" if abs(told.value - told.batch_losses) <= told.slack else None


def _told(value: float) -> Perplexities:
    return Perplexities((ToldPerplexity(value, 0.005, 16, 6.05, 6.22, 6.4531),))


SICK = (
    Example(evidence=(_told(6.45),), finds=({"value": 6.45, "right": 6.05, "batches": 16},)),
    Example(evidence=(_told(6.22),), finds=({"value": 6.22, "right": 6.05},)),
)
HEALTHY = (
    Example(evidence=(_told(6.05),)),
    # something else, of which nothing is known
    Example(evidence=(_told(5.4),)),
    # batches of equal length and difficulty: every average is the same
    Example(evidence=(Perplexities((ToldPerplexity(6.06, 0.005, 16, 6.05, 6.05, 6.06),)),)),
)
