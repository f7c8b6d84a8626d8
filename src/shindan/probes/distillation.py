"""Distillation losses, sampled ever more rarely (evidence ``DistillationLedger``)."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.distillation import DistillationLedger
from shindan.core.reason import Reason
from shindan.probes.capture import LANGUAGE
from shindan.probes.events import (
    BackwardCall,
    ForwardCall,
    LossCall,
    OptimizerStep,
    SettingsEvent,
)
from shindan.probes.kd_nested import Nested
from shindan.probes.kd_roots import Roots
from shindan.probes.kd_samples import Site, Step, Taken, site_of, term
from shindan.probes.matching import Digest, digested, matched, sampled_rows
from shindan.probes.padded_rows import whole
from shindan.probes.probe import Probe
from shindan.probes.session import Session
from shindan.probes.trees import leaves

KINDS = ("kl_div", "mse_loss", "smooth_l1_loss", "cosine_embedding_loss", "cross_entropy")
SITES = 24
OUTPUTS = 96
"""Outputs of one module kept within an update."""
PER_STEP = 4
"""Calls of one place sampled in one update."""
GROWTH = 1.4
"""The next sample is taken when a place has been called this many times as often."""
SAME = 1e-4
"""1 - r squared below which two rows are the same up to a factor and a shift: the rounding of
bfloat16 is 2**-9, squared and halved 2e-6; unrelated rows of 16 columns are near 1."""


class Distillation(Probe):
    """Compares both sides of every KL, MSE and soft cross-entropy with the models' outputs."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.session = session
        self.sites: dict[tuple[str, str | None, int | None], Site] = {}
        self.roots = Roots()
        self.step: Step | None = None
        self.nested: Nested | None = None
        self.wanted = False
        self.zeroed: list[str] = []

    def on_settings(self, event: SettingsEvent) -> None:
        """Options given a zero on the command line."""
        if event.kind == "argparse":
            given = event.extra.get("given", ())
            self.zeroed += [n for n in given if event.values.get(n) in (0, 1) and not _flag(n)]

    def on_forward(self, call: ForwardCall) -> None:
        """In a sampled update: hear the models inside a wrapper, too."""
        if self.nested is not None:
            self.nested.ended()
        compiled = self.session.compiled
        self.nested = (
            Nested(call, self._taken, self.session.guarded) if self.step and not compiled else None
        )

    def on_output(self, call: ForwardCall) -> None:
        """Digest what a root returns in a sampled update."""
        step, nested = self.step, self.nested
        self.nested = None
        inner = nested.ended() if nested is not None else []
        if step is None:
            return
        new = inner or self._taken(call)
        for digest in new:
            kept = step.outputs.setdefault(digest.owner, [])
            kept[:] = [*kept, digest][-OUTPUTS:]
        if call.grad and not step.arguments and any(d.grad for d in new):
            step.arguments = whole(dict(leaves({"a": call.args, "k": call.kwargs})))

    def _taken(self, call: ForwardCall) -> list[Digest]:
        """Note a model's state and digest what it returned."""
        watched = self.roots.called(call)
        return digested(watched.number, leaves(call.output)) if watched is not None else []

    def on_loss(self, call: LossCall) -> None:
        """Sample a distillation loss; follow the weight of the labels' loss beside it."""
        if not call.grad:
            return
        target = _target(call)
        if call.kind in LANGUAGE and (target is None or not target.is_floating_point()):
            if self.step is not None:
                self._hard(call, self.step)
            return
        if call.kind in KINDS and target is not None and _comparable(call.input, target):
            self._soft(call, target)

    def _soft(self, call: LossCall, target: Tensor) -> None:
        key = (call.kind, call.where.file, call.where.line)
        site = self.sites.get(key)
        if site is None:
            if len(self.sites) == SITES:
                return
            site = self.sites[key] = site_of(call)
        site.calls += 1
        step = self.step
        if step is None:
            self.wanted |= site.calls >= site.next
            return
        if sum(s.step is step for s in site.samples[-PER_STEP:]) >= PER_STEP:
            return
        site.next = int(site.calls * GROWTH) + 1
        sample = self._sampled(call, target, step, site.calls)
        step.taken.append(sample)
        site.samples.append(sample)

    def _sampled(self, call: LossCall, target: Tensor, step: Step, number: int) -> Taken:
        width = call.shape[-1]
        grads = (call.input.requires_grad, target.requires_grad)
        training = any(c.training for c in self.session.calls)
        sample = Taken(step, number, training, call.input.numel() // width, grads)
        self._keep(sample, "value", call.output.detach().float().mean())
        log_probs, logs = call.input.detach().float(), target.detach().float()
        self._side(sample, "input", log_probs)
        self._side(sample, "target", logs)
        if call.kind == "kl_div" and not call.params["log_target"]:
            logs = logs.log()
        elif call.kind == "cross_entropy":
            log_probs, logs = log_probs.log_softmax(-1), logs.log()
        if call.kind in ("kl_div", "cross_entropy"):
            probs = logs.exp()
            self._keep(sample, "gap", (log_probs.exp() - probs).abs().max() / probs.max())
        sample.sides = [sampled_rows(log_probs), sampled_rows(logs)]
        self._follow(call, sample)
        return sample

    def _side(self, sample: Taken, name: str, t: Tensor) -> None:
        self._keep(sample, f"{name}.low", t.min())
        self._keep(sample, f"{name}.total", t.sum(-1).mean())
        self._keep(sample, f"{name}.logsumexp", t.logsumexp(-1).mean())
        flat = t.reshape(-1, t.shape[-1])
        if len(flat) > 1:
            self._keep(sample, f"{name}.spread", flat.std(0).mean())

    def _keep(self, sample: Taken, name: str, value: Tensor) -> None:
        self.session.mail.post(value, lambda v: sample.values.__setitem__(name, v))

    def _follow(self, call: LossCall, sample: Taken) -> None:
        """Hooks on the loss (its weight) and on its input (which rows get gradients)."""
        share = _share(call, sample.rows)

        def weigh(grad: Tensor) -> None:
            self._keep(sample, "weight", grad.detach().float().sum() * share)

        def rows(grad: Tensor) -> None:
            sample.active = grad.detach().reshape(sample.rows, -1).abs().sum(1) > 0

        with torch.enable_grad():
            call.output.register_hook(weigh)
            if call.input.requires_grad:
                call.input.register_hook(rows)

    def _hard(self, call: LossCall, step: Step) -> None:
        rows = sampled_rows(_class_last(call.input))
        if rows is not None and len(step.hard_rows) < PER_STEP:
            step.hard_rows.append(rows)
        if not call.output.requires_grad:
            return
        number = (call.target != call.params["ignore_index"]).sum()
        share: Tensor | float = number if call.params["reduction"] == "sum" else 1.0

        def weigh(grad: Tensor) -> None:
            self.session.mail.post(
                grad.detach().float().sum() * share,
                lambda v: step.hard.__setitem__("weight", step.hard.get("weight", 0.0) + v),
            )

        with torch.enable_grad():
            call.output.register_hook(weigh)

    def on_backward(self, backward: BackwardCall) -> None:
        """The scaler's scale, to be divided out."""
        if self.step is not None and backward.scale is not None:
            self.session.mail.post(backward.scale, self.step.scale.append)

    def on_step_done(self, step: OptimizerStep) -> None:
        """A sampled update is over: match, take the census; arm the next one."""
        if self.step is not None:
            several = len(self.step.outputs) > 1
            self._close(self.step)
            if self.step.taken and several:
                self.roots.census(step.optimizer, self.session.mail.post)
                self.roots.owners([o for r in self.session.optimizers if (o := r()) is not None])
        self.step = Step() if self.wanted else None
        self.wanted = False

    def _close(self, step: Step) -> None:
        """Match every sampled loss with the outputs of its update, on the device."""
        outputs = [d for many in step.outputs.values() for d in many]
        for sample in step.taken:
            for side, rows in enumerate(sample.sides):
                for output in outputs if rows is not None else ():
                    self._match(rows, output, sample.found[side])
            sample.sides = []
        numbers = {w.number: w for w in self.roots.seen}
        for rows in step.hard_rows:
            for output in outputs:
                heard: dict[tuple[int, bool], tuple[float, float]] = {}
                self._match(rows, output, heard)
                numbers[output.owner].labelled.append(heard)
        step.outputs, step.hard_rows = {}, []
        for site in self.sites.values():
            site.thin()

    def _match(
        self,
        rows: Tensor | None,
        output: Digest,
        found: dict[tuple[int, bool], tuple[float, float]],
    ) -> None:
        if rows is None or rows.device != output.rows.device:
            return
        apart, factor = matched(rows, output)
        key = (output.owner, output.grad)

        def arrived(value: float) -> None:
            pending["apart"] = value

        def ended(value: float) -> None:
            if pending["apart"] < found.get(key, (SAME, 0.0))[0]:
                found[key] = (pending["apart"], value)

        pending: dict[str, float] = {}
        self.session.mail.post(apart, arrived)
        self.session.mail.post(factor, ended)

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The ledger so far; only updates that are over count."""
        for watched in self.roots.seen:
            watched.facts["hard_loss"] = any(watched.labelled)
        terms = tuple(term(s, self.step) for s in self.sites.values())
        terms = tuple(t for t in terms if t.samples)
        if not terms:
            yield Unavailable("DistillationLedger", Reason("no-two-models"))
            return
        roots = tuple(w.told(self.roots.seen) for w in self.roots.seen)
        yield DistillationLedger(terms, roots, tuple(self.zeroed))


def _target(call: LossCall) -> Tensor | None:
    other: Any = call.params.get("input2") if call.kind == "cosine_embedding_loss" else call.target
    return other if isinstance(other, Tensor) else None


def _comparable(first: Tensor, target: Tensor) -> bool:
    return (
        target.is_floating_point()
        and first.shape == target.shape
        and first.ndim >= 2
        and first.shape[-1] > 1
        and first.numel() > 0
    )


def _class_last(t: Tensor) -> Tensor:
    return t.movedim(1, -1) if t.ndim > 2 else t


def _share(call: LossCall, rows: int) -> float:
    """d(sum over rows of one row's loss) per unit of gradient at the loss, summed over rows.

    A row's loss is the KL or cross-entropy summed over its classes; of the other kinds only the
    gradient itself is kept.
    """
    reduction, width = call.params["reduction"], call.shape[-1]
    if call.kind == "kl_div":
        return {
            "mean": 1.0 / width,
            "batchmean": rows / call.shape[0],
            "sum": float(rows),
        }.get(reduction, 1.0 / width)
    if call.kind == "cross_entropy" and reduction == "sum":
        return float(rows)
    return 1.0


def _flag(name: str) -> bool:
    return not any(w in name.lower() for w in ("alpha", "kd", "kl", "distil", "lambda", "weight"))
