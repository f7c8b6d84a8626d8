"""The same configuration: HF's BERT under HF's Trainer and ours, from the same weights."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from shindan.reference.models import hf
from shindan.reference.recipes import load
from shindan.reference.train.loop import Loop
from shindan.reference.train.metrics import Line
from shindan.reference.train.ranks import joined
from shindan.reference.train.resolve import given

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from settling import hf_trainer

UPDATES = 8
SETTINGS: dict[str, object] = {
    "model.dropout": 0, "model.attention_dropout": 0, "max_updates": UPDATES, "log_every": 1,
    "epsilon": 1e-8, "warmup_updates": 3, "evaluate_every": 1000, "batch_size": 4,
    "vocabulary": 300, "length": 32, "device": "cpu", "weight_decay": 0.1,
}  # fmt: skip


class Heard(hf_trainer.Trainer):  # type: ignore[misc]  # benchmarks are not typed for tests
    """Keeps the loss of every update, which their log rounds or averages."""

    losses: list[float]

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        found = super().compute_loss(*args, **kwargs)
        self.losses.append(float(found[0] if isinstance(found, tuple) else found))
        return found


@pytest.mark.filterwarnings("ignore")
def test_both_train_alike_from_the_same_weights(tmp_path: Path) -> None:
    """Model, loss, clipping, decay groups, moments and schedule are the same: the losses show it.

    In fp32 two orders of summation differ by 5e-7 an update or less where this was written.
    """
    recipe = load("bert-mlm")
    layer = given(SETTINGS | {"output_dir": tmp_path / "run"}, "test")
    settings = recipe.resolve("tiny", layer).settings
    settings.output_dir.mkdir()
    with joined(settings) as ranks, torch.random.fork_rng():
        torch.manual_seed(0)
        task = recipe.task(settings, settings.output_dir, ranks)
        their = hf_trainer.their_model(task.model.config)
        their.save_pretrained(tmp_path / "begin")
        task.model.load_state_dict(hf.load_bert(tmp_path / "begin").state_dict())
        told: list[Line] = []
        last = Loop(task, settings, ranks, settings.output_dir).run(told.append)
    trainer = hf_trainer.trainer_of(their, task, settings, Heard)
    trainer.losses = []
    trainer.train()
    ours = [line["loss"] for line in told if line["kind"] == "train"]
    assert len(ours) == len(trainer.losses) == UPDATES
    assert ours == pytest.approx(trainer.losses, abs=UPDATES * 1e-6)
    assert ours[0] - ours[-1] > 1e-2, "nothing was learnt: equal losses would say little"
    evaluated = hf_trainer.evaluated(trainer.model, task, settings, UPDATES)
    assert evaluated["loss"] == pytest.approx(last["loss"], abs=UPDATES * 1e-6)
    assert evaluated["accuracy"] == last["accuracy"]
    assert weights_apart(trainer.model, task.model, tmp_path) < 1e-5


def weights_apart(their: Any, our: Any, folder: Path) -> float:
    """The largest difference of any weight."""
    their.save_pretrained(folder / "end")
    other: dict[str, Tensor] = hf.load_bert(folder / "end").state_dict()
    own = our.state_dict()
    return max(float((other[name] - own[name]).abs().max()) for name in own)
