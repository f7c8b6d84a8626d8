"""The context-vector model in CUDA graphs, its step compiled: the plain result at each update."""

import pytest
import torch

from shindan.reference.data.collate import next_tokens
from shindan.reference.models.context_vector import ContextVectorConfig, ContextVectorLM
from shindan.reference.recipes.context_vector import KnownWordsObjective

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

CONFIG = ContextVectorConfig(
    99, embedding=32, hidden=64, context=48, layers=4, dropout=0.0, residual=True, init="scaled"
)


def learnt(*, graphs: bool, compiled: bool, smoothing: float) -> list[torch.Tensor]:
    """The losses of three updates and the weights after them."""
    torch.manual_seed(0)
    objective = KnownWordsObjective(ContextVectorLM(CONFIG), smoothing, 1, graphs=graphs).cuda()
    names = list(objective.state_dict())
    if compiled:
        objective.compile()
    optimizer = torch.optim.SGD(objective.parameters(), 0.1)
    found = []
    for update in range(3):
        ids = torch.randint(99, (8, 12), generator=torch.Generator().manual_seed(update))
        batch = {"ids": ids.cuda(), "labels": next_tokens(ids).cuda()}
        loss = objective.train()(batch)["loss"] / 88
        found.append(loss.detach().clone())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            objective.eval()(batch)
    assert list(objective.state_dict()) == names
    return [*found, *objective.parameters()]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("compiled", [False, True])
def test_graphs_say_what_the_plain_model_says(compiled: bool, smoothing: float) -> None:
    plain = learnt(graphs=False, compiled=False, smoothing=smoothing)
    for a, b in zip(
        plain, learnt(graphs=True, compiled=compiled, smoothing=smoothing), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_other_shapes_are_refused() -> None:
    objective = KnownWordsObjective(ContextVectorLM(CONFIG), 0.0, 1, graphs=True).cuda().train()
    ids = torch.randint(99, (8, 12)).cuda()
    objective({"ids": ids, "labels": ids})
    with pytest.raises(ValueError, match=r"\[8, 12\].* were called with .*\[7, 12\]"):
        objective({"ids": ids[:7], "labels": ids[:7]})
