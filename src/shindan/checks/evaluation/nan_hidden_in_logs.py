"""A log whose writer shows another number where the loss was NaN.

Hugging Face's Trainer (``logging_nan_inf_filter``, on by default) adds the mean of what it has
gathered since the last log in place of a loss that is not finite; where all losses since then
are not, that is exactly 0. Other loggers keep a running mean of the finite ones, which then
repeats itself to the last figure. A loss that truly goes to zero passes through small values
first (``logs/finite.py``: at once, for three rows or more, to the end).
"""

from collections.abc import Iterator

from shindan.core.check import Rewrite, check
from shindan.core.evidence.logs import Hidden, LogColumns, LogFinite, NotFinite, Role
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity


@check(
    id="evaluation/nan-hidden-in-logs",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=("transformers#28122", "transformers#10362"),
    explains=("symptom/loss-flat",),
    log=(
        Rewrite("hf_trainer", 90, {"loss": 0.0, "grad_norm": float("nan")}),
        Rewrite("hf_trainer", 90, {"loss": 0.0, "grad_norm": 0.0}),
    ),
)
def CHECK(finite: LogFinite, columns: LogColumns) -> Iterator[Finding]:
    """Losses that stand still at once and for good, and what the gradient norms say of it."""
    for hidden in finite.hidden:
        yield Finding(
            measured={
                "column": hidden.column,
                "step": hidden.step,
                "count": hidden.count,
                "before": hidden.before,
            },
            where=hidden.where,
            severity=_severity(hidden),
            variant=_variant(hidden),
        )
    shown = finite.hidden or finite.broken
    if columns.hides_nan and not shown and columns.of("grad_norm") is None:
        yield Finding({"format": columns.format}, severity="info", variant="unknown")


def _severity(hidden: Hidden) -> Severity:
    """A mean that repeats itself while gradients flow may be a logger that was not fed."""
    if hidden.how == "zero" or hidden.norms == "nonfinite":
        return "critical" if hidden.norms != "unknown" else "major"
    return "minor"


def _variant(hidden: Hidden) -> str:
    if hidden.how == "frozen":
        return "frozen"
    return (
        "" if hidden.norms == "nonfinite" else "no_gradient" if hidden.norms == "zero" else "zero"
    )


def _log(how: str, norms: str) -> tuple[LogFinite, LogColumns]:
    hidden = Hidden("zero" if how == "zero" else "frozen", "loss", 900.0, 10, 2.3, norms)
    return LogFinite((), (hidden,), 100), _columns("grad_norm")


def _columns(*roles: str, form: str = "hf-trainer-state") -> LogColumns:
    found = tuple(Role(role, role) for role in ("loss", *roles))
    return LogColumns(form, 100, found, hides_nan=form.startswith("hf"))


SICK = (
    Example(_log("zero", "nonfinite"), finds=({"step": 900.0, "count": 10, "before": 2.3},)),
    Example(_log("zero", "zero"), finds=({"count": 10},)),
    Example(_log("zero", "unknown"), finds=({"count": 10},)),
    Example(_log("frozen", "nonfinite"), finds=({"count": 10},)),
    Example((LogFinite(of=100), _columns()), finds=({"format": "hf-trainer-state"},)),
)
HEALTHY = (
    Example((LogFinite(of=100), _columns("grad_norm"))),
    Example((LogFinite(of=100), _columns(form="csv"))),
    # a NaN that is seen is not hidden
    Example((LogFinite((NotFinite("loss", "loss", 1, 9, 0, 5.0),)), _columns())),
)
