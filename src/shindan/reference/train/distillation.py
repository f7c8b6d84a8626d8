"""What a student learns from a fixed teacher: its answers at masked positions, its states inside.

Shapes: N masked positions, H hidden (the student's or the teacher's), V vocabulary.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from shindan.reference.models.bert import EncoderLayer, MaskedLM
from shindan.reference.models.layers import Hidden
from shindan.reference.train.objectives import cross_entropy
from shindan.reference.train.task import Batch, Sums
from shindan.reference.train.terms import (
    Losses,
    Mask,
    layer_pairs,
    mean_over,
    relation_error,
    relation_heads,
    score_error,
    soft_sum,
)

Taught = Float[Tensor, "batch length taught_hidden"]
"""The teacher's states, which may have another width."""


class Teacher:
    """A model that is asked and never changed: in eval mode, without gradients.

    It is no module, so that an objective that has one does not train, save, average or shard it.
    """

    def __init__(self, model: MaskedLM) -> None:
        self.model = model.eval().requires_grad_(False)

    @torch.no_grad()
    def states(self, batch: Batch) -> list[Hidden]:
        """The embeddings and what each layer makes of them, the last as the head reads it."""
        self.model.to(batch["ids"].device)
        return states(self.model, batch)

    @torch.no_grad()
    def answers(self, batch: Batch) -> tuple[Int[Tensor, " labels"], Float[Tensor, ""]]:
        """The id it holds likeliest at each masked position, and the sum of -log p of the truth."""
        rows = self.states(batch)[-1].flatten(0, 1)[batch["places"]]
        logits = self.model.head(rows).float()
        labels = batch["labels"].flatten()[batch["places"]]
        return logits.argmax(-1), F.cross_entropy(logits, labels, reduction="sum")


class DistillationObjective(nn.Module):
    """The student's loss beside a teacher's answers and states.

    In training ``loss`` is the weighted sum of all terms, each told under its name too. In eval
    mode it is the cross-entropy of the truth, and what was found once on the same masks is told
    beside it: ``teacher_accuracy``, ``teacher_nll``, ``agreement`` (the student says what the
    teacher says, right or wrong) and ``commonest_accuracy`` (always the commonest token).
    """

    def __init__(
        self,
        student: MaskedLM,
        teacher: Teacher | None,
        losses: Losses,
        rows_at_once: int = 1024,
        smoothing: float = 0.0,
    ) -> None:
        """``rows_at_once``: masked positions whose logits are held at one time."""
        super().__init__()
        self.student, self.teacher, self.losses = student, teacher, losses
        self.rows_at_once, self.smoothing = rows_at_once, smoothing
        if teacher is None:
            return
        own, taught = student.config.hidden, teacher.model.config.hidden
        ends = (own, taught) if losses.projection == "up" else (taught, own)
        if losses.hidden or (losses.cosine and own != taught):
            self.projection = nn.Linear(*ends, bias=False)
        if losses.embeddings:
            self.embedding_projection = nn.Linear(*ends, bias=False)
        self.relation_heads = relation_heads(own, taught)

    def forward(self, batch: Batch) -> Sums:
        """Sums over the masked positions of ids, mask, labels, places."""
        if not self.training:
            return self.evaluated(batch)
        own = states(self.student, batch)
        labels = batch["labels"].flatten()[batch["places"]]
        if self.teacher is None or not self.losses.needs_teacher:
            rows = own[-1].flatten(0, 1)[batch["places"]]
            return cross_entropy(self.student.head(rows), labels, self.smoothing)
        taught = self.teacher.states(batch)
        sums = self.answers(own[-1], taught[-1], batch["places"], labels)
        inside = self.inside(own, taught, batch["mask"])
        losses, zero = self.losses, sums["hard"].new_zeros(())
        of_answers = losses.soft * sums["soft"] + losses.hard * sums["hard"]
        of_states = sum((getattr(losses, name) * term for name, term in inside.items()), zero)
        if "stage" in batch:
            of_states, of_answers = of_states * batch["stage"][0], of_answers * batch["stage"][1]
        sums |= {name: len(labels) * term for name, term in inside.items()}
        sums["loss"] = of_answers + len(labels) * of_states
        return sums

    def evaluated(self, batch: Batch) -> Sums:
        """The student's sums on a batch that :func:`with_answers` has been at, or has not."""
        hidden = self.student.encode(batch["ids"], batch["mask"]).flatten(0, 1)
        logits = self.student.head(hidden[batch["places"]])
        labels = batch["labels"].flatten()[batch["places"]]
        sums = cross_entropy(logits, labels, 0.0)
        sums["commonest_accuracy"] = (labels == batch["commonest"]).sum()
        if "teacher_says" in batch:
            says = batch["teacher_says"]
            sums["teacher_accuracy"] = (says == labels).sum()
            sums["teacher_nll"] = batch["teacher_nll"]
            sums["agreement"] = (logits.argmax(-1) == says).sum()
        return sums

    def answers(
        self,
        own: Hidden,
        taught: Taught,
        places: Int[Tensor, " labels"],
        labels: Int[Tensor, " labels"],
    ) -> Sums:
        """Soft and hard sums over the masked positions, some rows of logits at a time.

        Of more rows than ``rows_at_once`` only hidden states are kept for backward, which computes
        the logits of each part again: those of 30,000 entries are never held whole, let alone
        the student's and the teacher's at once.
        """
        own_NH, taught_NH = (x.flatten(0, 1)[places] for x in (own, taught))
        size = self.rows_at_once
        if len(labels) <= size:
            return self.part(own_NH, taught_NH, labels)
        sums: Sums = {}
        for parts in zip(*(x.split(size) for x in (own_NH, taught_NH, labels)), strict=True):
            for name, value in checkpoint(self.part, *parts, use_reentrant=False).items():
                sums[name] = sums[name] + value if name in sums else value
        return sums

    def part(
        self,
        own: Float[Tensor, "labels own_hidden"],
        taught: Float[Tensor, "labels taught_hidden"],
        labels: Int[Tensor, " labels"],
    ) -> Sums:
        """The sums of a few rows."""
        assert self.teacher is not None
        logits_NV = self.student.head(own).float()
        sums = cross_entropy(logits_NV, labels, self.smoothing)
        sums["hard"] = sums.pop("loss")
        vocabulary = logits_NV.shape[1]
        with torch.no_grad():  # a teacher's vocabulary may be padded beyond the tokenizer's
            taught_NV = self.teacher.model.head(taught)[:, :vocabulary].float()
        sums["soft"] = soft_sum(logits_NV, taught_NV, self.losses.temperature)
        if self.losses.reduction == "elements":
            sums["soft"] = sums["soft"] / vocabulary
        return sums

    def inside(self, own: list[Hidden], taught: list[Taught], mask: Mask) -> Sums:
        """The terms of states that are in use, each a mean over the batch."""
        assert self.teacher is not None
        losses, student, teacher = self.losses, self.student, self.teacher.model
        pairs = layer_pairs(len(own) - 1, len(taught) - 1)
        terms: Sums = {}
        if losses.hidden:
            errors = [self.error(self.projection, own[m], taught[g], mask) for m, g in pairs]
            terms["hidden"] = torch.stack(errors).sum()
        if losses.embeddings:
            terms["embeddings"] = self.error(self.embedding_projection, own[0], taught[0], mask)
        if losses.cosine:
            last = self.projection(own[-1]) if hasattr(self, "projection") else own[-1]
            near_BL = F.cosine_similarity(last.float(), taught[-1].float(), dim=-1)
            terms["cosine"] = mean_over(1 - near_BL, mask)
        if losses.attention:
            errors = [
                score_error(
                    student.projections(m - 1, own[m - 1])[:2],
                    teacher.projections(g - 1, taught[g - 1])[:2],
                    mask,
                )
                for m, g in pairs
            ]
            terms["attention"] = torch.stack(errors).sum()
        if losses.relations:
            mine = student.projections(len(own) - 2, own[-2])
            theirs = teacher.projections(len(taught) - 2, taught[-2])
            kinds = zip(mine, theirs, strict=True)
            found = [relation_error(s, t, self.relation_heads, mask) for s, t in kinds]
            terms["relations"] = torch.stack(found).sum()
        return terms

    def error(self, projection: nn.Module, own: Hidden, taught: Taught, mask: Mask) -> Tensor:
        """Mean squared error of one layer's states over real positions and the width.

        It is told in units of the fixed teacher's own mean square, or the unnormalised sums inside
        a pre-LN teacher would outweigh all else; 1 is what a student that says nothing has.
        """
        if self.losses.projection == "down":
            return mean_over((own.float() - projection(taught).float()).square().mean(-1), mask)
        theirs = taught.float()
        error_BL = (projection(own).float() - theirs).square().mean(-1)
        return mean_over(error_BL, mask) / mean_over(theirs.square().mean(-1), mask)


def states(model: MaskedLM, batch: Batch) -> list[Hidden]:
    """The embeddings and what each layer makes of them, the last as the head reads it."""
    found = model.hidden_states(batch["ids"], batch["mask"])
    return [*found[:-1], model.final_norm(found[-1])]


def with_answers(batch: Batch, teacher: Teacher | None, commonest: int) -> Batch:
    """A validation batch with what is compared on it: the teacher's answers, the commonest id.

    Teacher and masks are fixed, so it is asked once.
    """
    told = {**batch, "commonest": torch.tensor(commonest)}
    if teacher is not None:
        device = next(teacher.model.parameters()).device
        says, nll = teacher.answers({name: value.to(device) for name, value in batch.items()})
        told |= {"teacher_says": says.cpu(), "teacher_nll": nll.cpu()}
    return told


def copy_layers(student: MaskedLM, teacher: MaskedLM) -> None:
    """Begin as DistilBERT does: the teacher's embeddings, head, and the layers it is to follow."""
    student.embeddings.load_state_dict(teacher.embeddings.state_dict())
    student.transform.load_state_dict(teacher.transform.state_dict())
    student.final_norm.load_state_dict(teacher.final_norm.state_dict())
    student.decoder.load_state_dict(teacher.decoder.state_dict())
    for m, g in layer_pairs(len(student.layers), len(teacher.layers)):
        layer = teacher.layers[g - 1]
        assert isinstance(layer, EncoderLayer)
        student.layers[m - 1].load_state_dict(layer.state_dict())
