"""Report 0's probe sentence and its neighbours in the Declaration, filled by the runs of figure 2.

    python benchmarks/fill_mask.py OUT/against_hf:gpu            # writes fill-mask.md there
    python benchmarks/fill_mask.py OUT/against_hf:gpu --page     # puts it into docs/findings

A right answer may be no more than a frequent word: beside each rank stands the rank that the bare
frequencies of the training text give the word.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from settling.against_hf import PLAN
from settling.pages import put
from settling.runs import folder_name

from shindan.reference.data import tokenizers
from shindan.reference.data.tokens import TokenFile
from shindan.reference.recipes.use import MASK, Answer, Run, fill, opened
from shindan.reference.train.errors import TrainError

SENTENCE = "All human beings are born free and equal in dignity and rights."
PROBE, WORD = SENTENCE.replace("beings", MASK), "beings"
AROUND = 12
"""Words on each side of a neighbour's mask: the runs have seen rows, not chapters."""
FILE = "fill-mask.md"


def main() -> None:
    """Write the tables beside the runs, or into the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="of the runs: OUT/against_hf:SIZE")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--page", action="store_true", help="into docs/findings/against-hf.md")
    asked = parser.parse_args()
    written = asked.folder / FILE
    if asked.page:
        page = Path(__file__).parent.parent / "docs/findings/against-hf.md"
        size = asked.folder.name.partition(":")[2]
        put(page, f"{size} fill-mask", written.read_text(encoding="utf-8").strip())
        return
    runs = {arm: list(seeds_of(asked.folder, arm)) for arm in PLAN.arms}
    runs = {arm: found for arm, found in runs.items() if found}
    declaration = (asked.data / "udhr/eng.txt").read_text(encoding="utf-8")
    text = f"{probe_table(runs)}\n\n{neighbour_table(runs, declaration)}\n"
    written.write_text(text, encoding="utf-8")
    print(text)


def seeds_of(folder: Path, arm: str) -> Iterator[Run]:
    """The arm's finished runs, in the order of their seeds."""
    for path in sorted(folder.glob(f"{folder_name(arm)}-[0-9]*")):
        if (path / "done.json").exists() and (path / "model.pt").exists():
            yield opened(path)


def probe_table(runs: dict[str, list[Run]]) -> str:
    """The five likeliest answers of each run with their logits, and where ``beings`` stands."""
    rows = [
        f"| `{PROBE}` | seed | top 5 (logit) | `{WORD}`: logit | rank |",
        "|---|---|---|---|---|",
    ]
    for arm, found in runs.items():
        for run in found:
            best = fill(run, PROBE, 5)[0]
            told = ", ".join(f"{each.token} ({each.logit:+.2f})" for each in best)
            answer = asked_word(run, PROBE, WORD)
            where = "– | –" if answer is None else f"{answer.logit:+.2f} | {answer.rank}"
            rows.append(f"| {arm} | {run.settings.seed} | {told} | {where} |")
    return "\n".join(rows)


def asked_word(run: Run, text: str, word: str) -> Answer | None:
    """The word at the mask; None where it is not one token of the run's vocabulary."""
    try:
        return fill(run, text, 0, word)[0][-1]
    except TrainError:
        return None


def neighbour_table(runs: dict[str, list[Run]], declaration: str) -> str:
    """Median rank over seeds of the true word, for each word of the sentence and after "human"."""
    first = next(found[0] for found in runs.values())
    head = " | ".join(runs)
    rows = [f"| text | word | by frequency | {head} |", "|---" * (3 + len(runs)) + "|"]
    for text, word in [*within(SENTENCE), *after_human(declaration)]:
        cells = [rank_over(found, text, word) for found in runs.values()]
        if any(cell != "–" for cell in cells):
            by_frequency = frequency_rank(first, word)
            rows.append(f"| {text} | {word} | {by_frequency} | {' | '.join(cells)} |")
    return "\n".join(rows)


def rank_over(runs: Sequence[Run], text: str, word: str) -> str:
    """The median over the runs, as a cell."""
    answers = [asked_word(run, text, word) for run in runs]
    ranks = [answer.rank for answer in answers if answer is not None]
    return f"{median(ranks):.0f}" if ranks else "–"


def within(sentence: str) -> Iterator[tuple[str, str]]:
    """The sentence with each of its words masked in turn."""
    for found in re.finditer(r"\w+", sentence):
        yield sentence[: found.start()] + MASK + sentence[found.end() :], found.group()


def after_human(declaration: str) -> Iterator[tuple[str, str]]:
    """What follows "human" in the Declaration, with the words around it; each text once."""
    words = declaration.split()
    seen = set()
    for place in range(1, len(words)):
        word = re.match(r"\w+", words[place])
        if words[place - 1].lower() != "human" or word is None:
            continue
        masked = MASK + words[place][word.end() :]
        before, behind = words[max(0, place - AROUND) : place], words[place + 1 : place + AROUND]
        text = " ".join([*before, masked, *behind])
        if text not in seen:
            seen.add(text)
            yield text, word.group()


def frequency_rank(run: Run, word: str) -> int:
    """Which of the vocabulary's entries the word is, counted in the run's training text."""
    text = TokenFile(run.folder / "train.tokens", run.tokenizer)
    counts = np.bincount(text.ids, minlength=tokenizers.vocabulary_size(run.tokenizer))
    (ids,) = tokenizers.encode(run.tokenizer, [word])
    return 1 + int((counts > counts[int(ids[0])]).sum())


if __name__ == "__main__":
    main()
