"""Shindan watches the recipes: nothing on the healthy ones, the faults of the reported ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOUND = {
    "bert-mlm-as-reported": {"model/attention-mask-ignored"},
    "causal-mix-as-reported": {
        "config/logged-lr-not-effective",
        "numerics/scaler-under-bf16",
        "optimizer/hook-clamps-scaled-gradients",  # of which short steps are a consequence
        "symptom/at-uniform-line",
    },
    "logbert-as-reported": {"numerics/root-gradient-at-zero", "symptom/nan"},
    "context-vector-as-reported": {"model/signal-lost-with-depth", "symptom/at-unigram-line"},
}
HEALTHY = ("bert-mlm", "vaswani-mlm", "causal-mix", "context-vector", "logbert")


def watched(name: str, folder: Path) -> dict[str, str]:
    """Severity of each finding by its id."""
    told = subprocess.run(
        [
            *(sys.executable, "-m", "shindan", "run", "--json", "told.json", "-m", "shindan"),
            *("train", name, "output_dir=run", "plot=false"),
            *(["max_updates=300"] if "mlm" in name else []),  # half: enough to be judged
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert told.returncode == 0, told.stderr
    document = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    return {finding["id"]: finding["severity"] for finding in document["findings"]}


@pytest.mark.slow
@pytest.mark.timeout(320)
@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_found_on_a_healthy_recipe(name: str, tmp_path: Path) -> None:
    assert watched(name, tmp_path) == {}


@pytest.mark.slow
@pytest.mark.timeout(320)
@pytest.mark.parametrize("name", FOUND)
def test_the_faults_of_a_report_are_found(name: str, tmp_path: Path) -> None:
    found = watched(name, tmp_path)
    assert FOUND[name] <= found.keys()
    assert not any(
        severity in ("critical", "major") for id, severity in found.items() if id not in FOUND[name]
    )
