"""Labels are the token at the prediction's own position: the model learns to copy."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.labels import LagShare, Objective
from shindan.core.example import Example
from shindan.core.finding import Finding

ENOUGH = 100
"""Counted labels below this decide nothing."""


@check(
    id="data/labels-not-shifted",
    kind="cause",
    severity="critical",
    grounds="intervention",
    refs=("huggingface/transformers#35066", "mosaicml/llm-foundry#288"),
    explains=("symptom/below-entropy-floor",),
    fault=(
        Edit(
            script="gpt_plain",
            old="torch.from_numpy(rows[:, 1:])",
            new="torch.from_numpy(rows[:, :-1])",
        ),
        Edit(script="gpt_mingpt", old="doc[:-1], doc[1:]", new="doc[:-1], doc[:-1]"),
        Edit(
            script="seqfirst_lm",
            old="target = source[i + 1 : i + 1 + BPTT]",
            new="target = source[i : i + BPTT]",
        ),
        Edit(
            script="sft_padded",
            old="shift_labels = labels[:, 1:]",
            new="shift_labels = labels[:, :-1]",
        ),
    ),
)
def CHECK(objective: Objective) -> Iterator[Finding]:
    """Every counted label equals an input token whose replacement moves that very prediction.

    Exact relation and intervention, so no number decides: an encoder (sees the future) and a
    model that shifts its input itself (does not see its own position) are not meant.
    """
    lag, reach = objective.lag, objective.reach
    if objective.relation not in ("copied", "shifted") or lag is None or reach is None:
        return
    if reach <= 0 and lag <= reach and objective.counted >= ENOUGH:
        share = {s.lag: s for s in objective.lags}
        measured: dict[str, int | float] = {
            "lag": lag,
            "share": share[lag].share,
            "counted": objective.counted,
        }
        same, following = share[lag].ce, share[1].ce if 1 in share else None
        if same is None or following is None or not (same == same and following == following):
            yield Finding(measured=measured, where=objective.where)
            return
        measured |= {"loss_here": same, "loss_next": following}
        yield Finding(measured=measured, where=objective.where, variant="scan")


def _lags(here: float, next_: float) -> tuple[LagShare, ...]:
    return (LagShare(0, here, 8000, 0.01), LagShare(1, next_, 8000, 9.3))


SICK = (
    Example(
        evidence=(Objective("copied", 0, 0, _lags(1.0, 0.06), 8192, 8192),),
        finds=({"lag": 0, "share": 1.0, "loss_next": 9.3},),
    ),
    Example(
        evidence=(Objective("copied", 0, 0, (LagShare(0, 1.0, 900),), 900, 900),),
        finds=({"lag": 0},),
    ),
)
HEALTHY = (
    # a causal model
    Example(evidence=(Objective("causal", 1, 0, _lags(0.06, 1.0), 8192, 8192),)),
    # the model shifts its own input (image GPT, T5): it does not see the token at its position
    Example(evidence=(Objective("copied", 0, -1, _lags(1.0, 0.06), 8192, 8192),)),
    # an auto-encoder
    Example(evidence=(Objective("copied", 0, 2, _lags(1.0, 0.06), 8192, 8192),)),
    # nothing could be replayed
    Example(evidence=(Objective("copied", 0, None, _lags(1.0, 0.06), 8192, 8192),)),
    # a masked language model: lag 0 is right
    Example(evidence=(Objective("masked", 0, 2, _lags(0.1, 0.06), 8192, 1200),)),
)
