"""Freshly initialised weights are frozen in a model that is trained from scratch.

A log shows only that nothing moves at all: an epoch whose losses are those of the epoch before.
"""

import re
from collections.abc import Iterator, Sequence

from shindan.core.check import Edit, check
from shindan.core.evidence.beside import Repeats
from shindan.core.evidence.parameters import ParamLedger, ParamRow
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity, Where

MEANT = re.compile(
    r"teacher|target|ema|momentum|frozen|reference|\bref|oracle|fourier|random|hash|reservoir",
    re.IGNORECASE,
)
"""Parts with such names are still on purpose."""
ADAPTERS = re.compile(r"lora|adapter|prompt|prefix|ia3|soft_|bitfit|vera|dora", re.IGNORECASE)
MOST = 0.5
"""When more than half of the model is frozen, that may well be the plan."""


@check(
    id="optimizer/parameters-frozen",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("2U1/Llama3.2-Vision-Finetune#27",),
    explains=("symptom/slow-progress", "symptom/loss-flat"),
    subsumes=("optimizer/lr-too-low",),
    fault=(
        Edit(
            script="sft_padded",
            old="    num_epochs, warmup_steps = 2, 10\n",
            new="    model.lm_head.requires_grad_(False)\n    num_epochs, warmup_steps = 2, 10\n",
        ),
        Edit(
            script="accumulate_amp",
            old="    matrices = [p for p in model.parameters() if p.ndim >= 2]\n",
            new="    for name, p in model.named_parameters():\n"
            '        p.requires_grad = "tokens" not in name\n'
            "    matrices = [p for p in model.parameters() if p.ndim >= 2]\n",
        ),
    ),
)
def CHECK(ledger: ParamLedger) -> Iterator[Finding]:
    """``requires_grad`` is False, the values are random draws, and their neighbours are trained.

    Loaded weights, computed tables, adapters, teachers and parts trained earlier are left alone.
    A setting that asks for it says that it is meant (info), a script that speaks of freezing that
    it may be (minor): but a head is seldom meant.
    """
    for root in dict.fromkeys(r.root for r in ledger.rows):
        rows = [r for r in ledger.rows if r.root == root]
        trained = [r for r in rows if r.requires_grad and r.moved]
        if not trained or any(ADAPTERS.search(r.name) for r in trained):
            continue
        if any(r.loaded for r in rows):
            continue
        frozen = [r for r in rows if _is_frozen(r)]
        if not frozen:
            continue
        share = _elements(frozen) / _elements(rows)
        severity = _severity(ledger, any(r.head for r in frozen), share)
        yield Finding(
            measured={
                "count": len(frozen),
                "elements": _elements(frozen),
                "share": share,
                "names": tuple(r.name for r in frozen[:4]),
            },
            where=Where(module=frozen[0].name.rpartition(".")[0] or root),
            severity=severity,
        )


@CHECK.also
def from_log(again: Repeats) -> Iterator[Finding]:
    """The losses repeat, figure by figure, with a period of one epoch."""
    if again.same:
        yield Finding(
            {
                "column": again.column,
                "period": again.period,
                "same": again.same,
                "different": again.different,
            },
            severity="minor",
            variant="log",
        )


def _severity(ledger: ParamLedger, head: bool, share: float) -> Severity:
    if ledger.setting:
        return "info"
    meant = share > MOST or (ledger.spoken and not head)
    return "minor" if meant else "major"


def _is_frozen(row: ParamRow) -> bool:
    still = not row.requires_grad and not row.moved and not row.trained_before
    return still and row.random is True and not MEANT.search(f"{row.name} {row.kind}")


def _elements(rows: Sequence[ParamRow]) -> int:
    return sum(r.elements for r in rows)


def _row(name: str, **more: object) -> ParamRow:
    known: dict[str, object] = {"owned": True, "requires_grad": True, "moved": True}
    return ParamRow(name, "GPT", "Linear", (64, 64), "float32", **{**known, **more})  # type: ignore[arg-type]


_STILL = {"requires_grad": False, "moved": False, "random": True}

SICK = (
    Example(
        evidence=(ParamLedger((_row("a.weight"), _row("head.weight", **_STILL)), (), 7, 100),),
        finds=({"count": 1, "share": 0.5, "names": ("head.weight",)},),
    ),
    Example((Repeats("Loss", 8, 6, 6),), finds=({"period": 8, "same": 6},)),
)
HEALTHY = (
    Example((Repeats("Loss"),)),
    Example(evidence=(ParamLedger((_row("a.weight"), _row("b.weight")), (), 7, 100),)),
    # a sinusoidal table
    Example(
        evidence=(
            ParamLedger((_row("a.weight"), _row("pe", **{**_STILL, "random": False})), (), 7, 100),
        )
    ),
    # LoRA on a frozen base
    Example(
        evidence=(ParamLedger((_row("q.lora_A.weight"), _row("q.weight", **_STILL)), (), 7, 100),)
    ),
    # a teacher kept inside the student
    Example(
        evidence=(ParamLedger((_row("a.weight"), _row("teacher.a.weight", **_STILL)), (), 7, 100),)
    ),
    # a loaded body with a new head
    Example(
        evidence=(
            ParamLedger(
                (_row("head.weight"), _row("body.weight", loaded=True, **_STILL)), (), 7, 100
            ),
        )
    ),
)
