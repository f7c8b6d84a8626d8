"""Parameters that get gradients belong to no optimizer."""

from collections.abc import Iterator, Sequence

from shindan.core.check import Edit, check
from shindan.core.evidence.parameters import OptimizerRow, ParamLedger, ParamRow
from shindan.core.example import Example
from shindan.core.finding import Finding, Severity, Where

LEAST_UPDATES = 4
MOST = 0.9
"""Above this share of a model's elements, leaving them out looks meant (a probe, prompts)."""
DRAWN = 0.75
"""Share of its matrices that must look freshly drawn (each test errs once in a hundred)."""


@check(
    id="optimizer/parameters-missing",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=(
        "zjunlp/HVPNeT#5",
        "hustzxd/EfficientPyTorch#1",
        "opacus#432",
        "pytorch#14467",
        "Srameo/LED#23",
    ),
    explains=("symptom/slow-progress", "symptom/loss-flat"),
    subsumes=("optimizer/lr-too-low",),
    fault=(
        Edit(
            script="gpt_plain",
            old="no_decay = [p for p in model.parameters() if p.dim() < 2]",
            new="no_decay = [p for p in model.h[0].parameters() if p.dim() < 2]",
        ),
        Edit(
            script="left_padded",
            old="torch.optim.Adam(model.parameters(), lr=5e-3)",
            new="torch.optim.Adam(model.layers.parameters(), lr=5e-3)",
        ),
        Edit(
            script="gpt_mingpt",
            old="    trainer.run()\n",
            new="    trainer.model.head = nn.Linear(config.n_embd, ToyDataset.vocab_size)\n"
            "    trainer.run()\n",
        ),
    ),
)
def CHECK(ledger: ParamLedger) -> Iterator[Finding]:
    """Trainable, with gradients, never in an optimizer that stepped, and bitwise unmoved."""
    if ledger.updates < LEAST_UPDATES or ledger.censuses < 2:
        return
    roots = dict.fromkeys(r.root for r in ledger.rows)
    trained = {n: _elements([r for r in ledger.rows if r.root == n and r.moved]) for n in roots}
    for root in roots:
        rows = [r for r in ledger.rows if r.root == root]
        missing = [r for r in rows if _is_missing(r)]
        if not missing:
            continue
        share = _elements(missing) / _elements(rows)
        replaced = _replaced(missing, ledger.optimizers)
        severity = _severity(missing, share, trained[root], max(trained.values()))
        if replaced == len(missing) and trained[root] == 0:
            severity = "critical"  # the optimizer has another copy of the whole model
        if severity is None:
            continue
        yield Finding(
            measured={
                "count": len(missing),
                "elements": _elements(missing),
                "share": share,
                "names": tuple(r.name for r in missing[:4]),
                "updates": ledger.updates,
                "strangers": replaced,
            },
            where=Where(module=missing[0].name.rpartition(".")[0] or root),
            severity=severity,
            variant="replaced" if replaced else "",
        )


def _is_missing(row: ParamRow) -> bool:
    free = not row.owned and not row.trained_before and not row.moved
    return free and row.requires_grad and row.grad == "nonzero"


def _severity(
    missing: Sequence[ParamRow], share: float, trained_here: int, trained_most: int
) -> Severity | None:
    """Loaded weights are left out on purpose in probes; a whole model when it is not ours."""
    if trained_here == 0:
        ours = _elements(missing) < trained_most or _meant_to_learn(missing)
        return "major" if ours and not any(r.loaded for r in missing) else None
    if all(r.loaded for r in missing):
        return "minor" if share < 0.5 else None
    return "major" if share <= MOST else "minor"


def _meant_to_learn(missing: Sequence[ParamRow]) -> bool:
    """In training mode it answers to labels, and its weights are still an initialiser's draws.

    So it is no teacher, no base of prompts and no model of an earlier phase, however filled. (A
    table with a law of its own, or one draw in a hundred, fails the test of randomness.)
    """
    tested = [r for r in missing if r.random is not None]
    drawn = sum(r.random is True for r in tested)
    return all(r.answers for r in missing) and drawn > 0 and drawn >= DRAWN * len(tested)


def _replaced(missing: Sequence[ParamRow], optimizers: Sequence[OptimizerRow]) -> int:
    """How many missing parameters have a dead double of the same shape in an optimizer."""
    shapes = [s for o in optimizers for s in o.strangers]
    return sum(r.shape in shapes for r in missing)


def _elements(rows: Sequence[ParamRow]) -> int:
    return sum(r.elements for r in rows)


_ADAM = OptimizerRow(0, "AdamW", True, 1e-8, 4096, 100, (0.0,), 0.0)


def _row(name: str, **more: object) -> ParamRow:
    about = ("Linear", (64, 64), "float32", True)
    known: dict[str, object] = {"owned": True, "optimizer": 0, "grad": "nonzero", "moved": True}
    known |= dict(zip(("kind", "shape", "dtype", "requires_grad"), about, strict=True))
    return ParamRow(name, **{"root": "GPT", **known, **more})  # type: ignore[arg-type]


_LEFT_OUT = {"owned": False, "optimizer": None, "moved": False}
_FRESH = {**_LEFT_OUT, "random": True, "answers": True}
_TRAINED = {**_FRESH, "random": False}
_COPY = OptimizerRow(0, "AdamW", True, 1e-8, 8192, 9, (0.0,), 0.0, False, ((64, 64), (64, 64)))

SICK = (
    # the model was made anew after its optimizer
    Example(
        evidence=(
            ParamLedger(
                (_row("a.weight", **_LEFT_OUT), _row("b.weight", **_LEFT_OUT)), (_COPY,), 4, 9
            ),
        ),
        finds=({"count": 2, "share": 1.0, "strangers": 2},),
    ),
    # the larger of two models: fresh weights that answer to labels
    Example(
        evidence=(
            ParamLedger(
                (
                    _row("a.weight", root="Discriminator"),
                    _row("b.weight", **_FRESH),
                    _row("c.weight", **_FRESH),
                ),
                (_ADAM,),
                7,
                100,
            ),
        ),
        finds=({"count": 2, "share": 1.0},),
    ),
    Example(
        evidence=(
            ParamLedger((_row("a.weight"), _row("b.weight", **_LEFT_OUT)), (_ADAM,), 7, 100),
        ),
        finds=({"count": 1, "share": 0.5, "names": ("b.weight",), "strangers": 0},),
    ),
    Example(
        evidence=(
            ParamLedger(
                (_row("a.weight"), _row("head.weight", **_LEFT_OUT)),
                (OptimizerRow(0, "Adam", True, 1e-8, 8192, 9, (0.0,), 0.0, False, ((64, 64),)),),
                4,
                9,
            ),
        ),
        finds=({"strangers": 1},),
    ),
)
HEALTHY = (
    # prompts for a larger model that was trained before, filled by hand
    Example(
        evidence=(
            ParamLedger(
                (
                    _row("a.weight", root="Prompts"),
                    _row("b.weight", **_TRAINED),
                    _row("c.weight", **_TRAINED),
                ),
                (_ADAM,),
                7,
                100,
            ),
        )
    ),
    # a larger teacher of random weights, not under no_grad: its answers are held against nothing
    Example(
        evidence=(
            ParamLedger(
                (
                    _row("a.weight", root="Student"),
                    _row("b.weight", **{**_FRESH, "answers": False}),
                    _row("c.weight", **{**_FRESH, "answers": False}),
                ),
                (_ADAM,),
                7,
                100,
            ),
        )
    ),
    Example(evidence=(ParamLedger((_row("a.weight"), _row("b.weight")), (_ADAM,), 7, 100),)),
    # a linear probe on loaded weights
    Example(
        evidence=(
            ParamLedger(
                (
                    _row("head.weight"),
                    _row("body.weight", loaded=True, **_LEFT_OUT),
                    _row("wte.weight", loaded=True, **_LEFT_OUT),
                ),
                (_ADAM,),
                7,
                100,
            ),
        )
    ),
    # a master copy in fp32 is stepped; the model's own half-precision weights follow it
    Example(
        evidence=(ParamLedger((_row("a.weight", owned=False, optimizer=None),), (_ADAM,), 7, 100),)
    ),
    # trained by another optimizer in an earlier phase
    Example(
        evidence=(
            ParamLedger(
                (_row("a.weight"), _row("b.weight", trained_before=True, **_LEFT_OUT)),
                (_ADAM,),
                7,
                100,
            ),
        )
    ),
)
