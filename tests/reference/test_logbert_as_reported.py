"""Report 1: LogBERT where every fault is put right; each fault makes what it is said to."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from shindan.reference.data.errors import DataError
from shindan.reference.data.sessions import Session
from shindan.reference.models.logbert_as_reported import (
    ReportedConfig,
    ReportedLogBert,
    WrittenLayerNorm,
)
from shindan.reference.recipes import load
from shindan.reference.recipes.log_seconds import elapsed, seconds_in, stamps_of
from shindan.reference.recipes.logbert_as_reported import ReportedLoop
from shindan.reference.train.loop import Loop, train
from shindan.reference.train.metrics import Line
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.resolve import given
from tests.reference.real import real

HERE = Ranks(0, 1, torch.device("cpu"))
SMALL = {"model.hidden": 16, "model.heads": 2, "model.intermediate": 16, "model.dropout": 0.0}
SAME = {
    "max_updates": 3,
    "log_every": 1,
    "model.layers": 2,
    "model.max_positions": 17,
    "batch_size": 16,
}
RIGHT = {
    "model.init": "normal", "model.layer_norm": "torch", "model.time": "off",
    "model.root": False, "model.blank_padding": False, "model.plain": False, "keys": 1.0,
    "longest_first": False,
}  # fmt: skip
LOOP = {
    "optimizer": "adamw", "momentum": 0.0, "learning_rate": 1e-3, "schedule": "linear",
    "warmup_updates": 0, "clip": 1.0, "mask_rate": 0.65, "sphere": 0.1,
}  # fmt: skip


def ran(folder: Path, name: str, **told: object) -> tuple[Loop, list[Line]]:
    folder.mkdir()
    values = {**SMALL, **SAME, "output_dir": folder, **told}
    recipe = load(name)
    settings = recipe.resolve("tiny", given(values, "test")).settings
    torch.manual_seed(0)
    loop = recipe.loop(recipe.task(settings, folder, HERE), settings, HERE, folder)
    lines: list[Line] = []
    train(loop, lines.append)
    return loop, [line for line in lines if line["kind"] == "train"]


@pytest.mark.parametrize("guard", ["before", "after"])
def test_with_all_faults_put_right_it_is_logbert(guard: str, tmp_path: Path) -> None:
    _, right = ran(tmp_path / "right", "logbert", **LOOP)
    told = {**LOOP, **RIGHT, "guard": guard}
    _, mended = ran(tmp_path / "mended", "logbert-as-reported", **told)
    assert [line["loss"] for line in mended] == [line["loss"] for line in right]


def test_the_gradient_of_a_layer_norm_by_hand_on_a_row_without_variance() -> None:
    torch.manual_seed(0)
    x, weights = torch.randn(3, 8), torch.randn(3, 8)
    x[1] = 0
    found = {}
    for how, layer in (
        ("sqrt", WrittenLayerNorm(8, "sqrt")),
        ("std", WrittenLayerNorm(8, "std")),
        ("torch", nn.LayerNorm(8)),
    ):
        own = x.clone().requires_grad_()
        (layer(own) * weights).sum().backward()
        assert own.grad is not None
        found[how] = own.grad
        assert own.grad[[0, 2]].isfinite().all()
    assert found["sqrt"][1].isnan().all()
    assert found["std"][1].abs().max() > 1e5, "1 / eps"
    assert found["torch"][1].abs().max() < 1e4


@pytest.mark.parametrize(("root", "finite"), [(True, False), (False, True)])
def test_the_gradient_of_a_distance_that_is_zero(root: bool, finite: bool) -> None:
    model = ReportedLogBert(ReportedConfig(vocab_size=9, root=root, layers=1))
    states = torch.zeros(2, 3, 256, requires_grad=True)
    model.distances(states).mean().backward()
    assert states.grad is not None
    assert bool(states.grad.isfinite().all()) is finite


@pytest.mark.parametrize("guard", ["after", "before", "off"])
def test_the_guard_decides_what_a_nan_does(guard: str, tmp_path: Path) -> None:
    told = {"guard": guard, "longest_first": False}  # padding from the first batch on
    loop, lines = ran(tmp_path / "run", "logbert-as-reported", **told)
    assert isinstance(loop, ReportedLoop)
    assert math.isfinite(lines[0]["loss"])
    assert not math.isfinite(lines[0]["grad_norm"])
    assert all(line["refused"] is (guard != "off") for line in lines)
    weights = [p.isfinite().all() for p in loop.parameters]
    assert all(weights) if guard != "off" else not any(weights)
    if guard == "after":
        assert 0 < lines[0]["unfinite_before"] < 1
        assert lines[0]["unfinite_after"] == 1, "clipping has spread it"


@pytest.mark.parametrize("healed", ["model.layer_norm=torch", "model.blank_padding=false"])
def test_either_of_two_causes_put_right_is_enough(healed: str, tmp_path: Path) -> None:
    key, _, value = healed.partition("=")
    told = {key: value, "longest_first": False}
    _, lines = ran(tmp_path / "run", "logbert-as-reported", **told)
    assert all(math.isfinite(line["grad_norm"]) for line in lines)


def test_times_of_lines() -> None:
    bgl = "- 1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.363779 R02 RAS KERNEL x"
    assert seconds_in(bgl) == 1117838570
    hdfs = [seconds_in(f"081109 2036{s} 148 INFO dfs.DataNode: x") for s in ("15", "45")]
    assert hdfs[0] is not None
    assert hdfs[1] == hdfs[0] + 30
    assert seconds_in("[Sun Dec 04 04:47:44 2005] [notice] x") is not None
    assert seconds_in("991399 203615 148 INFO x") is None
    assert seconds_in("nothing") is None
    session = Session(("a", "b", "c", "<end>"), lines=(4, 5, 9))
    assert elapsed(session, {4: 10.0, 9: 12.5}).tolist() == [0, 0, 2.5, 2.5]


def test_times_of_real_logs() -> None:
    folder = real("loghub_2k")
    for name in ("HDFS", "BGL", "Thunderbird", "Apache"):
        stamps = stamps_of(str(folder / f"{name}_2k.log"))
        assert len(stamps) >= 1990
    with pytest.raises(DataError, match="time"):
        stamps_of(str(folder / "Linux_2k.log"))


def test_what_tells_no_time_is_refused(tmp_path: Path) -> None:
    keys = tmp_path / "train"
    keys.write_text("5 22 5 11\n5 5 22\n9 11\n" * 20)
    with pytest.raises(DataError, match=r"model\.time=off"):
        ran(tmp_path / "a", "logbert-as-reported", data=str(keys))
    ran(tmp_path / "b", "logbert-as-reported", data=str(keys), **{"model.time": "off"})
