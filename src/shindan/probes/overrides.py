"""Settings in files, on the command line, and in effect."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.settings import Asked, NumberTexts, Overrides
from shindan.core.finding import NOWHERE, Where
from shindan.core.reason import Reason
from shindan.probes.events import (
    BatchEvent,
    ClipCall,
    ForwardCall,
    OptimizerStep,
    SettingsEvent,
)
from shindan.probes.look import Look
from shindan.probes.probe import Probe
from shindan.probes.session import Session
from shindan.probes.trees import leaves

MEANINGS = {
    "learning_rate": ("lr", "learning_rate", "base_lr", "max_lr"),
    "weight_decay": ("weight_decay", "wd"),
    "batch_size": (
        "batch_size",
        "train_batch_size",
        "micro_batch",
        "micro_batch_size",
        "per_device_train_batch_size",
        "bs",
    ),
    "accumulation": (
        "gradient_accumulation_steps",
        "grad_accum_steps",
        "gradient_accumulation",
        "accumulation_steps",
        "accum_steps",
        "grad_accum",
        "accumulate_grad_batches",
    ),
    "clip": (
        "max_grad_norm",
        "grad_clip",
        "clip_grad_norm",
        "clip_grad",
        "gradient_clip_val",
        "clip_norm",
        "grad_norm_clip",
        "clip",
    ),
    "updates": ("max_steps", "num_steps", "total_steps", "max_iters", "updates", "steps"),
    "epochs": ("epochs", "num_epochs", "n_epochs", "num_train_epochs", "max_epochs"),
    "dropout": ("dropout", "dropout_rate", "drop_rate", "dropout_p"),
    "seed": ("seed", "random_seed"),
}
MEANING = {name: meaning for meaning, names in MEANINGS.items() for name in names}
AT_END = ("updates", "epochs")
"""Meanings whose value is known when the script has ended."""
SCIENTIFIC = re.compile(r"[+-]?\d+(?:\.\d*)?[eE][+-]?\d+")
DEPTH = 5
MOST = 400


class Settings(Probe):
    """Collects what was asked; observes what is used."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.files: list[tuple[str, str, float]] = []
        self.options: dict[str, tuple[str, float, bool, Where]] = {}
        self.texts: list[tuple[str, str]] = []
        self.used: dict[str, set[float]] = {m: set() for m in MEANINGS}
        self.error: str | None = None
        self.where = NOWHERE

    def on_settings(self, event: SettingsEvent) -> None:
        """Remember numbers under the names we know."""
        if event.kind == "argparse":
            self._options(event)
            return
        for key, value in _numbers(event.values):
            meaning = MEANING.get(key)
            number = _number(value)
            if meaning and number is not None and len(self.files) < MOST:
                self.files.append((meaning, key, number))
            text = isinstance(value, str) and SCIENTIFIC.fullmatch(value)
            if event.kind == "yaml" and text and (key, value) not in self.texts:
                self.texts = [*self.texts, (key, value)][-32:]
                self.where = event.where

    def _options(self, event: SettingsEvent) -> None:
        given = set(event.extra.get("given", ()))
        for dest, default in event.extra.get("defaults", {}).items():
            name = str(dest).lower().replace("-", "_")
            number = _number(default)
            if name in MEANING and number is not None:
                passed = dest in given or event.values.get(dest) != default
                self.options[MEANING[name]] = (str(dest), number, passed, event.where)

    def on_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Rates and decays as the optimizer was built with."""
        self._seen("learning_rate", optimizer.defaults.get("lr"))
        for group in optimizer.param_groups:
            self._seen("learning_rate", group.get("lr"))
            self._seen("weight_decay", group.get("weight_decay"))

    def on_step(self, step: OptimizerStep) -> None:
        """Accumulation, and the seed in force."""
        if self.options:
            if not step.closure:
                self._seen("accumulation", step.micro)
            if not self.used["seed"]:
                self._seen("seed", torch.initial_seed())

    def on_batch(self, event: BatchEvent) -> None:
        """The loader's own batch size, and how many epochs it has begun."""
        if self.options and event.index == 0:
            self._seen("batch_size", getattr(event.loader, "batch_size", None))
            self.used["epochs"] = {max([*self.used["epochs"], event.epoch + 1.0])}

    def on_forward(self, call: ForwardCall) -> None:
        """Rows of the batches, when no loader tells."""
        if self.options and call.grad and call.index < MOST:
            first = next((t for _, t in leaves((call.args, call.kwargs)) if t.ndim >= 2), None)
            if first is not None:
                self._seen("batch_size", first.shape[0])

    def on_clip(self, clip: ClipCall) -> None:
        """The limit of clipping."""
        self._seen("clip", clip.max_norm)

    def on_look(self, look: Look) -> None:
        """Dropout of the modules."""
        for module in look.module.modules():
            if isinstance(module, torch.nn.Dropout):
                self._seen("dropout", module.p)

    def on_crash(self, error: BaseException) -> None:
        """The error that ended the script."""
        self.error = f"{type(error).__name__}: {error}"[:300]

    def _seen(self, meaning: str, value: Any) -> None:
        number = _number(value) if not isinstance(value, torch.Tensor) else None
        if number is not None and len(self.used[meaning]) < 64:
            self.used[meaning].add(number)

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """Settings that a file and the command line both know."""
        asked = tuple(self._asked())
        if asked:
            yield Overrides(asked)
        else:
            yield Unavailable("Overrides", Reason("no-setting-twice"))
        if self.texts:
            where = self.where
            yield NumberTexts(tuple(self.texts), self.error, where.file, where.line)
        else:
            yield Unavailable("NumberTexts", Reason("no-number-as-text"))

    def _asked(self) -> Iterator[Asked]:
        if self.session.ended == "normally":
            self.used["updates"] = {float(n) for n in self.session.eras.updates}
        for meaning, (option, default, given, where) in self.options.items():
            values = [(k, v) for m, k, v in self.files if m == meaning]
            if not values or (meaning in AT_END and self.session.ended != "normally"):
                continue
            key, in_file = values[-1]
            yield Asked(
                meaning,
                key,
                option,
                in_file,
                default,
                given,
                tuple(sorted(self.used[meaning])),
                tuple(sorted({v for _, v in values})),
                where.file,
                where.line,
            )


def _numbers(values: Any, depth: int = DEPTH) -> Iterator[tuple[str, Any]]:
    """(name, value) of every entry of nested mappings."""
    if isinstance(values, Mapping) and depth:
        for key, value in list(values.items())[:MOST]:
            if isinstance(value, Mapping):
                yield from _numbers(value, depth - 1)
            else:
                yield str(key).lower().replace("-", "_"), value


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
