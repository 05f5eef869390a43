"""What the formats share: blocks, numbers of any length, checksums that know their
place, limits."""

from __future__ import annotations

import math
import operator
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from bbans._arguments import as_integer
from bbans._files import read_full
from bbans._kinds import START_BYTES, wrong_kind
from bbans.errors import CorruptError, LimitError, TruncatedError

__all__ = [
    "CRC",
    "INDEX",
    "RecordReader",
    "check_limit",
    "check_shape",
    "checked",
    "uvarint",
]

CRC = struct.Struct("<I")
INDEX = struct.Struct("<Q")
# Bytes that are read at a time: a length is a claim until the bytes are there.
_PART = 1 << 20


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


def check_limit(count: int, itemsize: int, max_bytes: Any, what: str) -> None:
    """That what is to be decoded does not take more bytes than the caller allows.

    Parameters
    ----------
    count, itemsize : int
        Elements, by what its header or the caller says, and bytes of each.
    max_bytes : int or None
        None: no limit.
    what : str
        Names the data.

    Raises
    ------
    LimitError
        If it takes more.
    ModelError
        If `max_bytes` is no integer of 0 or more.
    """
    if max_bytes is None:
        return
    limit = as_integer(max_bytes, "max_bytes", 0)
    claim = operator.index(count) * itemsize  # exact: numpy's integers would wrap
    if claim > limit:
        raise LimitError(
            f"{what} would decode to {claim} bytes, and max_bytes limits it to {limit}"
        )


def check_shape(shape: tuple[int, ...], itemsize: int) -> None:
    """That there can be an array of this shape: an empty one too has axes that can be
    counted in bytes.

    Raises
    ------
    CorruptError
        If there is none on this machine.
    """
    if math.prod(n for n in shape if n > 0) * itemsize > sys.maxsize:
        raise CorruptError(f"shape {shape} is beyond any array")


class RecordReader:
    """Reads a file of checked records, front to back.

    Parameters
    ----------
    file : binary file
        Is read as far as the records go, from where it stands.
    kind : str
        Names the data in errors.
    """

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file, self._kind, self._crc = file, kind, 0
        self.at = 0
        """Bytes that have been read."""

    def magic(self, magic: bytes) -> None:
        """Read what a file of this kind starts with.

        Raises
        ------
        FormatError
            If it starts otherwise; the text says as what.
        """
        start = read_full(self._file, len(magic))
        if not magic.startswith(start):
            start += read_full(self._file, START_BYTES - len(start))
            raise wrong_kind(start, f"a bbans {self._kind}")
        if start != magic:
            raise TruncatedError(f"{self._kind} ends early, in its header")
        self._crc, self.at = zlib.crc32(start), len(start)

    def begin(self, index: int) -> None:
        """Begin the record of this number: its checksum has the number first."""
        self._crc = zlib.crc32(INDEX.pack(index))

    def parts(self, n: int, where: str) -> Iterator[bytes]:
        """Yield the next n bytes of the record in parts.

        Raises
        ------
        TruncatedError
            If there are fewer.
        """
        while n > 0:
            part = read_full(self._file, min(n, _PART))
            self.at += len(part)
            if len(part) < min(n, _PART):
                raise TruncatedError(f"{self._kind} ends early, in {where}")
            self._crc = zlib.crc32(part, self._crc)
            n -= len(part)
            yield part

    def read(self, n: int, where: str) -> bytes:
        """Return the next n bytes of the record; see `parts`."""
        return b"".join(self.parts(n, where))

    def skip(self, n: int, where: str) -> None:
        """Read the next n bytes of the record, and keep only their checksum."""
        for _ in self.parts(n, where):
            pass

    def leap(self, n: int) -> None:
        """Pass over n bytes of a file in memory, read from its start: nothing of the
        record is then checked, and if it ends early the next read says so."""
        self.at = self._file.seek(min(self.at + n, sys.maxsize))

    def uvarint(self, where: str) -> int:
        """Return the record's next number.

        Raises
        ------
        TruncatedError, CorruptError
            If the file ends in it, or it is not in its shortest form.
        """
        value = 0
        for shift in range(0, 63, 7):
            byte = self.read(1, where)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift > 0:
                    break  # a shorter form exists: no writer made this
                return value
        raise CorruptError(f"{where} is damaged: a length is malformed")

    def matches(self, where: str) -> bool:
        """Read the record's checksum; is it that of the record?"""
        crc = self._crc
        return bool(CRC.unpack(self.read(CRC.size, where))[0] == crc)

    def end(self) -> None:
        """Check that nothing follows.

        Raises
        ------
        CorruptError
            If something does.
        """
        if read_full(self._file, 1):
            raise CorruptError(f"{self._kind} is followed by other data")
