"""An id at or above the number of rows of the embedding, or of classes of the head."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.ids import IdCrash
from shindan.core.example import Example
from shindan.core.finding import Finding, Where


@check(
    id="data/token-id-out-of-range",
    kind="cause",
    severity="critical",
    grounds="ledger",
    refs=("lit-llama#306", "torchtitan#1495", "silnlp#1033", "01-ai/Yi#448", "lo-fit#1"),
    fault=(
        Edit(
            script="gpt_plain",
            old="self.wte = nn.Embedding(vocab_size, n_embd)",
            new="self.wte = nn.Embedding(vocab_size - 1, n_embd)",
        ),
        Edit(
            script="logkeys",
            old="self.output = nn.Linear(hidden, FIRST_KEY + NUM_KEYS)",
            new="self.output = nn.Linear(hidden, NUM_KEYS)",
        ),
        Edit(
            script="custom_loss",
            old="nn.Linear(D, V, bias=False)",
            new="nn.Linear(D, V - N_SYMBOLS, bias=False)",
        ),
        Edit(
            script="gpt_mingpt",
            old="vocab_size = 2 + n_keys + n_symbols",
            new="vocab_size = n_keys + n_symbols",
        ),
    ),
)
def CHECK(crash: IdCrash) -> Iterator[Finding]:
    """The crash was of ids that do not fit; positions beyond their table are another matter."""
    if crash.positions or (crash.kind == "target" and crash.highest < crash.size):
        return
    yield Finding(
        {
            "highest": crash.highest,
            "lowest": crash.lowest,
            "size": crash.size,
            "outside": crash.outside,
            "count": crash.count,
        },
        Where(crash.file, crash.line, crash.module),
        variant=_variant(crash),
    )


def _variant(crash: IdCrash) -> str:
    if crash.kind == "target":
        return "target"
    return "negative" if crash.lowest < 0 else ""


SICK = (
    Example(
        evidence=(IdCrash("embedding", 50257, 3, 50259, 2, 4096, module="transformer.wte"),),
        finds=({"highest": 50259, "size": 50257},),
    ),
    Example(evidence=(IdCrash("target", 24, 0, 24, 1, 256),), finds=({"highest": 24},)),
    Example(evidence=(IdCrash("embedding", 24, -100, 23, 40, 256),), finds=({"lowest": -100},)),
)
HEALTHY = (
    # a row longer than the table of positions
    Example(evidence=(IdCrash("embedding", 512, 0, 600, 89, 601, positions=True),)),
    # a target of -1 is a wrong ignore index
    Example(evidence=(IdCrash("target", 24, -1, 23, 12, 256),)),
)
