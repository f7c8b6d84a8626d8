"""Text that needs no network: the documentation that ships inside Python itself."""

import re
from collections import Counter
from pydoc_data.topics import topics

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)


def documents() -> list[str]:
    """The prose of every topic, one text each, in the order of their names; code is left out."""
    return [_prose(name) for name in sorted(topics)]


def sentences() -> list[list[str]]:
    """Lower-cased words and punctuation of every sentence of 6 to 40 words, in order.

    Some 3,000 sentences and 50,000 words on Python 3.11; other versions differ a little.
    """
    found = []
    for prose in documents():
        for part in re.split(r"(?<=[.:])\s+|\n\n+", prose):
            words = re.findall(r"[a-z]+|[.,:;]", part.lower())
            if 6 <= len(words) <= 40 and sum(w.isalpha() for w in words) > len(words) / 2:
                found.append(words)
    return found


def _prose(name: str) -> str:
    return "\n".join(line for line in topics[name].split("\n") if not _is_code(line))


def _is_code(line: str) -> bool:
    """Grammar rules and examples: they are indented, or made of symbols."""
    return line.startswith("   ") and not line.strip()[:1].isalpha()


def vocabulary(texts: list[list[str]], size: int) -> dict[str, int]:
    """Word to id: the specials, then the commonest words."""
    counts = Counter(w for words in texts for w in words)
    common = [w for w, _ in counts.most_common(size - len(SPECIALS))]
    return {w: i for i, w in enumerate((*SPECIALS, *common))}


def encode(words: list[str], ids: dict[str, int]) -> list[int]:
    """Ids of the words, UNK for the rare ones."""
    return [ids.get(w, UNK) for w in words]
