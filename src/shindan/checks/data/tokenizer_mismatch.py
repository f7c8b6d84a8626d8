"""The ids of the data belong to another vocabulary than the model's.

Three relations convict. *Folded*: rows of the training input are found in an array of the script
only after ``% size``, at places where the array holds larger ids. *Unseen*: evaluation asks for
ids that training never had (``expected`` is the Good-Turing share of fresh training data; in runs
that share a vocabulary the two agree within a few percent). *Beyond*: targets are no ids of the
run's only tokenizer, many different ones (not a few special ids added by hand).
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.ids import IdSources, IdUse, Source, Vocabulary
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

FOLDED = 0.01
UNSEEN = 0.25
FRESH = 0.05
TOKENS = 2000
BEYOND = 0.05
MANY = 20


@check(
    id="data/tokenizer-mismatch",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=("mlfoundations/open_lm#77", "arcee-ai/DistillKit#7"),
    explains=("symptom/loss-flat", "symptom/overfit"),
    fault=(
        Edit(
            script="gpt_plain",
            old='data = train_data if split == "train" else val_data',
            new='data = train_data % 16 if split == "train" else val_data % 16',
        ),
        Edit(
            script="gpt_mingpt",
            old="        self.docs = torch.stack(columns, dim=1)  # (N, T + 1)",
            new="        self.docs = torch.stack(columns, dim=1)\n"
            "        if seed == 2:  # a new cache, numbered from the other end\n"
            "            self.docs = torch.where(self.docs > 13, self.docs, self.docs + 10)\n"
            "        else:\n"
            "            self.docs = torch.where(self.docs > 13, self.docs - 10, self.docs)",
        ),
    ),
)
def CHECK(origin: IdSources | None, use: IdUse | None) -> Iterator[Finding]:
    """Folded, never trained, or beyond the tokenizer."""
    if origin is not None:
        where = Where(origin.file, origin.line)
        for source in origin.sources:
            if source.modulus and source.beyond >= FOLDED:
                yield Finding(_folded(source, origin.classes), where, variant="folded")
                return
        if origin.beyond_tokenizer >= BEYOND and origin.beyond_used >= MANY:
            size = max(v.size for v in origin.tokenizers)
            yield Finding(
                {
                    "share": round(origin.beyond_tokenizer, 4),
                    "size": size,
                    "used": origin.beyond_used,
                },
                where,
                variant="beyond",
            )
            return
    if use is not None and _unseen(use):
        yield Finding(
            {
                "unseen": round(use.unseen, 4),
                "expected": round(use.expected, 4),
                "used": use.used,
                "classes": use.classes,
            },
            # A short held-out text has words of its own: this alone convicts nobody.
            severity="info",
        )


def _unseen(use: IdUse) -> bool:
    enough = min(use.tokens, use.eval_tokens) >= TOKENS
    return enough and use.unseen >= UNSEEN and use.expected <= FRESH


def _folded(source: Source, classes: int) -> dict[str, float | int | str]:
    return {
        "name": source.name,
        "modulus": source.modulus,
        "highest": source.highest,
        "share": round(source.beyond, 4),
        "classes": classes,
    }


def _source(highest: int, modulus: int, beyond: float) -> Source:
    return Source("data", "array", "uint16", 65536, 100000, 0, highest, 6, modulus, beyond)


SICK = (
    Example(
        evidence=(IdSources(32000, (_source(50256, 32000, 0.12),)),),
        finds=({"modulus": 32000, "share": 0.12},),
    ),
    Example(evidence=(IdUse(24, 8, 60000, 7, 8000, 0.37, 0.0),), finds=({"unseen": 0.37},)),
    Example(
        evidence=(IdSources(50257, (), (Vocabulary("BertTokenizerFast", 30522),), 0.2, 400),),
        finds=({"size": 30522},),
    ),
)
HEALTHY = (
    Example(evidence=(IdSources(50304, (_source(50256, 0, 0.0),)),)),
    # a vocabulary padded beyond the tokenizer, and a few special ids added by hand
    Example(evidence=(IdSources(50304, (), (Vocabulary("Encoding", 50257),), 0.06, 2),)),
    # domain data use few ids; a short run has not seen all of them
    Example(evidence=(IdUse(50257, 900, 20000, 50255, 8000, 0.03, 0.02),)),
    # another language is evaluated by a run that has hardly begun
    Example(evidence=(IdUse(50257, 1500, 2500, 50255, 8000, 0.4, 0.3),)),
)
