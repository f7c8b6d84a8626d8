"""Columns of a log beside one another, and a loss beside what guessing gives: both sides."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from shindan.core.evidence.base import Evidence
from shindan.core.evidence.beside import AtChance, FarNorms, Repeats, RisenToLine, TwoMeans
from shindan.logs.beside import beside
from shindan.logs.judged import judged

from .tables import table

N = 400
RNG = np.random.default_rng(11)
NOISE = RNG.normal(0, 1, N)
STEPS = [float(i + 1) for i in range(N)]
FALL = np.exp(-np.arange(N) / 40)
HF = "hf-trainer-state"


def found(
    columns: Mapping[str, Sequence[float | None]],
    settings: dict[str, object] | None = None,
    form: str = "csv",
) -> dict[type[Evidence], Evidence]:
    return dict(beside(judged(table(columns, settings=settings, form=form)))[0])


def course(level: float, height: float = 0.0, sd: float = 0.01) -> list[float]:
    """A fall by ``height`` nats to a level, with noise."""
    return [float(v) for v in level + height * FALL + sd * NOISE]


@pytest.mark.parametrize("k", [2, 3, 4, 10])
def test_a_loss_that_rests_at_the_guess_among_k_classes(k: int) -> None:
    rest = found({"step": STEPS, "loss": course(math.log(k) + 0.003, 0.05)})[AtChance]
    assert isinstance(rest, AtChance)
    assert rest.classes == k
    assert rest.chance <= 0.05


@pytest.mark.parametrize(
    "losses",
    [
        course(0.9),  # flat elsewhere
        course(math.log(3) + 0.02),
        course(math.log(2) - 0.4, 0.4),  # begins at ln 2, and falls: a classifier, DPO
        course(math.log(3), 0.5),  # came down by more than a class
        course(math.log(2), sd=0.3),  # too noisy to say
        [float(v) for v in math.log(3) + 0.2 * np.linspace(1, -1, N)],  # passes the line
        [*course(0.6)[:200], *course(math.log(2) + 0.002)[:200]],  # was below
    ],
)
def test_losses_that_are_no_guess(losses: list[float]) -> None:
    assert AtChance not in found({"step": STEPS, "loss": losses})


def test_a_loss_over_tokens_has_no_few_classes() -> None:
    losses = course(math.log(3) + 0.003, 0.05)
    tokens = [1000.0 * s for s in STEPS]
    assert AtChance not in found({"step": STEPS, "loss": losses, "num_tokens": tokens})
    assert AtChance not in found({"step": STEPS, "loss": losses}, {"vocab_size": 50257})


def test_evaluations_say_it_where_training_is_noisy() -> None:
    losses = course(math.log(4) + 0.01, sd=0.06)
    evaluations = [math.log(4) + (1e-5 if i % 20 else 1e-4) if i % 10 == 9 else None
                   for i in range(N)]  # fmt: skip
    rest = found({"step": STEPS, "loss": losses, "eval_loss": evaluations})[AtChance]
    assert isinstance(rest, AtChance)
    assert (rest.classes, rest.name) == (4, "eval_loss")
    lower = [v - 0.2 for v in losses]
    assert AtChance not in found({"step": STEPS, "loss": lower, "eval_loss": evaluations})


@pytest.mark.parametrize(
    ("losses", "size"),
    [
        ([1.637, 11.81, 11.6, 10.383, *[10.3735] * 6], 32000),
        ([2.1] * 20 + [10.825, 10.824, 10.826] * 10, 50257),
        ([10.37, 10.3735, 10.3735, 10.374, 10.3735, 10.3735], None),  # begins there: from scratch
        ([1.637, 11.81, 11.6, *[10.2] * 7], None),  # elsewhere
        ([1.637, 11.81, 10.3735, 10.3735, 9.1, 8.2, 7.4, 6.8], None),  # left it
        ([1.2] * 10 + [4.174] * 5, None),  # ln 65 is no vocabulary of words
    ],
)
def test_a_loss_that_rose_to_the_uniform_line(losses: list[float], size: int | None) -> None:
    steps = STEPS[: len(losses)]
    risen = found({"step": steps, "loss": losses}).get(RisenToLine)
    assert (size in risen.vocabularies) if isinstance(risen, RisenToLine) else size is None


def two(training: Sequence[float], validation: Sequence[float], **more: Sequence[float]) -> str:
    """How two curves of N steps differ, evaluated every 40th."""
    evaluations = [v if i % 40 == 39 else None for i, v in enumerate(validation)]
    made = found({"step": STEPS, "loss": training, "eval_loss": evaluations, **more})[TwoMeans]
    assert isinstance(made, TwoMeans)
    return made.how


VALIDATION = course(0.3, 2.5, 0.002)


def test_a_sum_beside_a_mean() -> None:
    assert two([16 * v for v in VALIDATION], VALIDATION) == "sum"
    assert two(course(13.6, 0.3), course(4.0, 0.1)) == "above"


@pytest.mark.parametrize(
    "training",
    [
        [v + 1.2 for v in VALIDATION],  # label smoothing, an auxiliary term
        [v + 5.0 for v in VALIDATION],
        [1.3 * v for v in VALIDATION],  # dropout, augmentation
        [2.4 * v for v in VALIDATION],
        [0.2 * v for v in VALIDATION],  # learnt by heart, for all that is known
        VALIDATION,
    ],
)
def test_what_else_raises_a_training_loss(training: list[float]) -> None:
    assert two(training, VALIDATION) == ""


def test_a_part_beside_a_mean() -> None:
    slow = course(8.2, 0.3)
    training = [v / 4 for v in slow]
    first = [s / (N + 10) for s in STEPS]
    later = [s / 10 for s in STEPS]
    assert two(training, slow, epoch=first) == "part"
    assert two(training, slow, epoch=later) == ""
    assert two([v / 2 for v in slow], slow, epoch=first) == ""
    # learnt by heart, where the epochs of streamed data are not counted
    by_heart = [v / (4 + s / 20) for s, v in zip(STEPS, slow, strict=True)]
    assert two(by_heart, slow, epoch=first) == ""


@pytest.mark.parametrize(
    ("training", "base", "how"),
    [
        ([16 * v for v in VALIDATION], math.e, "perplexity"),
        (VALIDATION, math.e, ""),
        (VALIDATION, 2.0, ""),  # bits
        (VALIDATION, 10.0, ""),
        ([v + 3.0 for v in VALIDATION], math.e, ""),  # an auxiliary term
    ],
)
def test_a_perplexity_beside_its_loss(training: list[float], base: float, how: str) -> None:
    ppl = [base**v for v in VALIDATION]
    made = found({"step": STEPS, "loss": training, "perplexity": ppl})[TwoMeans]
    assert isinstance(made, TwoMeans)
    assert made.how == how


EPOCH = [0.9741, 1.3742, 1.239, 0.967, 1.0386, 1.1681, 1.224, 0.961]


@pytest.mark.parametrize(
    ("losses", "again"),
    [
        ([*EPOCH, *EPOCH, *EPOCH], 16),
        ([*EPOCH, *EPOCH[:5]], 5),
        ([*EPOCH, *EPOCH[:3]], 0),  # too few
        ([*EPOCH, *[v - 0.0001 for v in EPOCH]], 0),
        ([*EPOCH, *EPOCH[:7], 0.9609], 0),  # one weight moved
        ([*[0.12, 0.5, 0.11, 0.5, 0.12, 0.11, 0.5, 0.12]] * 2, 0),  # two figures
        ([0.6931] * 16, 0),  # constant
    ],
)
def test_epochs_that_repeat(losses: list[float], again: int) -> None:
    epochs = [1.0 + i // 8 for i in range(len(losses))]
    made = found({"step": STEPS[: len(losses)], "epoch": epochs, "loss": losses})[Repeats]
    assert isinstance(made, Repeats)
    assert made.same == again


def test_a_log_written_twice_is_no_epoch_that_repeats() -> None:
    made = found({"step": STEPS[:16], "epoch": [i / 100 for i in range(16)], "loss": EPOCH * 2})
    assert Repeats not in made
    twice = [v for v in EPOCH for _ in range(2)]
    epochs = [1.0 + i // 8 for i in range(16)]
    again = found({"step": STEPS[:16], "epoch": epochs, "loss": twice})[Repeats]
    assert isinstance(again, Repeats)
    assert again.same == 0


@pytest.mark.parametrize(
    ("scale", "form", "settings", "far"),
    [
        (1e5, HF, {}, True),
        (50.0, HF, {}, False),  # usual
        (1e5, "csv", {}, False),  # nobody knows whether it was clipped
        (1e5, HF, {"max_grad_norm": 1.0}, False),  # the limit is known: told of that
    ],
)
def test_norms_far_above_any_limit(
    scale: float, form: str, settings: dict[str, object], far: bool
) -> None:
    norms = [scale * (1.5 + math.sin(s)) for s in STEPS]
    columns = {"step": STEPS, "loss": VALIDATION, "grad_norm": norms}
    assert (FarNorms in found(columns, settings, form)) is far
    spiked = {**columns, "grad_norm": [*norms[:-1], 2.0]}
    assert FarNorms not in found(spiked, settings, form)
