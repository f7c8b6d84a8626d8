"""The reference models: their sizes, what may and must not matter to them, and their shapes."""

import importlib
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from types import ModuleType
from typing import Any

import jaxtyping
import pytest
import torch
from torch import Tensor, nn

from shindan.reference.models import layers
from shindan.reference.models.bert import (
    BertConfig,
    MaskedLM,
    vaswani,
    vaswani_as_reported,
)
from shindan.reference.models.causal import CausalConfig, CausalLM
from shindan.reference.models.context_vector import ContextVectorConfig, ContextVectorLM
from shindan.reference.models.logbert import LogBert, LogBertConfig

BERT = BertConfig(50, hidden=16, layers=2, heads=2, intermediate=32, max_positions=20)
CAUSAL = CausalConfig(50, hidden=16, layers=2, heads=2, intermediate=32, max_positions=20)
PHASE8 = CausalConfig(32_000, 4096, 48, 32, 4 * 4096, max_positions=512, rank=16, ternary=True)
LOGS = LogBertConfig(50, hidden=16, layers=2, heads=2, intermediate=32, max_positions=20)
CONTEXT = ContextVectorConfig(50, embedding=8, hidden=16, context=12, layers=3)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("build", "config", "parameters"),
    [
        (MaskedLM, BertConfig(), 109_514_298),
        (MaskedLM, vaswani_as_reported(), 108_527_418),
        (MaskedLM, vaswani(), 108_527_418 + 768 * 768 + 3 * 768),  # the head's transform
        (CausalLM, CausalConfig(), 124_439_808),
        (ContextVectorLM, ContextVectorConfig(), 2_739_432),
        (ContextVectorLM, ContextVectorConfig(context=512, layers=12), 4_840_936),
        (CausalLM, PHASE8, 192_356_352),
        (CausalLM, replace(PHASE8, vocab_size=50_257), 267_137_024),
    ],
)
def test_parameters_are_counted_exactly(build: Any, config: Any, parameters: int) -> None:
    with torch.device("meta"):
        assert count(build(config)) == parameters


@pytest.mark.parametrize("config", [BERT, CAUSAL, LOGS, CONTEXT])
def test_a_configuration_is_json_and_back(config: Any) -> None:
    assert type(config)(**json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize("config", [BERT, vaswani(50, 64)], ids=["bert", "vaswani"])
def test_padding_does_not_matter(config: BertConfig) -> None:
    model = MaskedLM(replace(config, layers=2)).eval()
    ids = torch.randint(1, 50, (2, 9))
    mask = (torch.arange(9) < 5).expand(2, 9)
    alone = model(ids[:, :5])
    torch.testing.assert_close(model(ids, mask)[:, :5], alone)
    torch.testing.assert_close(model(ids, mask.long())[:, :5], alone)
    assert not torch.allclose(model(ids)[:, :5], alone, atol=1e-5)


def test_a_mask_of_ones_costs_nothing() -> None:
    model, ones = MaskedLM(BERT), torch.ones(2, 9, dtype=torch.long)
    assert model.visible(ones) is None
    visible = model.visible(ones.tril())
    assert isinstance(visible, torch.Tensor)
    assert visible.shape == (2, 1, 1, 9)


def test_as_reported_padding_is_hardly_hidden() -> None:
    model = MaskedLM(replace(vaswani_as_reported(50), layers=2)).eval()
    ids, mask = torch.randint(1, 50, (1, 9)), torch.arange(9)[None] < 5
    other = ids.where(mask, 3)
    assert not torch.allclose(model(ids, mask)[:, :5], model(other, mask)[:, :5], atol=1e-5)


def test_the_encoder_ends_where_the_hidden_states_end() -> None:
    for config in (BERT, replace(BERT, norm="pre")):
        model, ids = MaskedLM(config).eval(), torch.randint(50, (2, 9))
        torch.testing.assert_close(
            model.encode(ids), model.final_norm(model.hidden_states(ids)[-1])
        )


def test_sinusoids_are_those_of_the_paper() -> None:
    table = layers.sinusoids(30, 8)
    for place, dimension in ((0, 0), (7, 2), (29, 6)):
        angle = place / 10_000 ** (dimension / 8)
        expected = torch.tensor([math.sin(angle), math.cos(angle)])
        torch.testing.assert_close(table[place, dimension : dimension + 2], expected)


def test_the_right_variant_has_words_and_positions_of_one_scale() -> None:
    def ratio(config: BertConfig) -> Tensor:
        words = MaskedLM(replace(config, layers=1)).embeddings.word.weight * config.embedding_scale
        return words.std() / (layers.sinusoids(128, 768) * config.position_scale).std()

    assert 0.5 < ratio(vaswani(500)) < 2
    assert ratio(vaswani_as_reported(500)) < 0.5


@pytest.mark.parametrize("model", [MaskedLM(BERT), CausalLM(CAUSAL)], ids=["bert", "causal"])
def test_too_long_a_row_is_refused(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="21 positions, but the model has only 20"):
        model(torch.zeros(1, 21, dtype=torch.long))


@pytest.mark.parametrize(
    "model",
    [
        MaskedLM(BERT),
        MaskedLM(replace(BERT, positions="sinusoidal", norm="pre")),
        CausalLM(CAUSAL),
        CausalLM(replace(CAUSAL, rank=3, ternary=True)),
    ],
    ids=["bert", "vaswani", "causal", "low rank"],
)
def test_packed_documents_are_read_as_if_alone(model: MaskedLM | CausalLM) -> None:
    first, second = torch.randint(50, (1, 6)), torch.randint(50, (1, 9))
    documents = torch.tensor([[4] * 6 + [2] * 9])
    model.eval()
    packed = model.encode(torch.cat([first, second], dim=1), documents=documents)
    alone = torch.cat([model.encode(first), model.encode(second)], dim=1)
    torch.testing.assert_close(packed, alone)


def test_the_future_does_not_matter() -> None:
    ids = torch.randint(50, (2, 12))
    other = torch.cat([ids[:, :7], torch.randint(50, (2, 5))], dim=1)
    for model in (CausalLM(CAUSAL).eval(), ContextVectorLM(CONTEXT).eval()):
        torch.testing.assert_close(model(ids)[:, :7], model(other)[:, :7])


def test_ternary_weights_are_three_and_trained_as_if_real() -> None:
    layer, x = layers.TernaryLinear(16, 8), torch.randn(4, 16)
    rounded = layers.ternary(layer.weight)
    assert len(rounded.unique()) == 3
    torch.testing.assert_close(rounded.abs().max(), layer.weight.abs().mean())
    layer(x).square().sum().backward()
    plain = nn.Linear(16, 8)
    plain.load_state_dict({"weight": rounded, "bias": layer.bias})
    plain(x).square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, plain.weight.grad)


def test_low_rank_is_a_matrix_of_that_rank_and_scale() -> None:
    layer = layers.LowRankLinear(256, 192, rank=4, parts=3)
    layers.initialise(layer, 0.02)
    matrix = layer(torch.eye(256)).detach()  # (in, out)
    assert count(layer) == 4 * (3 * 256 + 192) + 192
    for part in matrix.chunk(3, dim=1):
        assert torch.linalg.matrix_rank(part) == 4
    assert 0.015 < matrix.std() < 0.025


def test_logbert_centres_without_dropout_and_measures_from_there() -> None:
    model = LogBert(LOGS).train()
    ids = torch.randint(3, 50, (6, 9))
    mask = torch.ones_like(ids)
    mask[4, 5:] = 0
    model.recentre([(ids[:4], None), (ids[4:], mask[4:])])
    assert model.training
    assert "centre" in model.state_dict()
    hidden = model.eval().encode(ids, mask)
    torch.testing.assert_close(model.centre, hidden[:, 0].mean(0))
    distances = model.distances(hidden)
    torch.testing.assert_close(distances, (hidden[:, 0] - model.centre).norm(dim=-1) ** 2)
    assert torch.equal(model(ids, mask), model.head(hidden))


def test_the_sphere_has_a_gradient_at_its_centre() -> None:
    model = LogBert(LOGS).eval()
    hidden = model.encode(torch.randint(3, 50, (1, 9)))
    model.centre.copy_(hidden[0, 0].detach())
    model.distances(hidden).mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_a_centre_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no session"):
        LogBert(LOGS).recentre([])


@pytest.mark.parametrize("residual", [False, True])
def test_the_context_is_carried_as_the_report_says(residual: bool) -> None:
    model = ContextVectorLM(replace(CONTEXT, residual=residual, init="scaled")).eval().double()
    ids = torch.randint(50, (2, 7))
    torch.testing.assert_close(model(ids), slowly(model, ids))


def slowly(model: ContextVectorLM, ids: Tensor) -> Tensor:
    """The formulas of the report, token by token."""
    context = torch.zeros(len(ids), model.config.context, dtype=torch.float64)
    logits = []
    for t in range(ids.shape[1]):
        h = model.first(torch.cat([model.word(ids[:, t]), context], dim=-1)).relu()
        for layer in model.layers:
            h = layer(h).relu() + (h if model.config.residual else 0)
        logits.append(model.decoder(h))
        forget, let_in, new = model.gates(h).split(model.config.context, dim=-1)
        mixed = torch.sigmoid(forget) * context + torch.sigmoid(let_in) * new
        context = model.context_norm(mixed).clamp(-10, 10)
    return torch.stack(logits, dim=1)


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [
        ({}, 0, 1e-6),
        ({"residual": True}, 0.01, 10),
        ({"init": "scaled"}, 0.1, 10),
        ({"init": "scaled", "residual": True}, 0.1, 10),
    ],
)
def test_the_signal_through_twelve_layers(changes: dict[str, Any], low: float, high: float) -> None:
    """What report 4 met: as reported the token does not reach the head; each cure lets it."""
    model = ContextVectorLM(ContextVectorConfig(layers=12, context=512, **changes)).eval()
    hidden = model.encode(torch.randint(1000, (16, 4)))
    assert low <= hidden[:, -1].std(dim=0).mean() <= high


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The modules imported afresh, with every annotated shape checked at every call."""
    package = "shindan.reference.models"
    for name in [name for name in sys.modules if name.startswith(package)]:
        monkeypatch.delitem(sys.modules, name)
    with jaxtyping.install_import_hook(package, "beartype.beartype"):
        names = ("layers", "bert", "causal", "logbert", "context_vector", "hf")
        modules = {name: importlib.import_module(f"{package}.{name}") for name in names}
    yield modules
    for name in [name for name in sys.modules if name.startswith(package)]:
        monkeypatch.delitem(sys.modules, name)


def test_shapes_are_what_they_are_said_to_be(checked: dict[str, ModuleType]) -> None:
    ids, mask = torch.randint(1, 50, (2, 9)), torch.ones(2, 9, dtype=torch.long)
    mask[0, 6:] = 0
    masked = checked["bert"].MaskedLM
    for variant in (BERT, replace(BERT, norm="pre", positions="sinusoidal", added_mask=True)):
        model = masked(checked["bert"].BertConfig(**asdict(variant)))
        hidden = model.encode(ids, mask, torch.zeros_like(ids))
        model.head(hidden[mask == 0])
        model(ids, mask.bool())
        model.encode(ids, documents=mask)
        model.projections(1, model.hidden_states(ids, mask)[1])
    for changes in ({}, {"rank": 2, "ternary": True}, {"ternary": True}):
        config = checked["causal"].CausalConfig(**asdict(CAUSAL) | changes)
        checked["causal"].CausalLM(config)(ids, mask)
    logs = checked["logbert"].LogBert(checked["logbert"].LogBertConfig(**asdict(LOGS)))
    logs.recentre([(ids, mask)])
    logs.distances(logs.encode(ids, mask))
    context = checked["context_vector"]
    context.ContextVectorLM(context.ContextVectorConfig(**asdict(CONTEXT)))(ids)

    with pytest.raises(jaxtyping.TypeCheckError):
        model.encode(ids, mask[:, :-1])
    with pytest.raises(jaxtyping.TypeCheckError):
        logs.encode(ids.float())


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    for config in (BERT, CAUSAL):
        with pytest.raises(ValueError, match="hidden 16 is not a multiple of heads 3"):
            replace(config, heads=3)
