"""Calls of the clipping functions are told once each, with the norm that was found."""

import torch
from torch import Tensor, nn

from shindan.probes.patching import Patches
from shindan.probes.probe import Probe
from shindan.probes.session import Session
from shindan.probes.taps import clipping
from shindan.probes.taps.scaler import Scaled


def test_every_function_is_told_once_with_the_norm_found() -> None:
    session, patches = Session([]), Patches()
    clipping.install(session, patches, Scaled())
    weight = nn.Parameter(torch.ones(4))
    try:
        for way in ("whole", "apart", "apart by keyword", "value"):
            weight.grad = torch.full((4,), 3.0)
            if way == "whole":
                nn.utils.clip_grad_norm_([weight], 1.0)
            elif way == "apart":
                norm = nn.utils.get_total_norm([weight.grad])
                nn.utils.clip_grads_with_norm_([weight], 1.0, norm)
            elif way == "apart by keyword":
                norm = nn.utils.get_total_norm([weight.grad])
                nn.utils.clip_grads_with_norm_([weight], max_norm=1.0, total_norm=norm)
            else:
                nn.utils.clip_grad_value_([weight], 1.0)
            assert weight.grad.max() <= 1.0
    finally:
        patches.undo()
    assert [None if c.norm is None else c.norm.item() for c in session.clips] == [6, 6, 6, None]
    assert {c.max_norm for c in session.clips} == {1.0}


def test_a_norm_that_is_asked_for_first_is_told_with_its_tensors() -> None:
    class Heard(Probe):
        def on_norm(self, norm: Tensor, tensors: list[Tensor]) -> None:
            told.append((norm.item(), len(tensors)))

    told: list[tuple[float, int]] = []
    session, patches = Session([Heard()]), Patches()
    clipping.install(session, patches, Scaled())
    weight = nn.Parameter(torch.ones(4))
    weight.grad = torch.full((4,), 3.0)
    try:
        assert nn.utils.get_total_norm(p.grad for p in [weight] if p.grad is not None) == 6
        nn.utils.clip_grad_norm_([weight], 1.0)
    finally:
        patches.undo()
    assert told == [(6.0, 1)]
