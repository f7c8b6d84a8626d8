"""What trained runs say: masks filled, texts continued."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from shindan.reference.data import tokenizers
from shindan.reference.models.bert import MaskedLM
from shindan.reference.models.causal import CausalLM
from shindan.reference.models.context_vector import ContextVectorLM
from shindan.reference.recipes import load
from shindan.reference.recipes.text import TOKENIZER, kept_tokenizer
from shindan.reference.train import checkpoint
from shindan.reference.train.errors import TrainError
from shindan.reference.train.resolve import given, resolve
from shindan.reference.train.resolve import load as saved

MASK = "[MASK]"


@dataclass(frozen=True)
class Run:
    """A run as it can be used: its model in eval mode."""

    folder: Path
    recipe: str
    settings: Any
    model: nn.Module
    tokenizer: Tokenizer


class Answer(NamedTuple):
    """One token at one mask; rank 1 is the largest logit."""

    rank: int
    token: str
    logit: float
    probability: float


def opened(folder: Path) -> Run:
    """The run in ``folder`` with the weights it last kept. Raises TrainError."""
    kept = saved(folder)
    recipe = load(kept["recipe"])
    values = {k: v for k, v in kept["settings"].items() if k != "model.vocab_size"}
    settings = resolve(recipe.name, recipe.settings, [given(values, str(folder))]).settings
    if not (folder / TOKENIZER).exists():
        if (folder / checkpoint.MODEL).exists():  # of log keys, not of text
            raise TrainError("wrong-kind", path=folder, recipe=recipe.name)
        raise TrainError("no-checkpoint", path=folder / TOKENIZER)
    model = recipe.model(settings, folder)
    model.load_state_dict(checkpoint.read(folder / checkpoint.MODEL))
    return Run(folder, recipe.name, settings, model.eval(), kept_tokenizer(folder))


@torch.no_grad()
def fill(run: Run, text: str, top: int, word: str | None = None) -> list[list[Answer]]:
    """For each [MASK] of ``text`` the ``top`` tokens, and ``word`` after them if it is asked for.

    Text and mask are cut as in training: [CLS] … [MASK] … [SEP]. Raises TrainError.
    """
    if not isinstance(run.model, MaskedLM):
        raise TrainError("wrong-kind", path=run.folder, recipe=run.recipe)
    special = tokenizers.specials(run.tokenizer)
    before, *others = tokenizers.encode(run.tokenizer, text.split(MASK))
    if not others:
        raise TrainError("no-mask")
    ids = [special["begin"], *before]
    for part in others:
        ids += [special["mask"], *part]
    ids.append(special["end"])
    _fits(ids, run.model.config.max_positions)
    row = torch.tensor([ids])
    logits = run.model(row)[0][row[0] == special["mask"]]
    extra = [] if word is None else [_id_of(run, word)]
    return [_answers(run, one.float(), top, extra) for one in logits]


def _answers(run: Run, logits: Tensor, top: int, extra: list[int]) -> list[Answer]:
    chances = logits.softmax(-1)
    best: list[int] = logits.topk(min(top, len(logits))).indices.tolist()
    return [
        Answer(
            rank=1 + int((logits > logits[id]).sum()),
            token=run.tokenizer.id_to_token(id) or "",
            logit=float(logits[id]),
            probability=float(chances[id]),
        )
        for id in [*best, *extra]
    ]


def _id_of(run: Run, word: str) -> int:
    """The id of a word that is one token to this run."""
    (ids,) = tokenizers.encode(run.tokenizer, [word])
    if len(ids) != 1 or int(ids[0]) == tokenizers.specials(run.tokenizer).unk:
        raise TrainError("not-one-token", word=word, path=run.folder)
    return int(ids[0])


@torch.no_grad()
def continued(run: Run, prompt: str, tokens: int, temperature: float, top: int, seed: int) -> str:
    """``prompt`` and at most ``tokens`` more, drawn from the ``top`` most probable.

    The text ends where the model ends it. Raises TrainError where the model is not causal.
    """
    if not isinstance(run.model, CausalLM | ContextVectorLM):
        raise TrainError("wrong-kind", path=run.folder, recipe=run.recipe)
    special = tokenizers.specials(run.tokenizer)
    (start,) = tokenizers.encode(run.tokenizer, [prompt])
    ids = [special["begin"], *map(int, start)]
    most = run.model.config.max_positions if isinstance(run.model, CausalLM) else len(ids) + tokens
    _fits(ids, most)
    chance = torch.Generator().manual_seed(seed)
    for _ in range(tokens):
        logits = run.model(torch.tensor([ids[-most:]]))[0, -1].float()
        values, best = logits.topk(min(top, len(logits)))
        if temperature:
            place = torch.multinomial((values / temperature).softmax(-1), 1, generator=chance)
        else:
            place = values.argmax(keepdim=True)
        ids.append(int(best[place]))
        if ids[-1] == special["end"]:
            break
    text: str = run.tokenizer.decode(ids)
    return text


def _fits(ids: list[int], most: int) -> None:
    if len(ids) > most:
        raise TrainError("too-long", length=len(ids), most=most)
