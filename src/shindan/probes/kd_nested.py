"""Student and teacher inside one wrapper module: its children are then the models to compare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from shindan.probes.events import ForwardCall
from shindan.probes.kd_roots import IDS
from shindan.probes.matching import Digest
from shindan.probes.recorded import recorded
from shindan.probes.trees import leaves

MOST = 8
FAST = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
"""They look for hooks before they choose a kernel."""
Taken = Callable[[ForwardCall], list[Digest]]


@dataclass(eq=False)
class _Heard:
    fed_ids: bool
    digests: list[Digest]


class Nested:
    """Hears the direct children of one root call, for the length of that call.

    torch's own containers are left alone: hooks on them change which kernels they choose.
    """

    def __init__(self, call: ForwardCall, take: Taken, guarded: Callable[..., Any]) -> None:
        self.heard: list[_Heard] = []
        self._call, self._take, self._guarded = call, take, guarded
        children = [c for c in call.module.children() if _is_model(c)]
        whole = [c for c in children if not isinstance(c, (nn.Linear, *FAST))]
        wrapper = len(whole) > 1 and not isinstance(call.module, FAST)
        self._handles = [
            c.register_forward_hook(self._returned, with_kwargs=True)
            for c in (children[:MOST] if wrapper else ())
        ]

    def _returned(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if not recorded():
            self._guarded("nested models", lambda: self._note(module, args, kwargs, output))

    def _note(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        outer = self._call
        call = ForwardCall(
            module, args, kwargs, module.training, outer.grad, outer.index, outer.autocast
        )
        call.output = output
        fed_ids = any(t.dtype in IDS for _, t in leaves((args, kwargs)))
        self.heard.append(_Heard(fed_ids, self._take(call)))

    def ended(self) -> list[Digest]:
        """Take the hooks off; the children's outputs when at least two were fed token ids."""
        for handle in self._handles:
            handle.remove()
        if sum(h.fed_ids for h in self.heard) < 2:
            return []
        return [d for h in self.heard for d in h.digests]


def _is_model(child: nn.Module) -> bool:
    own = type(child).__module__.startswith("torch.") or isinstance(child, FAST)
    has_parameters = next(child.parameters(), None) is not None
    return has_parameters and (isinstance(child, nn.Linear) or not own)
