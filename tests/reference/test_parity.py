"""Our BERT and GPT-2 against the transformers library's, numbers for numbers, both ways."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor, nn

from shindan.reference.models import hf
from shindan.reference.models.bert import BertConfig, MaskedLM, vaswani
from shindan.reference.models.causal import CausalConfig, CausalLM

VOCAB, LENGTH = 97, 24
BOUND = {torch.float32: 1e-5, torch.float64: 1e-10}
DTYPES = pytest.mark.parametrize("dtype", list(BOUND), ids=["fp32", "fp64"])
ATTENTION = pytest.mark.parametrize("attention", ["eager", "sdpa"])
Model = TypeVar("Model", bound=nn.Module)
Batch = dict[str, Tensor]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def their_bert(attention: str, dtype: torch.dtype, tied: bool = True) -> Any:
    config = transformers.BertConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        tie_word_embeddings=tied,
    )
    config._attn_implementation = attention
    return stirred(transformers.BertForMaskedLM(config), dtype)


def their_gpt2(attention: str, dtype: torch.dtype, tied: bool = True) -> Any:
    config = transformers.GPT2Config(
        vocab_size=VOCAB,
        n_positions=512,
        n_embd=32,
        n_layer=3,
        n_head=4,
        bos_token_id=None,
        eos_token_id=None,
        tie_word_embeddings=tied,
    )
    config._attn_implementation = attention
    return stirred(transformers.GPT2LMHeadModel(config), dtype)


def stirred(model: Model, dtype: torch.dtype) -> Model:
    """In eval mode, and with gains and biases that are not all one and zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.to(dtype).eval()


def padded(length: int = LENGTH) -> Batch:
    ids = torch.randint(1, VOCAB, (2, length))
    mask = torch.ones_like(ids)
    mask[1, length // 3 :] = 0
    labels = torch.where((torch.rand(ids.shape) < 0.3) & (mask == 1), ids, -100)
    labels[:, 1] = ids[:, 1]
    types = torch.zeros_like(ids)
    types[:, length // 3 :] = 1
    return {
        "input_ids": ids * mask,
        "attention_mask": mask,
        "token_type_ids": types,
        "labels": labels,
    }


def all_ones() -> Batch:
    batch = padded()
    return batch | {"attention_mask": torch.ones_like(batch["input_ids"])}


def without(name: str) -> Batch:
    return {key: value for key, value in padded().items() if key != name}


BATCHES: dict[str, Callable[[], Batch]] = {
    "padded": padded,
    "all-ones mask": all_ones,  # [PAD] is attended, and looked up without being trained
    "no mask": lambda: without("attention_mask"),
    "no types": lambda: without("token_type_ids"),
    "length 512": lambda: padded(512),
}


def assert_close(ours: Tensor, theirs: Tensor, what: str) -> None:
    assert ours.dtype == theirs.dtype
    worst = (ours - theirs).abs().max().item()
    assert worst <= BOUND[ours.dtype], f"{what} differs by {worst:.2e}"


def assert_gradients_agree(ours: nn.Module, table: hf.Table, theirs: nn.Module) -> None:
    for parameter in ours.parameters():
        assert parameter.grad is not None
        parameter.data = parameter.grad
    gradients = hf.taken(ours, table)
    expected = {n: p.grad for n, p in theirs.named_parameters()}
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        assert gradient is not None
        assert_close(gradients[name], gradient, f"gradient of {name}")


@DTYPES
@ATTENTION
@pytest.mark.parametrize("batch_name", list(BATCHES))
def test_bert_computes_what_theirs_computes(
    batch_name: str, attention: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    batch, theirs = BATCHES[batch_name](), their_bert(attention, dtype)
    theirs.save_pretrained(tmp_path)
    ours = hf.load_bert(tmp_path).eval()
    expected = theirs(**batch, output_hidden_states=True)

    inputs = batch["input_ids"], batch.get("attention_mask"), batch.get("token_type_ids")
    states = ours.hidden_states(*inputs)
    assert len(states) == len(expected.hidden_states)
    for place, (mine, other) in enumerate(zip(states, expected.hidden_states, strict=True)):
        assert_close(mine, other, "embeddings" if place == 0 else f"hidden state {place}")
    assert_close(ours(*inputs), expected.logits, "logits")

    counted = batch["labels"] != -100
    logits = ours.head(ours.encode(*inputs)[counted])  # as a trainer does it
    loss = F.cross_entropy(logits, batch["labels"][counted])
    assert_close(loss, expected.loss, "loss")
    loss.backward()
    expected.loss.backward()
    assert_gradients_agree(ours, hf.bert_table(ours.config), theirs)


@pytest.mark.parametrize("masked", [True, False])
def test_attention_probabilities_can_be_had_from_the_projections(masked: bool) -> None:
    theirs = their_bert("eager", torch.float64)
    ours = copied_bert(theirs)
    batch = padded()
    mask = batch["attention_mask"] if masked else None
    expected = theirs(batch["input_ids"], mask, output_attentions=True).attentions
    states = ours.hidden_states(batch["input_ids"], mask)
    for n, probabilities in enumerate(expected):
        q, k, _ = ours.projections(n, states[n])
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        visible = ours.visible(mask)
        if isinstance(visible, torch.Tensor):
            scores = scores.masked_fill(~visible, -torch.inf)
        assert_close(scores.softmax(-1), probabilities, f"attention of layer {n}")


def copied_bert(theirs: Any) -> MaskedLM:
    config = theirs.config
    ours = MaskedLM(
        BertConfig(
            vocab_size=config.vocab_size,
            hidden=config.hidden_size,
            layers=config.num_hidden_layers,
            heads=config.num_attention_heads,
            intermediate=config.intermediate_size,
        )
    )
    found = dict(theirs.state_dict())
    for name in ("decoder.weight", "decoder.bias"):
        del found[f"cls.predictions.{name}"]
    return hf.filled(ours, hf.bert_table(ours.config), found, hf.BERT_SPARE).eval()


@DTYPES
@ATTENTION
@pytest.mark.parametrize("length", [LENGTH, 512])
def test_gpt2_computes_what_theirs_computes(
    length: int, attention: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    theirs = their_gpt2(attention, dtype)
    batch = {k: v for k, v in padded(length).items() if k != "token_type_ids"}
    theirs.save_pretrained(tmp_path)
    ours = hf.load_gpt2(tmp_path).eval()
    real = batch["attention_mask"] == 1
    labels = batch["input_ids"].masked_fill(~real, -100)
    expected = theirs(batch["input_ids"], attention_mask=batch["attention_mask"])

    # padding stands behind what is real, so causality alone hides it; as its own document too
    for documents in (None, batch["attention_mask"]):
        logits = ours(batch["input_ids"], documents)
        assert_close(logits[real], expected.logits[real], "logits of real tokens")
    hidden, following = ours.encode(batch["input_ids"])[:, :-1], labels[:, 1:]
    counted = following != -100
    loss = F.cross_entropy(ours.head(hidden[counted]), following[counted])
    their_loss = theirs.loss_function(expected.logits, labels, VOCAB)
    if dtype == torch.float64:  # theirs is rounded to single precision
        their_loss = F.cross_entropy(expected.logits[:, :-1][counted], following[counted])
    assert_close(loss, their_loss, "loss")
    loss.backward()
    their_loss.backward()
    assert_gradients_agree(ours, hf.gpt2_table(ours.config), theirs)


@pytest.mark.parametrize("tied", [True, False])
@DTYPES
def test_what_we_save_they_load(tied: bool, dtype: torch.dtype, tmp_path: Path) -> None:
    ids = torch.randint(1, VOCAB, (2, LENGTH))
    bert = MaskedLM(
        BertConfig(VOCAB, hidden=32, layers=2, heads=4, intermediate=64, tied=tied, token_types=1)
    )
    hf.save_bert(stirred(bert, dtype), tmp_path / "bert")
    gpt2 = CausalLM(CausalConfig(VOCAB, hidden=32, layers=2, heads=4, intermediate=48, tied=tied))
    hf.save_gpt2(stirred(gpt2, dtype), tmp_path / "gpt2")
    pairs: list[tuple[nn.Module, Any, str]] = [
        (bert, transformers.BertForMaskedLM, "bert"),
        (gpt2, transformers.GPT2LMHeadModel, "gpt2"),
    ]
    for ours, their_class, name in pairs:
        theirs, told = their_class.from_pretrained(
            tmp_path / name, output_loading_info=True, dtype=dtype
        )
        assert not any(told.values()), told
        assert_close(ours(ids), theirs.eval()(ids).logits, name)
        assert count(theirs) == count(ours) + (VOCAB if name == "bert" and not tied else 0)


@pytest.mark.parametrize("tied", [True, False])
def test_load_and_save_are_exact(tied: bool, tmp_path: Path) -> None:
    bert, gpt2 = their_bert("sdpa", torch.float32, tied), their_gpt2("sdpa", torch.float32, tied)
    bert.save_pretrained(tmp_path / "bert")
    gpt2.save_pretrained(tmp_path / "gpt2")
    hf.save_bert(hf.load_bert(tmp_path / "bert"), tmp_path / "bert again")
    hf.save_gpt2(hf.load_gpt2(tmp_path / "gpt2"), tmp_path / "gpt2 again")
    for name, theirs in (("bert", bert), ("gpt2", gpt2)):
        again = type(theirs).from_pretrained(tmp_path / f"{name} again")
        for key, tensor in theirs.state_dict().items():
            if tied or key != "cls.predictions.bias":  # theirs is there, and never used
                assert torch.equal(tensor, again.state_dict()[key]), key
        for key, value in hf.read_config(tmp_path / f"{name} again", {}).items():
            assert getattr(theirs.config, key) == value or key == "n_inner", key


def test_old_names_and_weights_of_other_heads_are_understood(tmp_path: Path) -> None:
    theirs = their_bert("sdpa", torch.float32)
    theirs.save_pretrained(tmp_path)
    plain = hf.load_bert(tmp_path)
    weights = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor
        for name, tensor in hf.read_weights(tmp_path).items()
    }
    weights["bert.pooler.dense.weight"] = torch.zeros(32, 32)
    weights["bert.embeddings.position_ids"] = torch.arange(512)
    hf.write(tmp_path, hf.read_config(tmp_path, {}), weights)
    for name, tensor in hf.load_bert(tmp_path).state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name]), name


def test_gpt2_without_a_head_of_its_own_is_understood(tmp_path: Path) -> None:
    theirs = their_gpt2("sdpa", torch.float32)
    theirs.transformer.save_pretrained(tmp_path)
    weights = hf.read_weights(tmp_path)
    weights["h.0.attn.bias"] = torch.ones(1, 1, 512, 512).tril()  # as the files of 2019 have it
    hf.write(tmp_path, hf.read_config(tmp_path, {}), weights)
    ids = torch.randint(VOCAB, (2, LENGTH))
    assert_close(hf.load_gpt2(tmp_path).eval()(ids), theirs(ids).logits, "logits")


def test_a_wrong_weight_is_named_with_the_nearest(tmp_path: Path) -> None:
    their_bert("sdpa", torch.float32).save_pretrained(tmp_path)
    weights = hf.read_weights(tmp_path)
    right = "bert.encoder.layer.1.attention.self.query.weight"
    wrong = right.replace("query", "querry")
    weights[wrong] = weights.pop(right)
    config = hf.read_config(tmp_path, {})
    hf.write(tmp_path, config, weights)
    with pytest.raises(hf.HuggingFaceError) as told:
        hf.load_bert(tmp_path)
    assert f"missing: {right} (nearest: {wrong})" in str(told.value)
    assert f"unexpected: {wrong} (nearest: {right})" in str(told.value)

    weights[right] = weights.pop(wrong)[:, :-1].contiguous()
    hf.write(tmp_path, config, weights)
    with pytest.raises(hf.HuggingFaceError, match=r"query.weight: \(32, 31\) in the file"):
        hf.load_bert(tmp_path)


def test_what_cannot_be_expressed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(hf.HuggingFaceError, match=r"norm='pre'.*positions='sinusoidal'"):
        hf.save_bert(MaskedLM(small_vaswani()), tmp_path)
    low_rank = CausalConfig(VOCAB, hidden=32, layers=1, heads=4, intermediate=64, rank=2)
    with pytest.raises(hf.HuggingFaceError, match="rank=2"):
        hf.save_gpt2(CausalLM(low_rank), tmp_path)
    with pytest.raises(hf.HuggingFaceError, match=r"config.json is not there; the folder has none"):
        hf.load_bert(tmp_path)
    hf.write(tmp_path, {"model_type": "roberta"}, {})
    with pytest.raises(hf.HuggingFaceError, match="model_type is 'roberta', but only 'bert'"):
        hf.load_bert(tmp_path)


def small_vaswani() -> BertConfig:
    return BertConfig(**vars(vaswani(VOCAB, hidden=64)) | {"layers": 1})


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
