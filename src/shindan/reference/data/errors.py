"""What is wrong with the data, in one sentence a user can act on."""

import difflib
from collections.abc import Iterable

from shindan.reference.refused import Refused

SENTENCES = {
    "no-file": (
        "there is no file or folder {source}",
        "{source} というファイルもフォルダもありません",
    ),
    "no-file-near": (
        "there is no file or folder {source}; did you mean {near}?",
        "{source} というファイルもフォルダもありません。もしかして：{near}",
    ),
    "no-hub-set": (
        "{source} is no file or folder, and the hub has no such data set that can be read: {why}",
        "{source} はファイルでもフォルダでもなく、Hub のデータセットとしても読めません：{why}",
    ),
    "hub-not-installed": (
        "{source} is no file or folder; to look for a hub data set of that name, "
        "install shindan[hub]",
        "{source} はファイルでもフォルダでもありません。Hub のデータセットとして探すには "
        "shindan[hub] をインストールしてください",
    ),
    "parquet-not-installed": (
        "to read {source}, install shindan[hub]",
        "{source} を読むには shindan[hub] をインストールしてください",
    ),
    "no-text": ("{source} holds no text", "{source} にはテキストがありません"),
    "not-utf8": ("{source} is not UTF-8 text", "{source} は UTF-8 のテキストではありません"),
    "not-readable": (
        "{source} is not a readable {kind} file: {why}",
        "{source} を {kind} ファイルとして読めません：{why}",
    ),
    "no-column": (
        "{source} has no column {column}; its columns are {columns}",
        "{source} に {column} という列はありません。列は {columns} です",
    ),
    "no-tokenizer": (
        "there is no tokenizer.json, vocab.json with merges.txt, or vocab.txt at {source}",
        "{source} に tokenizer.json、vocab.json と merges.txt、vocab.txt のどれもありません",
    ),
    "no-special": (
        "the tokenizer has no {role} token (one of {names})",
        "トークナイザーに {role} のトークン（{names} のどれか）がありません",
    ),
    "other-tokenizer": (
        "{source} holds ids of another tokenizer: written with {written}, opened with {opened}",
        "{source} は別のトークナイザーの ID です：書き込みは {written}、読み出しは {opened}",
    ),
    "id-out-of-range": (
        "document {document} has id {id}, and {tokenizer} ends at {last}",
        "文書 {document} に ID {id} がありますが、{tokenizer} の最後は {last} です",
    ),
    "too-few-documents": (
        "{documents} distinct documents cannot be split into training and validation",
        "異なる文書が {documents} 件では、訓練用と検証用に分けられません",
    ),
    "no-row": (
        "no row of {length} tokens can be made of {documents} documents",
        "文書 {documents} 件から {length} トークンの行は一つも作れません",
    ),
    "no-session": (
        "no line of {source} has an id that matches {pattern}",
        "{source} には {pattern} に合う ID を持つ行がありません",
    ),
    "no-seconds": (
        "{source} tells no times that are known here; train without them: model.time=off",
        "{source} には読み取れる時刻がありません。時刻なしで学習するには model.time=off を"
        "指定してください",
    ),
}
"""Key: English, Japanese."""


class DataError(Refused, ValueError):
    """Data that is absent, empty, or not what it is taken for."""

    sentences = SENTENCES


def no_file(source: object, known: Iterable[str]) -> DataError:
    """The error for a name that is not there, with the nearest of the ``known`` ones."""
    near = difflib.get_close_matches(str(source).rstrip("/").rsplit("/")[-1], known, cutoff=0.5)
    if near:
        return DataError("no-file-near", source=source, near=", ".join(near))
    return DataError("no-file", source=source)
