"""What the formats share: blocks, numbers of any length, checksums that know their
place."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from bbans.errors import CorruptError, TruncatedError

__all__ = ["CRC", "INDEX", "checked", "take_uvarint", "uvarint"]

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


def take_uvarint(
    data: bytes | NDArray[np.uint8], at: int, kind: str, where: str
) -> tuple[int, int]:
    """Where the number at `at` ends, and its value; errors name the kind of data."""
    value = 0
    for shift in range(0, 63, 7):
        if at == len(data):
            raise TruncatedError(f"{kind} ends early, in {where}")
        byte = int(data[at])
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift > 0:
                break  # a shorter form exists: no writer made this
            return at, value
    raise CorruptError(f"{where} is damaged: a length is malformed")


def checked(index: int, record: bytes) -> bytes:
    """A record and its checksum, of which the place is part: blocks cannot change
    places."""
    return record + CRC.pack(zlib.crc32(record, zlib.crc32(INDEX.pack(index))))
