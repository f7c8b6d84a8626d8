"""How large the context-vector model's signal is after each layer, before any training."""

from dataclasses import replace

import torch
from torch import Tensor

from shindan.reference.models.context_vector import ContextVectorConfig, ContextVectorLM

TWELVE = ContextVectorConfig(context=512, layers=12)
VARIANTS = {
    "as reported": TWELVE,
    "residual": replace(TWELVE, residual=True),
    "scaled init": replace(TWELVE, init="scaled"),
    "both": replace(TWELVE, residual=True, init="scaled"),
}
SHOWN = (1, 2, 3, 6, 9, 12)
"""Layers of the table."""


@torch.no_grad()
def sizes(config: ContextVectorConfig, seed: int = 0) -> list[tuple[float, float]]:
    """After each layer, at the eighth word of 256 rows of random words: (RMS, what tells rows
    apart: the RMS of what is left without the mean over rows)."""
    torch.manual_seed(seed)
    model = ContextVectorLM(config).eval()
    found: list[Tensor] = []
    for layer in (*model.layers, model.gates):
        layer.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    model(torch.randint(config.vocab_size, (256, 8)))
    last = found[-config.layers :]
    return [(rms(each), rms(each - each.mean(dim=0))) for each in last]


def rms(x: Tensor) -> float:
    """Root of the mean square."""
    return float(x.double().square().mean().sqrt())


def table() -> str:
    """Rows of Markdown: both numbers after some layers, and the gain of a layer."""
    rows = [
        "| 12 layers at init | " + " | ".join(f"layer {n}" for n in SHOWN) + " | gain a layer |",
        "|---" * (len(SHOWN) + 2) + "|",
    ]
    for name, config in VARIANTS.items():
        held = sizes(config)
        gain = (held[-1][0] / held[0][0]) ** (1 / (config.layers - 1))
        cells = [f"{held[n - 1][0]:.2g} ({held[n - 1][1]:.1g})" for n in SHOWN]
        rows.append(f"| {name} | " + " | ".join(cells) + f" | {gain:.2f} |")
    return "\n".join(rows)
