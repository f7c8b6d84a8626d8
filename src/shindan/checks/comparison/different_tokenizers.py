"""Losses per token of different vocabularies are held against each other.

A larger vocabulary has longer tokens, each harder to guess, and fewer of them. Only what a loss
costs per byte of the same text can be compared: nats / ln 2 / (bytes per token).
"""

from collections.abc import Iterator

from shindan.core.check import Pairing, check
from shindan.core.evidence.pairs import Facts, Meeting, Pair, Side, other_tokens
from shindan.core.example import Example
from shindan.core.finding import Finding, Measure


@check(
    id="comparison/different-tokenizers",
    kind="cause",
    severity="major",
    grounds="relation",
    pair=Pairing("report0_own", "report0_hf", ("A:vocab_size=30522", "B:vocab_size=32000")),
)
def CHECK(pair: Pair) -> Iterator[Finding]:
    """Vocabularies or tokenizers that differ; converted where bytes per token are known."""
    known = other_tokens(pair.a.facts, pair.b.facts)
    if known is None:
        return
    one, other = known
    measured: dict[str, Measure] = {
        "run_a": pair.a.name, "run_b": pair.b.name, "tokens_a": one, "tokens_b": other,
    }  # fmt: skip
    if pair.per_byte and pair.ends is not None:
        measured |= {"bits_a": pair.ends.a, "bits_b": pair.ends.b}
        yield Finding(measured, severity="info", variant="converted")
    elif not pair.per_byte:
        yield Finding(measured)


def _pair(a: Facts, b: Facts, per_byte: bool = False) -> Pair:
    ends = Meeting("updates", 1000, 1.02, 0.98, 1000, 1000) if per_byte else None
    return Pair(Side("small", a), Side("large", b), ends=ends, per_byte=per_byte)


SICK = (
    Example(
        evidence=(_pair(Facts(vocabulary=32000), Facts(vocabulary=128256)),),
        finds=({"tokens_a": 32000, "tokens_b": 128256},),
    ),
    Example(
        evidence=(
            _pair(
                Facts(tokenizer="gpt2", bytes_per_token=4.5),
                Facts(tokenizer="llama", bytes_per_token=4.1),
                per_byte=True,
            ),
        ),
        finds=({"bits_a": 1.02, "bits_b": 0.98},),
    ),
)
HEALTHY = (
    Example(evidence=(_pair(Facts(vocabulary=32000), Facts(vocabulary=32000)),)),
    # one table rounded up; the same tokenizer, named; unknown on one side
    Example(evidence=(_pair(Facts(vocabulary=50257), Facts(vocabulary=50304)),)),
    Example(
        evidence=(
            _pair(
                Facts(vocabulary=32000, tokenizer="llama"),
                Facts(vocabulary=32256, tokenizer="llama"),
            ),
        )
    ),
    Example(evidence=(_pair(Facts(vocabulary=32000), Facts()),)),
)
