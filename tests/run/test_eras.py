"""Looks follow the model that is trained now when a script trains one after another."""

from pathlib import Path

import pytest

from shindan.core.evidence.curve import Curve, FixedBatch
from shindan.diagnose.trend import loss_trend
from shindan.probes.schedule import LookSchedule
from tests.run.patients import watched

SWEEP = """
import torch
from torch import nn

torch.manual_seed(0)
table = torch.randint(0, 20, (20,))
def train(width, updates, kept=[]):
    net = nn.Sequential(nn.Embedding(20, width), nn.Linear(width, 20))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(updates):
        x = torch.randint(0, 20, (8, 12))
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), table[x].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if KEEP:
        kept.append((net, optimizer))
train(64, 60)
train(24, 90)
"""


@pytest.mark.parametrize("keep", [True, False])
def test_looks_follow_the_second_model(keep: bool, tmp_path: Path) -> None:
    """Kept alive the larger old optimizer must not stay the main one; freed, its id comes again."""
    document, watch = watched(SWEEP.replace("KEEP", str(keep)), "sweep", tmp_path)
    curve, fixed = watch.evidence[Curve], watch.evidence[FixedBatch]
    assert isinstance(curve, Curve)
    assert isinstance(fixed, FixedBatch)
    assert document.failed == ()
    assert watch.session.eras.updates == [60, 90]
    assert curve.total_updates == 150
    assert [m.update for m in curve.micro] == sorted(m.update for m in curve.micro)
    # from its second update on, while the budget allows, and when the script has ended
    assert fixed.points[0].update == 62
    assert fixed.points[-1].update == 150
    assert fixed.points[-1].loss < fixed.points[0].loss / 2
    trend = loss_trend(curve)
    assert trend is not None
    assert trend.updates == 90


def test_two_optimizers_of_one_loop_are_one_era(tmp_path: Path) -> None:
    text = SWEEP.replace("KEEP", "False").replace(
        "        optimizer.step()\n", "        optimizer.step()\n        other.step()\n"
    )
    old = "optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)"
    new = (
        "optimizer = torch.optim.Adam(net[0].parameters(), lr=1e-2)\n"
        "    other = torch.optim.SGD(net[1].parameters(), lr=1e-1)"
    )
    _, watch = watched(text.replace(old, new), "sweep", tmp_path)
    assert watch.session.eras.updates == [60, 90]


def test_many_models_stay_within_the_budget() -> None:
    schedule = LookSchedule()
    looked = 0
    for model in range(200):
        schedule.restart(1000 * model)
        for update in range(1000 * model, 1000 * model + 100):
            if schedule.due(update):
                looked += 1
                schedule.looked(update, 0.3)
    assert 4 <= looked <= 10
