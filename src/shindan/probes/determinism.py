"""P5: two calls in eval mode must give the same logits."""

import linecache
import re

from torch import nn

from shindan.core.evidence.interventions import DeterminismProbe, RandomCall
from shindan.core.finding import Where
from shindan.probes.calls import Call, recording
from shindan.probes.looking import Intervention
from shindan.probes.probe import Probe
from shindan.probes.replay import Replay

DROPOUTS = ("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout")
MEANT = re.compile(
    r"\bmc\b|mc_?dropout|monte.?carlo|on purpose|deliberate|always on|bayesian|uncertainty|prenet"
    r"|(even|also) (at|in|during) (eval|inference|test|generation)",
    re.IGNORECASE,
)
NEAR = 4
"""Lines of source on either side in which the author may say that it is meant."""


class Determinism(Intervention, Probe):
    """Which dropout acts in eval mode, and how far it moves the logits."""

    gives = DeterminismProbe

    def examine(self, replay: Replay) -> DeterminismProbe:
        """One replay with other random numbers, only when a dropout acts. Raises NoReplay."""
        calls: list[RandomCall] = []
        modules = dict(replay.look.module.named_modules())

        def hear(call: Call) -> None:
            p = _acting(call)
            held = modules.get(call.module)
            overridden = isinstance(held, nn.modules.dropout._DropoutNd) and held.training
            if p > 0 and not overridden and len(calls) < 8:
                place = call.where()
                calls.append(RandomCall(call.name, p, place, _meant(place)))

        with recording(replay.look.module, hear):
            replay.states()
        if not calls:
            return DeterminismProbe(0.0, replay.spread)
        moved = replay.movement(replay.states(seed=1))
        return DeterminismProbe(float(moved[replay.real].mean()), replay.spread, tuple(calls))


def _acting(call: Call) -> float:
    """The probability with which this call drops, as it was called."""
    if call.name in DROPOUTS:
        p, training = call.get(1, "p", 0.5), call.get(2, "training", True)
    elif call.name == "scaled_dot_product_attention":
        p, training = call.get(4, "dropout_p", 0.0), True
    elif call.name == "multi_head_attention_forward":
        p, training = call.kwargs.get("dropout_p", 0.0), call.kwargs.get("training", True)
    else:
        return 0.0
    return float(p) if training else 0.0


def _meant(place: Where) -> bool:
    if place.file is None or place.line is None:
        return False
    near = range(max(1, place.line - NEAR), place.line + NEAR + 1)
    return any(MEANT.search(linecache.getline(place.file, n)) for n in near)
