"""Losses inside compiled regions: learnt in one eager replay, then told at every call.

No function call is heard inside a compiled region. One eager replay of the first training call
tells which argument holds the targets (whole, or shifted by one) and which output is the loss; from
then on the call's own arguments and outputs tell the loss, in training and in evaluation.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from shindan.core.finding import Where
from shindan.probes.capture import LANGUAGE, plain
from shindan.probes.events import ForwardCall, LossCall
from shindan.probes.trees import leaves, mapped
from shindan.probes.untouched import untouched

if TYPE_CHECKING:
    from shindan.probes.session import Session

ROWS = 4
"""Rows of the batch that are replayed: the relation of targets to arguments is the same in all."""
TRIES = 4
"""Calls of one module that are tried: a first batch may be unlike the others."""

FORMS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "whole": lambda t, ignore: t,
    "without the first": lambda t, ignore: t[..., 1:],
    "without the first row": lambda t, ignore: t[1:],
    "shifted and filled": lambda t, ignore: pad(t, (0, 1), value=ignore)[..., 1:],
    "without the last": lambda t, ignore: t[..., :-1],
}
"""What scripts make targets of an argument with, inside a model's forward."""


@dataclass(frozen=True)
class Recipe:
    """How a call tells its loss: ``argument`` and ``output`` are paths, ``form`` one of FORMS."""

    argument: str
    form: str
    output: str
    kind: str
    classes: int
    params: dict[str, Any]
    where: Where

    def told(self, call: ForwardCall, micro: int) -> LossCall | None:
        """The loss of this call, without its input; None when the call is of another form."""
        held = _at({"args": call.args, "kwargs": call.kwargs}, self.argument)
        output = _at(call.output, self.output)
        if held is None or output is None:
            return None
        target = FORMS[self.form](held, self.params["ignore_index"]).reshape(-1)
        return LossCall(
            kind=self.kind,
            shape=(target.numel(), self.classes),
            input=target.new_empty(0),
            target=target,
            params=self.params,
            output=output,
            where=self.where,
            grad=bool(output.requires_grad),
            inside=True,
            forward=call,
            index=micro,
            compiled=True,
        )


class CompiledLosses:
    """The recipes of a run, by the user's own module."""

    def __init__(self) -> None:
        self.recipes: weakref.WeakKeyDictionary[nn.Module, Recipe] = weakref.WeakKeyDictionary()
        self._tries: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()

    def of(self, call: ForwardCall, micro: int) -> LossCall | None:
        """The loss that this call, just returned, made unheard."""
        recipe = self.recipes.get(plain(call.module)) if self.recipes else None
        return recipe.told(call, micro) if recipe is not None else None

    def learn(self, session: "Session", calls: Iterable[ForwardCall]) -> None:
        """A backward begins and no language loss was heard: replay the calls that led to it."""
        for call in calls:
            module = plain(call.module)
            tried = self._tries.get(module, 0)
            if module in self.recipes or tried >= TRIES or not (call.args or call.kwargs):
                continue
            self._tries[module] = tried + 1
            found = _replayed(session, call)
            if found is not None:
                self.recipes[module] = found


@contextmanager
def eagerly(compiled: bool) -> Iterator[None]:
    """Compiled code runs as it was written, and nothing is compiled for us."""
    if not compiled:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _replayed(session: "Session", call: ForwardCall) -> Recipe | None:
    module = plain(call.module)
    tree = {"args": call.args, "kwargs": call.kwargs}
    session.looking = True
    try:
        with untouched([module]), eagerly(compiled=True):
            for given in (_cut(tree), tree):
                session.overheard.clear()
                try:
                    output = _called(module, call, given)
                except Exception:  # noqa: BLE001 - not every batch can be cut: then the whole
                    continue
                return _recipe(session.overheard, given, output)
    finally:
        session.looking = False
        session.overheard.clear()
    return None


def _called(module: nn.Module, call: ForwardCall, tree: dict[str, Any]) -> Any:
    device, enabled, dtype = call.autocast
    with torch.autocast(device, dtype=dtype, enabled=enabled):
        return module(*tree["args"], **tree["kwargs"])


def _cut(tree: dict[str, Any]) -> dict[str, Any]:
    """The first rows of every tensor that has the commonest first dimension."""
    sizes = Counter(t.shape[0] for _, t in leaves(tree) if t.ndim)
    common = sizes.most_common(1)[0][0] if sizes else 0

    def cut(t: Tensor) -> Tensor:
        return t[:ROWS] if t.ndim and t.shape[0] == common else t

    short: dict[str, Any] = mapped(tree, cut)
    return short


def _recipe(heard: list[LossCall], tree: dict[str, Any], output: Any) -> Recipe | None:
    losses = [h for h in heard if h.kind in LANGUAGE and not h.target.is_floating_point()]
    if not losses:
        return None
    loss = max(losses, key=lambda h: h.target.numel())
    returned = next((n for n, t in leaves(output) if _same(t, loss.output)), None)
    source = _source(tree, loss)
    if returned is None or source is None:
        return None
    return Recipe(
        *source, returned, loss.kind, loss.shape[1], dict(loss.params), loss.where
    )  # fmt: skip


def _source(tree: dict[str, Any], loss: LossCall) -> tuple[str, str] | None:
    target, ignore = loss.target.reshape(-1), loss.params["ignore_index"]
    for name, t in leaves(tree):
        if t.is_floating_point() or t.dtype == torch.bool or not t.ndim:
            continue
        for form, make in FORMS.items():
            if _same(make(t, ignore).reshape(-1), target):
                return name, form
    return None


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.device == b.device and bool((a == b).all())


def _at(tree: Any, path: str) -> Tensor | None:
    return next((t for n, t in leaves(tree) if n == path), None)
