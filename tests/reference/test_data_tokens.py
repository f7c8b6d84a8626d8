"""Token files: what is written is read, by the same tokenizer only, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from shindan.reference import corpus
from shindan.reference.data.errors import DataError
from shindan.reference.data.rows import PackedRows, split
from shindan.reference.data.tokenizers import encode, train_bpe, train_words
from shindan.reference.data.tokens import PAGE, TokenFile, TokenWriter, write_tokens

TEXTS = corpus.documents()[:8]
WORDS = train_words(TEXTS, 200)


def test_documents_come_back(tmp_path: Path) -> None:
    texts = [*TEXTS, "", "one last"]
    file = write_tokens(tmp_path / "new" / "a.tokens", texts, WORDS)
    expected = list(encode(WORDS, texts))
    assert len(file) == 10
    for index, ids in enumerate(expected):
        assert file[index].tolist() == ids.tolist()
    assert file.ids.dtype == np.uint16
    assert file.ids.tolist() == np.concatenate(expected).tolist()
    assert list(tmp_path.glob("new/*")) == [tmp_path / "new" / "a.tokens"]
    with pytest.raises(IndexError):
        file[10]


def test_rows_of_a_file_are_rows_of_its_documents(tmp_path: Path) -> None:
    file = write_tokens(tmp_path / "a", TEXTS, WORDS)
    listed = list(file)
    for documents, plain in ((file, listed), (split(file, 0.3, 0)[0], split(listed, 0.3, 0)[0])):
        rows, expected = PackedRows(documents, 16, end=3), PackedRows(list(plain), 16, end=3)
        assert len(rows) == len(expected)
        assert all((a.ids == b.ids).all() for a, b in zip(rows, expected, strict=True))


def test_wide_ids(tmp_path: Path) -> None:
    wide = train_words([" ".join(f"w{i}" for i in range(66_000))], 66_000)
    file = write_tokens(tmp_path / "a", ["w0 w65999"], wide)
    assert file.ids.dtype == np.uint32
    assert file[0].tolist() == [4, 66_003]


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    write_tokens(tmp_path / "a", TEXTS, WORDS)
    bpe = train_bpe(TEXTS, 300)
    with pytest.raises(
        DataError, match=r"written with WordLevel of 204 ids \(\w{8}\), opened with BPE of 300 ids"
    ):
        TokenFile(tmp_path / "a", bpe)


@pytest.mark.parametrize("id", [-1, 204, 70_000])
def test_ids_out_of_range_are_refused(tmp_path: Path, id: int) -> None:
    def write() -> None:
        with TokenWriter(tmp_path / "a", WORDS) as writer:
            writer.add([203])
            writer.add([1, id])

    with pytest.raises(DataError, match=rf"document 1 has id {id}, .* ends at 203"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_broken_writing_leaves_the_old_file(tmp_path: Path) -> None:
    write_tokens(tmp_path / "a", ["the old one"], WORDS)
    before = (tmp_path / "a").read_bytes()

    def write() -> None:
        with TokenWriter(tmp_path / "a", WORDS) as writer:
            writer.add([1, 2])
            assert (tmp_path / "a").read_bytes() == before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert (tmp_path / "a").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_no_token_file(tmp_path: Path) -> None:
    write_tokens(tmp_path / "a.tokens", TEXTS, WORDS)
    whole = (tmp_path / "a.tokens").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-2])
    (tmp_path / "other").write_bytes(b" " * PAGE + whole)
    with pytest.raises(DataError, match="cut short"):
        TokenFile(tmp_path / "cut", WORDS)
    with pytest.raises(DataError, match="not a readable token file"):
        TokenFile(tmp_path / "other", WORDS)
    with pytest.raises(DataError, match=r"did you mean a.tokens\?"):
        TokenFile(tmp_path / "b.tokens", WORDS)
