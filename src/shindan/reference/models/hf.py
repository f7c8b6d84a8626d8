"""Hugging Face's files of BERT and GPT-2, read and written without the transformers library.

A folder holds ``config.json`` and ``model.safetensors``. What is loaded and saved again is the same
to the bit: ``BertForMaskedLM`` and ``GPT2LMHeadModel`` read what is written here, and the reverse.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from shindan.reference.models.bert import BertConfig, MaskedLM
from shindan.reference.models.causal import CausalConfig, CausalLM

Model = TypeVar("Model", bound=nn.Module)
WEIGHTS, CONFIG = "model.safetensors", "config.json"
Table = dict[str, tuple[str, ...]]
"""Our name of a weight, and theirs: three where they keep queries, keys and values apart."""

BERT_FIELDS = {
    "vocab_size": "vocab_size",
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "token_types": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "eps": "layer_norm_eps",
    "init_std": "initializer_range",
    "tied": "tie_word_embeddings",
    "activation": "hidden_act",
    "pad": "pad_token_id",
}
BERT_FIXED: dict[str, tuple[Any, ...]] = {
    "model_type": ("bert",),
    "position_embedding_type": ("absolute",),
    "hidden_act": ("gelu", "relu"),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}
"""What a BERT must say, where it says anything, to be computed by :class:`MaskedLM`."""
BERT_SPARE = re.compile(r"bert\.pooler\.|cls\.seq_relationship\.|.*\.(position|token_type)_ids$")
"""Weights that a masked LM has no use for: of next-sentence prediction, and stored counters."""

GPT2_FIELDS = {
    "vocab_size": "vocab_size",
    "hidden": "n_embd",
    "layers": "n_layer",
    "heads": "n_head",
    "intermediate": "n_inner",
    "max_positions": "n_positions",
    "dropout": "resid_pdrop",
    "attention_dropout": "attn_pdrop",
    "eps": "layer_norm_epsilon",
    "init_std": "initializer_range",
    "tied": "tie_word_embeddings",
}
GPT2_FIXED: dict[str, tuple[Any, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
}
GPT2_SPARE = re.compile(r".*\.attn\.(masked_)?bias$")
"""The causal mask, which old files store as if it were a weight."""
TURNED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
"""GPT-2 keeps these as (in, out), a linear layer of PyTorch as (out, in)."""


class HuggingFaceError(ValueError):
    """A folder that is not what it should be, or a model that these files cannot express."""


def load_bert(folder: str | Path) -> MaskedLM:
    """The model of a ``BertForMaskedLM`` or ``BertForPreTraining`` folder, in the dtype it has."""
    said = read_config(folder, BERT_FIXED)
    config = BertConfig(**{o: said[t] for o, t in BERT_FIELDS.items() if t in said})
    found = {
        re.sub("gamma$", "weight", re.sub("beta$", "bias", name)): tensor
        for name, tensor in read_weights(folder).items()
    }
    bias, twin = "cls.predictions.bias", "cls.predictions.decoder.bias"
    if config.tied:
        for copy in (twin, "cls.predictions.decoder.weight"):
            found.pop(copy, None)
    elif bias in found:  # one bias under two names, of which only the decoder's is used
        found.setdefault(twin, found[bias])
        del found[bias]
    return filled(MaskedLM(config), bert_table(config), found, BERT_SPARE)


def save_bert(model: MaskedLM, folder: str | Path) -> None:
    """Write a folder that ``BertForMaskedLM.from_pretrained`` reads; other variants are refused."""
    config = model.config
    plain = replace(
        config,
        token_types=max(1, config.token_types),
        norm="post",
        positions="learned",
        position_scale=1.0,
        embedding_scale=1.0,
        embedding_norm=True,
        head_transform=True,
        added_mask=False,
    )
    refuse_others(asdict(config), asdict(plain), "BERT")
    said = {theirs: asdict(config)[ours] for ours, theirs in BERT_FIELDS.items()}
    said |= {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    weights = taken(model, bert_table(config))
    if not config.tied:
        weights["cls.predictions.bias"] = weights["cls.predictions.decoder.bias"].clone()
    write(folder, said, weights)


def load_gpt2(folder: str | Path) -> CausalLM:
    """The model of a ``GPT2LMHeadModel`` or ``GPT2Model`` folder, in the dtype it is stored in."""
    said = read_config(folder, GPT2_FIXED)
    if said.get("n_inner") is None:
        said["n_inner"] = 4 * said.get("n_embd", CausalConfig.hidden)
    dropouts = [said.get(name, CausalConfig.dropout) for name in ("resid_pdrop", "embd_pdrop")]
    if dropouts[0] != dropouts[1]:
        raise HuggingFaceError(f"resid_pdrop {dropouts[0]} and embd_pdrop {dropouts[1]} differ")
    config = CausalConfig(**{o: said[t] for o, t in GPT2_FIELDS.items() if t in said})
    found = read_weights(folder)
    if "wte.weight" in found:
        found = {f"transformer.{name}": tensor for name, tensor in found.items()}
    if config.tied:
        found.pop("lm_head.weight", None)
    return filled(CausalLM(config), gpt2_table(config), found, GPT2_SPARE)


def save_gpt2(model: CausalLM, folder: str | Path) -> None:
    """Write a folder that ``GPT2LMHeadModel.from_pretrained`` reads; low rank is refused."""
    config = model.config
    refuse_others(asdict(config), asdict(replace(config, rank=None, ternary=False)), "GPT-2")
    said = {theirs: asdict(config)[ours] for ours, theirs in GPT2_FIELDS.items()}
    said |= {"embd_pdrop": config.dropout, "activation_function": "gelu_new"}
    said |= {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
    for token in ("bos_token_id", "eos_token_id"):  # theirs would be GPT-2's own, 50256
        said[token] = None
    write(folder, said, taken(model, gpt2_table(config)))


def bert_table(config: BertConfig) -> Table:
    """Every weight of :class:`MaskedLM` under the names of ``BertForMaskedLM``."""
    table: Table = {}

    def add(ours: str, *theirs: str) -> None:
        for kind in ("weight", "bias"):
            table[f"{ours}.{kind}"] = tuple(f"{name}.{kind}" for name in theirs)

    for ours, theirs in (("word", "word"), ("position", "position"), ("segment", "token_type")):
        table[f"embeddings.{ours}.weight"] = (f"bert.embeddings.{theirs}_embeddings.weight",)
    add("embeddings.norm", "bert.embeddings.LayerNorm")
    for n in range(config.layers):
        ours, theirs = f"layers.{n}", f"bert.encoder.layer.{n}"
        add(
            f"{ours}.attention.qkv",
            *(f"{theirs}.attention.self.{part}" for part in ("query", "key", "value")),
        )
        add(f"{ours}.attention.out", f"{theirs}.attention.output.dense")
        add(f"{ours}.attention_norm", f"{theirs}.attention.output.LayerNorm")
        add(f"{ours}.up", f"{theirs}.intermediate.dense")
        add(f"{ours}.down", f"{theirs}.output.dense")
        add(f"{ours}.feed_norm", f"{theirs}.output.LayerNorm")
    add("transform.dense", "cls.predictions.transform.dense")
    add("transform.norm", "cls.predictions.transform.LayerNorm")
    add("decoder", "cls.predictions.decoder")
    if config.tied:
        del table["decoder.weight"]
        table["decoder.bias"] = ("cls.predictions.bias",)
    return table


def gpt2_table(config: CausalConfig) -> Table:
    """Every weight of :class:`CausalLM` under the names of ``GPT2LMHeadModel``."""
    table: Table = {
        "word.weight": ("transformer.wte.weight",),
        "position.weight": ("transformer.wpe.weight",),
    }
    names = {"final_norm": "transformer.ln_f"}
    for n in range(config.layers):
        for ours, theirs in (
            ("attention_norm", "ln_1"),
            ("attention.qkv", "attn.c_attn"),
            ("attention.out", "attn.c_proj"),
            ("feed_norm", "ln_2"),
            ("up", "mlp.c_fc"),
            ("down", "mlp.c_proj"),
        ):
            names[f"blocks.{n}.{ours}"] = f"transformer.h.{n}.{theirs}"
    for ours, theirs in names.items():
        for kind in ("weight", "bias"):
            table[f"{ours}.{kind}"] = (f"{theirs}.{kind}",)
    if not config.tied:
        table["decoder.weight"] = ("lm_head.weight",)
    return table


def filled(
    model: Model, table: Table, found: Mapping[str, Tensor], spare: re.Pattern[str]
) -> Model:
    """The model with the weights that were found, once every name is accounted for."""
    wanted = [name for theirs in table.values() for name in theirs]
    found = {name: tensor for name, tensor in found.items() if not spare.match(name)}
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in set(wanted)]
    if missing or unexpected:
        raise HuggingFaceError(
            "; ".join(
                [f"missing: {name}{nearest(name, unexpected)}" for name in missing[:5]]
                + [f"unexpected: {name}{nearest(name, wanted)}" for name in unexpected[:5]]
                + [f"in all {len(missing)} missing, {len(unexpected)} unexpected weights"]
            )
        )
    model.to(found[wanted[0]].dtype)
    parameters = dict(model.named_parameters())  # a tied decoder is not named twice
    for ours, theirs in table.items():
        for name, part in zip(theirs, parameters[ours].data.chunk(len(theirs)), strict=True):
            tensor = found[name].T if name.endswith(TURNED) else found[name]
            if tensor.shape != part.shape:
                shapes = f"{tuple(tensor.shape)} in the file, {tuple(part.shape)} by {CONFIG}"
                raise HuggingFaceError(f"{name}: {shapes}")
            part.copy_(tensor)
    return model


def taken(model: nn.Module, table: Table) -> dict[str, Tensor]:
    """The model's weights under their names."""
    state, weights = model.state_dict(), {}
    for ours, theirs in table.items():
        for name, part in zip(theirs, state[ours].chunk(len(theirs)), strict=True):
            weights[name] = (part.T if name.endswith(TURNED) else part).clone().contiguous().cpu()
    return weights


def nearest(name: str, names: Iterable[str]) -> str:
    """ " (nearest: …)", or nothing where none is like it."""
    like = difflib.get_close_matches(name, list(names), n=1, cutoff=0.7)
    return f" (nearest: {like[0]})" if like else ""


def read_config(folder: str | Path, fixed: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    """What ``config.json`` says, if it speaks of the architecture that ``fixed`` describes."""
    said: dict[str, Any] = json.loads(existing(folder, CONFIG).read_text(encoding="utf-8"))
    for name, allowed in fixed.items():
        if name in said and said[name] not in allowed:
            choices = " or ".join(repr(value) for value in allowed)
            raise HuggingFaceError(f"{name} is {said[name]!r}, but only {choices} is known here")
    return said


def read_weights(folder: str | Path) -> dict[str, Tensor]:
    """Every tensor of ``model.safetensors``."""
    return load_file(existing(folder, WEIGHTS))


def existing(folder: str | Path, name: str) -> Path:
    """The file, or an error that says what is there instead."""
    path = Path(folder) / name
    if not path.is_file():
        there = sorted(p.name for p in path.parent.glob("*")) if path.parent.is_dir() else []
        raise HuggingFaceError(f"{path} is not there; the folder has {', '.join(there) or 'none'}")
    return path


def refuse_others(config: Mapping[str, Any], plain: Mapping[str, Any], what: str) -> None:
    """Refuse to save what would be read back as another model."""
    other = [f"{k}={config[k]!r} (not {plain[k]!r})" for k in config if config[k] != plain[k]]
    if other:
        raise HuggingFaceError(f"Hugging Face's {what} cannot express {', '.join(other)}")


def write(folder: str | Path, said: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Both files, in a folder that is made where it does not exist."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    save_file(dict(weights), path / WEIGHTS, metadata={"format": "pt"})
    (path / CONFIG).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
