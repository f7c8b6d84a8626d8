"""What the model computes, from one recorded replay at a look."""

import sys
import weakref
from collections.abc import Iterable

import torch
from torch import nn

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.computed import (
    AttentionScores,
    EmbeddingPoint,
    EmbeddingSum,
    Ends,
    Ties,
)
from shindan.core.reason import Reason
from shindan.probes.attention_trace import AttentionTrace
from shindan.probes.calls import Call, recording
from shindan.probes.embedding_trace import EmbeddingTrace
from shindan.probes.first_sight import FirstSight
from shindan.probes.look import Look, NoReplay
from shindan.probes.probe import Probe
from shindan.probes.session import Session

FAINT = 0.25
"""Token signal, as a share of the position signal, below which heed() is asked."""
SCALES = ("query_pre_attn_scalar", "attention_multiplier")
"""Where configurations of the transformers library (Gemma, Granite) keep the scale of scores."""
MUP = ("mup", "width_mult", "base_width", "base_shape")


class Computed(Probe):
    """Attention scores at the first look; sums of embeddings and the two ends at every look."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.scores: AttentionScores | None = None
        self.points: list[EmbeddingPoint] = []
        self.sum: EmbeddingSum | None = None
        self.ends: list[Ends] = []
        self.because = Reason("not-looked")
        self.root: weakref.ref[nn.Module] | None = None

    def on_look(self, look: Look) -> None:
        """Replay once, listening."""
        if self.root is None or self.root() is not look.module:  # another model is trained now
            self.root, self.scores, self.points, self.sum = weakref.ref(look.module), None, [], None
        attention = AttentionTrace(look.module) if self.scores is None else None
        entry = _entry(look)
        if isinstance(entry, NoReplay):
            self.because = entry.reason

        def hear(call: Call) -> None:
            if attention is not None:
                attention.hear(call)
            if isinstance(entry, EmbeddingTrace):
                entry.hear(call)

        with recording(look.module, hear):
            look.call()
        if attention is not None:
            self.scores = AttentionScores(
                tuple(attention.sites),
                look.update,
                speaks_of_mup(self.session, look.module),
                configured_scales(look.module),
            )
        if isinstance(entry, EmbeddingTrace):
            self._entered(look, entry)

    def _entered(self, look: Look, entry: EmbeddingTrace) -> None:
        root = type(look.module).__name__
        if entry.added is not None:
            token, position, _ = entry.added
            heeded = heed(look) if token < FAINT * position else None
            self.points.append(EmbeddingPoint(look.update, token, position, heeded))
        if self.sum is None:
            raw, tables, consumer = entry.raw or (None, 0, None)
            place = entry.added[2] if entry.added is not None else None
            self.sum = EmbeddingSum(
                (),
                raw,
                tables,
                root,
                _same_position(look),
                place.file if place else None,
                place.line if place else None,
                consumer,
            )
        if entry.table is not None and entry.head is not None:
            held = dict(look.module.named_parameters(remove_duplicate=False))
            a, b = held[entry.table], held[entry.head]
            self.ends.append(
                Ends(
                    look.update,
                    root,
                    entry.table,
                    entry.head,
                    shared=a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr(),
                    same_shape=a.shape == b.shape,
                )
            )

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """What the looks have shown."""
        if self.scores is not None:
            yield self.scores
        else:
            yield Unavailable("AttentionScores", self.because)
        if self.sum is not None:
            yield EmbeddingSum(**{**vars(self.sum), "points": tuple(self.points)})
        else:
            yield Unavailable("EmbeddingSum", self.because)
        sight = next((p for p in self.session.probes if isinstance(p, FirstSight)), None)
        if self.ends and sight is not None:
            yield Ties(tuple(self.ends), *sight.ties())
        else:
            yield Unavailable("Ties", Reason("table-and-head-not-seen"))


def _entry(look: Look) -> EmbeddingTrace | NoReplay:
    try:
        ids = look._ids[1]
    except NoReplay as reason:
        return reason
    try:
        classes = look.classes
    except NoReplay:
        classes = None
    return EmbeddingTrace(look.module, ids, classes)


def heed(look: Look) -> float | None:
    """Mean KL (nats) of the predictions at counted positions when every token is replaced."""
    try:
        before = look.logits().log_softmax(-1)
        after = look.logits(ids=look.other_ids(look.ids)).log_softmax(-1)
        counted = look.labels >= 0
    except NoReplay:
        return None
    apart = (before.exp() * (before - after)).sum(-1)[counted]
    apart = apart[apart.isfinite()]
    return float(apart.mean()) if apart.numel() else None


def _same_position(look: Look) -> bool | None:
    """Does a counted label mostly equal nothing to its right: is it of its own position?

    True when the labels of unmasked tokens, or the untouched part of the masked ones, agree with
    the ids at the same place more than with the next ones. None when that cannot be told.
    """
    try:
        ids, labels = look.ids, look.labels
    except NoReplay:
        return None
    counted = labels >= 0
    if not bool(counted.any()):
        return None
    same = float((labels == ids)[counted].float().mean())
    later = counted[:, :-1]
    following = float((labels[:, :-1] == ids[:, 1:])[later].float().mean()) if later.any() else 0.0
    return following < 0.9 and (same > 0.0 or float(counted.float().mean()) < 0.7)


def configured_scales(root: nn.Module) -> tuple[float, ...]:
    """The scales that configurations of the model give."""
    configs = {id(c): c for m in root.modules() if (c := getattr(m, "config", None)) is not None}
    found = (getattr(c, name, None) for c in configs.values() for name in SCALES)
    return tuple({float(v) for v in found if isinstance(v, (int, float))})


def speaks_of_mup(session: Session, root: nn.Module) -> bool:
    """Is maximal update parametrisation named, or are there several learning rates?"""
    if "mup" in sys.modules:
        return True
    names = {type(root).__name__}
    for module in root.modules():
        names.update(vars(module))
        names.update(getattr(getattr(module, "config", None), "__dict__", {}))
    if any(m in n.lower() for n in names for m in MUP):
        return True
    optimizer = session.main_optimizer
    return optimizer is not None and len({_number(g["lr"]) for g in optimizer.param_groups}) > 1


def _number(lr: object) -> float:
    return float(lr) if isinstance(lr, (int, float, torch.Tensor)) else 0.0
