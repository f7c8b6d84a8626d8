"""Documents from anywhere: the embedded corpus, a file, a folder, a data set of the hub.

One document is one text. What that is depends on where it comes from (``unit="auto"``):

- a record of a ``.jsonl``, ``.csv`` or ``.parquet`` file or of a hub data set: its ``column``;
- WikiText (a file whose first line is `` = Title = ``): an *article*. WikiText has no blank lines
  inside a section, so there a *paragraph* is one line that is no heading;
- other ``.txt`` files: a *paragraph* (blank lines between) or, where there are none, a *line*;
- any other readable file, such as source code: the whole *file*;
- the embedded corpus: one topic of Python's own documentation.

Every name may end in ``.gz`` besides. Text is UTF-8.
"""

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, dropwhile, islice, pairwise
from pathlib import Path
from typing import Any, Literal, TextIO

from shindan.reference import corpus
from shindan.reference.data.errors import DataError
from shindan.reference.data.files import existing, opened, suffix_of

Unit = Literal["auto", "article", "paragraph", "line", "file"]

RUNNING_TEXT = ("", ".txt", ".text", ".raw", ".tokens", ".log")
"""Files that hold many documents; others (code, Markdown) are one document each."""
HEADING = re.compile(r" = [^=](.*[^=])? = $")
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+(:[\w.-]+)?$")
LOOKED_AT = 1000
"""Lines read before deciding whether a file is made of paragraphs or of lines."""


def documents(
    source: str | Path | None = None,
    *,
    unit: Unit = "auto",
    column: str = "text",
    split: str = "train",
) -> Iterator[str]:
    """Texts of ``source``, read as they are asked for and never all held at once.

    ``source`` is nothing or "embedded" (the embedded corpus), a file, a folder (its readable files
    in the order of their names, hidden ones left out) or a hub data set, ``owner/name`` or
    ``owner/name:configuration``, of which ``split`` is read. Where there is a folder ``owner``, a
    file is meant.

    Raises ``DataError``, at once, where nothing has this name; on reading, where there is no text.
    """
    if source is None or source == "embedded":
        return _not_empty(_embedded(unit), "the embedded corpus")
    path = Path(source).expanduser()
    if path.is_dir():
        inside = chain.from_iterable(_of_file(file, unit, column) for file in _readable(path))
        return _not_empty(inside, str(source))
    if HUB_NAME.match(str(source)) and not path.parent.is_dir():
        return _not_empty(hub_documents(str(source), column=column, split=split), str(source))
    return _not_empty(_of_file(existing(path), unit, column), str(source))


def hub_documents(name: str, *, column: str = "text", split: str = "train") -> Iterator[str]:
    """Texts of one column of a hub data set (or of a folder ``datasets`` can read), streamed."""
    try:
        import datasets
    except ImportError:
        raise DataError("hub-not-installed", source=name) from None
    identity, _, configuration = name.partition(":")
    try:
        records = datasets.load_dataset(
            identity, configuration or None, split=split, streaming=True
        )
    except (OSError, ValueError, RuntimeError) as error:  # every error of the hub is one of these
        reason = str(error).strip().split("\n")[0]
        raise DataError("no-hub-set", source=name, why=reason) from error
    return (_text_of(record, column, name) for record in records)


def _not_empty(texts: Iterable[str], name: str) -> Iterator[str]:
    empty = True
    for text in texts:
        if text.strip():
            empty = False
            yield text
    if empty:
        raise DataError("no-text", source=name)


def _embedded(unit: Unit) -> Iterator[str]:
    for topic in corpus.documents():
        if unit in ("paragraph", "line"):
            yield from SPLITTERS[unit](topic.split("\n"))
        else:
            yield topic


def _readable(folder: Path) -> Iterator[Path]:
    """Files that are not hidden and hold no zero byte early on, which text never does."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            continue
        if path.suffix == ".parquet" or b"\0" not in _beginning(path):
            yield path


def _beginning(path: Path) -> bytes:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            return file.read(8192)
        except (gzip.BadGzipFile, EOFError) as error:
            raise DataError("not-readable", source=path, kind="gzip", why=error) from error


def _of_file(path: Path, unit: Unit, column: str) -> Iterator[str]:
    suffix = suffix_of(path)
    if suffix == ".parquet":
        yield from _parquet(path, column)
        return
    with opened(path) as file:
        if suffix in RECORDS:
            for record in RECORDS[suffix](file, path):
                yield _text_of(record, column, str(path))
        else:
            yield from _running(file, unit, splits=suffix in RUNNING_TEXT)


def _running(file: TextIO, unit: Unit, splits: bool) -> Iterator[str]:
    if unit == "file" or (unit == "auto" and not splits):
        yield file.read()
        return
    lines = (line.rstrip("\n") for line in file)
    head = list(islice(lines, LOOKED_AT))
    first = next((line for line in head if line.strip()), "")
    wikitext = HEADING.match(first) is not None
    if unit == "auto":
        text = dropwhile(lambda line: not line.strip(), head)
        between = any(not a.strip() and b.strip() for a, b in pairwise(text))
        unit = "article" if wikitext else "paragraph" if between else "line"
    if wikitext and unit == "paragraph":
        yield from (line for line in _lines(chain(head, lines)) if not line.startswith("= "))
    else:
        yield from SPLITTERS[unit](chain(head, lines))


def _articles(lines: Iterable[str]) -> Iterator[str]:
    """A heading counts where blank lines surround it: 600, 60, 60 articles in WikiText-2."""
    article: list[str] = []
    before = ""
    for line, after in pairwise(chain(lines, [""])):
        if HEADING.match(line) and not before.strip() and not after.strip():
            yield "\n".join(article)
            article = []
        article.append(line)
        before = line
    yield "\n".join(article)


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    paragraph: list[str] = []
    for line in chain(lines, [""]):
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield "\n".join(paragraph)
            paragraph = []


def _lines(lines: Iterable[str]) -> Iterator[str]:
    return (line.strip() for line in lines if line.strip())


SPLITTERS: dict[str, Callable[[Iterable[str]], Iterator[str]]] = {
    "article": _articles,
    "paragraph": _paragraphs,
    "line": _lines,
}


def _text_of(record: Any, column: str, name: str) -> str:
    if isinstance(record, str):  # a .jsonl file of bare strings
        return record
    columns = list(record) if isinstance(record, dict) else []
    if column not in columns:
        known = ", ".join(map(str, columns))
        raise DataError("no-column", source=name, column=column, columns=known)
    return str(record[column] if record[column] is not None else "")


def _jsonl(file: TextIO, path: Path) -> Iterator[Any]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                why = f"line {number}: {error.msg}"
                raise DataError("not-readable", source=path, kind="JSONL", why=why) from error


def _csv(file: TextIO, path: Path) -> Iterator[Any]:
    csv.field_size_limit(2**31 - 1)  # a field is a whole document; the default stops at 128 KiB
    try:
        yield from csv.DictReader(file)
    except csv.Error as error:
        raise DataError("not-readable", source=path, kind="CSV", why=error) from error


RECORDS: dict[str, Callable[[TextIO, Path], Iterator[Any]]] = {".jsonl": _jsonl, ".csv": _csv}


def _parquet(path: Path, column: str) -> Iterator[str]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError:
        raise DataError("parquet-not-installed", source=path) from None
    try:
        table = parquet.ParquetFile(path)
    except ArrowInvalid as error:
        raise DataError("not-readable", source=path, kind="parquet", why=error) from error
    names = table.schema_arrow.names
    _text_of(dict.fromkeys(names, ""), column, str(path))
    for batch in table.iter_batches(columns=[column]):
        yield from (str(text) for text in batch.column(0).to_pylist() if text is not None)
