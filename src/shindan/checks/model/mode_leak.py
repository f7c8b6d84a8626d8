"""Training in eval mode, or evaluation in train mode, where the mode matters.

Ledger of live modes, and an intervention: the same batch with the same weights in either mode; its
NOISE is exactly 0 without dropout (and batch norm). A few stray forwards in the other mode are
passed over: STEPS of them and SHARE of all.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.modes import ModeLedger, RootModes
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

NOISE = 1e-4
STEPS = 3
SHARE = 0.02
NEVER = 10
"""Training forwards needed to say that train mode was never on."""
EVALUATIONS = 2


@check(
    id="model/mode-leak",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("shubhamagarwal92/mmd#14", "huggingface/trl#5862"),
    explains=("symptom/overfit",),
    fault=(
        Edit(
            script="bert_mlm",
            old="    model.train()\n    return total / count",
            new="    return total / count",
        ),
        Edit(
            script="left_padded",
            old="def run_validation(model, loader):\n    model.eval()\n",
            new="def run_validation(model, loader):\n",
        ),
        Edit(
            script="sft_padded",
            old="    model.train()\n    return total_nll / total_tokens",
            new="    return total_nll / total_tokens",
        ),
        Edit(
            script="logkeys",
            old="        self.model.train()\n        for inputs, labels in self.train_data:",
            new="        for inputs, labels in self.train_data:",
        ),
    ),
)
def CHECK(modes: ModeLedger) -> Iterator[Finding]:
    """One finding per root at most."""
    for root in modes.roots:
        found = _training(root) or _evaluation(root)
        if found is not None:
            yield found


def _training(root: RootModes) -> Finding | None:
    total = root.train_steps + root.eval_steps
    variant = ""
    if (root.noise or 0.0) > NOISE and root.eval_steps:
        if not root.train_steps and total >= NEVER:
            variant = "never"
        elif root.train_steps and root.eval_steps >= max(STEPS, SHARE * total):
            variant = "after"
    if not variant and root.silent_last > root.silent_first == 0:
        variant = "parts"
    if not variant:
        return None
    return _finding(root, variant, root.trained)


def _evaluation(root: RootModes) -> Finding | None:
    if root.evaluations_eval or root.evaluations_train < EVALUATIONS:
        return None
    if (root.noise or 0.0) <= NOISE or not root.train_steps:
        return None
    return _finding(root, "evaluation", root.evaluated)


def _finding(root: RootModes, variant: str, where: Where) -> Finding:
    return Finding(
        measured={
            "steps": root.eval_steps,
            "total": root.train_steps + root.eval_steps,
            "first": root.first_eval or 0,
            "evaluations": root.evaluations_train,
            "noise": root.noise or 0.0,
            "dropouts": root.dropouts,
            "silent": root.silent_last,
            "root": root.name,
        },
        where=where,
        variant=variant,
    )


SICK = (
    Example(
        evidence=(ModeLedger((RootModes("GPT", 1, 99, 1, noise=0.2),)),),
        finds=({"steps": 99, "first": 1},),
    ),
    Example(
        evidence=(ModeLedger((RootModes("GPT", 0, 99, 0, noise=0.2),)),), finds=({"steps": 99},)
    ),
    Example(
        evidence=(ModeLedger((RootModes("GPT", 99, 0, None, 12, 0, noise=0.2),)),),
        finds=({"evaluations": 12},),
    ),
    Example(
        evidence=(ModeLedger((RootModes("GPT", 99, 0, dropouts=5, silent_last=4),)),),
        finds=({"silent": 4},),
    ),
)
HEALTHY = (
    Example(evidence=(ModeLedger((RootModes("GPT", 99, 0, None, 0, 12, dropouts=5),)),)),
    # no dropout: the mode does not matter
    Example(evidence=(ModeLedger((RootModes("GPT", 1, 99, 1, 12, noise=0.0),)),)),
    # parts that were silent from the first step on are kept so on purpose
    Example(
        evidence=(
            ModeLedger(
                (RootModes("GPT", 99, 0, None, 0, 9, dropouts=5, silent_first=4, silent_last=4),)
            ),
        )
    ),
)
