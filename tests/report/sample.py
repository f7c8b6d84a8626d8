"""One document to render: two causes, a risk, two symptoms, and evidence to draw."""

import math
from collections.abc import Mapping

from shindan.core.check import Check
from shindan.core.document import Document
from shindan.core.evidence.base import Evidence
from shindan.core.evidence.curve import (
    Curve,
    DataLines,
    EvalPoint,
    FixedBatch,
    FixedPoint,
    Layer,
    LayerPicture,
    MicroStep,
    Prediction,
    Update,
)
from shindan.core.finding import Diagnosed, Failure, NotRun, Subject, Where
from shindan.core.reason import Reason
from shindan.report.view import View

from .sample_checks import clip, decay, flat, padding, same

CHECKS: tuple[Check, ...] = (padding.CHECK, clip.CHECK, decay.CHECK, flat.CHECK, same.CHECK)

SOURCE = (
    "for step, batch in enumerate(loader):",
    "    with torch.autocast('cuda', torch.float16):",
    "        logits = model(batch['input_ids'])",
    "        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())",
    "    scaler.scale(loss).backward()",
    "    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
    "    scaler.step(optimizer)",
    "    scaler.update()",
    "    optimizer.zero_grad(set_to_none=True)",
)

PADDING = Diagnosed(
    id="data/padding-in-loss",
    kind="cause",
    severity="critical",
    grounds="relation",
    confidence=0.95,
    measured={
        "share": 0.79,
        "counted": 32768,
        "pad": 0,
        "real": 2.2841,
        "padding": 0.0312,
        "labels_of_a_batch": (811, 790, 802),
    },
    where=Where("train.py", 4),
    explains=("symptom/loss-flat",),
    rank=1,
)
CLIP = Diagnosed(
    id="optimizer/clip-before-unscale",
    kind="cause",
    severity="major",
    grounds="intervention",
    confidence=0.97,
    measured={"scale": 65536.0, "norm": 81234.5, "ratio": 1.23e-5, "cosine": math.nan},
    where=Where("train.py", 6),
    explains=("symptom/loss-flat",),
    rank=2,
)
DECAY = Diagnosed(
    id="optimizer/weight-decay-groups",
    kind="risk",
    severity="minor",
    grounds="relation",
    confidence=0.9,
    measured={"count": 25, "first": "encoder.layers.0.norm1.weight"},
    where=Where(module="encoder.layers.0.norm1"),
)
FLAT = Diagnosed(
    id="symptom/loss-flat",
    kind="symptom",
    severity="major",
    grounds="threshold",
    confidence=0.8,
    measured={"updates": 200, "slope": -0.0012},
)
SAME = Diagnosed(
    id="symptom/same-answer",
    kind="symptom",
    severity="critical",
    grounds="threshold",
    confidence=0.7,
    measured={"share": 0.97},
)

SICK = Document(
    verdict="sick",
    subjects=(Subject("run", "train.py", ".shindan/train.sqlite", {"updates": 400, "world": 1}),),
    findings=(PADDING, CLIP, DECAY, FLAT, SAME),
    not_run=(
        NotRun("model/future-leak", Reason("one-row")),
        NotRun("model/padding-leak", Reason("one-row")),
        NotRun("model/batch-leak", Reason("call-failed", {"error": "KeyError: 'labels'"})),
        NotRun("distillation/teacher-drops", Reason("no-two-models")),
        NotRun("data/validation-seen", Reason("no-language-evaluation")),
        NotRun("schedule/length", "no scheduler was seen"),
    ),
    failed=(Failure("check data/duplicates", "ZeroDivisionError: division by zero"),),
)
HEALTHY = Document("healthy", SICK.subjects, not_run=SICK.not_run[:2])
NOTED = Document("healthy", SICK.subjects, findings=(DECAY,))
INCONCLUSIVE = Document("inconclusive", SICK.subjects)


def evidence(updates: int = 400) -> Mapping[type[Evidence], Evidence]:
    """A run of two micro-steps an update: warm-up, then cosine, with one non-finite loss."""

    def lr(u: int) -> float:
        return 3e-4 * (
            u / 40 if u < 40 else 0.5 + 0.5 * math.cos(math.pi * (u - 40) / (updates - 40))
        )

    def ce(u: int, i: int) -> float:
        return 3.6 + 1.9 * math.exp(-u / 30) + 0.08 * math.sin(u * 1.7 + i)

    micro = tuple(
        MicroStep(2 * u + i, u, ce(u, i), math.nan if u == 200 else ce(u, i), 512, 0.5, lr(u))
        for u in range(updates)
        for i in range(2)
    )
    steps = tuple(
        Update(u, 0, (lr(u), lr(u) / 10), 2, 70000 + 20000 * math.sin(u), 1.0, 1.0, 65536.0)
        for u in range(updates)
    )
    evals = tuple(EvalPoint(u, ce(u, 0) + 0.2, 8, 4096) for u in range(100, updates + 1, 100))
    fixed = tuple(FixedPoint(u, ce(u, 0) - 0.1, 0.08, 0.97) for u in range(0, updates + 1, 50))
    answers = tuple(
        Prediction(
            0, p, 17 + p, (5, 9, 2, 31, 17), (4.2, 3.1, 2.75, 1.5, 0.25), p + 5,
            text, (",", "の", " the", "\n", "<pad>"),
        )
        for p, text in enumerate(("診断", " loss", "<unk>", " is"))
    )  # fmt: skip
    names = [f"encoder.layers.{i}.{part}" for i in range(6) for part in ("self_attn", "ffn.out")]
    first = tuple(Layer(n, "Linear", 0.8 + 0.1 * i, 4.0) for i, n in enumerate(names))
    last = tuple(
        Layer(n, "Linear", math.inf if i == 11 else 0.8 * 1.6**i, 40.0, float(i == 11))
        for i, n in enumerate(names)
    )
    return {
        Curve: Curve(micro, steps, evals, 2 * updates, updates),
        DataLines: DataLines(250, math.log(250), math.log(211), 4.31, 3.02, 400000),
        FixedBatch: FixedBatch(fixed, answers),
        LayerPicture: LayerPicture(first, last, 0, updates),
    }


VIEW = View(SICK, evidence(), {"train.py": SOURCE})
