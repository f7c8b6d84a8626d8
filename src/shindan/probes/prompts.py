"""Does the loss count a prompt that the author meant to leave out? (evidence ``PromptCensus``)"""

import re
from collections.abc import Iterable
from dataclasses import replace

from shindan.core.evidence.base import Evidence, Unavailable
from shindan.core.evidence.labels import Meant, PromptCensus
from shindan.core.reason import Reason
from shindan.probes.events import SettingsEvent
from shindan.probes.label_sampling import Named, Sample
from shindan.probes.labelled import Labelled
from shindan.probes.labels import Labels
from shindan.probes.look import Look
from shindan.probes.names import flags, flat, spoken, words
from shindan.probes.probe import Probe
from shindan.probes.prompt_marks import failed_rows, left_out, marker, spared, targets
from shindan.probes.session import Session

WANTED = re.compile(
    r"mask_?(the_)?(prompts?|inputs?|instructions?|questions?)|"
    r"(completion|response|assistant|answer)s?_only(_loss)?|"
    r"train_on_(responses?|completions?|answers?|outputs?)(_only)?|"
    r"(only_)?(train|loss)_on_(responses?|completions?|answers?)(_only)?"
)
UNWANTED = re.compile(
    r"(train|loss)_on_(the_)?(inputs?|prompts?|sources?|instructions?)|include_prompt(_in)?_loss"
)
PROMPT_WORDS = {"prompt", "prompts", "instruction", "question", "query"}
ANSWER_WORDS = {"response", "responses", "completion", "answer", "answers", "reply"}
DELIBERATE = re.compile(
    r"\b(full|whole|entire|all|every|both)\b.{0,24}\b(prompts?|inputs?|conversations?|sequences?)\b|"
    r"prompts?,? (is |are )?included|includ(es|ing) (the )?prompts?",
    re.IGNORECASE,
)
"""What an author writes who trains on prompts on purpose."""
ALL = 0.98
"""Share of the labels of real tokens that count when nothing is left out."""
ENOUGH = 100
"""Labels of prompts that count."""
SHARE = 0.05
"""Share of the labels left out by a tensor of the batch that count all the same."""


class Prompts(Probe):
    """Laid upon the batches that the probe ``Labels`` has read."""

    def on_start(self, session: Session) -> None:
        """Begin with nothing."""
        self.labels = next((p for p in session.probes if isinstance(p, Labels)), None)
        self.marked: dict[tuple[Meant, str], list[int]] = {}
        self.asked: dict[str, bool] = {}
        self.words: set[str] = set()
        self.deliberate = False
        self.found: PromptCensus | None = None
        self.because = Reason("labels-not-next")

    def on_settings(self, event: SettingsEvent) -> None:
        """Remember settings about prompts."""
        for name, value in flat(event.values):
            if isinstance(value, (bool, int)) and value in (0, 1):
                self.asked[name.lower()] = bool(value)

    def on_look(self, look: Look) -> None:
        """Count; the script's words are read in the early looks and the last."""
        labels = self.labels
        if labels is None or labels.related is None or labels.related.relation != "causal":
            return
        if look.update <= 8 or look.last:
            self.asked = flags() | self.asked
            self.words = words()
            self.deliberate = spoken(DELIBERATE)
        for sample, batch in labels.fresh:
            self._lay(sample, batch)
        self.found = self._judged(labels)

    def _lay(self, sample: Sample, batch: Labelled) -> None:
        own = self.labels.reading.path if self.labels and self.labels.reading else ""
        named = {n: t for n, t in sample.args.items() if n != own}
        for held in sample.batches:
            if _is_of(held, batch):
                named |= held
        need = targets(batch)
        for name, mark in named.items():
            out = left_out(name, mark, batch)
            if out is None:
                continue
            meant: Meant = "length" if mark.ndim == 1 else "mask"
            if mark.ndim == 2 and bool((mark < 0).any()):
                meant = "labels"
            sums = self.marked.setdefault((meant, name.rpartition(".")[2]), [0, 0])
            sums[0] += int((out & need & batch.counted).sum())
            sums[1] += int((out & need).sum())

    def _judged(self, labels: Labels) -> PromptCensus:
        batches = labels.batches
        rows = sum(len(b.ids) for b in batches)
        counted, real = spared(batches)

        def census(n: int, meant: Meant, name: str = "", mark: int | None = None) -> PromptCensus:
            return PromptCensus(rows, counted, n, meant, name, mark, labels.where)

        for (meant, name), (n, out) in self.marked.items():
            if n >= ENOUGH and n >= SHARE * out:
                return census(n, meant, name)
        failed = failed_rows(batches)
        if failed is not None and failed[1] >= 3 and failed[2] >= ENOUGH:
            return census(failed[2], "rows", f"{failed[1]}/{failed[0] + failed[1]}", failed[3])
        if counted < ALL * real:
            return census(0, "none")
        stands = marker(batches)
        for name, value in self.asked.items():
            last = name.rpartition(".")[2]
            if (WANTED if value else UNWANTED).fullmatch(last):
                return census(stands[1] if stands else 0, "setting", name)
            if (UNWANTED if value else WANTED).fullmatch(last):
                return census(0, "none", name)
        if stands and self.words & PROMPT_WORDS and self.words & ANSWER_WORDS:
            found = census(stands[1], "words", "", stands[0])
            return replace(found, deliberate=self.deliberate)
        return census(0, "none")

    def evidence(self) -> Iterable[Evidence | Unavailable]:
        """The census so far."""
        yield self.found or Unavailable("PromptCensus", self.because)


def _is_of(held: Named, batch: Labelled) -> bool:
    """Does this loader's batch hold these ids (perhaps with one column more)?"""
    rows, t = batch.ids.shape
    return any(
        m.ndim == 2
        and m.shape[0] == rows
        and m.shape[1] in (t, t + 1)
        and bool((m[:, :t].cpu() == batch.ids).all())
        for m in held.values()
    )
