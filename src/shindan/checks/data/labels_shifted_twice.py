"""Labels are shifted twice: the model is asked for the token after the next one."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import LagShare, Objective
from shindan.core.example import Example
from shindan.core.finding import Finding

ENOUGH = 100
"""Counted labels below this decide nothing."""


@check(
    id="data/labels-shifted-twice",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=("huggingface/transformers#44642", "huggingface/transformers#47394"),
    explains=("symptom/slow-progress", "symptom/loss-flat", "symptom/at-unigram-line"),
    fault=(
        Edit(
            script="gpt_mingpt",
            old="logits.reshape(-1, logits.size(-1)), targets.reshape(-1))",
            new="logits[:, :-1].reshape(-1, logits.size(-1)), targets[:, 1:].reshape(-1))",
        ),
        Edit(
            script="gpt_plain",
            old="F.cross_entropy(logits.view(-1, vocab_size), targets.view(-1))",
            new="F.cross_entropy("
            "logits[:, :-1].reshape(-1, vocab_size), targets[:, 1:].reshape(-1))",
        ),
        Edit(
            script="sft_padded",
            old='"labels": labels[:MAX_LENGTH]}',
            new='"labels": (labels[1:] + [IGNORE_INDEX])[:MAX_LENGTH]}',
        ),
    ),
)
def CHECK(objective: Objective) -> Iterator[Finding]:
    """Every counted label is an input token two past the last one the prediction sees.

    Exact relation of labels to inputs; where replacing tokens showed how far the model sees, the
    distance is counted from there. Several heads, and decoder inputs beside encoder inputs, were
    read by the loss that is right.
    """
    lag, reach = objective.lag, objective.reach
    if objective.relation not in ("causal", "shifted") or lag is None:
        return
    seen = 0 if reach is None else reach
    if seen > 0 or lag - seen != 2 or objective.counted < ENOUGH:
        return
    share = {s.lag: s for s in objective.lags}
    measured: dict[str, int | float] = {
        "lag": lag,
        "ahead": lag - seen,
        "share": share[lag].share,
        "counted": objective.counted,
    }
    far, following = share[lag].ce, share[lag - 1].ce if lag - 1 in share else None
    if far is None or following is None or not (far == far and following == following):
        yield Finding(measured=measured, where=objective.where)
        return
    measured |= {"loss_far": far, "loss_next": following}
    yield Finding(measured=measured, where=objective.where, variant="scan")


def _lags(next_: float, two: float) -> tuple[LagShare, ...]:
    return (LagShare(0, 0.05, 8000, 3.85), LagShare(1, next_, 8000, 4.18), LagShare(2, two, 8000))


SICK = (
    Example(
        evidence=(Objective("shifted", 2, 0, _lags(0.06, 1.0), 8192, 8192),),
        finds=({"lag": 2, "ahead": 2},),
    ),
    # the model shifts its input itself, and the script the labels
    Example(
        evidence=(Objective("causal", 1, -1, _lags(1.0, 0.06), 8192, 8192),),
        finds=({"lag": 1, "ahead": 2, "loss_next": 3.85},),
    ),
)
HEALTHY = (
    Example(evidence=(Objective("causal", 1, 0, _lags(1.0, 0.06), 8192, 8192),)),
    # the model shifts its input itself, the labels are not shifted
    Example(evidence=(Objective("copied", 0, -1, _lags(0.06, 0.06), 8192, 8192),)),
    # too little to say
    Example(evidence=(Objective("shifted", 2, 0, _lags(0.06, 1.0), 40, 40),)),
)
