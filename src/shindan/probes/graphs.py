"""Walking the live autograd graph."""

from collections import deque
from collections.abc import Iterator

from torch import Tensor

NODES = 4000


def graph_leaves(t: Tensor) -> Iterator[Tensor]:
    """The leaf tensors that ``t`` depends on (the first NODES nodes of its graph)."""
    if t.grad_fn is None:
        yield t
        return
    seen, queue = {t.grad_fn}, deque([t.grad_fn])
    while queue and len(seen) < NODES:
        node = queue.popleft()
        variable = getattr(node, "variable", None)
        if variable is not None:
            yield variable
        for below, _ in node.next_functions:
            if below is not None and below not in seen:
                seen.add(below)
                queue.append(below)
