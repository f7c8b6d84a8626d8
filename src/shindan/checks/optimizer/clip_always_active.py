"""The clipping limit is far below every gradient."""

from collections.abc import Iterator

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.beside import FarNorms
from shindan.core.evidence.clipping import Clipping, ClipRow
from shindan.core.evidence.curve import Curve, Update
from shindan.core.evidence.logs import LogClip
from shindan.core.evidence.parameters import OptimizerRow, ParamLedger
from shindan.core.evidence.steptest import StepPoint, StepTest
from shindan.core.example import Example
from shindan.core.finding import NOWHERE, Finding
from shindan.core.steplengths import at_height, too_short

LEAST_CALLS = 10
ACTIVE = 0.95
FACTOR = 10.0
OFTEN = 0.5
"""Share of a log's norms above the limit from which that is worth knowing."""
SHORT = 0.5
"""Share of looks at which the clipped step is too short by the step test."""


@check(
    id="optimizer/clip-always-active",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("senpai#1287", "deepspeed#7220"),
    explains=("symptom/slow-progress", "symptom/loss-flat", "symptom/undertrained"),
    fault=(
        Edit(
            script="seqfirst_lm",
            old="CLIP, MAX_WORDS = 4, 0.7, 0.1, 1.0, 150",
            new="CLIP, MAX_WORDS = 4, 0.7, 0.1, 0.001, 150",
        ),
        Edit(
            script="gpt_plain",
            old="learning_rate, min_lr, weight_decay, grad_clip = 6e-3, 6e-4, 0.1, 1.0",
            new="learning_rate, min_lr, weight_decay, grad_clip = 6e-3, 6e-4, 0.1, 1e-7",
        ),
    ),
    log=Rewrite("controlled", 0, {"grad_norm_raw": 40.0}),
)
def CHECK(
    clipping: Clipping, ledger: ParamLedger, test: StepTest | None, curve: Curve
) -> Iterator[Finding]:
    """Nearly every gradient is cut to a small part of itself, and the steps suffer.

    Adam does not feel a constant factor until the clipped gradients fall below its eps; SGD's
    steps must prove too short (ten and a hundred times as far gains in proportion).
    """
    if not ledger.optimizers:
        return
    main = max(ledger.optimizers, key=lambda o: o.elements)
    for row in clipping.rows:
        if row.by_value or row.calls < LEAST_CALLS or row.active < ACTIVE or row.factor < FACTOR:
            continue
        rms = row.limit / max(main.elements, 1) ** 0.5
        drowned = main.scale_free and main.eps > 0 and rms < main.eps < rms * row.factor
        if drowned or (not main.scale_free and _short(test, curve)):
            yield Finding(
                measured={
                    "limit": row.limit,
                    "norm": row.norm,
                    "factor": row.factor,
                    "active": row.active,
                    "rms": rms,
                    "eps": main.eps,
                },
                where=row.where,
                variant="eps" if drowned else "",
            )


@CHECK.also
def from_log(clip: LogClip) -> Iterator[Finding]:
    """How often a log's norms are above their limit, and whether they are those before clipping.

    Worth knowing, and no more: under Adam always clipping is harmless, and a log shows neither
    the optimizer's state nor what a longer step would have done.
    """
    often = clip.active >= OFTEN * clip.rows
    if not often and not (clip.same and clip.above):
        return
    yield Finding(
        measured={
            "active": clip.active / clip.rows,
            "count": clip.active,
            "of": clip.rows,
            "limit": clip.limit,
            "norm": clip.norm,
            "column": clip.column,
            "above": clip.above,
            **({} if clip.bound is None else {"bound": clip.bound}),
        },
        where=clip.where,
        severity="info",
        variant="raw" if clip.same and clip.above else "after" if clip.after else "log",
    )


@CHECK.also
def by_default(norms: FarNorms) -> Iterator[Finding]:
    """Norms of a log without a limit, all far above the one its writer takes by default."""
    yield Finding(
        measured={
            "column": norms.column,
            "of": norms.rows,
            "lowest": norms.lowest,
            "norm": norms.norm,
            "limit": norms.default,
        },
        severity="info",
        variant="far",
    )


def _short(test: StepTest | None, curve: Curve) -> bool:
    looks = at_height(test.points, curve) if test is not None else []
    return bool(looks) and sum(map(too_short, looks)) >= SHORT * len(looks)


_UPDATES = tuple(Update(i, 0, (1.0,), 1) for i in range(100))
_CURVE = Curve((), _UPDATES, (), 100, 100)
_SGD = ParamLedger((), (OptimizerRow(0, "SGD", False, 0.0, 90_000, 100, (0.0,), 0.0),), 7, 100)
_ADAM = ParamLedger((), (OptimizerRow(0, "Adam", True, 1e-8, 90_000, 100, (0.0,), 0.0),), 7, 100)
_TIGHT = ClipRow(NOWHERE, 0.01, False, 100, 0, 1.0, 1.0, 120.0, 1.2)
_TINY = ClipRow(NOWHERE, 1e-7, False, 100, 0, 1.0, 1.0, 1.2e7, 1.2)
_SHORT_STEPS = StepTest((StepPoint(20, 1.0, 3.2, 3.19992, 3.1992, 3.192, 3.12),))
_FINE_STEPS = StepTest((StepPoint(20, 1.0, 3.2, 3.19, 3.11, 3.3, 9.0),))

SICK = (
    Example((FarNorms("grad_norm", 700, 4.2e4, 2.0e5, 1.0),), finds=({"lowest": 4.2e4},)),
    Example(
        evidence=(Clipping((_TIGHT,)), _SGD, _SHORT_STEPS, _CURVE),
        finds=({"limit": 0.01, "factor": 120.0},),
    ),
    Example(evidence=(Clipping((_TINY,)), _ADAM, _CURVE), finds=({"eps": 1e-8},)),
    Example(
        (LogClip("raw", 62, 1.4, 3.7, 1.0, "grad_clip", 49, "raw", True, 47, 0.29),),
        finds=({"count": 49, "of": 62},),
    ),
    Example(
        (LogClip("raw", 62, 14.0, 20.0, 1.0, "grad_clip", 62, "raw"),), finds=({"active": 1.0},)
    ),
    Example(
        (LogClip("grad_norm", 62, 1.0, 1.0, 1.0, "grad_clip", 50, after=True),),
        finds=({"count": 50, "of": 62},),
    ),
)
HEALTHY = (
    # SGD with a large LR and a tight limit, as in word_language_model
    Example(evidence=(Clipping((_TIGHT,)), _SGD, _FINE_STEPS, _CURVE)),
    # a log that is clipped now and then, and one whose clipped norm is
    Example((LogClip("grad_norm", 62, 0.7, 3.7, 1.0, "max_grad_norm", 9),)),
    Example((LogClip("raw", 62, 0.7, 3.7, 1.0, "max_grad_norm", 9, "raw", False, 0),)),
    # always clipped at 1.0 under Adam
    Example(evidence=(Clipping((_TIGHT,)), _ADAM, _SHORT_STEPS, _CURVE)),
)
