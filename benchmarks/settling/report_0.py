"""Report 0: which of the differences from BERT cost the self-made model its loss.

Both ways: BERT with one thing as reported, and the reported model with one thing mended. What was
listed is in :func:`vaswani_as_reported` and the recipe ``bert-mlm-as-reported``; here all arms
share one objective and one AdamW epsilon, so that they differ in what their names say and no more.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from settling.plan import Plan, Size, Words
from shindan.reference.models.bert import vaswani_as_reported
from shindan.reference.recipes.recipe import model_values
from shindan.reference.train.metrics import Line, read


def measure(folder: Path) -> dict[str, float]:
    """Of the last evaluation, and the training losses that the report compared."""
    lines = read(folder)
    last = [line for line in lines if line["kind"] == "validation"][-1]
    train = [line for line in lines if line["kind"] == "train"]
    late = [line for line in train if 3 * line["update"] > 2 * last["update"]]
    return {
        "validation loss": float(last["loss"]),
        "accuracy": float(last["accuracy"]),
        "training loss of the last third": mean_loss(late),
        "training loss of the whole run": mean_loss(train),
    }


def mean_loss(lines: Sequence[Line]) -> float:
    """The plain mean over updates, as HF's ``training_loss`` is."""
    return fmean(float(line["loss"]) for line in lines)


def words(values: dict[str, object]) -> Words:
    """key=value, as ``shindan train`` reads them."""
    return [f"{key}={str(value).lower()}" for key, value in values.items()]


REPORTED = [*words(model_values(vaswani_as_reported())), "decay_everything=true"]
UNSCALED, ROOT = "model.position_scale=1", "model.embedding_scale={root}"
"""The root of the width, as Vaswani et al. 2017, section 3.4."""
AUTHOR = [ROOT, UNSCALED, "model.activation=gelu", "model.attention_dropout=0.1"]
"""What the report's author mended in the end."""


def spoilt(*changes: str) -> Words:
    """BERT with something as reported."""
    return ["bert-mlm", *changes]


def mended(*changes: str) -> Words:
    """The reported model with something put right."""
    return ["bert-mlm", *REPORTED, *changes]


def on_gpu(learning_rate: str) -> Size:
    """8,000 pieces, width 256, 4 layers, and the report's own 32 rows of 128.

    init_std keeps BERT-base's gain of a layer, 0.02 x root of 768 = 0.55, at this width; with 0.02
    a narrow post-LN model stays at the unigram line for most of a short run.
    """
    words = [
        "size=small", "data={data}/wikitext-2/train.raw.gz",
        "validation={data}/wikitext-2/valid.raw.gz", "unit=article",
        "model.init_std=0.035", "batch_size=32", "evaluation_batch_size=256",
        f"learning_rate={learning_rate}", "max_updates=1100", "precision=bf16", "epsilon=1e-8",
        "log_every=5", "evaluate_every=1000000", "save_every=550",
    ]  # fmt: skip
    return Size("gpu", words, values={"root": "16"})


def on_cpu(updates: int) -> Size:
    """1,000 pieces, width 64, 2 layers, 32 rows of 32; the init as on the GPU."""
    words = [
        "size=tiny", "data={data}/wikitext-2/train.raw.gz",
        "validation={data}/wikitext-2/valid.raw.gz", "unit=article", "distinct=false",
        "model.init_std=0.07", "length=32", "batch_size=32", "evaluation_batch_size=256",
        "learning_rate=4e-3", f"max_updates={updates}", "epsilon=1e-8",
        "log_every=5", "evaluate_every=1000000", "save_every=300",
    ]  # fmt: skip
    return Size("cpu", words, values={"root": "8"})


ARMS = {
    "BERT": spoilt(),
    "BERT, no embedding LayerNorm": spoilt("model.embedding_norm=false"),
    "BERT, no token types": spoilt("model.token_types=0"),
    "BERT, sinusoids": spoilt("model.positions=sinusoidal"),
    "BERT, sinusoids x0.1": spoilt("model.positions=sinusoidal", "model.position_scale=0.1"),
    "BERT, words x root H": spoilt(ROOT),
    "BERT, ReLU": spoilt("model.activation=relu"),
    "BERT, no attention dropout": spoilt("model.attention_dropout=0"),
    "BERT, eps 1e-5": spoilt("model.eps=1e-5"),
    "BERT, pre-LN": spoilt("model.norm=pre"),
    "BERT, mask added": spoilt("model.added_mask=true"),
    "BERT, no head transform": spoilt("model.head_transform=false"),
    "BERT, Xavier": spoilt("model.init=xavier"),
    "BERT, decay on everything": spoilt("decay_everything=true"),
    # Articles fill their rows; lines leave much padding for a mask to hide.
    "lines: BERT": spoilt("unit=line"),
    "lines: BERT, mask added": spoilt("unit=line", "model.added_mask=true"),
    "reported": mended(),
    "reported, embedding LayerNorm": mended("model.embedding_norm=true"),
    "reported, words x root H": mended(ROOT),
    "reported, positions x1": mended(UNSCALED),
    "reported, words x root H, positions x1": mended(ROOT, UNSCALED),
    "reported, learned positions": mended("model.positions=learned", UNSCALED),
    "reported, token types": mended("model.token_types=2"),
    "reported, GELU": mended("model.activation=gelu"),
    "reported, attention dropout": mended("model.attention_dropout=0.1"),
    "reported, eps 1e-12": mended("model.eps=1e-12"),
    "reported, post-LN": mended("model.norm=post"),
    "reported, true mask": mended("model.added_mask=false"),
    "reported, head transform": mended("model.head_transform=true"),
    "reported, N(0, std)": mended("model.init=normal"),
    "reported, no decay on norms": mended("decay_everything=false"),
    "reported, the author's four": mended(*AUTHOR),
    "Vaswani, right": ["vaswani-mlm", ROOT],
}
PLAN = Plan(
    question="Which differences from BERT cost the reported model its loss, alone and together?",
    arms=ARMS,
    against={"lines: BERT, mask added": "lines: BERT"}
    | {arm: "reported" for arm in ARMS if arm.startswith("reported, ")},
    apart=frozenset({"lines: BERT"}),
    sizes={
        "gpu": on_gpu("1e-3"),
        # Whether the order of the main arms hangs on the rate: for --arms.
        "gpu-slow": on_gpu("3e-4"),
        "gpu-fast": on_gpu("3e-3"),
        "cpu": on_cpu(600),
        # As long as it takes one of them to read order: for --arms.
        "cpu-long": on_cpu(4000),
    },
    measure=measure,
    beside=(
        "accuracy", "training loss of the last third",
        "training loss of the whole run",
    ),
)  # fmt: skip
