"""Is the user's code being recorded as a graph just now?"""

import torch


def recorded() -> bool:
    """True while a compiler or ``torch.jit.trace`` records: our own operations would be recorded.

    ``SummaryWriter.add_graph`` and ONNX exporters trace in the middle of a training loop; the trace
    is made twice and compared, so that a copy made by us in one of them fails the user's script.
    """
    return torch.compiler.is_compiling() or bool(torch._C._is_tracing())
