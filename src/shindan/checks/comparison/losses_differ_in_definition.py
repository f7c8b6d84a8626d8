"""Two losses of different definition are held against each other.

A mean of the whole run lies above the mean of its last epoch by all that was learnt in between; a
loss over masked positions, a sum, or one that counts padding is another quantity. Where both logs
allow the same reading, the finding is major only if it turns the order round; means of a step and
of an epoch that agree in their order accuse nobody.

Within one log, a training loss that is a multiple of the validation loss (or of the logarithm of
the perplexity beside it) at every evaluation is a sum where the other is a mean, by nothing else
that raises a training loss (``logs/twomeans.py``): so was Hugging Face's under gradient
accumulation for a while. It is minor: the optimizer may have seen the right one.
"""

from collections.abc import Iterator

from shindan.core.check import Pairing, check
from shindan.core.evidence.beside import TwoMeans
from shindan.core.evidence.pairs import Facts, Pair, Quoted, Side, other_quantity
from shindan.core.example import Example
from shindan.core.finding import Finding, Measure, Severity


@check(
    id="comparison/losses-differ-in-definition",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=("transformers#35204", "transformers#35207", "transformers#35438"),
    pair=Pairing("report0_own", "report0_hf"),
)
def CHECK(pair: Pair) -> Iterator[Finding]:
    """What each loss is quoted as, what it counts, and both read alike."""
    names: dict[str, Measure] = {"run_a": pair.a.name, "run_b": pair.b.name}
    for what in other_quantity(pair.a.facts, pair.b.facts):
        one, other = getattr(pair.a.facts, what), getattr(pair.b.facts, what)
        yield Finding({**names, "what": what, "one": one, "other": other}, variant="counted")
    a, b = pair.a.quoted, pair.b.quoted
    if a is None or b is None or (a.over, a.of) == (b.over, b.of):
        return
    measured = {**names, "quoted_a": a.value, "over_a": a.over, "of_a": a.of,
                "quoted_b": b.value, "over_b": b.over, "of_b": b.of}  # fmt: skip
    if pair.alike is None:
        yield Finding(measured, variant="apart")
        return
    one, other = pair.alike
    reversed_ = (a.value - b.value) * (one.value - other.value) < 0
    if reversed_ or "run" in (a.over, b.over) or "running" in (a.over, b.over):
        alike = {"read_a": one.value, "read_b": other.value, "read_as": one.over}
        severity: Severity | None = None if reversed_ else "info"
        yield Finding(
            {**measured, **alike}, severity=severity, variant="turned" if reversed_ else ""
        )


@CHECK.also
def from_log(means: TwoMeans) -> Iterator[Finding]:
    """Two columns of one log that ought to be one quantity.

    Of validation losses that are sums over a set, as Marian and Joey NMT write them, it is only
    worth knowing.
    """
    if means.how:
        by_design = means.how == "above" and means.b > means.a
        yield Finding(
            {
                "column": means.one,
                "other": means.other,
                "ratio": means.ratio,
                "low": means.low,
                "high": means.high,
                "points": means.points,
                "last": means.a,
                "beside": means.b,
            },
            severity="info" if by_design else "minor",
            variant=means.how,
        )


def _side(name: str, *readings: tuple[float, str], quoted: int = 0, **facts: str) -> Side:
    made = tuple(Quoted(v, over, "training") for v, over in readings)  # type: ignore[arg-type]
    return Side(name, Facts(**facts), made[quoted], made)  # type: ignore[arg-type]


_OWN = _side("own", (4.918, "epoch"), (5.806, "run"))
SICK = (
    *(
        Example(
            (TwoMeans(how, "loss", "eval_loss", 6, 16.9, 16.5, 18.5, 5.02, 0.304),),
            finds=({"ratio": 16.9, "points": 6},),
        )
        for how in ("sum", "above", "part", "perplexity")
    ),
    # report 0: the last epoch against Hugging Face's mean of the whole run
    Example(
        evidence=(Pair(_OWN, _side("hf", (4.75, "epoch"), (5.758, "run"), quoted=1)),),
        finds=({"quoted_a": 4.918, "quoted_b": 5.758, "read_a": 4.918, "read_b": 4.75},),
    ),
    Example(
        evidence=(Pair(_side("own", (4.918, "epoch")), _side("hf", (5.758, "run"))),),
        finds=({"over_a": "epoch", "over_b": "run"},),
    ),
    Example(
        evidence=(
            Pair(
                _side("mlm", (2.1, "step"), positions="masked"),
                _side("clm", (3.2, "step"), positions="all"),
            ),
        ),
        finds=({"one": "masked", "other": "all"},),
    ),
    Example(
        evidence=(
            Pair(
                _side("sft", (2.1, "step"), objective="language"),
                _side("dpo", (0.6, "step"), objective="reward"),
            ),
        ),
        finds=({"what": "objective", "one": "language", "other": "reward"},),
    ),
)
HEALTHY = (
    Example((TwoMeans("", "loss", "eval_loss", 20, 1.1, 0.9, 1.4, 0.7, 0.6),)),
    Example(evidence=(Pair(_OWN, _side("other seed", (4.91, "epoch"), (5.81, "run"))),)),
    # finer on one side, in the same order
    Example(evidence=(Pair(_OWN, _side("better", (4.0, "step"), (4.2, "epoch"))),)),
    # no loss at all on one side
    Example(evidence=(Pair(_OWN, Side("nothing", Facts())),)),
)
