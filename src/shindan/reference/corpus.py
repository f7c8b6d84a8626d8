"""Text that needs no network: the documentation that ships inside Python itself."""

import re
from collections import Counter
from pydoc_data.topics import topics

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)


def sentences() -> list[list[str]]:
    """Lower-cased words and punctuation of every sentence of 6 to 40 words, in order."""
    found = []
    for name in sorted(topics):
        for part in re.split(r"(?<=[.:])\s+|\n\n+", topics[name]):
            words = re.findall(r"[a-z]+|[.,:;()\"'=]", part.lower())
            if 6 <= len(words) <= 40 and sum(w.isalpha() for w in words) > len(words) / 2:
                found.append(words)
    return found


def vocabulary(texts: list[list[str]], size: int) -> dict[str, int]:
    """Word to id: the specials, then the commonest words."""
    counts = Counter(w for words in texts for w in words)
    common = [w for w, _ in counts.most_common(size - len(SPECIALS))]
    return {w: i for i, w in enumerate((*SPECIALS, *common))}


def encode(words: list[str], ids: dict[str, int]) -> list[int]:
    """Ids of the words, UNK for the rare ones."""
    return [ids.get(w, UNK) for w in words]
