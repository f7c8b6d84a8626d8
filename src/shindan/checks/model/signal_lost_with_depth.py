"""What the input says does not reach the output: every layer passes on a fraction of it.

Convicted by intervention: all input ids are replaced, and the change is followed through the
matrices. Three things together: the head's input moves less than a thousandth of the first
matrix's (six layers at gain 0.32, the report's, leave 1e-3; with residuals or a norm in the stack
the ratio stays between 0.1 and 10, and a head or a branch that starts at zero still gets its full
input); at least four matrices pass on less than 0.7 each (a ReLU layer at gain 1 passes on 0.7 to
1); and the logits move by less than MOVED nats RMS: 0.3 changes predictions by 0.3^2/2 = 0.05 nats,
models that read their input move by 1 or more. A run that has found its way out by its end has only
lost time (minor).
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.signal import SignalPath, SignalRow
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

LOST = 1e-3
FADES, FEWEST = 0.7, 4
MOVED = 0.3


@check(
    id="model/signal-lost-with-depth",
    kind="cause",
    severity="major",
    grounds="intervention",
    explains=(
        "symptom/at-unigram-line",
        "symptom/at-uniform-line",
        "symptom/context-ignored",
        "symptom/loss-flat",
        "symptom/slow-progress",
    ),
    fault=(
        Edit(
            script="window_mlp",
            old='nn.init.kaiming_normal_(module.weight, nonlinearity="relu")',
            new="nn.init.normal_(module.weight, std=0.02)",
        ),
    ),
)
def CHECK(path: SignalPath) -> Iterator[Finding]:
    """Compare what enters the first matrix with what enters the head."""
    names = [r.name for r in path.rows]
    if path.head not in names or path.swing >= MOVED:
        return
    before = path.rows[: names.index(path.head)]
    if not before or before[0].swing_in <= 0:
        return
    head = path.rows[names.index(path.head)]
    fading = [r for r in before if 0 < r.gain < FADES]
    share = head.swing_in / before[0].swing_in
    if share >= LOST or len(fading) < FEWEST:
        return
    gains = sorted(r.gain for r in fading)
    recovered = path.swing_last >= MOVED
    yield Finding(
        measured={
            "share": share,
            "layers": len(fading),
            "gain": gains[len(gains) // 2],
            "swing": path.swing_last,
            "update": path.update,
        },
        where=Where(module=fading[0].name),
        severity="minor" if recovered else None,
        variant="recovered" if recovered else "",
    )


def _path(gains: list[float], swing: float = 1e-9, last: float = 0.01) -> SignalPath:
    """A chain of matrices with these gains, then a head."""
    rows, at = [], 0.02
    for i, gain in enumerate(gains):
        rows.append(SignalRow(f"h.{i}", "Linear", at * gain, at, at * gain))
        at *= gain
    rows.append(SignalRow("head", "Linear", 0.1, at, at * 0.3))
    return SignalPath(2, tuple(rows), "head", swing, 120, last)


_BRANCHES = [SignalRow(f"b.{i}", "Linear", 0.1, 1.0, 0.2) for i in range(8)]
_HEAD = SignalRow("head", "Linear", 0.1, 1.0, 0.2)

SICK = (
    Example(evidence=(_path([0.32] * 12),), finds=({"layers": 12, "update": 2},)),
    Example(evidence=(_path([0.22] * 5),), finds=({"layers": 5},)),
    Example(evidence=(_path([0.16] * 6, last=3.7),), finds=({"swing": 3.7},)),
)
HEALTHY = (
    Example(evidence=(_path([0.95] * 12, swing=0.5, last=2.0),)),
    # Little of the change is left, but the head makes enough of it.
    Example(evidence=(_path([0.32] * 12, swing=0.4, last=1.5),)),
    # A head that starts at zero gets its whole input; nothing moves the logits yet.
    Example(evidence=(_path([0.9] * 6, swing=0.0, last=0.0),)),
    # Small gains in the branches of a residual stack: the head's input keeps its size.
    Example(evidence=(SignalPath(2, (*_BRANCHES, _HEAD), "head", 0.2, 60, 0.25),)),
    Example(evidence=(_path([0.3] * 3),)),
)
