"""What happens in a watched run, as the taps tell it and the probes hear it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from shindan.core.finding import Where
from shindan.probes.trees import leaves


@dataclass(eq=False)
class ForwardCall:
    """An outermost call of a module that has parameters (a *root* call).

    ``training`` is the root's own flag, ``grad`` whether gradients were recorded. ``output`` is
    there in ``on_output`` only, ``args`` and ``kwargs`` later too unless they carry a graph:
    nothing of the run is kept alive. ``rng`` is kept on steps that will be replayed.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    training: bool
    grad: bool
    index: int
    autocast: tuple[str, bool, torch.dtype]
    output: Any = None
    rng: Any = None

    def release(self) -> None:
        """Drop what could keep a graph alive."""
        self.output = None
        if any(t.requires_grad for _, t in leaves((self.args, self.kwargs))):
            self.args, self.kwargs = (), {}


@dataclass(eq=False)
class LossCall:
    """A call of a loss function of ``torch.nn.functional``.

    ``kind`` is its name (``cross_entropy``, ``nll_loss``, ``kl_div``, ``mse_loss``, ...);
    ``params`` its further arguments by name with defaults filled in; ``forward`` the root call
    during or after which it was made. ``grad`` is false for evaluation. ``input``, ``output``
    and a floating-point ``target`` are there in ``on_loss`` only; ``shape`` (of the input)
    stays. ``compiled``: told from the call of a compiled region, ``input`` is empty.
    """

    kind: str
    shape: tuple[int, ...]
    input: Tensor
    target: Tensor
    params: dict[str, Any]
    output: Tensor
    where: Where
    grad: bool
    inside: bool
    forward: ForwardCall | None
    index: int
    compiled: bool = False

    def release(self) -> None:
        """Drop what could keep a graph alive or is large."""
        empty = self.target.new_empty(0)
        self.input = self.output = empty
        if self.target.is_floating_point():
            self.target = empty


@dataclass(eq=False)
class BackwardCall:
    """An outermost ``backward``: before it runs (the graph is alive) and after.

    ``loss`` is what it was called on, ``unscaled`` the same before ``GradScaler.scale`` (else
    ``loss`` itself), ``scale`` the scale as a device scalar (None without a scaler). ``calls``
    and ``losses`` are what happened with gradients since the last backward.
    """

    loss: Tensor
    unscaled: Tensor
    scale: Tensor | None
    index: int
    update: int
    calls: list[ForwardCall]
    losses: list[LossCall]
    where: Callable[[], Where]


@dataclass(eq=False)
class OptimizerStep:
    """One ``optimizer.step``; ``closure`` when forward and backward run inside it.

    ``update`` counts the updates of this optimizer, from 0; ``micro`` the backward calls since
    its last update (with a closure: only known when the step is done). ``norm`` is the gradient
    norm once a probe has asked for it (``gradients.gradient_norm``).
    """

    optimizer: torch.optim.Optimizer
    update: int
    micro: int
    closure: bool
    clips: list["ClipCall"] = field(default_factory=list)
    norm: Tensor | None = None


@dataclass(eq=False)
class ClipCall:
    """A call of ``clip_grad_norm_`` (or ``clip_grad_value_``: ``norm`` None).

    ``norm`` is the total norm it returned, as found in the gradients; ``scale`` the GradScaler's
    scale still inside them (a device scalar; None when there is none or they were unscaled).
    """

    max_norm: float
    norm: Tensor | None
    scale: Tensor | None
    where: Where


@dataclass(eq=False)
class HookCall:
    """A gradient hook of the user's own on a parameter, on a sampled micro-step.

    ``before`` and ``after`` are copies of the same elements of the gradient, (E,); ``scale`` as
    in :class:`ClipCall`; ``where`` the line that registered the hook.
    """

    parameter: Tensor
    before: Tensor
    after: Tensor
    scale: Tensor | None
    where: Where


@dataclass(eq=False)
class ScalerEvent:
    """A call of a GradScaler's method: ``unscale_``, ``step`` or ``update``.

    ``scale`` (device scalar, cloned) before the call; ``skipped`` for ``step``: the optimizer
    was not stepped.
    """

    kind: str
    scaler: Any
    optimizer: torch.optim.Optimizer | None
    scale: Tensor | None
    skipped: bool = False


@dataclass(eq=False)
class BatchEvent:
    """A batch handed out by a DataLoader; ``epoch`` counts this loader's iterations from 0."""

    loader: Any
    epoch: int
    index: int
    batch: Any


@dataclass(eq=False)
class CheckpointEvent:
    """``kind``: save, load, module_load, optimizer_load, scheduler_load, table (an embedding made
    from given vectors).

    ``content`` is the object saved or loaded; ``target`` the module, optimizer or scheduler;
    ``result`` the missing and unexpected keys of ``module_load``.
    """

    kind: str
    content: Any
    target: Any = None
    result: Any = None
    where: Where | None = None


@dataclass(eq=False)
class CheckpointedCall:
    """A training call of reentrant gradient checkpointing.

    ``asked``: some tensor among its inputs requires a gradient; without one it returns none.
    """

    asked: bool
    where: Where


@dataclass(eq=False)
class SettingsEvent:
    """Configuration that was read: ``kind`` argparse, yaml, json; ``values`` flat or nested.

    For argparse ``defaults`` and the names given on the command line are in ``extra``.
    """

    kind: str
    values: Any
    where: Where
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class LogEvent:
    """Something the script told the world: a line printed or a value logged."""

    kind: str
    text: str
    where: Where
    values: dict[str, float] = field(default_factory=dict)
