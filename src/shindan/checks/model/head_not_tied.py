"""A setting asks for a tied head, and the head has a weight of its own.

Exact relation: the replay shows which table was looked up and which weight made the logits; a
switch of the model, its configuration or the script says they are to be one; they are not one
storage, although their shapes would allow it.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.computed import Ends, Ties, TieWish
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

_PLAIN = "        self.lm_head.weight = self.wte.weight  # weight tying\n"


@check(
    id="model/head-not-tied",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=("mosaicml/examples#11", "NVIDIA-NeMo/Automodel#2511"),
    fault=(
        Edit(script="gpt_plain", old=_PLAIN, new="        self.tie_weights = True\n"),
        Edit(
            script="bert_mlm",
            old="        self.decoder.weight = self.word.weight\n",
            new="        self.tie_word_embeddings = True\n",
        ),
    ),
)
def CHECK(ties: Ties) -> Iterator[Finding]:
    """At most one finding, of the last sight of the two ends."""
    asked = [w for w in ties.wishes if w.value]
    end = ties.ends[-1] if ties.ends else None
    if end is None or not asked or end.shared or not end.same_shape:
        return
    if any(not w.value for w in ties.wishes) or once_tied(ties, end):
        return
    yield Finding(
        measured={
            "setting": f"{asked[0].owner}.{asked[0].name}",
            "embedding": end.embedding,
            "head": end.head,
        },
        where=Where(module=end.head.rpartition(".")[0]),
    )


def once_tied(ties: Ties, end: Ends) -> bool:
    """Were these two one tensor, or equal, before? Then the tie was broken, not forgotten."""
    both = {end.embedding, end.head}
    return any(both == set(p) for p in ties.equal_at_first) or any(
        both <= set(g) for g in ties.shared_at_first
    )


def _ties(
    shared: bool, wish: bool | None, same_shape: bool = True, equal: bool = False
) -> tuple[Ties]:
    end = Ends(2, "GPT", "wte.weight", "head.weight", shared, same_shape)
    wishes = () if wish is None else (TieWish("GPTConfig", "tie_weights", wish),)
    return (Ties((end,), wishes, (("wte.weight", "head.weight"),) if equal else ()),)


SICK = Example(
    evidence=_ties(False, True),
    finds=({"setting": "GPTConfig.tie_weights", "head": "head.weight"},),
)
HEALTHY = (
    Example(evidence=_ties(True, True)),
    # Untied by design.
    Example(evidence=_ties(False, None)),
    Example(evidence=_ties(False, False)),
    # Tables of different sizes cannot be tied.
    Example(evidence=_ties(False, True, same_shape=False)),
    # A tie that was broken is another fault.
    Example(evidence=_ties(False, True, equal=True)),
)
