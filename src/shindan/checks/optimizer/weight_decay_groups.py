"""Weight decay reaches what the groups were made to spare, or spares what it should reach."""

from collections.abc import Iterator, Sequence

from shindan.core.check import Edit, check
from shindan.core.evidence.parameters import OptimizerRow, ParamLedger, ParamRow
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

DEFAULT = 0.01
"""AdamW's own weight decay: with it nobody has asked for anything."""
TRAVEL = 0.2
"""Sum of LR times decay from which a gain without gradient has lost 1 - exp(-0.2) = 18 %."""


@check(
    id="optimizer/weight-decay-groups",
    kind="risk",
    severity="minor",
    grounds="ledger",
    refs=(
        "transformers#16908",
        "DeepSpeedExamples#755",
        "Fast-LLM#542",
        "Megatron-DeepSpeed#262",
        "lit-llama#254",
        "transformers#4832",
    ),
    explains=("symptom/slow-progress",),
    fault=(
        Edit(
            script="gpt_plain",
            old='    {"params": no_decay, "weight_decay": 0.0},',
            new='    {"params": no_decay, "weight_decay": weight_decay},',
        ),
        Edit(
            script="bert_mlm",
            old="    optimizer = torch.optim.AdamW(\n",
            new="    named = model.named_parameters()\n"
            '    vectors = [p for n, p in named if "LayerNorm" in n or "bias" in n]\n'
            "    known = {id(p) for p in vectors}\n"
            "    matrices = [p for p in model.parameters() if id(p) not in known]\n"
            "    optimizer = torch.optim.AdamW(\n",
        ),
    ),
)
def CHECK(ledger: ParamLedger) -> Iterator[Finding]:
    """The author's own groups, held against what is in them.

    One AdamW over everything is a choice: told (info) only when somebody asked for more than the
    default and it really shrinks the gains.
    """
    for optimizer in ledger.optimizers:
        rows = [r for r in ledger.rows if r.optimizer == optimizer.number and r.requires_grad]
        vectors = [r for r in rows if len(r.shape) <= 1]
        decayed = [r for r in vectors if r.weight_decay > 0]
        if len(optimizer.weight_decays) > 1:
            yield from _vectors(vectors, decayed, rows)
            yield from _matrices(rows)
        elif decayed and _asked_for_much(optimizer):
            yield _finding(decayed, len(vectors), "everything", "info")


def _vectors(
    vectors: Sequence[ParamRow], decayed: Sequence[ParamRow], rows: Sequence[ParamRow]
) -> Iterator[Finding]:
    """Some gains spared and others not; or a group of nothing but vectors, and decayed."""
    if not decayed:
        return
    missed = len(decayed) < len(vectors)
    groups = {r.group for r in decayed}
    own_group = not any(r.group in groups for r in rows if len(r.shape) > 1)
    if missed or own_group:
        yield _finding(decayed, len(vectors), "missed" if missed else "", "minor")


def _matrices(rows: Sequence[ParamRow]) -> Iterator[Finding]:
    """Linear layers left without decay beside linear layers that have it."""
    linear = [r for r in rows if len(r.shape) == 2 and "Embedding" not in r.kind]
    spared = [r for r in linear if r.weight_decay == 0 and not _outer(r)]
    decayed = [r for r in linear if r.weight_decay > 0]
    if len(spared) >= 2 and decayed:
        yield _finding(spared, len(linear), "spared", "minor")


def _outer(row: ParamRow) -> bool:
    """Heads, embeddings and biases of two dimensions are spared by choice."""
    words = ("embed", "head", "output", "bias", "pos", "token", "lora", "classifier", "decoder")
    return any(w in row.name.lower() for w in words)


def _asked_for_much(optimizer: OptimizerRow) -> bool:
    return max(optimizer.weight_decays) > DEFAULT and optimizer.decay_travel >= TRAVEL


def _finding(rows: Sequence[ParamRow], of: int, variant: str, severity: str) -> Finding:
    return Finding(
        measured={
            "count": len(rows),
            "of": of,
            "weight_decay": max(r.weight_decay for r in rows),
            "names": tuple(r.name for r in rows[:4]),
        },
        where=Where(module=rows[0].name.rpartition(".")[0] or rows[0].root),
        severity="info" if severity == "info" else "minor",
        variant=variant,
    )


def _row(name: str, decay: float, group: int, shape: tuple[int, ...] = (64,)) -> ParamRow:
    return ParamRow(name, "GPT", "Linear", shape, "float32", True, True, 0, group, decay)


_W = (64, 64)
_TWO = OptimizerRow(0, "AdamW", True, 1e-8, 9000, 100, (0.1, 0.0), 0.04)
_ONE = OptimizerRow(0, "AdamW", True, 1e-8, 9000, 100, (0.1,), 0.04)

SICK = (
    Example(
        evidence=(
            ParamLedger(
                (_row("a.weight", 0.1, 0, _W), _row("ln.weight", 0.1, 0), _row("a.bias", 0.0, 1)),
                (_TWO,),
                7,
                100,
            ),
        ),
        finds=({"count": 1, "of": 2, "weight_decay": 0.1},),
    ),
    Example(
        evidence=(
            ParamLedger(
                (
                    _row("a.weight", 0.1, 0, _W),
                    _row("b.weight", 0.0, 1, _W),
                    _row("c.weight", 0.0, 1, _W),
                ),
                (_TWO,),
                7,
                100,
            ),
        ),
        finds=({"count": 2, "of": 3},),
    ),
)
HEALTHY = (
    Example(
        evidence=(
            ParamLedger((_row("a.weight", 0.1, 0, _W), _row("a.bias", 0.0, 1)), (_TWO,), 7, 100),
        )
    ),
    # one AdamW over everything, as many do
    Example(
        evidence=(
            ParamLedger((_row("a.weight", 0.1, 0, _W), _row("a.bias", 0.1, 0)), (_ONE,), 7, 100),
        )
    ),
)
