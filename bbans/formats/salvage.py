"""What is left of a damaged container: all blocks whose checksums match.

The C library finds the way behind damage, `bbans_reader_resume`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from bbans._files import read_full
from bbans._lib import ffi, lib
from bbans._records import CRC, INDEX
from bbans.errors import CorruptError, FormatError, TruncatedError
from bbans.formats.container import (
    Block,
    ContainerReader,
    Header,
    block_name,
)

__all__ = ["Salvager"]

# Bytes of a header at most, and of what is read at a time.
_HEADER_BYTES, _PART = 512, 1 << 16


class _Ahead:
    """The bytes of a file from somewhere on, as many as are needed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._held, self._at = file, b"", 0
        self.ended = False
        """Whether there are no more than these."""

    @property
    def view(self) -> memoryview:
        return memoryview(self._held)[self._at :]

    def need(self, n: int) -> bool:
        """Have n bytes at hand, or all that are left; are there as many?"""
        missing = n - len(self.view)
        if missing > 0 and not self.ended:
            part = read_full(self._file, max(missing, _PART))
            self.ended = len(part) < max(missing, _PART)
            self._held, self._at = bytes(self.view) + part, 0
        return len(self.view) >= n

    def drop(self, n: int) -> None:
        """Go on n bytes further."""
        self._at += n


class Salvager:
    """Reads a container that may be damaged, front to back.

    Parameters
    ----------
    file : binary file

    Attributes
    ----------
    header : Header
        Of the first part.

    Raises
    ------
    FormatError, VersionError, TruncatedError, CorruptError
        If it begins with no header that can be read: nothing tells what blocks hold.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._ahead, self._c = _Ahead(file), ffi.new("bbans_reader *")
        self.header = self._part = self._header()
        self._ahead.drop(self._call(lib.bbans_reader_begin)[1])

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Of the parts that have ended, if they are arrays: as it is in the file."""
        known = self.header.is_array and self._c.ended
        return tuple(self._c.shape[0 : self._c.axes]) if known else None

    def blocks(self) -> Iterator[tuple[Header, Block] | FormatError]:
        """Yield each block that is as it was written, with the header of its part, and
        an error for each that is lost and for what else is damaged, in their places."""
        block, c = ffi.new("bbans_block *"), self._c
        while self._ahead.need(1) or not c.ended:
            before = ffi.new("bbans_reader *", c[0])
            status, used = self._call(lib.bbans_reader_next, block)
            if block.elements > 0 and block.bytes != ffi.NULL:
                yield self._part, self._block(block, used)  # which coders may refuse
            elif status != lib.BBANS_OK:
                c[0] = before[0]
                yield from self._resumed(status)
                used = 0
            elif block.elements == 0 and not c.ended:
                self._part = self._header()
            if status != lib.BBANS_OK and not len(self._ahead.view):
                return
            self._ahead.drop(used)

    def _header(self) -> Header:
        """The header that comes next."""
        self._ahead.need(_HEADER_BYTES)
        return ContainerReader(self._ahead.view).header

    def _call(self, function: Any, *more: Any) -> tuple[int, int]:
        """Call a function of C for the next record: its status and the record's bytes.

        After TRUNCATED these are what it wants, or one more than there are.
        """
        used, ahead = ffi.new("size_t *"), self._ahead
        while True:
            n = len(ahead.view)
            source = ffi.from_buffer("uint8_t[]", ahead.view)
            status = function(self._c, source, n, *more, used)
            if status != lib.BBANS_ERR_TRUNCATED or ahead.ended:
                return status, used[0]
            ahead.need(max(used[0], n + n // 2 + 1))

    def _block(self, c: Any, used: int) -> Block:
        """The block that was read."""
        own = self._c.own
        index, part = self._c.blocks - 1, self._c.parts - 1
        end = self._c.elements - own.before
        record = self._ahead.view[: used - CRC.size]
        head = record[: len(record) - c.n_bytes]
        return Block(
            block_name(index, part),
            end - c.elements,
            c.elements,
            c.method,
            c.n_bytes,
            bytes(record[len(head) :]),
            zlib.crc32(head, zlib.crc32(INDEX.pack(index))),
            CRC.unpack_from(self._ahead.view, len(record))[0],
        )

    def _resumed(self, status: int) -> Iterator[FormatError]:
        """Go on behind damage, and say what it was."""
        c, ahead, skipped = self._c, self._ahead, ffi.new("size_t *")
        first, start = c.blocks, c.elements - c.own.before
        was_header, is_end = bool(c.ended), bytes(ahead.view[:1]) == b"\0"
        name = block_name(first, c.parts - 1)
        where = "its header" if was_header else "its end record" if is_end else name
        ahead.drop(1)  # where the record began, there is none
        while True:
            n, source = len(ahead.view), ffi.from_buffer("uint8_t[]", ahead.view)
            found = lib.bbans_reader_resume(c, source, n, ahead.ended, skipped)
            ahead.drop(skipped[0])
            if found == lib.BBANS_OK or ahead.ended:
                break
            n -= skipped[0]
            ahead.need(n + max(n, _PART))
        if found != lib.BBANS_OK and status == lib.BBANS_ERR_TRUNCATED:
            yield TruncatedError(f"container ends early, in {where}", status)
            return
        if c.blocks == first:  # of all else it is not known what it was
            yield CorruptError(f"{where} is damaged", status)
        for index in range(first, c.blocks):
            at, name = start + (index - first) * c.block, block_name(index, c.parts - 1)
            is_last = index + 1 == c.blocks and bytes(ahead.view[:1]) == b"\0"
            # The last may have fewer elements, and how many it does not say.
            elements = f"from {at} on" if is_last else f"{at} to {at + c.block - 1}"
            yield CorruptError(
                f"{name} is damaged: its checksum does not match (elements {elements})",
                status,
            )
