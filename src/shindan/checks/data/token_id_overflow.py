"""Token ids were stored in an integer type too small for the vocabulary.

Convicting: rows of the training input are found in an array of true ids only after reduction
modulo 2^8 or 2^16 (or 2^7, 2^15 with the sign masked), or in an array whose type cannot hold the
vocabulary and whose ids fill the type. Minor where only the type is too small for the head, since
a head may be larger than its tokenizer. GPT-2's 50257 ids fit uint16 and not int16.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.ids import IdSources, Source, Vocabulary
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

WRAPS = (128, 256, 32768, 65536)
FULL = 0.97
SPECIAL = 64
"""Ids by which a head commonly exceeds a type on purpose (special tokens after 256 bytes)."""


@check(
    id="data/token-id-overflow",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("transformers#2825", "knnlm#6", "allenai/dolma#142"),
    explains=("symptom/slow-progress",),
    subsumes=("data/tokenizer-mismatch",),
    fault=Edit(
        script="seqfirst_lm",
        old="        return torch.tensor(ids)\n",
        new='        self.__dict__.setdefault("ids", ids)\n'
        "        return torch.tensor(ids).to(torch.int8).long() & 127\n",
    ),
)
def CHECK(origin: IdSources) -> Iterator[Finding]:
    """Wrapped ids beside the true ones, or a type that the vocabulary overflows."""
    for source in origin.sources:
        if source.modulus in WRAPS and source.modulus != origin.classes and source.beyond > 0:
            yield _finding(origin, source, source.modulus, source.beyond, "wrapped")
            return
    largest = max((v.size for v in origin.tokenizers), default=0)
    for source in origin.sources:
        if source.modulus or source.capacity > 65536 or source.capacity >= origin.classes:
            continue
        sure = (
            source.highest >= FULL * source.capacity and source.capacity > 256
        ) or source.capacity < largest
        if sure:
            yield _finding(origin, source, source.capacity, 0.0, "")
            return
        if source.capacity == 65536 and origin.classes - source.capacity > SPECIAL:
            yield _finding(origin, source, source.capacity, 0.0, "", minor=True)
            return


def _finding(
    origin: IdSources,
    source: Source,
    capacity: int,
    share: float,
    variant: str,
    minor: bool = False,
) -> Finding:
    measured: dict[str, float | int | str] = {
        "name": source.name,
        "dtype": source.dtype,
        "capacity": capacity,
        "classes": origin.classes,
        "highest": source.highest,
        "share": round(share, 4),
    }
    where = Where(origin.file, origin.line)
    return Finding(measured, where, "minor" if minor else None, variant=variant)


def _source(
    dtype: str, capacity: int, highest: int, modulus: int = 0, beyond: float = 0.0
) -> Source:
    return Source("data", "memmap", dtype, capacity, 100000, 0, highest, 6, modulus, beyond)


SICK = (
    Example(
        evidence=(IdSources(119547, (_source("int64", 1 << 63, 119500, 65536, 0.45),)),),
        finds=({"capacity": 65536, "share": 0.45},),
    ),
    Example(
        evidence=(IdSources(128256, (_source("uint16", 65536, 65535),)),),
        finds=({"dtype": "uint16", "classes": 128256},),
    ),
    Example(evidence=(IdSources(70000, (_source("uint16", 65536, 4500),)),), finds=({},)),
    Example(
        evidence=(
            IdSources(
                50257, (_source("int16", 32768, 9000),), (Vocabulary("GPT2Tokenizer", 50257),)
            ),
        ),
        finds=({"capacity": 32768},),
    ),
)
HEALTHY = (
    Example(evidence=(IdSources(50257, (_source("uint16", 65536, 50256),)),)),
    # bytes under a head left at its default, or with special tokens
    Example(evidence=(IdSources(50304, (_source("uint8", 256, 226),)),)),
    Example(evidence=(IdSources(259, (_source("uint8", 256, 255),)),)),
    # characters stored as int16
    Example(evidence=(IdSources(50304, (_source("int16", 32768, 64),)),)),
)
