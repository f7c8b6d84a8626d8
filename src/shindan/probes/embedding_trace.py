"""How token embeddings enter the model: what is added to them, and what sees the sum first."""

from dataclasses import dataclass

from torch import Tensor, nn

from shindan.core.finding import Where
from shindan.probes.calls import Call, tensors
from shindan.probes.flow import (
    KEEPING,
    NORMS,
    SCALINGS,
    Marks,
    Weights,
    projected_width,
    rms,
    spread,
)

ADDITIONS = frozenset(["add", "add_", "iadd", "radd"])
CONSUMERS = frozenset(("multi_head_attention_forward", "scaled_dot_product_attention"))
MATRICES = frozenset(("linear", "matmul", "mm", "addmm", "einsum"))


@dataclass(frozen=True)
class Part:
    """``token``: carries the tokens' embedding; ``position``: counts along the sequence."""

    kind: str
    tables: int = 1


class EmbeddingTrace:
    """Hears the calls of a replay with these token ids, (B, T) as the script passes them.

    ``added``: RMS around the mean of tokens and of positions where they meet, and the line.
    ``raw``: RMS of the token sum, tables in it, and the module, when a projection or attention
    is the first to see it. ``table`` and ``head``: names of the weights at the two ends.
    """

    def __init__(self, root: nn.Module, ids: Tensor, classes: int | None) -> None:
        self.ids = ids
        self.classes = classes
        self.weights = Weights(root)
        self.marks: Marks[Part] = Marks()
        self.added: tuple[float, float, Where] | None = None
        self.raw: tuple[float, int, str] | None = None
        self.settled = False
        self.table: str | None = None
        self.head: str | None = None

    def hear(self, call: Call) -> None:
        """Follow one call."""
        if call.name == "embedding":
            self._looked_up(call)
        elif call.name in ADDITIONS:
            self._addition(call)
        elif call.name in NORMS:
            self._settle(call)
        elif call.name in CONSUMERS:
            self._consumed(call)
        elif call.name in MATRICES and projected_width(call, self.weights) is not None:
            self._consumed(call)
            self._head(call)
        elif call.name in KEEPING or call.name in SCALINGS:
            part = self.marks.first(call)
            if part is not None:
                self.marks.put_all(call.result, part)

    def _looked_up(self, call: Call) -> None:
        given = list(tensors((*call.args, *call.kwargs.values())))
        table = next((t for t in given if t.is_floating_point()), None)
        index = next((t for t in given if not t.is_floating_point()), None)
        if table is None or index is None:
            return
        if _same(index, self.ids):
            self.table = self.table or self.weights.name(table)
            self.marks.put(call.result, Part("token"))
        elif _counts(index):
            self.marks.put(call.result, Part("position"))
        else:
            self.marks.put(call.result, Part("segment"))

    def _addition(self, call: Call) -> None:
        a, b = call.get(0, "input"), call.get(1, "other")
        one, two = self.marks.get(a), self.marks.get(b)
        if one is None and two is None:
            return
        if two is not None and two.kind == "token":
            a, b, one, two = b, a, two, one
        if one is None:
            return
        tables = one.tables + (two.tables if two is not None else 0)
        if one.kind == "token" and isinstance(b, Tensor) and b.ndim >= 2:
            if two is None and self._along_sequence(b, a):
                two, tables = Part("position"), tables + 1
            if two is not None and two.kind == "position" and self.added is None:
                self._meet(call, a, b)
        kinds = {one.kind, two.kind if two is not None else one.kind}
        kind = next(k for k in ("token", "position", "segment") if k in kinds)
        self.marks.put_all(call.result, Part(kind, tables))

    def _along_sequence(self, b: Tensor, tokens: Tensor) -> bool:
        """A table of the sequence: as wide as the tokens, one row for each position, no batch."""
        if b.shape[-1] != tokens.shape[-1] or tokens.ndim != 3:
            return False
        lengths = [s for s in b.shape[:-1] if s != 1]
        return len(lengths) == 1 and lengths[0] in tokens.shape[:2]

    def _meet(self, call: Call, tokens: Tensor, positions: Tensor) -> None:
        over = tuple(range(tokens.ndim - 1))
        rows = positions.expand_as(tokens) if positions.ndim <= tokens.ndim else positions
        if call.result is tokens:  # added in place: what is there now is the sum
            tokens = tokens - rows
        self.added = (spread(tokens, over), spread(rows, over), call.where())

    def _settle(self, call: Call) -> None:
        part = self.marks.first(call)
        if part is not None and part.kind == "token":
            self.settled = True

    def _consumed(self, call: Call) -> None:
        """A projection or an attention sees the sum before any norm."""
        x = call.args[0] if call.args else None
        part = self.marks.get(x)
        if part is None or part.kind != "token":
            return
        if not self.settled and self.raw is None and isinstance(x, Tensor):
            self.raw = (rms(x), part.tables, call.module)
        self.settled = True

    def _head(self, call: Call) -> None:
        result = call.result
        if self.classes is None or not isinstance(result, Tensor):
            return
        if result.shape[-1] == self.classes:
            for t in tensors((*call.args, *call.kwargs.values())):
                name = self.weights.name(t)
                if name is not None and t.ndim == 2 and self.classes in t.shape:
                    self.head = name


def _same(index: Tensor, ids: Tensor) -> bool:
    if index.numel() != ids.numel():
        return False
    flat = index.reshape(-1)
    return bool((flat == ids.reshape(-1)).all()) or bool((flat == ids.T.reshape(-1)).all())


def _counts(index: Tensor) -> bool:
    """Do most neighbours along the last or the first dimension differ by one?"""
    if index.ndim == 0 or index.numel() < 2:
        return False
    for dim in {0, index.ndim - 1}:
        steps = index.diff(dim=dim)
        if steps.numel() and float((steps == 1).float().mean()) >= 0.5:
            return True
    return False
