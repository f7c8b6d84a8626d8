"""A loss, gradient or weight that is not finite, and where it first arose."""

import math
from collections.abc import Iterator

from shindan.core.check import Edit, Rewrite, check
from shindan.core.evidence.curve import Curve, MicroStep, Update
from shindan.core.evidence.logs import LogFinite, LogScale, NotFinite
from shindan.core.evidence.nonfinite import Event, FirstNonFinite, Operand, Operation
from shindan.core.example import Example
from shindan.core.finding import NOWHERE, Finding, Severity

LASTING = 3
"""So many non-finite losses at the end of the run: it does not come back."""


@check(
    id="symptom/nan",
    kind="symptom",
    severity="critical",
    grounds="ledger",
    refs=("OLMo-core#657", "OpenRLHF#583"),
    fault=Edit(
        script="seqfirst_lm",
        old="        x = self.input_emb(src) * math.sqrt(EMSIZE)",
        new="        x = self.input_emb(src)\n"
        "        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) - 0.004).sqrt()",
    ),
    log=Rewrite("nanogpt", 60, {"loss": float("nan")}),
)
def CHECK(curve: Curve, first: FirstNonFinite | None) -> Iterator[Finding]:
    """Non-finite losses, and gradients that an update was made with."""
    bad = [m for m in curve.micro if not math.isfinite(m.loss)]
    spoilt = [u for u in curve.updates if _spoilt(u)]
    event = first.event if first else None
    if not bad and not spoilt and event is None:
        return
    update = event.update if event else min([m.update for m in bad] + [u.index for u in spoilt])
    last = event.chain[-1] if event and event.chain else None
    losses, of = (event.batches, event.of) if event and event.of else (len(bad), len(curve.micro))
    kept_out = not losses and not spoilt and event is not None and event.harm == "none"
    variants = {"kept_out": kept_out, "traced": last is not None}
    yield Finding(
        measured={
            "update": update,
            "losses": losses,
            "of": of,
            "updates": len(spoilt),
            **({"left_out": event.lost} if event and kept_out else {}),
            "seen_in": event.seen_in if event else ("loss" if bad else "gradient"),
            **({"operation": last.name, "phase": last.phase} if last else {}),
            **({} if last else {"because": event.because if event else ""}),
        },
        where=last.where if last else NOWHERE,
        severity=event.severity if event else _severity(curve),
        variant="_".join(v for v, on in variants.items() if on),
    )


def _spoilt(update: Update) -> bool:
    norm = update.grad_norm
    return not update.skipped and norm is not None and not math.isfinite(norm)


def _severity(curve: Curve) -> Severity:
    tail = curve.micro[-LASTING:]
    return "critical" if all(not math.isfinite(m.loss) for m in tail) else "minor"


@CHECK.also
def from_log(finite: LogFinite, scale: LogScale | None) -> Iterator[Finding]:
    """Losses, evaluations and gradient norms that a log shows as not finite."""
    for broken in finite.broken:
        severity = _of_log(broken, finite, scale is not None)
        if severity is not None:
            yield Finding(
                measured={
                    "column": broken.column,
                    "step": broken.step,
                    "losses": broken.count,
                    "of": broken.of,
                    "lasting": broken.lasting,
                },
                where=broken.where,
                severity=severity,
                variant="log" if broken.lasting else "log_passing",
            )


def _of_log(broken: NotFinite, finite: LogFinite, scaled: bool) -> Severity | None:
    """Critical where it stays; a norm alone that comes and goes is a GradScaler's at work."""
    stays = broken.lasting >= min(LASTING, broken.of)
    if broken.role == "loss":
        return "critical" if stays else "minor"
    if any(b.role == "loss" for b in finite.broken):
        return None  # the same, seen again
    if broken.role == "validation":
        return "major" if broken.count == broken.of else "minor"
    if broken.role == "lr":
        return "minor"
    return "critical" if stays and broken.lasting > LASTING else None if scaled else "info"


def _curve(*losses: float, norm: float = 1.0, skipped: bool = False) -> Curve:
    micro = tuple(MicroStep(i, i, x) for i, x in enumerate(losses))
    updates = tuple(Update(i, 0, (1e-3,), 1, norm, skipped=skipped) for i in range(len(losses)))
    return Curve(micro, updates, total_micro=len(micro), total_updates=len(updates))


_NAN = float("nan")
_SOFTMAX = Operation(
    "softmax", "forward", (Operand((4, 4), "float32", 0.0, 1.0, 16),), None, "model.py", 9
)
SICK = (
    Example(
        evidence=(
            _curve(3.0, _NAN, _NAN),
            FirstNonFinite(Event(1, 1, "loss", (_SOFTMAX,), harm="weights")),
        ),
        finds=({"update": 1, "losses": 2, "operation": "softmax", "phase": "forward"},),
    ),
    Example(evidence=(_curve(3.0, _NAN, _NAN, _NAN),), finds=({"update": 1, "losses": 3},)),
    # the curve was thinned: the probe has counted all
    Example(
        evidence=(
            _curve(3.0, _NAN),
            FirstNonFinite(Event(9, 9, "loss", because="on-gpu", batches=80, of=90)),
        ),
        finds=({"losses": 80, "of": 90, "because": "on-gpu"},),
    ),
    # the script itself looked at the norm and made no update
    Example(
        evidence=(
            _curve(3.0, 2.9, 2.8),
            FirstNonFinite(Event(1, 1, "gradient", (_SOFTMAX,), harm="none", of=3, lost=2)),
        ),
        finds=({"losses": 0, "updates": 0, "left_out": 2, "operation": "softmax"},),
    ),
    Example(
        evidence=(
            _curve(3.0, 2.9, 2.8),
            FirstNonFinite(Event(1, 1, "gradient", because="outside", harm="none", of=3)),
        ),
        finds=({"losses": 0, "updates": 0, "because": "outside"},),
    ),
    Example(evidence=(_curve(3.0, 2.9, norm=_NAN),), finds=({"updates": 2, "losses": 0},)),
    # logs: to the end; come and gone; every evaluation; norms to the end
    Example(
        (LogFinite((NotFinite("loss", "loss", 8, 19, 8, 110.0),)),),
        finds=({"step": 110.0, "losses": 8, "lasting": 8},),
    ),
    Example((LogFinite((NotFinite("loss", "loss", 1, 900, 0, 70.0),)),), finds=({"lasting": 0},)),
    Example(
        (LogFinite((NotFinite("validation", "eval_loss", 7, 7, 7, 5475.0),)),),
        finds=({"column": "eval_loss", "losses": 7},),
    ),
    Example(
        (LogFinite((NotFinite("grad_norm", "grad_norm", 40, 90, 40, 500.0),)),),
        finds=({"column": "grad_norm"},),
    ),
)
HEALTHY = (
    Example(evidence=(_curve(3.0, 2.9, 2.8), FirstNonFinite())),
    # a GradScaler that finds its scale skips updates whose gradients overflow
    Example(evidence=(_curve(3.0, 2.9, norm=float("inf"), skipped=True), FirstNonFinite())),
    Example(
        (
            LogFinite((NotFinite("grad_norm", "grad_norm", 3, 90, 0, 5.0),)),
            LogScale("loss_scale", 90, 65536.0, 65536.0, 4096.0, 0),
        )
    ),
    Example((LogFinite(),)),
)
