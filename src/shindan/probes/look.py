"""A deep look: one batch captured live, and the means to replay it.

Everything is told in the canonical layout ``(B, T)`` / ``(B, T, V)``, whatever the script's own.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shindan.core.reason import Reason
from shindan.probes.alignment import Alignment, align, batch_first
from shindan.probes.capture import IGNORE, LANGUAGE, Capture, LossSeen, rows_of
from shindan.probes.edges import alone, runs
from shindan.probes.names import special_ids
from shindan.probes.trees import leaves, mapped
from shindan.probes.untouched import set_rng_state

if TYPE_CHECKING:
    from shindan.probes.session import Session


class NoReplay(Exception):
    """This model cannot be replayed, because of the reason of that key (core/reason.py)."""

    def __init__(self, key: str, **values: int | float | str) -> None:
        super().__init__(key)
        self.reason = Reason(key, values)


class _Lookups(torch.overrides.TorchFunctionMode):
    """Hears embedding look-ups: ``F.embedding`` and a parameter indexed by ids."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.embedding:
            self._note(args[1], args[0])
        elif func is torch.embedding or (
            func is Tensor.__getitem__ and isinstance(args[0], nn.Parameter)
        ):
            self._note(args[0], args[1])
        return func(*args, **(kwargs or {}))

    def _note(self, weight: Tensor, index: Any) -> None:
        if isinstance(index, Tensor) and not index.is_floating_point():
            self.seen.append((weight.shape[0], index))


class Look:
    """What a probe gets in ``on_look``.

    ``session``; ``modes`` of all modules as the run had them; ``taken`` (the capture: losses with
    places, shapes, targets); ``update`` made so far; ``last`` for the look after the script has
    ended; ``module`` the user's root module.
    """

    def __init__(self, session: "Session", taken: Capture, update: int, last: bool) -> None:
        self.session = session
        self.taken = taken
        self.update = update
        self.last = last
        self.module = taken.module
        self.modes = [(m, m.training) for m in self.module.modules()]

    # -- what the batch is -------------------------------------------------------------------

    @cached_property
    def fed(self) -> list[tuple[int, str, Tensor]]:
        """(rows of the embedding, path, ids) of every integer argument that feeds an embedding."""
        whole = [
            (n, t)
            for n, t in leaves({"args": self.taken.call.args, "kwargs": self.taken.call.kwargs})
            if not t.is_floating_point() and t.dtype != torch.bool and t.ndim == 2
        ]
        looked_up = self._lookups()
        return [(r, n, t) for r, indices in looked_up for n, t in whole if _same_ids(indices, t)]

    @cached_property
    def _ids(self) -> tuple[str, Tensor]:
        """The integer argument that feeds the widest embedding."""
        if not self.fed:
            raise NoReplay("no-ids-embedded")
        _, name, ids = max(self.fed, key=lambda f: f[0])
        return name, ids

    def _lookups(self) -> list[tuple[int, Tensor]]:
        """(rows, indices) of every embedding looked up in one replay."""
        spy = _Lookups()
        with torch._C._EnableTorchFunction(), spy:
            self.call()
        return spy.seen

    @cached_property
    def first_is_batch(self) -> bool:
        """Is the script's layout (B, T)? Decided by which axis the labels are shifted along."""
        return batch_first(self._ids[1], self._raw_labels)

    @cached_property
    def ids(self) -> Tensor:
        """Input token ids, (B, T). Raises NoReplay."""
        ids = self._ids[1]
        return ids if self.first_is_batch else ids.T

    @cached_property
    def loss(self) -> LossSeen:
        """The language-model loss of this micro-step: the one with the most rows. NoReplay."""
        found = [s for s in self.taken.losses if s.kind in LANGUAGE]
        if not found:
            raise NoReplay("no-cross-entropy")
        return max(found, key=lambda s: s.digest.shape[0] * s.shape[-1 if len(s.shape) == 2 else 1])

    @cached_property
    def classes(self) -> int:
        """Size of the head's output. NoReplay."""
        return self.loss.shape[1]

    @cached_property
    def alignment(self) -> Alignment:
        """Which position each row of the loss belongs to. NoReplay."""
        ids = self._ids[1]
        found = align(self.loss, self.taken.outputs, tuple(ids.shape))
        if found is None:
            raise NoReplay("rows-not-matched")
        return found

    @cached_property
    def _raw_labels(self) -> Tensor | None:
        """Labels at the position of the logits that predict them, in the script's layout."""
        try:
            where_rows = self.alignment.rows
            seen = self.loss
        except NoReplay:
            return None
        target = seen.target.reshape(-1)
        if target.is_floating_point() or len(target) != len(where_rows):
            return None
        ids = self._ids[1]
        flat = torch.full((ids.numel(),), IGNORE, dtype=torch.long, device=target.device)
        ignored = target == seen.params.get("ignore_index", IGNORE)
        flat[where_rows] = torch.where(ignored, IGNORE, target.long())
        return flat.reshape(ids.shape)

    @cached_property
    def labels(self) -> Tensor:
        """(B, T) labels, IGNORE where none counts, at the position whose logits predict them."""
        raw = self._raw_labels
        if raw is None:
            raise NoReplay("targets-not-matched")
        return raw if self.first_is_batch else raw.T

    @cached_property
    def mask(self) -> tuple[str, Tensor] | None:
        """The padding mask argument as (path, bool (B, T), True = real token), if there is one.

        A two-valued argument of the ids' shape of which one value covers a single id: that value
        means padding. When no row is padded, an argument that is named a mask and is constant.
        """
        name, ids = self._ids
        unpadded: tuple[str, Tensor] | None = None
        for path, t in leaves({"args": self.taken.call.args, "kwargs": self.taken.call.kwargs}):
            if path == name or t.ndim != 2 or t.shape not in (ids.shape, ids.T.shape):
                continue
            if t.dtype != torch.bool and not bool(((t == 0) | (t == 1)).all()):
                continue
            marks = t.bool() if t.shape == self.ids.shape else t.bool().T
            sides = [len(self.ids[side].unique()) for side in (~marks, marks)]
            if min(sides) == 1 and max(sides) > 1:
                return path, marks if sides[0] == 1 else ~marks
            if 0 in sides and "mask" in self.parameter(path):
                unpadded = path, torch.ones_like(marks)
        return unpadded

    def parameter(self, path: str) -> str:
        """The name of the forward's parameter behind a path such as ``args.1``."""
        kind, _, rest = path.partition(".")
        if kind != "args":
            return rest
        names = list(inspect.signature(self.module.forward).parameters)
        number = int(rest.split(".")[0])
        return names[number] if number < len(names) else rest

    @cached_property
    def pad(self) -> tuple[int, Tensor] | None:
        """(pad id, bool (B, T) True at padding), from the mask, else from constant runs.

        Without a mask: see :attr:`runs`.
        """
        ids = self.ids
        if self.mask is not None:
            real = self.mask[1]
            if bool(real.all()):
                return None
            at = ids[~real]
            values, counts = at.unique(return_counts=True)
            return int(values[counts.argmax()]), ~real
        return self.runs

    @cached_property
    def runs(self) -> tuple[int, Tensor] | None:
        """Constant runs at the ends of rows, unless the script itself names another id as padding.

        Logs end with the same key several times over, and batches of one length hold no padding.
        """
        likely = list(runs(self.ids))
        declared = self._declared_pads() if likely else set()
        return next((f for f in likely if not declared or f[0] in declared), None)

    @cached_property
    def named_runs(self) -> tuple[int, Tensor] | None:
        """Runs of an id that is named padding, be it at the end of one row only."""
        likely = list(alone(self.ids))
        declared = self._declared_pads() if likely else set()
        return next((f for f in likely if f[0] in declared), None)

    def _declared_pads(self) -> set[int]:
        """Ids that the script, its vocabulary, a tokenizer or the embedding calls padding."""
        rows, _, _ = max(self.fed, key=lambda f: f[0])
        tables = [m for m in self.module.modules() if isinstance(m, nn.Embedding)]
        own = {
            m.padding_idx for m in tables if m.num_embeddings == rows and m.padding_idx is not None
        }
        return own | {number for role, number in special_ids(rows).all if role == "pad"}

    # -- doing it again ----------------------------------------------------------------------

    def recover_losses(self) -> None:
        """A loss inside a compiled region was not heard: hear it in one eager replay."""
        if any(s.kind in LANGUAGE for s in self.taken.losses):
            return
        output = self.call(train=True)
        heard = list(self.session.overheard)
        if any(h.kind in LANGUAGE for h in heard):
            self.taken.outputs.clear()
            self.taken.returned(output)
            for call in heard:
                self.taken.lost(call)

    def call(
        self,
        ids: Tensor | None = None,
        *,
        swap: dict[str, Tensor] | None = None,
        train: bool = False,
    ) -> Any:
        """Call the root again and return its raw output.

        ``ids`` replaces the input ids (canonical (B, T), same shape), ``swap`` further arguments
        by their path name. Eval mode unless ``train`` (then with the RNG state of the captured
        call). Loss calls made inside are in ``session.overheard``.
        """
        module, call = self.module, self.taken.call
        replaced = dict(swap or {})
        if ids is not None:
            replaced[self._ids[0]] = ids if self.first_is_batch else ids.T.contiguous()
        tree = {"args": call.args, "kwargs": call.kwargs}
        names = {id(t): n for n, t in leaves(tree)}
        new = mapped(tree, lambda t: replaced.get(names.get(id(t), ""), t))
        module.train(train)
        if train:
            self._rewind()
            for m, mode in self.modes:
                m.training = mode
        self.session.overheard.clear()
        device, enabled, dtype = call.autocast
        with torch.autocast(device, dtype=dtype, enabled=enabled):
            return module(*new["args"], **new["kwargs"])

    def _rewind(self) -> None:
        if self.taken.call.rng is not None:
            set_rng_state(self.taken.call.rng)

    def logits(self, ids: Tensor | None = None, **how: Any) -> Tensor:
        """(B, T, V) float32 logits (or log-probabilities) of the replayed batch. NoReplay.

        Positions that the loss never sees and the output does not hold are NaN.
        """
        output = self.call(ids, **how)
        shape = self._ids[1].shape
        for _, t in leaves(output):
            whole = t.ndim >= 2 and t.shape[-1] == self.classes
            if whole and t.is_floating_point() and t.numel() == shape.numel() * self.classes:
                return self._canonical(t.detach().float().reshape(*shape, -1))
        heard = [h for h in self.session.overheard if h.kind in LANGUAGE]
        if heard:
            rows = rows_of(heard[-1].input).detach().float()
            if rows.shape == (len(self.alignment.rows), self.classes):
                full = rows.new_full((shape.numel(), self.classes), float("nan"))
                full[self.alignment.rows] = rows
                return self._canonical(full.reshape(*shape, -1))
        raise NoReplay("no-logits")

    def _canonical(self, logits: Tensor) -> Tensor:
        return logits if self.first_is_batch else logits.transpose(0, 1)

    def seen_ids(self) -> Tensor:
        """The different content ids of this batch (padding excluded), to draw replacements from."""
        ids: Tensor = self.ids.unique()
        pad = self.pad
        return ids if pad is None else ids[ids != pad[0]]

    def other_ids(self, ids: Tensor) -> Tensor:
        """For every position another id of this batch, drawn with a fixed private generator."""
        pool = self.seen_ids()
        generator = torch.Generator().manual_seed(0)
        pick = torch.randint(0, max(len(pool), 1), ids.shape, generator=generator).to(ids.device)
        other = pool[pick]
        return torch.where(other == ids, pool[(pick + 1) % len(pool)], other)

    @contextmanager
    def hooked(self, module: nn.Module, hook: Any) -> Iterator[None]:
        """A forward hook on a module for the length of the block."""
        handle = module.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


def _same_ids(indices: Tensor, argument: Tensor) -> bool:
    for a in (argument, argument.T):
        if indices.numel() == a.numel() and torch.equal(
            indices.reshape(-1).long(), a.reshape(-1).long()
        ):
            return True
    return False
