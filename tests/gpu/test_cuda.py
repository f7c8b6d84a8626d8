"""On a GPU: bitwise equality, no synchronisation, no graph break. Skipped where there is none."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from shindan.probes.catalogue import all_probes
from shindan.probes.schedule import LookSchedule
from shindan.probes.session import Session
from shindan.probes.taps.all import tapped

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from gpt_10m import GPT, LENGTH, VOCAB

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("ignore"),
]

Step = Callable[[], torch.Tensor]


def training(precision: str, compiled: bool) -> tuple[Step, torch.nn.Module]:
    """One training step without any synchronisation of its own, and its model."""
    torch.manual_seed(0)
    model = GPT().cuda()
    call: Any = torch.compile(model, fullgraph=True) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), 3e-4, fused=True)
    scaler = torch.amp.GradScaler("cuda", enabled=precision == "float16")
    dtype = getattr(torch, precision)
    data = torch.randint(0, VOCAB, (64, 8, LENGTH + 1), device="cuda").cumsum(2) % VOCAB
    count = 0

    def step() -> torch.Tensor:
        nonlocal count
        ids = data[count % 64]
        count += 1
        with torch.autocast("cuda", dtype=dtype, enabled=precision != "float32"):
            logits = call(ids[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        if scaler.is_enabled():
            scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss.detach()

    return step, model


def digest(model: torch.nn.Module, losses: list[torch.Tensor]) -> str:
    h = hashlib.sha256()
    for t in [*model.parameters(), torch.stack(losses), torch.cuda.get_rng_state()]:
        h.update(t.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return h.hexdigest()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_bitwise_equal(precision: str, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # A compiled run differs from itself (atomic adds in the embedding's backward) unless asked.
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(compiled)
    results = []
    for watched in (False, True):
        torch._dynamo.reset()
        step, model = training(precision, compiled)
        if watched:
            session = Session(all_probes()[0])
            with tapped(session):
                losses = [step() for _ in range(60)]
            session.finish()
            assert session.failures == []
        else:
            losses = [step() for _ in range(60)]
        results.append(digest(model, losses))
    torch.use_deterministic_algorithms(False)
    assert results[0] == results[1]


def test_the_cheap_tier_never_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LookSchedule, "due", lambda self, update: False)
    step, _ = training("bfloat16", compiled=False)
    session = Session(all_probes()[0])
    with tapped(session):
        for _ in range(5):
            step()
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(40):
                step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert session.failures == []
    assert session.update == 45


def test_compiled_model_is_not_recompiled() -> None:
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    session = Session(all_probes()[0])
    with tapped(session):
        step, _ = training("bfloat16", compiled=True)
        for _ in range(60):
            step()
    assert not counters["graph_break"]
    assert counters["stats"]["unique_graphs"] == 1
    assert session.failures == []
