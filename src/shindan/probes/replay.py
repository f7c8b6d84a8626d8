"""Replays of a look's batch, reduced to what interventions compare.

All tensors are in the canonical layout: ids (B, T), states (B, T, C).
"""

import random
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from shindan.probes.capture import IGNORE
from shindan.probes.edges import constant_runs
from shindan.probes.look import Look, NoReplay
from shindan.probes.trees import leaves

COLUMNS = 256
"""Columns of the logits compared; a change of the input moves all of them."""
SAME = 0.995
"""Share of labels that must equal the shifted input: next-token labels are the input itself."""

REPEAT = 1e-4
"""Relative difference of two equal calls: atomics of GPU kernels stay below it."""


class Replay:
    """Calls of one look's batch with the same random numbers, and what the batch is."""

    random = False
    """Known with :attr:`base`: random numbers act in eval mode. Equal seeds still give equal
    states, but no longer once tokens or rows have changed places."""

    def __init__(self, look: Look) -> None:
        self.look = look

    @staticmethod
    def of(look: Look) -> "Replay":
        """The one replay of this look, shared by all probes."""
        found = vars(look).get("_replay")
        if not isinstance(found, Replay):
            found = Replay(look)
            vars(look)["_replay"] = found
        return found

    # -- calling ------------------------------------------------------------------------------

    def states(self, ids: Tensor | None = None, *, seed: int = 0, **how: Any) -> Tensor:
        """(B, T, C) float32: columns of the logits, else of an output with a row per position.

        Raises NoReplay, also when the user's model fails on the changed batch.
        """
        _seed(seed)
        return self._safely(lambda: self._states(ids, how))

    def shorter(self, length: int) -> None:
        """Call the model on rows cut to their first ``length`` positions. Raises NoReplay."""
        look, shape = self.look, self.look._ids[1].shape
        axis = 1 if look.first_is_batch else 0
        tree = {"args": look.taken.call.args, "kwargs": look.taken.call.kwargs}
        cut = {n: t.narrow(axis, 0, length) for n, t in leaves(tree) if t.shape == shape}
        _seed(0)
        self._safely(lambda: look.call(swap={n: t.contiguous() for n, t in cut.items()}))

    def _states(self, ids: Tensor | None, how: dict[str, Any]) -> Tensor:
        look = self.look
        try:
            found = look.logits(ids, **how)
        except NoReplay:
            found = self._rows(look.call(ids, **how))
        step = -(-found.shape[-1] // COLUMNS)
        return found[..., ::step].clone()

    def _rows(self, output: Any) -> Tensor:
        shape = self.look._ids[1].shape
        for _, t in leaves(output):
            if t.is_floating_point() and t.ndim == 3 and t.shape[:2] == shape:
                states = t.detach().float()
                return states if self.look.first_is_batch else states.transpose(0, 1)
        raise NoReplay("no-row-per-position")

    def _safely(self, do: Callable[[], Tensor]) -> Tensor:
        try:
            return do()
        except NoReplay:
            raise
        except Exception as error:
            raise NoReplay("call-failed", error=str(error)[:160]) from error

    @cached_property
    def base(self) -> Tensor:
        """States of the batch as it was, in eval mode.

        Raises NoReplay when they are not finite, or when the model remembers earlier calls: then
        a change of them means nothing.
        """
        states, again = self.states(), self._after_another(seed=1)
        if not bool(states[self.real].isfinite().any()):
            raise NoReplay("output-not-finite")
        if not _same(states, again):
            if not _same(states, self._after_another(seed=0)):
                raise NoReplay("model-remembers")
            self.random = True
        return states

    def steady(self) -> None:
        """Raise NoReplay when tokens cannot change places without other random numbers acting."""
        if bool(self.base.numel()) and self.random:
            raise NoReplay("random-in-eval")

    def _after_another(self, seed: int) -> Tensor:
        """States of the batch after a call with other content."""
        self.states(self.look.other_ids(self.look.ids))
        return self.states(seed=seed)

    def movement(self, states: Tensor) -> Tensor:
        """(B, T) mean |difference| from :attr:`base`; zero where either is not a number."""
        return (states - self.base).abs().nan_to_num(0.0, 0.0, 0.0).mean(-1)

    @cached_property
    def spread(self) -> float:
        """Mean distance of the states from their mean over real positions."""
        real = self.base[self.real]
        real = real[real.isfinite().all(-1)]
        return float((real - real.mean(0)).abs().mean()) if len(real) else 0.0

    # -- what the batch is ----------------------------------------------------------------------

    @cached_property
    def pad(self) -> tuple[int, Tensor] | None:
        """(pad id, (B, T) True at padding); runs in the ids count when a mask is all ones."""
        return self.look.pad or self.look.runs or self.look.named_runs

    @cached_property
    def real(self) -> Tensor:
        """(B, T) True at what is no padding."""
        if self.pad is None:
            return torch.ones_like(self.look.ids, dtype=torch.bool)
        return ~self.pad[1]

    @cached_property
    def lag(self) -> int | None:
        """The labels are the inputs 1, 2 or 3 positions later; None when they are not.

        NoReplay when the labels are unknown.
        """
        ids, labels, real = self.look.ids, self.look.labels, self.real
        own = _equal(ids, labels, real, 0)
        shares = {k: _equal(ids, labels, real, k) for k in (1, 2, 3) if k < ids.shape[1]}
        best = max(shares, key=lambda k: shares[k], default=1)
        share = shares.get(best, 0.0)
        return best if share >= SAME and share > own else None

    @cached_property
    def counted(self) -> Tensor:
        """(B, T) True where a label counts. NoReplay when the labels are unknown."""
        return self.look.labels != IGNORE

    @cached_property
    def certain(self) -> bool:
        """Does the data itself show that canonical axis 1 is time?

        Shifted labels, padding at the ends of rows, or all rows beginning with the same id.
        """
        try:
            if self.lag is not None:
                return True
        except NoReplay:
            pass
        ids = self.look.ids
        if len(ids) < 2 or bool((ids[0] == ids[0, 0]).all()):
            return False
        runs = constant_runs(ids) is not None and constant_runs(ids.T) is None
        return runs or bool((ids[:, 0] == ids[0, 0]).all())

    @property
    def half(self) -> float:
        """The machine precision of the dtype in which the model computes."""
        _, enabled, dtype = self.look.taken.call.autocast
        own = next(p.dtype for p in self.look.module.parameters() if p.is_floating_point())
        return float(torch.finfo(dtype if enabled else own).eps)


def _same(a: Tensor, b: Tensor) -> bool:
    apart = (a - b).abs().nan_to_num(0.0).max()
    return bool(apart <= REPEAT * a.abs().nan_to_num(0.0, 0.0, 0.0).max())


def _equal(ids: Tensor, labels: Tensor, real: Tensor, lag: int) -> float:
    """Share of counted labels that equal the input ``lag`` positions later, both no padding.

    An end of text that is only ever a label is asked for where the next input is padding.
    """
    width = ids.shape[1] - lag
    y, x = labels[:, :width], ids[:, lag:]
    counted = (y != IGNORE) & real[:, :width] & real[:, lag:]
    n = int(counted.sum())
    return float(((x == y) & counted).sum()) / n if n else 0.0


def _seed(seed: int) -> None:
    """The look puts all these generators back."""
    torch.manual_seed(seed)
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)
