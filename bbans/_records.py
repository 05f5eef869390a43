"""What the formats share: numbers of any length, checksums that know their place,
limits."""

from __future__ import annotations

import math
import operator
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeAlias

from bbans._files import read_full
from bbans._kinds import START_BYTES, wrong_kind
from bbans.errors import CorruptError, LimitError, TruncatedError

__all__ = [
    "CRC",
    "INDEX",
    "UVARINT_BYTES",
    "Buffer",
    "RecordReader",
    "check_limit",
    "check_shape",
    "take_uvarint",
    "uvarint",
    "with_checksum",
]

Buffer: TypeAlias = bytes | bytearray | memoryview

CRC = struct.Struct("<I")
INDEX = struct.Struct("<Q")
# Bytes of a number at the most: it is below 2^63.
UVARINT_BYTES = 9
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


def take_uvarint(data: Iterator[int], most: int = UVARINT_BYTES) -> int | None:
    """Take what `uvarint` wrote, of at most `most` bytes; None for any other form.

    Bytes that end early are a StopIteration.
    """
    value = 0
    for shift in range(0, 7 * most, 7):
        byte = next(data)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            # Else a shorter form exists: no writer made this.
            return value if byte > 0 or shift == 0 else None
    return None


def with_checksum(index: int, record: bytes) -> bytes:
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
    from bbans._arguments import as_integer  # with numpy, which heads do without

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
    """Reads checked records, front to back.

    Parameters
    ----------
    source : binary file or memoryview
        A file is read as far as the records go, from where it stands. What is taken of
        a memoryview is part of it, and not copied.
    kind : str
        Names the data in errors.
    """

    def __init__(self, source: BinaryIO | memoryview, kind: str) -> None:
        self._source, self._kind = source, kind
        self.at = 0
        """Bytes that have been read."""
        self.crc = 0
        """Checksum of the record so far."""

    def magic(self, magic: bytes, again: bool = False) -> bool:
        """Read what data of this kind start with.

        Parameters
        ----------
        again : bool
            Data of this kind came before: if there are no more, return False.

        Raises
        ------
        FormatError
            If they start otherwise; the text says as what.
        """
        start = bytes(self._some(len(magic)))
        if again and not start:
            return False
        if start != magic:
            if magic.startswith(start):
                raise TruncatedError(f"{self._kind} ends early, in its header")
            if again:
                raise CorruptError(f"{self._kind} is followed by other data")
            start += bytes(self._some(START_BYTES - len(start)))
            raise wrong_kind(start, f"a bbans {self._kind}")
        self.crc = zlib.crc32(start)
        return True

    def begin(self, index: int) -> None:
        """Begin the record of this number: its checksum has the number first."""
        self.crc = zlib.crc32(INDEX.pack(index))

    def take(self, n: int, where: str) -> Buffer:
        """Return the next n bytes, and leave them out of the record's checksum.

        Raises
        ------
        TruncatedError
            If there are fewer.
        """
        data = self._some(n)
        if len(data) < n:
            raise TruncatedError(f"{self._kind} ends early, in {where}")
        return data

    def parts(self, n: int, where: str) -> Iterator[bytes]:
        """Yield the next n bytes of the record in parts.

        Raises
        ------
        TruncatedError
            If there are fewer.
        """
        while n > 0:
            part = bytes(self.take(min(n, _PART), where))
            self.crc = zlib.crc32(part, self.crc)
            n -= len(part)
            yield part

    def read(self, n: int, where: str) -> bytes:
        """Return the next n bytes of the record; see `take`."""
        data = bytes(self.take(n, where))
        self.crc = zlib.crc32(data, self.crc)
        return data

    def skip(self, n: int, where: str) -> None:
        """Read the next n bytes of the record, and keep only their checksum."""
        for _ in self.parts(n, where):
            pass

    def uvarint(self, where: str) -> int:
        """Return the record's next number.

        Raises
        ------
        TruncatedError, CorruptError
            If the data end in it, or it is not in its shortest form.
        """
        value = take_uvarint(self.read(1, where)[0] for _ in range(UVARINT_BYTES))
        if value is None:
            raise CorruptError(f"{where} is damaged: a length is malformed")
        return value

    def matches(self, where: str) -> bool:
        """Read the record's checksum; is it that of the record?"""
        return bool(CRC.unpack(self.take(CRC.size, where))[0] == self.crc)

    def end(self) -> None:
        """Check that nothing follows.

        Raises
        ------
        CorruptError
            If something does.
        """
        if self._some(1):
            raise CorruptError(f"{self._kind} is followed by other data")

    def _some(self, n: int) -> Buffer:
        """The next n bytes, or fewer at the end."""
        data: Buffer
        if isinstance(self._source, memoryview):
            data = self._source[self.at : self.at + n]
        elif n <= _PART:
            data = read_full(self._source, n)
        else:
            data = bytearray()
            while part := read_full(self._source, min(n - len(data), _PART)):
                data += part
        self.at += len(data)
        return data
