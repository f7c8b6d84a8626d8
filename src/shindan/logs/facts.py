"""What is known of a run beside its curve: from its settings, and from what a person says."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence

from shindan.core.errors import ShindanError
from shindan.core.evidence.pairs import Facts
from shindan.logs.numerals import amount, number_in
from shindan.logs.roles import normal
from shindan.logs.table import LogTable, once

NUMBERS: Mapping[str, tuple[str, ...]] = {
    "batch_size": (r"(?:per_device|per_gpu)_train_batch_size", r"micro_batch_size",
        r"(?:train|training)_batch_size", r"batch_size"),
    "whole_batch": (r"(?:global|total|effective)_(?:desired_)?(?:train_)?batch_size",),
    "accumulation": (r"gradient_accumulation_steps", r"grad_accum\w*", r"accumulate_grad_batches",
        r"accumulation_steps", r"update_freq"),
    "devices": (r"world_size", r"n_gpus?", r"num_(?:gpus|devices|processes)", r"ddp_world_size"),
    "sequence_length": (r"block_size", r"seq_len(?:gth)?", r"max_seq_len(?:gth)?", r"max_length",
        r"context_length", r"n_ctx", r"bptt", r"n_seq", r"sequence_length",
        r"seq_length", r"sequence_length_t", r"length"),
    "learning_rate": (r"learning_rate", r"lr", r"max_lr", r"initial_lr", r"peak_lr"),
    "parameters": (r"n_params", r"num_params", r"parameters", r"num_parameters", r"n_parameters",
        r"params", r"total_param(?:eter)?s", r"model_param(?:eter)?s", r"number_of_parameters"),
    "layers": (r"n_layers?", r"num_layers", r"num_hidden_layers", r"nlayers", r"layers", r"depth"),
    "width": (r"d_model", r"n_embd", r"hidden_size", r"emb_size", r"emsize", r"hidden_dim",
        r"model_dim", r"channels"),
    "vocab_size": (r"vocab_size", r"n_vocab", r"vocabulary_size", r"ntokens?"),
    "bytes_per_token": (r"bytes_per_token",),
    "label_smoothing": (r"label_smoothing(?:_factor)?",),
    "seed": (r"seed",),
    "updates": (r"updates",),
    "epochs": (),
    "tokens": (r"tokens", r"total_tokens", r"train_tokens"),
    "seconds": (r"seconds",),
    "flops": (r"flops",),
    "updates_per_epoch": (r"updates_per_epoch", r"steps_per_epoch"),
    "tokens_per_update": (r"tokens_per_update",),
}  # fmt: skip
"""Numbers a person may give, and the settings (last part of their name) that say the same."""
WORDS: Mapping[str, tuple[str, ...]] = {
    "schedule": (r"lr_scheduler_type", r"(?:lr_)?schedule", r"(?:lr_)?scheduler"),
    "optimizer": (r"optim", r"optimizer"),
    "tokenizer": (r"tokenizer", r"tokenizer_name(?:_or_path)?"),
    "data": (r"dataset_name", r"dataset", r"corpus"),
    "model": (
        r"model(?:_type|_name|_class|_arch)?(?:_or_path)?",
        r"arch(?:itecture)?",
        r"rnn_type",
    ),
    "command": (r"command",),
    "positions": (r"positions",),
    "reduction": (r"reduction",),
    "padding": (r"padding",),
    "loss_over": (r"loss_over",),
    "unit": (r"loss_unit", r"unit"),
}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "positions": ("all", "masked", "completion"),
    "reduction": ("mean", "sum"),
    "padding": ("ignored", "counted"),
    "loss_over": ("step", "epoch", "run", "running"),
    "unit": ("nats", "bits", "perplexity"),
}
TENSORS = r"num_(?:non_)?decayed_parameter_tensors"
"""nanoGPT's two lines: ``50, with 124,354,560 parameters``."""
IN_TOKENS = 1 << 16
"""A whole batch from here on is counted in tokens, as nanoGPT and llm.c do: nobody takes as many
sequences."""
LEAST_SPEED = 0.05
"""Steps of a second, rounded to three figures behind the point by HF: below this the batch made
from it is off by more than a hundredth."""
MASKING = (r"mlm_probability", r"mask(?:ing)?_(?:prob|probability|ratio|rate|share)")
Given = Mapping[str, float | str]


def given(texts: Sequence[str], names: Sequence[str]) -> list[dict[str, float | str]]:
    """``A:batch_size=32,learning_rate=1e-4`` for each run; a name is its letter or its log's.

    Raises ShindanError for a text of another form, a run or a fact that there is not, and a value
    that is none of the fact's.
    """
    letters = [chr(ord("A") + i) for i in range(len(names))]
    found: list[dict[str, float | str]] = [{} for _ in names]
    for text in texts:
        who, colon, rest = text.partition(":")
        if not colon:
            raise ShindanError("fact-not-given", text=text)
        if who not in letters and who not in names:
            known = ", ".join(f"{a} ({n})" for a, n in zip(letters, names, strict=True))
            raise ShindanError("no-run-to-set", name=who, known=known)
        at = letters.index(who) if who in letters else list(names).index(who)
        for part in rest.split(","):
            key, equals, value = part.strip().partition("=")
            if not equals or not value:
                raise ShindanError("fact-not-given", text=text)
            name, known_value = fact(normal(key), value)
            found[at][name] = known_value
    return found


def fact(key: str, text: str) -> tuple[str, float | str]:
    """The fact's own name and its value, as a person gave them."""
    name = _canonical(key)
    return name, _value(name, text)


def _canonical(key: str) -> str:
    """The fact's name; ``lr`` and ``n_params`` are taken as settings write them."""
    if key in NUMBERS or key in WORDS:
        return key
    for name, patterns in (*NUMBERS.items(), *WORDS.items()):
        if any(re.fullmatch(pattern, key) for pattern in patterns):
            return name
    return key


def _value(key: str, text: str) -> float | str:
    if key in NUMBERS:
        try:
            number = float(text.replace("_", ""))
        except ValueError as error:
            raise ShindanError("fact-no-number", fact=key, value=text) from error
        if not 0 <= number < float("inf"):
            raise ShindanError("fact-no-number", fact=key, value=text)
        return number
    if key not in WORDS:
        known = [*NUMBERS, *WORDS]
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        if near:
            raise ShindanError("no-fact-but", fact=key, nearest=near[0])
        raise ShindanError("no-fact", fact=key, known=", ".join(known))
    if key in CHOICES and text not in CHOICES[key]:
        raise ShindanError("fact-no-choice", fact=key, value=text, known=", ".join(CHOICES[key]))
    return text


def known(table: LogTable, said: Given) -> dict[str, float | str]:
    """Every fact of a run by its name: what was said, else what its settings say."""
    found: dict[str, float | str] = {}
    for key, patterns in (*NUMBERS.items(), *WORDS.items()):
        value = said.get(key, _setting(table, patterns))
        if value is None:
            continue
        if key in NUMBERS:
            number = amount(value)
            if number is not None and number >= 0:
                found[key] = number
        elif isinstance(value, str) and (key not in CHOICES or value in CHOICES[key]):
            found[key] = value
    recipe = table.settings.get("recipe")
    if isinstance(recipe, str):
        found.setdefault("command", f"shindan train {recipe}")
    masked = number_in(_setting(table, MASKING))
    if masked:
        found.setdefault("positions", "masked")
    if "parameters" not in found and (parameters := _in_tensors(table)):
        found["parameters"] = parameters
    if "batch_size" not in said:
        _batch(table, found)
    return found


def _in_tensors(table: LogTable) -> float:
    """The sum of the parameters that are told by kinds of tensors."""
    total = 0.0
    for name, value in table.settings.items():
        counted = re.search(r"with ([\d,]+) parameters", str(value))
        if counted and re.fullmatch(TENSORS, normal(name)):
            total += float(counted[1].replace(",", ""))
    return total


def _batch(table: LogTable, found: dict[str, float | str]) -> None:
    """The sequences of an update, all devices and accumulation counted, where that is known."""
    whole = found.get("whole_batch")
    if isinstance(whole, float) and whole >= IN_TOKENS:
        found.setdefault("tokens_per_update", whole)
        found.pop("batch_size", None)
        if isinstance(length := found.get("sequence_length"), float) and length > 0:
            found["batch_size"] = whole / length
        return
    if table.format == "hf-trainer-state":
        # its state has the batch of a device, and of the rest only how fast it went
        samples, steps = (once(table, f"train_{what}_per_second") for what in ("samples", "steps"))
        if "accumulation" not in found:
            found.pop("batch_size", None)
            if samples and steps and steps >= LEAST_SPEED:
                found["batch_size"] = float(round(samples / steps))
            return
    if whole:
        found["batch_size"] = whole
    elif found.get("batch_size") is not None:
        parts = [float(found[k]) for k in ("batch_size", "accumulation", "devices") if found.get(k)]
        found["batch_size"] = math.prod(parts)


def facts(found: Given) -> Facts:
    """The facts as evidence (what was spent is added where the curve is known)."""
    number = {k: v for k in NUMBERS if isinstance(v := found.get(k), float)}
    word = {k: v for k in WORDS if isinstance(v := found.get(k), str)}
    return Facts(
        batch=number.get("batch_size"),
        length=number.get("sequence_length"),
        rate=number.get("learning_rate"),
        schedule=word.get("schedule"),
        optimizer=word.get("optimizer"),
        model=word.get("model"),
        parameters=number.get("parameters"),
        layers=number.get("layers"),
        width=number.get("width"),
        tokens_per_update=number.get("tokens_per_update"),
        vocabulary=number.get("vocab_size"),
        tokenizer=word.get("tokenizer"),
        bytes_per_token=number.get("bytes_per_token"),
        positions=word.get("positions"),
        reduction=word.get("reduction"),
        padding=word.get("padding"),
        smoothing=number.get("label_smoothing"),
        data=word.get("data"),
        seed=number.get("seed"),
        command=word.get("command"),
    )


def _setting(table: LogTable, patterns: tuple[str, ...]) -> object:
    for pattern in patterns:
        for name, value in table.settings.items():
            if not name.startswith("units.") and re.fullmatch(
                pattern, normal(name.rpartition(".")[2])
            ):
                return value
    return None
