"""Rows: cut where they should be, split by document, in an order that numbers decide."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shindan.reference.data.collate import IGNORE, STARTS, next_tokens, packed, padded, starts_of
from shindan.reference.data.errors import DataError
from shindan.reference.data.mixture import Mixture
from shindan.reference.data.order import Shuffled, generator, order
from shindan.reference.data.rows import FilledRows, PackedRows, SingleRows, WindowRows, split
from shindan.reference.data.text import documents
from shindan.reference.data.tokenizers import encode, specials, train_words
from tests.reference.real import real

Ids = NDArray[np.int64]


def ids(*numbers: int) -> Ids:
    return np.array(numbers, dtype=np.int64)


def many(count: int, seed: int = 0) -> list[Ids]:
    rng = np.random.default_rng(seed)
    return [rng.integers(10, 99, rng.integers(0, 300) // 10) for _ in range(count)]


def test_single_rows() -> None:
    texts = [ids(10, 11), ids(), ids(20, 21, 22, 23, 24)]
    rows = SingleRows(texts, 4, begin=2, end=3)
    assert [row.tolist() for row in rows] == [[2, 10, 11, 3], [2, 20, 21, 3]]
    assert rows.cut == 3
    whole = SingleRows(texts, 4, begin=2, end=3, whole=True)
    assert [row.tolist() for row in whole][1:] == [[2, 20, 21, 3], [2, 22, 23, 3], [2, 24, 3]]
    assert whole.document.tolist() == [0, 2, 2, 2]
    with pytest.raises(DataError, match="no row of 4 tokens can be made of 1 documents"):
        SingleRows([ids()], 4, begin=2, end=3)


def test_packed_rows_are_the_stream_cut() -> None:
    texts = many(50)
    rows = PackedRows(texts, 16, end=0)
    stream = np.concatenate([np.append(text, 0) for text in texts])
    assert len(rows) == len(stream) // 16
    assert rows.cut == len(stream) % 16
    assert np.concatenate([row.ids for row in rows]).tolist() == stream[: 16 * len(rows)].tolist()
    for row in rows:
        assert row.documents[0] == 0
        changes = np.diff(row.documents)
        assert changes.tolist() == (row.ids[:-1] == 0).astype(int).tolist()


def test_filled_rows_hold_every_row_once() -> None:
    single = SingleRows(many(2000), 24, begin=2, end=3, whole=True)
    filled = FilledRows(single, 24, seed=0)
    assert sorted(n for group in filled.groups for n in group) == list(range(len(single)))
    assert all(len(row.ids) == len(row.documents) <= 24 for row in filled)
    assert single.sizes().tolist() == [len(row) for row in single]
    share = single.sizes().sum() / (24 * len(filled))
    assert share > 0.93  # of 24 places; alone they fill less than 70 %
    assert single.sizes().sum() / (24 * len(single)) < 0.7
    first = filled[0]
    alone = [single[n].tolist() for n in filled.groups[0]]
    assert [first.ids[first.documents == n].tolist() for n in range(len(alone))] == alone


def test_starts_are_where_documents_begin() -> None:
    rows = [*FilledRows(SingleRows(many(9, seed=3), 16, begin=2, end=3), 16, seed=1)]
    ids_BL, documents_BL = packed(rows, pad=0, length=16)
    starts = starts_of(documents_BL)
    assert len(starts) % STARTS == 0
    assert starts.dtype == torch.int32
    flat = ids_BL.flatten()
    pieces = [flat[a:b].tolist() for a, b in pairwise(starts.tolist()) if b > a]
    assert [piece for piece in pieces if any(piece)] == [
        row.ids[row.documents == n].tolist() for row in rows for n in np.unique(row.documents)
    ]
    assert sum(map(len, pieces)) == flat.numel()
    assert starts[-1] == flat.numel()


def test_next_tokens_stay_in_their_document() -> None:
    ids_BL, documents_BL = packed([*PackedRows([ids(5, 6), ids(7), ids(8, 9, 4)], 8, end=0)])
    assert ids_BL.tolist() == [[5, 6, 0, 7, 0, 8, 9, 4]]
    x = IGNORE
    assert next_tokens(ids_BL, documents_BL).tolist() == [[6, 0, x, 0, x, 9, 4, x]]
    padded_BL = torch.tensor([[2, 5, 3, 1, 1]])
    assert next_tokens(padded_BL, pad=1).tolist() == [[5, 3, x, x, x]]


def test_padding() -> None:
    ids_BL, mask_BL = padded([ids(2, 5, 3), ids(2, 3)], pad=1)
    assert ids_BL.tolist() == [[2, 5, 3], [2, 3, 1]]
    assert mask_BL.tolist() == [[True, True, True], [True, True, False]]
    assert padded([ids(2, 3)], pad=1, length=5)[0].tolist() == [[2, 3, 1, 1, 1]]


def test_windows() -> None:
    lines = [ids(*range(10, 14)), ids(*range(10, 15)), ids(*range(10, 24))]
    rows = WindowRows(lines, 2, 3, 0, length=8, stride=4)
    assert [row.tolist() for row in rows] == [
        [2, 10, 11, 12, 13, 14, 3, 0],
        [2, 10, 11, 12, 13, 14, 15, 16],
        [13, 14, 15, 16, 17, 18, 19, 20],
        [17, 18, 19, 20, 21, 22, 23, 3],
    ]


def test_windows_of_wikitext_2_are_as_many_as_reported() -> None:
    """SYSTEMS.md, section 4: 51,026 and 5,272 sequences; UNK is 29-30 % of the targets."""
    folder = real("wikitext-2")
    train = list(documents(folder / "train.raw.gz", unit="line"))
    as_long = [np.zeros(len(text.split()), dtype=np.int64) for text in train]
    assert len(WindowRows(as_long, 2, 3, 0)) == 51_026
    tokenizer = train_words(train[:8000], 996)
    role = specials(tokenizer)
    lines = list(encode(tokenizer, documents(folder / "valid.raw.gz", unit="line")))
    rows = WindowRows(lines, role["begin"], role["end"], role["pad"])
    assert len(rows) == 5_272
    labels = next_tokens(padded([*rows], 0)[0], pad=role.pad)
    counted = labels[labels != IGNORE]
    assert 0.28 < float((counted == role["unk"]).double().mean()) < 0.32


def test_split_goes_by_document_and_keeps_copies_together() -> None:
    texts = many(400)
    texts += texts[:100]
    train, validation = split(texts, 0.2, seed=1)
    assert len(train) + len(validation) == 500
    assert len(validation) in (100, 101)  # the last taken may be there twice
    sides = [{tuple(part[i].tolist()) for i in range(len(part))} for part in (train, validation)]
    assert not sides[0] & sides[1]
    assert split(texts, 0.2, seed=2)[1].chosen.tolist() != validation.chosen.tolist()
    for share in (1e-9, 1 - 1e-9):
        assert all(len(part) for part in split(texts[:2], share, seed=0))
    with pytest.raises(DataError, match="1 distinct documents"):
        split([ids(1, 2), ids(1, 2)], 0.5, seed=0)


def test_order_is_a_function_of_seed_and_epoch() -> None:
    first = order(1000, 3, 0)
    assert sorted(first) == list(range(1000))
    order.cache_clear()
    assert order(1000, 3, 0).tolist() == first.tolist()
    different = {tuple(order(1000, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(different) == 16
    shuffled = Shuffled(list(range(1000)), seed=3)
    assert [shuffled[i] for i in range(1000)] == first.tolist()
    assert [shuffled[i] for i in range(1000, 2000)] == order(1000, 3, 1).tolist()
    across = [*first[-2:], *order(1000, 3, 1)]
    assert shuffled.places(998, 1002).tolist() == across


def test_generators_of_neighbouring_numbers_are_unlike() -> None:
    draws = [torch.rand(1000, generator=generator(0, step)) for step in range(20)]
    correlations = torch.corrcoef(torch.stack(draws)) - torch.eye(20)
    assert float(correlations.abs().max()) < 0.15
    assert torch.equal(draws[7], torch.rand(1000, generator=generator(0, 7)))


PHASE8 = {"code": 0.33, "wiki": 0.165, "instruct": 0.165, "arxiv": 0.068, "cosmo": 0.068}
PHASE8 |= {"fact": 0.068, "mc4": 0.068, "wt103": 0.068}


@pytest.mark.parametrize(
    "weights",
    [
        PHASE8,
        {"a": 1.0},
        {"a": 2, "b": 1},
        {"a": 0.9, "b": 0.05, "c": 0.05},
        {"a": 1 / 3, "b": 0.123457, "c": 7.25, "d": 1e-3},
    ],
    ids=str,
)
def test_every_share_is_within_one_row(weights: dict[str, float]) -> None:
    mixture = Mixture({name: [name] * 3 for name in weights}, weights, seed=0)
    total, given = sum(weights.values()), dict.fromkeys(weights, 0)
    for i in range(1, 2500):
        given[mixture[i - 1]] += 1
        for name, weight in weights.items():
            assert abs(given[name] - weight / total * i) < 1
        if i % 500 == 0:
            assert mixture.counts(i) == given


def test_a_mixture_resumes_anywhere() -> None:
    sources = {"a": [("a", i) for i in range(7)], "b": [("b", i) for i in range(11)]}
    through = Mixture(sources, {"a": 0.3, "b": 0.7}, seed=5)
    seen = [through[i] for i in range(200)]
    resumed = Mixture(sources, {"a": 0.3, "b": 0.7}, seed=5)
    assert [resumed[i] for i in range(150, 200)] == seen[150:]
    other = Mixture(sources, {"a": 0.3, "b": 0.7}, seed=6)
    assert [other[i] for i in range(200)] != seen
    of_a = [row for row in seen if row[0] == "a"]
    for epoch in range(8):  # each source is gone through before it begins again
        assert len(set(of_a[7 * epoch : 7 * (epoch + 1)])) == 7
    assert through.counts(10**12) == {"a": 3 * 10**11, "b": 7 * 10**11}


def test_a_mixture_names_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="differ"):
        Mixture({"a": [1]}, {"b": 1}, seed=0)
    with pytest.raises(ValueError, match="above 0"):
        Mixture({"a": [1], "b": [2]}, {"a": 1, "b": 0}, seed=0)
