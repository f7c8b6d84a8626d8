"""A resumed run whose optimizer starts with nothing."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.checkpoints import Resumption, Resumptions
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

LEAST_UPDATES = 3


@check(
    id="checkpoint/optimizer-state-lost",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("distiller#145", "the_well#77", "pytorch#5627", "wavenet_vocoder#132"),
    explains=("symptom/loss-jump", "symptom/loss-spikes"),
    fault=(
        Edit(
            script="resume",
            old='    optimizer.load_state_dict(state["optimizer"])\n',
            new="",
        ),
        Edit(
            script="resume",
            old="        resumed_at = load(path, model, optimizer, scheduler)\n",
            new="""\
        resumed_at = load(path, model, optimizer, scheduler)
        optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, weight_decay=0.0)
""",
        ),
    ),
)
def CHECK(resumptions: Resumptions) -> Iterator[Finding]:
    """It shows that it goes on, and an optimizer that keeps a state had none."""
    for load in resumptions.loads:
        lost = load.state_empty and load.stateful and load.updates >= LEAST_UPDATES
        if lost and load.signs and not load.reset_asked:
            yield Finding(
                measured={"optimizer": load.optimizer, "counter": load.counter},
                where=Where(load.file, load.line),
                variant=_variant(load),
            )


def _variant(load: Resumption) -> str:
    if load.optimizer_loaded:
        return "rebuilt"
    return "" if load.holds_optimizer else "unsaved"


def _load(**values: object) -> Resumptions:
    made: dict[str, object] = {
        "file": "train.py",
        "line": 9,
        "counter": 60,
        "signs": ("printed",),
        "holds_optimizer": True,
        "optimizer_loaded": False,
        "scheduler_loaded": True,
        "optimizer": "AdamW",
        "state_empty": True,
        "stateful": True,
        "updates": 60,
    }
    return Resumptions((Resumption(**{**made, **values}),))  # type: ignore[arg-type]


SICK = (
    Example((_load(),), finds=({"optimizer": "AdamW", "counter": 60},)),
    Example((_load(holds_optimizer=False),), finds=({},)),
    Example((_load(optimizer_loaded=True),), finds=({},)),
)
HEALTHY = (
    Example((_load(optimizer_loaded=True, state_empty=False),)),
    Example((_load(signs=()),)),  # a new training from old weights
    Example((_load(stateful=False, optimizer="SGD"),)),  # nothing to lose
    Example((_load(reset_asked=True),)),
)
