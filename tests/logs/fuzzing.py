"""Damage done to a sound log of every format: whatever comes, a table or one sentence.

PYTHONPATH=src:. python -m tests.logs.fuzzing 10000
"""

import random
import string
from collections.abc import Callable, Iterator
from pathlib import Path

from shindan.core.errors import ShindanError
from shindan.core.reason import Reason
from shindan.core.text import LANGUAGES
from shindan.logs.reading import read
from shindan.logs.table import LogTable
from shindan.report.reasons import told
from shindan.report.words import sheet

from .samples import samples

Damage = Callable[[random.Random, bytes], bytes]
_TOKENS = (
    b"\0", b"\xff\xfe", b"\x80\x81", b"NaN", b"-Infinity", b"1e999", b"9" * 400, b"9" * 5000,
    b"null", b"{", b"[", b"]}", b'"', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\x1b[31m",
    b"{}", b"[[]]",
    b"true", b'{"a": {"b": [1, {"c": 2}]}}', b"loss", b"step,loss,lr,phase\n", "損失".encode(),
    b"-", b"=", b":", b"|", b"1,234", b"0x1f", b"1e", b".", b"99:99:99", b"\\u0000",
    b"2024-99-99 99:99:99", b'{"step": "x", "loss": [], "lr": {}}', b"- 5",
    b"1 day, 2:03:04", b"\x8b\x1f", b"%", b"inf", b"nan",
)  # fmt: skip


def truncated(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def beheaded(chance: random.Random, data: bytes) -> bytes:
    return data[chance.randrange(len(data) + 1) :]


def garbage(chance: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(chance.choice((1, 3, 30))):
        if out:
            out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out)


def inserted(chance: random.Random, data: bytes) -> bytes:
    for _ in range(chance.choice((1, 2, 10))):
        at = chance.randrange(len(data) + 1)
        data = data[:at] + chance.choice(_TOKENS) + data[at:]
    return data


def replaced(chance: random.Random, data: bytes) -> bytes:
    """A number, a word or a sign becomes another thing."""
    digits = [i for i in range(len(data)) if data[i : i + 1] in b"0123456789"]
    for _ in range(chance.choice((1, 2, 10))):
        if digits:
            at = chance.choice(digits)
            data = data[:at] + chance.choice(_TOKENS) + data[at + 1 :]
    return data


def cut_out(chance: random.Random, data: bytes) -> bytes:
    a, b = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:a] + data[b:]


def doubled(chance: random.Random, data: bytes) -> bytes:
    return data + chance.choice((b"", b"\n", b"garbage\n")) + truncated(chance, data)


def blocked(chance: random.Random, data: bytes) -> bytes:
    """A block of zeros or of noise, as a file system leaves after a crash."""
    at = chance.randrange(len(data) + 1)
    size = chance.choice((1, 16, 512, 4096))
    block = bytes(size) if chance.random() < 0.5 else chance.randbytes(size)
    return data[:at] + block + data[at + size :]


def nested(chance: random.Random, data: bytes) -> bytes:
    deep = chance.choice((10, 300, 2000, 100_000))
    sign = chance.choice((b"[", b'{"a":', b"(", b"[{"))
    at = chance.choice((0, chance.randrange(len(data) + 1), len(data)))
    return data[:at] + sign * deep + data[at:]


def noise(chance: random.Random, data: bytes) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 100, 10_000)))


def letters(chance: random.Random, data: bytes) -> bytes:
    return "".join(chance.choices(string.printable, k=chance.choice((1, 50, 5000)))).encode()


def shuffled(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    chance.shuffle(lines)
    return b"\n".join(lines)


def interleaved(chance: random.Random, data: bytes) -> bytes:
    """Two writers on one file: lines torn apart."""
    at = chance.randrange(1, 60)
    pieces = [data[i : i + at] for i in range(0, len(data), at)]
    return b"".join(p + (b"\nloss: 3.5 step 7\n" if chance.random() < 0.1 else b"") for p in pieces)


def recoded(chance: random.Random, data: bytes) -> bytes:
    to = chance.choice(("utf-16", "utf-16-le", "cp932", "utf-8-sig", "utf-32"))
    return data.decode("utf-8", "replace").encode(to, "replace")


DAMAGES: tuple[Damage, ...] = (
    truncated, beheaded, garbage, inserted, replaced, cut_out, doubled, blocked, nested, noise,
    letters, shuffled, interleaved, recoded,
)  # fmt: skip


def cases(room: Path, count: int, seed: int) -> Iterator[tuple[str, Path]]:
    """``count`` damaged files, format after format; (what was done, the file)."""
    chance = random.Random(seed)
    sound = samples(room)
    for index in range(count):
        form = list(sound)[index % len(sound)]
        file, data = sound[form]
        done = []
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            damage = chance.choice(DAMAGES)
            data = damage(chance, data)
            done.append(damage.__name__)
        path = room / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        yield f"{index} {form}: {', '.join(done)}", path


def looked_at(path: Path) -> str:
    """Reads it and holds the result to what is promised; what came of it."""
    try:
        tables = read(path)
    except ShindanError as error:
        assert_words(error.reason)
        return error.reason.key
    assert tables
    for table in tables:
        assert_sound(table)
    return "whole" if not any(table.lost for table in tables) else "lost"


def assert_sound(table: LogTable) -> None:
    """Columns are equally long, and what was lost has its words."""
    size = len(table)
    assert set(table.columns) == set(table.present)
    assert all(len(v) == size and v.dtype == float for v in table.columns.values())
    assert all(len(v) == size and v.dtype == bool for v in table.present.values())
    assert all(len(v) == size for v in table.words.values())
    assert table.lines is None or len(table.lines) == size
    for values, present in zip(table.columns.values(), table.present.values(), strict=True):
        assert not (~present & (values == values)).any(), "a value where none is present"
    for reason in table.lost:
        assert_words(reason)


def assert_words(reason: Reason) -> None:
    """It is told in every language."""
    for language in LANGUAGES:
        assert reason.key in sheet("reasons", language)
        assert told(reason, language)
