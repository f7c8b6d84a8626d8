"""What a trained LogBERT says of sessions: each key in the light of all others.

Every key is hidden once while the others stay (section III-D hides many at random; so the answer
depends on no chance). Told of it are how surprising it is, -log p in nats, and its rank among the
keys; of the session, the squared distance of [DIST] from the centre, nothing being hidden.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shindan.reference.data.collate import padded
from shindan.reference.data.sessions import FIRST_KEY, MASK, PAD, KeyVocabulary, Session
from shindan.reference.data.tokenizers import Ids
from shindan.reference.models.logbert import LogBert
from shindan.reference.recipes.log_sources import END

TOKENS = 2**15
"""Of one forward, about."""


@dataclass(frozen=True)
class Scores:
    """Of one session; tuples have an entry for each key in its order, the end among them."""

    surprises: tuple[float, ...]
    """Nats; infinite for a key that training has not seen."""
    ranks: tuple[int, ...]
    """Of the true key, from 1; past the last for a key that training has not seen."""
    expected: tuple[str, ...]
    """The likeliest key."""
    distance: float

    @property
    def surprise(self) -> float:
        """That of the most surprising key."""
        return max(self.surprises, default=0.0)

    def misses(self, g: int) -> int:
        """Keys that are not among the ``g`` likeliest."""
        return sum(rank > g for rank in self.ranks)


class Piece(NamedTuple):
    """A row the model can take, and where its keys stand in the session."""

    row: Ids
    places: Ids


@dataclass(frozen=True)
class Detector:
    """A model in eval mode with its keys; a score is kept for sessions that come again."""

    model: LogBert
    vocabulary: KeyVocabulary
    ordered: bool

    def scores(
        self, sessions: Sequence[Session], tell: Callable[[int, int], None] | None = None
    ) -> list[Scores]:
        """Of each session. ``tell`` hears (keys done, keys in all)."""
        pieces = [self.pieces(session) for session in sessions]
        distinct = {piece.row.tobytes(): piece.row for some in pieces for piece in some}
        found = self._rows(list(distinct.values()), tell)
        known = dict(zip(distinct, found, strict=True))
        return [self._joined([(p, known[p.row.tobytes()]) for p in some]) for some in pieces]

    def pieces(self, session: Session) -> list[Piece]:
        """The session as rows, sorted where order is not asked."""
        pieces, start = [], 0
        parts = session.pieces(self.model.config.max_positions - 1)
        for part, row in zip(parts, self.vocabulary.encode(parts), strict=True):
            order = np.arange(len(row)) if self.ordered else arranged(row, self.vocabulary)
            pieces.append(Piece(row[order], order[1:] - 1 + start))
            start += len(part.keys)
        return pieces

    def _joined(self, parts: "list[tuple[Piece, RowScores]]") -> Scores:
        """The pieces of a session in its own order."""
        places = np.concatenate([piece.places for piece, _ in parts])
        back = np.argsort(places)
        surprises, ranks, expected = (
            np.concatenate([getattr(found, name) for _, found in parts])[back].tolist()
            for name in ("surprises", "ranks", "expected")
        )
        names = tuple(self.vocabulary.keys[key - FIRST_KEY] for key in expected)
        distance = max(found.distance for _, found in parts)
        return Scores(tuple(surprises), tuple(ranks), names, distance)

    @torch.no_grad()
    def _rows(self, rows: list[Ids], tell: Callable[[int, int], None] | None) -> "list[RowScores]":
        """Of each row, each of its keys hidden in turn."""
        device = self.model.centre.device
        results = [RowScores.empty(len(row) - 1) for row in rows]
        total, done = sum(len(row) - 1 for row in rows), 0
        for asked in _batches(rows):
            ids, mask = padded([rows[n] for n, _ in asked], PAD)
            places = torch.tensor([place for _, place in asked])
            each = torch.arange(len(asked))
            true = ids[each, places]
            ids[each, places] = torch.where(places > 0, MASK, true)  # place 0: nothing is hidden
            hidden = self.model.encode(ids.to(device), mask.to(device)).float()
            distances = self.model.distances(hidden).tolist()
            logits = self.model.head(hidden[each, places]).float().cpu()
            surprises, ranks, expected = _asked(logits, true)
            for one, (n, place) in enumerate(asked):
                if place == 0:
                    results[n] = results[n]._replace(distance=distances[one])
                    continue
                results[n].surprises[place - 1] = surprises[one]
                results[n].ranks[place - 1] = ranks[one]
                results[n].expected[place - 1] = expected[one]
                done += 1
            if tell is not None:
                tell(done, total)
        return results


class RowScores(NamedTuple):
    """Of one row, without [DIST]: arrays (keys,), and its distance."""

    surprises: NDArray[np.float64]
    ranks: Ids
    expected: Ids
    distance: float

    @classmethod
    def empty(cls, keys: int) -> "RowScores":
        """To be filled."""
        whole = np.zeros((2, keys), dtype=np.int64)
        return cls(np.zeros(keys), whole[0], whole[1], 0.0)


def arranged(row: Ids, vocabulary: KeyVocabulary) -> Ids:
    """The order that sorts the row's keys, the commonest first; [DIST] and the end stay outside."""
    end = vocabulary.keys.index(END) + FIRST_KEY if END in vocabulary.keys else -1
    rank = np.where(row == end, FIRST_KEY + len(vocabulary.keys), row)
    rank[0] = -1
    return np.argsort(rank, kind="stable")


def _batches(rows: list[Ids]) -> Iterator[list[tuple[int, int]]]:
    """(row, place) of every question, rows of a length together; place 0 asks the distance."""
    asked: list[tuple[int, int]] = []
    for n in sorted(range(len(rows)), key=lambda n: len(rows[n])):
        for place in range(len(rows[n])):
            if len(asked) * len(rows[n]) >= TOKENS:
                yield asked
                asked = []
            asked.append((n, place))
    if asked:
        yield asked


def _asked(logits: Tensor, true: Tensor) -> tuple[list[float], list[int], list[int]]:
    """Surprise, rank and the likeliest, special tokens being no answers."""
    keys = logits[:, FIRST_KEY:]
    own = (true - FIRST_KEY).clamp(min=0)[:, None]
    surprises = -keys.log_softmax(-1).gather(1, own)[:, 0]
    ranks = 1 + (keys > keys.gather(1, own)).sum(1)
    unseen = true < FIRST_KEY
    surprises[unseen], ranks[unseen] = math.inf, keys.shape[1] + 1
    return surprises.tolist(), ranks.tolist(), (keys.argmax(1) + FIRST_KEY).tolist()
