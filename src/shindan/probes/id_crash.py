"""A crash at an embedding or at a loss, read from the frames it left."""

import re
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType

import torch
from torch import Tensor, nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.ids import IdCrash
from shindan.core.reason import Reason
from shindan.probes.capture import IGNORE
from shindan.probes.events import ForwardCall
from shindan.probes.frames import is_user_file
from shindan.probes.probe import Probe
from shindan.probes.rows.reading import input_ids
from shindan.probes.session import Session

OUT = re.compile(r"index out of range|out of bounds|device-side assert")
BEYOND = re.compile(r"index (-?\d+) is out of bounds for dimension (\d) with size (\d+)")
NOT_TOKENS = re.compile(r"pos|type|segment|wpe", re.IGNORECASE)


class IdCrashProbe(Probe):
    """Evidence ``IdCrash``: the ids and the table they did not fit, at the moment of a crash."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.found: IdCrash | None = None
        self.landing: Tensor | None = None
        self.rows = 0

    def on_forward(self, call: ForwardCall) -> None:
        """On CUDA nothing can be read after an assert: bring the extremes over before it."""
        ids = input_ids(call, 0)
        if ids is None or ids.device.type != "cuda":
            return
        if self.landing is None:
            self.landing = torch.zeros(2, dtype=torch.int64, pin_memory=True)
            self.rows = max(
                (m.num_embeddings for m in call.module.modules() if isinstance(m, nn.Embedding)),
                default=0,
            )
        self.landing.copy_(torch.stack(ids.aminmax()).long(), non_blocking=True)

    def on_crash(self, error: BaseException) -> None:
        """Find the innermost look-up whose ids do not fit."""
        if not OUT.search(str(error)):
            return
        frames = list(_frames(error.__traceback__))
        for number in range(len(frames) - 1, -1, -1):
            found = _embedding(frames, number) or _target(frames, number)
            if found is not None:
                self.found = found
                return
        self.found = _indexed(error, frames) or self._asserted(error, frames)

    def _asserted(
        self, error: BaseException, frames: list[tuple[FrameType, int]]
    ) -> IdCrash | None:
        if self.landing is None or "CUDA" not in str(error):
            return None
        lowest, highest = self.landing.tolist()
        if lowest >= 0 and highest < self.rows:
            return None
        file, line = _user(frames)
        return IdCrash(
            "embedding", self.rows, lowest, highest, outside=1, count=1, file=file, line=line
        )

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The crash, if it was of this kind."""
        yield self.found or Unavailable("IdCrash", Reason("no-stop-at-ids"))


def _frames(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _user(frames: list[tuple[FrameType, int]]) -> tuple[str | None, int | None]:
    """The innermost line of the user's own code."""
    for frame, line in reversed(frames):
        if is_user_file(frame.f_code.co_filename):
            return frame.f_code.co_filename, line
    return None, None


def _embedding(frames: list[tuple[FrameType, int]], number: int) -> IdCrash | None:
    """A frame of ``torch.nn.functional.embedding``: its weight and ids."""
    frame, _ = frames[number]
    if frame.f_code.co_name != "embedding":
        return None
    weight, ids = frame.f_locals.get("weight"), frame.f_locals.get("input")
    if not isinstance(weight, Tensor) or not isinstance(ids, Tensor) or weight.ndim != 2:
        return None
    return _read("embedding", weight.shape[0], ids, _owner(frames[:number]), frames[:number])


def _target(frames: list[tuple[FrameType, int]], number: int) -> IdCrash | None:
    """A frame of ``cross_entropy`` or ``nll_loss``: the classes and the targets."""
    frame, _ = frames[number]
    if frame.f_code.co_name not in ("cross_entropy", "nll_loss", "nll_loss_nd"):
        return None
    scores, ids = frame.f_locals.get("input"), frame.f_locals.get("target")
    if not isinstance(scores, Tensor) or not isinstance(ids, Tensor) or ids.is_floating_point():
        return None
    classes = scores.shape[1] if scores.ndim > 1 else scores.shape[0]
    ignore = frame.f_locals.get("ignore_index", IGNORE)
    return _read("target", classes, ids[ids != ignore], None, frames[:number])


def _indexed(error: BaseException, frames: list[tuple[FrameType, int]]) -> IdCrash | None:
    """A table indexed, or scores gathered, by the user's own hand: told by the message.

    The size must be the number of rows of a two-dimensional parameter of a module at hand.
    """
    told = BEYOND.search(str(error))
    if told is None:
        return None
    index, dimension, size = map(int, told.groups())
    held = [m for f, _ in frames for m in f.f_locals.values() if isinstance(m, nn.Module)]
    tables = [n for m in held for n, p in m.named_parameters() if p.ndim == 2 and len(p) == size]
    if not tables or NOT_TOKENS.search(tables[0]):
        return None
    file, line = _user(frames)
    return IdCrash(
        kind="embedding" if dimension == 0 else "target",
        size=size,
        lowest=min(index, 0),
        highest=max(index, 0),
        outside=1,
        count=1,
        file=file,
        line=line,
    )


def _read(
    kind: str, size: int, ids: Tensor, module: str | None, outer: list[tuple[FrameType, int]]
) -> IdCrash | None:
    if ids.device.type != "cpu" or not ids.numel():
        return None
    outside = int(((ids < 0) | (ids >= size)).sum())
    if not outside:
        return None
    file, line = _user(outer)
    return IdCrash(
        kind=kind,
        size=size,
        lowest=int(ids.min()),
        highest=int(ids.max()),
        outside=outside,
        count=ids.numel(),
        positions=_counts_up(ids) or bool(module and NOT_TOKENS.search(module)),
        module=module,
        file=file,
        line=line,
    )


def _counts_up(ids: Tensor) -> bool:
    """Positions: along an axis every id is the one before it plus one (or the same)."""
    if ids.numel() < 3:
        return False
    last = ids.reshape(-1, ids.shape[-1]) if ids.shape[-1] > 1 else ids.reshape(1, -1)
    steps = last.diff(dim=-1)
    return bool(((steps == 1) | (steps == 0)).all()) and bool((steps == 1).any())


def _owner(outer: list[tuple[FrameType, int]]) -> str | None:
    """The name under which an outer module holds the embedding that was called."""
    modules = [m for f, _ in outer if isinstance(m := f.f_locals.get("self"), nn.Module)]
    if not modules:
        return None
    target = modules[-1]
    for name, module in modules[0].named_modules():
        if module is target:
            return name or None
    return None
