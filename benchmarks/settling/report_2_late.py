"""Report 2, where its log begins: not with the run, but 1,055 updates later.

A model that has learnt the commonest tokens begins every arm, because what the controller sees, how
much the gradient norm varies from update to update, is another at the first update than there.
"""

from settling.plan import Plan, Size
from settling.report_2 import ARMS, MIX, measure

CHOSEN = (
    "as reported",
    "reported, no hooks",
    "reported, no clip",
    "reported, not pinned, lr .05",
    "reported, controller free, limits as reported",
    "reported, controller repaired",
    "reported, one batch of 16",
    "reported, no hooks, no clip, not pinned",
)

PLAN = Plan(
    question="The same, begun with a model that has learnt something",
    arms={arm: [*ARMS[arm], "begin_from={folder}/begun"] for arm in CHOSEN},
    sizes={
        "cpu": Size(
            "cpu",
            ["size=small", MIX, "max_updates=62", "evaluate_every=992", "warmup_updates=0"],
            before={
                "begun": [
                    *(
                        "causal-mix",
                        "size=small",
                        MIX,
                        "max_updates=60",
                        "schedule=constant",
                        "warmup_updates=20",
                    ),
                ]
            },
        ),
    },
    measure=measure,
)
