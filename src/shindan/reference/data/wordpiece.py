"""The entries of a WordPiece vocabulary, the same at every training.

The library's own trainer for WordPiece (byte-pair merges over ``h ##e ##y``) numbers letters in the
order of a hash map, and merges that are equally common by these numbers: two trainings on one text
differ. So each letter, first or inside a word, is spelt as one private character, and the trainer
for BPE, which sorts its letters, does the rest.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

PRIVATE = 0xF0000
"""The first character of Unicode's private planes; BERT's normaliser lets none through."""


def pieces(words: Mapping[str, int], size: int, special: Sequence[str]) -> dict[str, int]:
    """At most ``size`` entries with their ids, the ``special`` ones first, from counted words.

    Letters too rare for half of the vocabulary are left out, with the words that have them.
    """
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for letter in _letters(word):
            counts[letter] += count
    kept = [letter for letter, _ in counts.most_common((size - len(special)) // 2)]
    private = {letter: chr(PRIVATE + n) for n, letter in enumerate(sorted(kept))}
    spelt = (
        f"{''.join(private[letter] for letter in _letters(word))} " * count
        for word, count in words.items()
        if all(letter in private for letter in _letters(word))
    )
    merger = Tokenizer(models.BPE())
    merger.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), show_progress=False
    )
    merger.train_from_iterator(spelt, trainer)
    entries = {name: id for id, name in enumerate(special)}
    back = {code: letter for letter, code in private.items()}
    for merged, id in merger.get_vocab().items():
        if merged not in entries:
            first, *inside = (back[code] for code in merged)
            entries[first + "".join(letter.removeprefix("##") for letter in inside)] = id
    return entries


def _letters(word: str) -> list[str]:
    return [word[0], *(f"##{letter}" for letter in word[1:])]
