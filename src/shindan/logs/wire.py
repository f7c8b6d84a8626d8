"""The few bytes of protobuf, TFRecord and LevelDB logs that scalars need.

Encodings: protobuf.dev/programming-guides/encoding; tensorflow/core/lib/io/record_writer.h;
leveldb/doc/log_format.md.
"""

import struct
from collections.abc import Iterator

_Value = int | bytes
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, _Value]]:
    """(number, value) of each field; fixed numbers come as their bytes. Raises ValueError."""
    at, end = 0, len(message)
    while at < end:
        key, at = varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("no protobuf field")
        if at + size > end:
            raise ValueError("a field is longer than its message")
        yield key >> 3, message[at : at + size]
        at += size


def varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at ``at``, and where it ends. Raises ValueError."""
    value = shift = 0
    while shift < 70:
        if at >= len(message):
            raise ValueError("a number is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number is too long")


def texts(message: bytes, number: int) -> list[str]:
    """The strings of a repeated field."""
    return [value.decode("utf-8", "replace") for value in messages(message, number)]


def messages(message: bytes, number: int) -> list[bytes]:
    """The messages (or bytes) of a repeated field."""
    return [v for n, v in fields(message) if n == number and isinstance(v, bytes)]


def signed(value: _Value) -> int:
    """An int64 of protobuf."""
    number = value if isinstance(value, int) else int.from_bytes(value, "little")
    return number - (1 << 64) if number >= 1 << 63 else number


def real(value: _Value) -> float:
    """A float or double of protobuf. Raises ValueError."""
    if isinstance(value, bytes) and len(value) in (4, 8):
        found: float = struct.unpack("<f" if len(value) == 4 else "<d", value)[0]
        return found
    raise ValueError("no number")


def _table() -> tuple[int, ...]:
    made = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0x82F63B78 if byte & 1 else byte >> 1
        made.append(byte)
    return tuple(made)


_CRC32C = _table()


def masked_crc(data: bytes) -> int:
    """TFRecord's masked CRC-32C. A byte at a time: for the eight bytes of a length."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return (crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF


class Frames:
    """What of a framed file could not be read: ``skipped`` bytes, or a ``cut`` last record."""

    def __init__(self) -> None:
        self.skipped = 0
        self.cut = False


def tfrecords(data: bytes, frames: Frames) -> Iterator[bytes]:
    """The records; after damage, on from the next length that its checksum confirms."""
    at, end = 0, len(data)
    while at + 12 <= end:
        if not _is_length(data, at):
            begun = at
            at = next((i for i in range(at + 1, end - 11) if _is_length(data, i)), end)
            frames.skipped += at - begun
            continue
        size = int.from_bytes(data[at : at + 8], "little")
        if at + 16 + size > end:
            break
        yield data[at + 12 : at + 12 + size]
        at += 16 + size
    frames.cut = at < end


def _is_length(data: bytes, at: int) -> bool:
    """Whether a record's length, with its checksum, is here."""
    if data[at + 4 : at + 8] != b"\0\0\0\0":  # no record of four gigabytes
        return False
    return masked_crc(data[at : at + 8]) == int.from_bytes(data[at + 8 : at + 12], "little")


_BLOCK = 32768
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def leveldb(data: bytes, frames: Frames, start: int) -> Iterator[bytes]:
    """The records of a LevelDB log, whose first block has a header of ``start`` bytes."""
    parts: list[bytes] = []
    at, end = start, len(data)
    while at + 7 <= end:
        left = _BLOCK - at % _BLOCK
        if left < 7:
            at += left
            continue
        size = int.from_bytes(data[at + 4 : at + 6], "little")
        kind = data[at + 6]
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or size > left - 7:
            if any(data[at : at + left]):
                frames.skipped += min(left, end - at)
            parts = []
            at += left
            continue
        if at + 7 + size > end:
            break
        if kind in (_FULL, _FIRST):
            parts = []
        parts.append(data[at + 7 : at + 7 + size])
        at += 7 + size
        if kind in (_FULL, _LAST):
            yield b"".join(parts)
            parts = []
    frames.cut = at < end or bool(parts)
