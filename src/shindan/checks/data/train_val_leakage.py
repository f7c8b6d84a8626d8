"""The validation data were trained on.

Judged per place of evaluation (nanoGPT's ``estimate_loss`` evaluates the training split too, and
says so), and only when nearly every batch overlaps. ``expected`` (Good and Turing, from one pass
over the training data) is what a fresh row would share by chance, boilerplate, templates and
repetition; where that is large (logs, periodic data) nothing can be said and nothing is.

A short run reads little of a large file, and then hardly any evaluation row was trained on. There
the places convict: n-grams that stand only once in the source of both splits cannot be met twice
by chance. They must have been trained on as often as if evaluation drew from the places that
training draws from, in every evaluation of the run: a split by position (or by row) shares none,
and beside a held-out part an evaluation of the training part is meant.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.ids import SharedGroup, SharedSource, SourceOverlap
from shindan.core.evidence.rows import EvalGroup, SplitOverlap
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

NEARLY_ALL = 0.5
"""Share of its n-grams that even the first decile of batches was trained on."""
EXPECTED = 0.35
ENOUGH = 100
TIMES = 3.0
PARTLY = 0.06
"""Where only part of the data was read, the overlap is smaller: it must exceed three times (the
splits need not be alike) what the whole training array repeats within itself."""
HITS = 30
"""Trained n-grams that must lie in the evaluation array itself; half of those due."""
INSIDE = 0.95
"""Share of an evaluation's n-grams that stand in the source; where few n-grams of the source
repeat (EXPECTED), other text of the same kind cannot come near it (Good and Turing)."""
MET = 10
BATCHES = 3
"""So many n-grams met again, in so many evaluation batches (a window across the border of two
splits is in one)."""


@check(
    id="data/train-val-leakage",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("openai/parameter-golf#2127", "ai-forever/ru-gpts#23", "marin#6742", "logbert#57"),
    explains=("symptom/overfit",),
    fault=(
        Edit(
            script="gpt_mingpt",
            old="val_dataset = ToyDataset(128, config.block_size, seed=2)",
            new="val_dataset = ToyDataset(640, config.block_size, seed=1)",
        ),
        Edit(
            script="sft_padded",
            old="val_rows = [encode(make_example(val_rng)) for _ in range(128)]",
            new="val_rows = train_rows[-128:]",
        ),
        Edit(
            script="gpt_plain",
            old="train_data, val_data = make_split(3000, seed=1), make_split(300, seed=2)",
            new="train_data = make_split(3000, seed=1)\nval_data = train_data[-6000:]",
        ),
        Edit(
            script="bert_mlm",
            old="train_rows, val_rows = make_rows(1200, seed=1), make_rows(192, seed=2)",
            new="train_rows = make_rows(1200, seed=1)\n    val_rows = train_rows[:192]",
        ),
    ),
)
def CHECK(
    overlap: SplitOverlap, sources: SourceOverlap | None, shared: SharedSource | None
) -> Iterator[Finding]:
    """Held-out batches whose n-grams were trained on, beyond what fresh rows would share."""
    bound = overlap.expected
    guilty = [g for g in overlap.groups if _guilty(g, bound)]
    less = _bound(overlap, sources)
    if not guilty and less is not None:
        bound = less
        guilty = [g for g in overlap.groups if _more_than(g, bound)]
    if guilty:
        worst = max(guilty, key=lambda g: g.overlap)
        yield Finding(
            {
                "overlap": round(worst.overlap, 4),
                "expected": round(bound, 4),
                "n": overlap.n,
                "batches": worst.batches,
                "ngrams": worst.ngrams,
            },
            Where(worst.file, worst.line),
        )
    elif shared is not None and (group := _same_places(shared)) is not None:
        yield Finding(
            {
                "hits": group.hits,
                "single": group.single,
                "n": shared.n,
                "name": shared.source,
                "trained": round(shared.trained, 4),
                "batches": group.hit_batches,
                "of": group.batches,
            },
            Where(group.file, group.line),
            variant="places",
        )
    elif sources is not None and _same_data(sources):
        yield Finding(
            {
                "overlap": round(sources.overlap, 4),
                "expected": round(sources.expected, 4),
                "n": sources.n,
                "train": sources.train,
                "evaluation": sources.evaluation,
                "ngrams": sources.ngrams,
            },
            Where(sources.file, sources.line),
            # A script may keep the whole text beside its two slices: names of arrays only hint.
            severity="info",
            variant="sources",
        )


def _guilty(group: EvalGroup, expected: float) -> bool:
    return (
        group.says in ("val", "test")
        and group.ngrams >= ENOUGH
        and group.lowest >= NEARLY_ALL
        and expected <= EXPECTED
    )


def _bound(overlap: SplitOverlap, sources: SourceOverlap | None) -> float | None:
    """What fresh text could share: the repetition of the array, or that of different rows."""
    if sources is not None:
        return sources.expected
    return overlap.between if overlap.redrawn else None


def _more_than(group: EvalGroup, bound: float) -> bool:
    """More than all of the training array could share with fresh text, however little was read."""
    return (
        group.says in ("val", "test")
        and group.ngrams >= ENOUGH
        and group.overlap >= TIMES * bound + PARTLY
        and group.lowest >= bound + PARTLY / 2
    )


def _same_data(sources: SourceOverlap) -> bool:
    """The arrays hold the same text, and training was seen to read that part."""
    return (
        sources.train != sources.evaluation
        and sources.ngrams >= ENOUGH
        and sources.overlap >= NEARLY_ALL
        and sources.expected <= EXPECTED
        and sources.hits >= HITS
        and sources.hits >= sources.due * sources.trained / 2
    )


def _same_places(shared: SharedSource) -> SharedGroup | None:
    """The evaluation, said to be held out, that reads what training reads; so do all others."""
    judged = [g for g in shared.groups if g.ngrams >= ENOUGH]
    if shared.models > 1 or shared.repeats > EXPECTED:
        return None  # a second model (cross-validation) may have been trained on the other part
    for g in judged:
        if g.inside < INSIDE or g.hits < g.single * shared.trained / 2:
            return None
    told = [g for g in judged if g.says in ("val", "test") and g.hits >= MET]
    return max((g for g in told if g.hit_batches >= BATCHES), key=lambda g: g.hits, default=None)


def _run(says: str = "val", expected: float = 0.01, lowest: float = 0.0) -> SplitOverlap:
    group = EvalGroup(says, 8, 4000, lowest + (1 - lowest) / 4, lowest)
    return SplitOverlap(16, 30000, expected, (group,))


_ONE = SourceOverlap("train.bin", "train.bin", 1.0, 0.047, 5000, True, 16, 70000, 70000, 1.0)
_FEW = SplitOverlap(16, 79184, 0.087, (EvalGroup("val", 10, 3920, 0.079, 0.016),))


def _places(says: str, hits: int, batches: int = 7, inside: float = 1.0) -> SharedGroup:
    return SharedGroup(says, 10, 476, inside, 456, hits, batches)


def _shared(*groups: SharedGroup, repeats: float = 0.047, models: int = 1) -> SharedSource:
    return SharedSource("train.bin", 1003854, 16, repeats, 0.077, models, groups)


SICK = (
    # a quarter of the rows was drawn (with replacement); the test words are among them
    Example(
        evidence=(
            SplitOverlap(8, 1600, 0.29, (EvalGroup("test", 20, 499, 0.23, 0.137),), 0.03, True),
        ),
        finds=({"overlap": 0.23, "expected": 0.03},),
    ),
    # a third of the file was read, and evaluation reads the same file
    Example(
        evidence=(
            SplitOverlap(16, 200000, 0.4, (EvalGroup("val", 16, 9000, 0.35, 0.2),)),
            _ONE,
        ),
        finds=({"overlap": 0.35, "expected": 0.047},),
    ),
    # a tenth of the file was read; the evaluations of both splits read it
    Example(
        evidence=(_FEW, _shared(_places("train", 27), _places("val", 33))),
        finds=({"hits": 33, "single": 456, "name": "train.bin"},),
    ),
    Example(evidence=(_run(lowest=0.9),), finds=({"overlap": 0.925, "expected": 0.01},)),
    Example(
        evidence=(
            _run(expected=0.6),
            SourceOverlap("train_data", "val_data", 0.8, 0.01, 5000, True, 16, 30000, 2800, 0.09),
        ),
        finds=({"train": "train_data", "overlap": 0.8},),
    ),
)
HEALTHY = (
    Example(evidence=(_run(),)),
    # one array, split by position: nothing of the later part was trained
    Example(evidence=(_run(), _ONE)),
    # only the whole corpus is held beside the validation part: training read none of that
    Example(
        evidence=(
            _run(),
            SourceOverlap("data", "val_data", 1.0, 0.01, 5000, True, 16, 30000, 0, 0.1),
        )
    ),
    # one array cut in two; the training part is evaluated, too; only that; a border window
    Example(evidence=(_FEW, _shared(_places("train", 30), _places("val", 0)))),
    Example(evidence=(_FEW, _shared(_places("val", 30), _places("test", 0)))),
    Example(evidence=(_FEW, _shared(_places("train", 30)))),
    Example(evidence=(_FEW, _shared(_places("val", 20, batches=1)))),
    # val.bin shares some text with train.bin; most text repeats; two folds, two models
    Example(evidence=(_FEW, _shared(_places("val", 33, inside=0.3)))),
    Example(evidence=(_FEW, _shared(_places("val", 33), repeats=0.6))),
    Example(evidence=(_FEW, _shared(_places("val", 33), models=2))),
    # the training split evaluated beside the validation split, and said to be so
    Example(evidence=(_run(says="train", lowest=0.95),)),
    # HDFS sessions: 82 % of the training sessions repeat another one themselves
    Example(evidence=(_run(expected=0.8, lowest=0.85),)),
    # text repeated many times before the split
    Example(evidence=(_run(expected=1.0, lowest=1.0),)),
    # some boilerplate in both splits
    Example(evidence=(_run(expected=0.02, lowest=0.05),)),
)
