"""What the formats share: blocks, numbers of any length, checksums that know their
place."""

from __future__ import annotations

import operator
import struct
import zlib
from typing import Any

from bbans.errors import ModelError

__all__ = ["CRC", "INDEX", "as_block_size", "checked", "uvarint"]

CRC = struct.Struct("<I")
INDEX = struct.Struct("<Q")


def uvarint(value: int) -> bytes:
    """An unsigned LEB128 number, in its shortest form."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def checked(index: int, record: bytes) -> bytes:
    """A record and its checksum, of which the place is part: blocks cannot change
    places."""
    return record + CRC.pack(zlib.crc32(record, zlib.crc32(INDEX.pack(index))))


def as_block_size(value: Any, most: int) -> int:
    """The size of blocks that was given, if it is one.

    Raises
    ------
    ModelError
        If it is no integer from 1 to `most`.
    """
    try:
        size = operator.index(value)
    except TypeError:
        raise ModelError(f"block size {value!r} is no integer") from None
    if not 1 <= size <= most:
        raise ModelError(f"block size {size} is outside 1 to {most}")
    return size
