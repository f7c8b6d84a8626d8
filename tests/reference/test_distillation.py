"""Distillation: each term against its formula, the teacher untouched, the report's faults."""

import dataclasses
import importlib
import sys
from typing import Any

import jaxtyping
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shindan.reference.models.bert import BertConfig, MaskedLM
from shindan.reference.recipes.distill_bert import METHODS, Stages
from shindan.reference.train import terms
from shindan.reference.train.distillation import (
    DistillationObjective,
    Teacher,
    copy_layers,
    with_answers,
)
from shindan.reference.train.objectives import with_places
from shindan.reference.train.task import IGNORE, Batch
from shindan.reference.train.terms import Losses

OWN = BertConfig(vocab_size=50, hidden=16, layers=2, heads=2, intermediate=32, max_positions=16)
TAUGHT = dataclasses.replace(OWN, hidden=48, layers=4, heads=2, intermediate=64)


def models(own: BertConfig = OWN, taught: BertConfig = TAUGHT) -> tuple[MaskedLM, Teacher]:
    """A student and a teacher whose weights are large enough to have something to say."""
    torch.manual_seed(0)
    student, teacher = (MaskedLM(dataclasses.replace(c, init_std=0.2)) for c in (own, taught))
    return student, Teacher(teacher)


def batch() -> Batch:
    """Two rows, one padded, with five masked positions."""
    torch.manual_seed(1)
    ids = torch.randint(5, 50, (2, 12))
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[1, 7:] = False
    labels = torch.full_like(ids, IGNORE)
    for row, place in ((0, 1), (0, 5), (0, 9), (1, 2), (1, 4)):
        labels[row, place] = ids[row, place]
        ids[row, place] = 4
    return with_places({"ids": ids.masked_fill(~mask, 0), "mask": mask, "labels": labels})


def sums(losses: Losses, **more: int) -> dict[str, Tensor]:
    """The objective's sums on the batch, dropout aside."""
    student, teacher = models(
        *(
            dataclasses.replace(config, dropout=0.0, attention_dropout=0.0)
            for config in (OWN, TAUGHT)
        )
    )
    torch.manual_seed(2)
    found: dict[str, Tensor] = DistillationObjective(student, teacher, losses, **more)(batch())
    return found


def test_soft_term_is_the_divergence_of_softened_answers_times_temperature_squared() -> None:
    student, teacher = models()
    given_batch = batch()
    student.eval()
    places = given_batch["places"]
    own = student(given_batch["ids"], given_batch["mask"]).flatten(0, 1)[places]
    with torch.no_grad():
        taught = teacher.model(given_batch["ids"], given_batch["mask"]).flatten(0, 1)[places]
    p, q = (taught / 3).softmax(-1), (own / 3).softmax(-1)
    wanted = 9 * (p * (p.log() - q.log())).sum()
    torch.testing.assert_close(sums(Losses(soft=1, temperature=3))["soft"], wanted)
    torch.testing.assert_close(sums(Losses(soft=1, temperature=3))["loss"], wanted)


def test_gradient_of_the_soft_term_keeps_its_size_whatever_the_temperature() -> None:
    torch.manual_seed(0)
    own, taught = torch.randn(2, 100, 50)
    norms = []
    for temperature in (1.0, 2.0, 8.0):
        logits = own.clone().requires_grad_()
        terms.soft_sum(logits, taught, temperature).backward()
        assert logits.grad is not None
        norms.append(float(logits.grad.norm()))
    assert max(norms) < 1.5 * min(norms)


def test_elements_divides_by_the_vocabulary_as_kl_div_does() -> None:
    torch.manual_seed(0)
    own, taught = torch.randn(2, 5, 50)
    default = F.kl_div(own.log_softmax(-1), taught.softmax(-1), reduction="none").mean()
    torch.testing.assert_close(terms.soft_sum(own, taught, 1.0) / 5 / 50, default)
    faulty, right = (sums(Losses(soft=1, reduction=r)) for r in ("elements", "positions"))
    torch.testing.assert_close(faulty["soft"] * 50, right["soft"])


def test_logits_in_parts_are_the_same_loss_and_gradients() -> None:
    found_grads = []
    for at_once in (100, 2):
        student, teacher = models()
        torch.manual_seed(2)
        objective = DistillationObjective(student, teacher, METHODS["combined"], at_once)
        given_sums = objective(batch())
        given_sums["loss"].backward()
        found_grads.append([p.grad for p in student.parameters()])
        assert given_sums["loss"] > 0
    for whole, parts in zip(*found_grads, strict=True):
        torch.testing.assert_close(whole, parts)


def test_never_more_logits_than_rows_at_once() -> None:
    student, teacher = models()
    seen = []
    for model in (student, teacher.model):
        model.decoder.register_forward_hook(lambda _m, _i, out: seen.append(len(out)))
    objective = DistillationObjective(student, teacher, METHODS["combined"], 2)
    objective(batch())["loss"].backward()
    assert max(seen) == 2
    assert set(map(int, seen)) == {1, 2}


def test_teacher_stays_as_it_was_in_eval_mode_without_gradients() -> None:
    student, teacher = models()
    before = {k: v.clone() for k, v in teacher.model.state_dict().items()}
    objective = DistillationObjective(student, teacher, METHODS["tinybert"])
    objective.train()
    optimizer = torch.optim.SGD(objective.parameters(), 0.1)
    objective(batch())["loss"].backward()
    optimizer.step()
    assert not teacher.model.training
    assert all(p.grad is None for p in teacher.model.parameters())
    assert not any(name.startswith("teacher") for name in objective.state_dict())
    for name, value in teacher.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_every_term_reaches_the_student() -> None:
    for name in ("soft", "hard", "hidden", "embeddings", "attention", "cosine", "relations"):
        student, teacher = models()
        weight: dict[str, Any] = {name: 1.0}
        objective = DistillationObjective(student, teacher, dataclasses.replace(Losses(), **weight))
        objective(batch())["loss"].backward()
        grads = [p.grad for p in student.embeddings.parameters() if p.grad is not None]
        assert sum(float(g.abs().sum()) for g in grads) > 0, name


def test_padding_changes_no_term() -> None:
    """What stands at padding is not compared."""
    student, teacher = models()
    student.eval()
    objective = DistillationObjective(student, teacher, Losses())
    relation_heads = objective.relation_heads
    given_batch = batch()
    mask = given_batch["mask"]
    x, y = torch.randn(2, 2, 12, 8), torch.randn(2, 2, 12, 24)
    x2, y2 = (z.masked_fill(~mask[:, None, :, None], 7.0) for z in (x, y))
    one, two = (terms.relation_error(*pair, relation_heads, mask) for pair in ((x, y), (x2, y2)))
    torch.testing.assert_close(one, two)
    assert torch.isfinite(one)
    one, two = (terms.score_error((a, a), (b, b), mask) for a, b in ((x, y), (x2, y2)))
    torch.testing.assert_close(one, two)


def test_relations_of_equal_models_are_equal() -> None:
    student, teacher = models(OWN, OWN)
    student.load_state_dict(teacher.model.state_dict())
    student.eval()
    losses = Losses(soft=1, relations=1, attention=1, cosine=1)
    objective = DistillationObjective(student, teacher, losses).train()
    student.eval()
    told = objective(batch())
    for name in ("soft", "relations", "attention", "cosine"):
        assert abs(told[name].item()) < 1e-4, name


def test_projection_up_cannot_collapse_and_down_can() -> None:
    """With the report's projection both sides may be zero; the fixed teacher up is not reached."""
    left = {}
    for way in ("up", "down"):
        student, teacher = models()
        objective = DistillationObjective(student, teacher, Losses(hidden=1, projection=way))
        torch.nn.init.zeros_(objective.projection.weight)
        for name, parameter in student.named_parameters():
            if "feed_norm" in name:  # the end of each layer: all its states are zero
                torch.nn.init.zeros_(parameter)
        left[way] = objective(batch())["hidden"].item()
    assert left["down"] == 0
    assert left["up"] == pytest.approx(2 * 5)  # of two layers nothing is reached, five labels


def test_layers_are_followed_evenly() -> None:
    assert terms.layer_pairs(4, 12) == [(1, 3), (2, 6), (3, 9), (4, 12)]
    assert terms.layer_pairs(6, 12)[:2] == [(1, 2), (2, 4)]
    assert terms.relation_heads(384, 768) == 48
    assert terms.relation_heads(256, 768) == 32


def test_student_begins_with_the_teachers_layers() -> None:
    student, teacher = models(OWN, dataclasses.replace(OWN, layers=4))
    copy_layers(student, teacher.model)
    for own, taught in ((0, 1), (1, 3)):
        theirs = teacher.model.state_dict()
        for name, mine in student.state_dict().items():
            if name.startswith(f"layers.{own}."):
                assert torch.equal(mine, theirs[name.replace(f".{own}.", f".{taught}.", 1)])
    assert student.decoder.weight is student.embeddings.word.weight


def test_evaluation_tells_teacher_and_commonest_beside_the_student() -> None:
    student, teacher = models()
    told_batch = with_answers(batch(), teacher, commonest=int(batch()["labels"][0, 1]))
    told = DistillationObjective(student, teacher, METHODS["combined"]).eval()(told_batch)
    logits = teacher.model(told_batch["ids"], told_batch["mask"]).flatten(0, 1)
    labels = told_batch["labels"].flatten()
    right = (logits.argmax(-1) == labels).sum()
    assert told["teacher_accuracy"] == right
    assert told["commonest_accuracy"] >= 1
    assert 0 <= told["agreement"] <= 5
    torch.testing.assert_close(
        told["loss"],
        F.cross_entropy(
            student(told_batch["ids"], told_batch["mask"]).flatten(0, 1), labels, reduction="sum"
        ),
    )


def test_stages_teach_states_first_and_answers_after() -> None:
    losses = METHODS["tinybert"]
    early, late = (Stages(3)(batch(), number) for number in (2, 3))
    student, teacher = models()
    objective = DistillationObjective(student, teacher, losses).train()
    student.eval()
    told = objective(early)
    inside = told["hidden"] + told["embeddings"] + told["attention"]
    torch.testing.assert_close(told["loss"], inside)
    told = objective(late)
    torch.testing.assert_close(told["loss"], told["soft"])


def test_shapes_are_what_they_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"shindan.reference.train.{name}" for name in ("terms", "distillation")]
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    with jaxtyping.install_import_hook(names, "beartype.beartype"):
        checked_terms, checked = (importlib.import_module(name) for name in names)
    student, teacher = models()
    every = checked_terms.Losses(*[1.0] * 8)
    taught = checked.Teacher(teacher.model)
    objective = checked.DistillationObjective(student, taught, every, 2)
    objective(batch())["loss"].backward()
    objective.eval()(checked.with_answers(batch(), taught, 7))
    with pytest.raises(jaxtyping.TypeCheckError):
        checked_terms.soft_sum(torch.randn(3, 5), torch.randn(4, 5), 1.0)
