"""Head and token table were one and are no longer, or are copies of one another.

Exact relation: before the first update the two were one tensor, or bitwise equal in different
storages (independent draws never are); in a replay they are two storages.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.computed import Ends, InitialWeights, Ties, TieWish
from shindan.core.example import Example
from shindan.core.finding import Finding, Where


@check(
    id="model/tie-broken",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=(
        "NVIDIA-NeMo/Automodel#2213",
        "NVIDIA-NeMo/Automodel#2511",
        "huggingface/transformers#35141",
    ),
    explains=("symptom/loss-jump",),
    fault=(
        Edit(
            script="gpt_plain",
            old="self.lm_head.weight = self.wte.weight  # weight tying",
            new="self.lm_head.weight = nn.Parameter(self.wte.weight.detach().clone())",
        ),
        Edit(
            script="bert_mlm",
            old="        self.decoder.weight = self.word.weight\n",
            new="        self.decoder.weight.data.copy_(self.word.weight.data)\n",
        ),
        Edit(
            script="gpt_plain",
            old="    if it % eval_interval == 0:\n",
            new="    if it == 30:\n"
            "        model.lm_head.weight = nn.Parameter(model.wte.weight.detach().clone())\n"
            "    if it % eval_interval == 0:\n",
        ),
    ),
)
def CHECK(ties: Ties, start: InitialWeights | None) -> Iterator[Finding]:
    """At most one finding, of the first sight of the broken tie."""
    if any(not w.value for w in ties.wishes):
        return
    for end in ties.ends:
        if end.shared or not end.same_shape:
            continue
        both = {end.embedding, end.head}
        copied = any(both == set(p) for p in ties.equal_at_first)
        split = any(both <= set(g) for g in ties.shared_at_first)
        wished = any(w.value for w in ties.wishes)
        if split or (copied and (wished or start is None or not start.loaded)):
            yield Finding(
                measured={"embedding": end.embedding, "head": end.head, "update": end.update},
                where=Where(module=end.head.rpartition(".")[0]),
                variant="" if split else "copied",
            )
            return


def _ties(
    shared: bool, *, copied: bool = False, split: bool = False, wish: bool | None = None
) -> Ties:
    pair = ("wte.weight", "head.weight")
    return Ties(
        (Ends(2, "GPT", *pair, shared, True),),
        () if wish is None else (TieWish("config", "tie_word_embeddings", wish),),
        (pair,) if copied else (),
        (pair,) if split else (),
    )


SICK = (
    Example(evidence=(_ties(False, copied=True),), finds=({"head": "head.weight"},)),
    Example(evidence=(_ties(False, split=True),), finds=({"update": 2},)),
)
HEALTHY = (
    Example(evidence=(_ties(True, split=True),)),
    Example(evidence=(_ties(False),)),
    # Said to be untied: the copy is only where it starts.
    Example(evidence=(_ties(False, copied=True, wish=False),)),
    # Weights of a tied model loaded into an untied one.
    Example(evidence=(_ties(False, copied=True), InitialWeights((), "load_state_dict"))),
)
