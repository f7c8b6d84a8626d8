"""Which column is the loss, the learning rate, the step ...: by its name, then by its numbers."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from shindan.core.errors import ShindanError
from shindan.core.evidence.logs import Role, Why
from shindan.logs.likeness import bare_roles, epoch_beside, like_a_loss
from shindan.logs.numerals import number_in
from shindan.logs.table import LogTable, Numbers
from shindan.logs.tongues import english

_VAL = r"(?:val|valid|validation|eval|evaluation|dev|test)"
_TRAIN = r"(?:train|training|trainer|tr)"
_MEAN = r"(?:avg|average|mean|running|smooth|smoothed|ema|cumulative)"
_NLL = r"(?:loss(?:es)?|ce|nll|xent|cross_entropy|crossentropy)"
_GRAD = r"(?:grad|gradient|grads|gradients|g)"

NAMES: Mapping[str, tuple[str, ...]] = {
    "step": (
        r"(?:\w+_)?global_step(?:_max_steps)?", r"steps?", r"iters?", r"iterations?", r"it", r"s",
        r"num_updates", r"updates?", r"(?:train|training)(?:_metrics)?_(?:step|iter)",
        r"batch(?:_idx|es)?", r"epoch_steps?",
        r"i", r"(?:current|completed|finished|model)_(?:steps?|iters?|iterations?|updates?)",
        r"(?:step|iter|batch)_\w+", r"n_iter", r"num_steps", r"idx", r"time_?steps?", r"up",
        r"progress", r"index(?:_1)?",
    ),
    "update": (r"opt(?:im(?:izer)?)?_steps?", r"num_updates", r"updates?"),
    "epoch": (r"(?:\w+_)?epochs?", r"ep", r"epoch_\w*float", r"epoch_train"),
    "tokens": (
        r"(?:\w+_)?tokens(?:_seen|_consumed|_processed|_trained)?", r"num_input_tokens_seen",
        r"n_tokens", r"tokens_\w*total",
    ),
    "validation": (
        rf"{_VAL}_{_NLL}", rf"{_VAL}_\w*{_NLL}(?:_epoch|_value)?", rf"{_NLL}_{_VAL}", r"tel",
        r"vloss",
        rf"{_VAL}", r"\w+_val_loss",
        rf"{_VAL}_{_NLL}_(?:all|total|mean|avg|step|epoch)",
        rf"{_VAL}_evaluation_{_NLL}_vs_iterations",
    ),
    "loss": (
        _NLL, rf"{_TRAIN}_{_NLL}", r"trl", rf"{_NLL}_{_TRAIN}", rf"{_TRAIN}_{_NLL}_step",
        rf"(?:lm|mlm|clm|nll|ce|main|total|batch|step|token|pretrain|inner)_{_NLL}",
        rf"{_TRAIN}_(?:lm|mlm|clm|total|batch|ce)_{_NLL}", rf"{_TRAIN}_\w*{_NLL}\w*",
        rf"{_NLL}_\w+", rf"\w+_{_NLL}", rf"{_NLL}_\d+", r"cost", "train",
        r"[cm]lm(?:_[a-z]{2}){0,2}",
    ),
    "validation_ppl": (
        rf"{_VAL}_(?:ppl|perplexity)(?:_value)?", rf"(?:ppl|perplexity)_{_VAL}",
        rf"{_VAL}_\w*(?:ppl|perplexity)(?:_value)?",
    ),
    "ppl": (rf"(?:{_TRAIN}_)?(?:ppl|perplex(?:ity)?)", rf"(?:ppl|perplexity)_{_TRAIN}"),
    "used_lr": (
        r"optimizer_lrs?(?:_0)?", r"\w*effective_(?:lr|learning_rate)",
        r"(?:lr|learning_rate)_(?:effective|used|actual)", r"(?:actual|used)_(?:lr|learning_rate)",
    ),
    "lr": (
        r"(?:lr|learning_rate)", rf"{_TRAIN}_(?:lr|learning_rate)", r"(?:lr|learning_rate)_0",
        r"l_r", r"lr_\w+", r"\w+_(?:lr|learning_rate)", r"lr\d*", r"learning_rate_\w+",
    ),
    "raw_norm": (
        rf"{_GRAD}_?norm_(?:raw|before|pre_?clip|preclip|unclipped|before_clip\w*)",
        rf"(?:raw|unclipped|preclip|pre_clip)_{_GRAD}_?norm",
    ),
    "grad_norm": (
        rf"{_GRAD}_?norm", rf"{_TRAIN}_{_GRAD}_?norm", r"gnorm", r"norm",
        rf"(?:total|global)_(?:{_GRAD}_?)?norm",
        rf"{_GRAD}_?norm_(?:total|global|l2|clipped|after\w*)", rf"\w+_{_GRAD}_?norm",
    ),
    "clip": (rf"{_GRAD}_?clip(?:ping)?(?:_(?:norm|value|threshold))?", r"clip(?:_norm)?",
        rf"max_{_GRAD}_norm"),
    "scale": (r"(?:loss|grad|gradient|amp)_?scale", r"(?:grad_?)?scaler(?:_scale)?", r"scale"),
}  # fmt: skip
"""Patterns of whole names (lower case, words joined by ``_``), the surest first."""
_NO_LOSS = re.compile(rf"\w*{_NLL}_(?:scaler?|weights?|coef\w*|masks?|masked|time|tokens?)\w*")
"""Numbers that go with a loss: ``loss_scale``."""
_RATE = re.compile(
    r"(?i)(?:.*\W)?(?:[mu]?s|secs?|seconds?|min|it|iters?|(?:global_)?steps?|samples?|tok(?:en)?s?"
    r"|batch(?:es)?|examples?|words?|sents?|updates?)/(?:s|secs?|seconds?|min|h|it|iter|step|batch"
    r"|epoch|sample|tok(?:en)?|update|gpu|device)\)?"
)
"""So much of one in each other: ``s/epoch`` counts no epochs."""
_MEANS = (
    rf"{_MEAN}_(?:{_TRAIN}_)?{_NLL}", rf"{_TRAIN}_{_MEAN}_{_NLL}", rf"{_NLL}_{_MEAN}",
    rf"{_TRAIN}_{_NLL}_{_MEAN}",
)  # fmt: skip
WORDS: Mapping[str, tuple[str, ...]] = {"state": (r"\w*(?:city|state|phase|stage|mode|regime)",)}
SETTABLE = ("loss", "validation", "lr", "step", "epoch", "tokens", "update", "grad_norm",
    "raw_norm", "clip", "scale", "used_lr", "ppl", "state")  # fmt: skip
"""Roles a person may give."""
_COUNTS = ("step", "update", "epoch", "tokens")
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "clip": (r"max_grad_norm", r"grad(?:ient)?_clip(?:ping|_val|_train|_norm)?", r"clip(?:_norm)?",
        r"clip_grad(?:_norm)?"),
    "accumulate": (r"gradient_accumulation_steps", r"grad_accum\w*", r"accumulate_grad_batches",
        r"accumulation_steps", r"update_freq"),
    "planned": (r"max_steps", r"total_steps", r"max_iters", r"num_iterations", r"train_steps"),
    "vocabulary": (r"vocab_size", r"n_vocab", r"vocabulary_size", r"ntokens?"),
    "rate": (r"learning_rate", r"lr", r"initial_lr", r"max_lr"),
    "warmup": (r"warmup_steps", r"warmup_iters", r"num_warmup_steps"),
}  # fmt: skip
"""Settings whose numbers say something of a log, by the last part of their names."""


@dataclass(frozen=True)
class Roles:
    """Columns by role, and how each was found."""

    columns: Mapping[str, str] = field(default_factory=dict)
    why: Mapping[str, Why] = field(default_factory=dict)

    def get(self, table: LogTable, role: str) -> Numbers | None:
        """The numbers of a role (rows,); NaN where there is none."""
        column = self.columns.get(role)
        return None if column is None else table.columns.get(column)

    def told(self) -> tuple[Role, ...]:
        """As evidence."""
        return tuple(Role(role, column, self.why[role]) for role, column in self.columns.items())


def infer(table: LogTable, asked: Mapping[str, str] | None = None) -> Roles:
    """The roles of the table's columns; what was ``asked`` is taken as it is.

    A column has one role; of several that fit one role the surest name wins, then the one with
    most values. Counters must be whole and not fall more than they rise; a perplexity must be 1
    or more. Columns asked for that this table lacks are left out (see :func:`refuse_unknown`).
    """
    found: dict[str, str] = {}
    why: dict[str, Why] = {}
    for role, column in (asked or {}).items():
        if column in table.columns or column in table.words:
            found[role], why[role] = column, "set"
    for role in ("loss", *NAMES):
        best = None if role in found else _best(table, role, found)
        if best is not None:
            found[role], why[role] = best, "named"
    if all(found.get(role, "0").isdigit() for role in ("loss", "validation")):
        for role, column in bare_roles(table).items():
            if role not in found and column not in found.values():
                found[role], why[role] = column, "behaves"
    for role, patterns in WORDS.items():
        columns = [c for c in table.words if _rank(c, patterns) is not None]
        if role not in found and columns:
            found[role], why[role] = columns[0], "named"
    _agree(table, found, why)
    return Roles(found, why)


def refuse_unknown(tables: Sequence[LogTable], asked: Mapping[str, str]) -> None:
    """ShindanError for a role that is none, or a column that no log has, with the nearest."""
    for role, column in asked.items():
        if role not in SETTABLE:
            raise ShindanError("no-role", role=role, known=", ".join(SETTABLE))
        known = sorted({c for t in tables for c in (*t.columns, *t.words)})
        if column not in known:
            near = difflib.get_close_matches(column, known, n=1, cutoff=0.5)
            if near:
                raise ShindanError("no-column-but", column=column, nearest=near[0])
            raise ShindanError("no-column", column=column, known=", ".join(known[:20]))


def setting(table: LogTable, what: str) -> tuple[str, float] | None:
    """Name and number of the setting that says ``what``, by the last part of its name."""
    for pattern in SETTINGS[what]:
        for name, value in table.settings.items():
            number = number_in(value)
            if number is not None and re.fullmatch(pattern, normal(name.rpartition(".")[2])):
                return name, number
    return None


def is_mean(column: str) -> bool:
    """Whether a loss is a running mean by its name."""
    return _rank(column, _MEANS) is not None


def normal(name: str) -> str:
    """``train/GradNorm`` -> ``train_grad_norm``."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", english(name))
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def counters(table: LogTable) -> list[str]:
    """The columns that count steps, the surest first."""
    ranked = [(r, c) for c in table.columns if (r := _rank(c, NAMES["step"])) is not None]
    good = [(r, c) for r, c in ranked if _counts(table.columns[c][table.present[c]], "step")]
    return [column for _, column in sorted(good)]


def _best(table: LogTable, role: str, found: Mapping[str, str]) -> str | None:
    """The surest name of those that fit; counters must stand beside the losses, if any does."""
    fits = []
    loss = found.get("loss")
    for column, values in table.columns.items():
        rank = _rank(column, NAMES[role])
        there = table.present[column]
        if rank is None or column in found.values() or not there.any():
            continue
        if role in _COUNTS and not _counts(values[there], role):
            continue
        if role == "loss" and _rank(column, NAMES["validation"]) is not None:
            rank += len(NAMES["loss"])  # the loss of a validation only where there is no other
        beside = there & table.present[loss] if role in _COUNTS and loss else there
        if role == "loss" and normal(column) == "train" and not like_a_loss(values[there]):
            continue
        if role == "step" and _stands(values[beside]):
            rank += len(NAMES["step"])  # micro-steps of one update: what counts them, if anything
        fits.append((rank, -int(beside.sum()), column))
    if not fits:
        return None
    most = -min(count for _, count, _ in fits)
    # HF's train_loss stands once, at the end: another mean; nanoGPT counts losses by iter
    return min(f for f in fits if -f[1] * 10 >= most)[2]


def _rank(column: str, patterns: tuple[str, ...]) -> int | None:
    name = normal(column)
    if _RATE.fullmatch(column) or (patterns is NAMES["loss"] and _NO_LOSS.fullmatch(name)):
        return None
    return next((i for i, p in enumerate(patterns) if re.fullmatch(p, name)), None)


def _counts(values: Numbers, role: str) -> bool:
    """Whole (epochs and tokens may have fractions), not negative, and rising where it changes."""
    values = values[np.isfinite(values)]
    if not len(values) or values.min() < 0:
        return False
    if role in ("step", "update") and not np.array_equal(values, np.round(values)):
        return False
    moves = np.diff(values)
    return len(values) == 1 or bool((moves > 0).sum() >= (moves < 0).sum())


def _stands(values: Numbers) -> bool:
    """Whether a counter stays as it is from one row to the next more than rarely."""
    return len(values) > 1 and float((np.diff(values) == 0).mean()) > 0.1


def _agree(table: LogTable, found: dict[str, str], why: dict[str, Why]) -> None:
    """What the numbers say beyond the names."""
    for loss, ppl in (("loss", "ppl"), ("validation", "validation_ppl")):
        if ppl in found and loss not in found:
            found[loss], why[loss] = found[ppl], "derived"
        elif (
            ppl in found
            and why[loss] != "set"
            and _is_exponential(table.columns[found[loss]], table.columns[found[ppl]])
        ):
            why[loss] = why[ppl] = "behaves"
    if found.get("update") == found.get("step"):
        found.pop("update", None)
    if "step" in found and "epoch" not in found:
        epoch = epoch_beside(table, found["step"])
        if epoch is not None and epoch not in found.values():
            found["epoch"], why["epoch"] = epoch, "behaves"


def _is_exponential(loss: Numbers, ppl: Numbers) -> bool:
    """Whether the perplexity is exp(loss), to the figures a log shows."""
    both = np.isfinite(loss) & np.isfinite(ppl) & (ppl > 0)
    if both.sum() < 2:
        return False
    return bool(np.median(np.abs(np.log(ppl[both]) - loss[both])) < 0.01)
