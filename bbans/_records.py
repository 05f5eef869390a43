"""What the formats share: numbers of any length, checksums that know their place."""

from __future__ import annotations

import struct
import zlib

__all__ = ["CRC", "INDEX", "checked", "uvarint"]

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
