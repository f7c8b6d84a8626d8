"""Looking does not change the run: every bit of every update is the same, with and without."""

import contextlib
import hashlib
import io
import os
import random
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from shindan.integrations.script import run_script
from tests.run.patients import FRAMEWORKS, PATIENTS, names

Trace = dict[str, Any]


def digest(*tensors: torch.Tensor) -> str:
    h = hashlib.sha256()
    for t in tensors:
        h.update(t.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return h.hexdigest()


@contextlib.contextmanager
def traced(folder: Path) -> Iterator[Trace]:
    """Record parameters, gradients and optimizer state after every update, RNGs and output."""
    trace: Trace = {"updates": []}

    def after(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        owned = [p for g in optimizer.param_groups for p in g["params"]]
        state = [v for p in owned for v in optimizer.state[p].values() if torch.is_tensor(v)]
        grads = [p.grad for p in owned if p.grad is not None]
        trace["updates"].append(digest(*owned, *grads, *(s for s in state if s.ndim)))

    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    handle = register_optimizer_step_post_hook(after)
    here, threads, argv = os.getcwd(), torch.get_num_threads(), sys.argv
    sys.argv = ["script.py"]
    torch.set_num_threads(1)
    folder.mkdir()
    os.chdir(folder)
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            yield trace
    finally:
        handle.remove()
        os.chdir(here)
        sys.argv = argv
        torch.set_num_threads(threads)
    trace["output"] = out.getvalue()
    trace["torch"] = digest(torch.get_rng_state())
    trace["python"] = random.getstate()
    trace["numpy"] = str(np.random.get_state())


def steady(value: Any) -> Any:
    """Output without the frameworks' own timings."""
    if not isinstance(value, str):
        return value
    return re.sub(r"'[a-z_]*(runtime|per_second|_time)': '?[\d.e+-]+'?", "", value)


def compare(name: str, tmp_path: Path, plain: Callable[[str], Any]) -> None:
    script = str(PATIENTS / f"{name}.py")
    failures: list[Any] = []
    with traced(tmp_path / "without") as without:
        plain(script)
    with traced(tmp_path / "with") as watched:
        run_script(
            script,
            [],
            record=tmp_path / "record.db",
            done=lambda d, w: failures.extend(d.failed),
        )
    assert failures == []
    assert len(without["updates"]) > 10
    for key in without:
        assert steady(watched[key]) == steady(without[key]), key


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in FRAMEWORKS else ()) for n in names()],
)
def test_run_is_bitwise_equal(name: str, tmp_path: Path) -> None:
    compare(name, tmp_path, lambda script: runpy.run_path(script, run_name="__main__"))


DISGUISED = """
import inspect
import pickle
import torch

torch.nn.utils.skip_init(torch.nn.Embedding, 10, 4)
torch.nn.utils.skip_init(torch.nn.Linear, 10, 4)
for function in (torch.save, torch.load, torch.compile, torch.nn.functional.cross_entropy):
    assert pickle.loads(pickle.dumps(function)) is function
assert "weights_only" in inspect.signature(torch.load).parameters
assert "num_embeddings" in inspect.signature(torch.nn.Embedding.__init__).parameters
"""


def test_what_is_wrapped_passes_for_the_original(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(DISGUISED)
    status, _ = run_script(str(script), [], done=lambda document, watch: None)
    assert status == 0
