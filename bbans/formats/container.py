"""The container: messages in checked blocks, with what a reader must know.

docs/format.md, section 3, byte by byte. This file knows bytes, not models.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bbans._files import write_full
from bbans._kinds import CONTAINER
from bbans._records import CRC, RecordReader, check_shape, checked, uvarint
from bbans.errors import CorruptError, VersionError

__all__ = [
    "BLOCK_MAX",
    "ELEMENTS",
    "METHODS",
    "Block",
    "ContainerReader",
    "ContainerWriter",
    "Header",
]

VERSION = 1
HEADER = struct.Struct("<4sBBH8s")

#: What the elements were, by the code in the header.
ELEMENTS = {
    0: "bytes",
    1: "text as UTF-8",
    2: "text as characters",
    16: "uint8",
    17: "int8",
    18: "uint16",
    19: "int16",
    20: "uint32",
    21: "int32",
    22: "uint64",
    23: "int64",
}
#: Bytes of an array's elements, by the same code.
ITEM_BYTES = {code: 1 << (code - 16) // 2 for code in ELEMENTS if code >= 16}
#: How a block was coded, by the code before its data.
METHODS = {0: "IconoCLaSM", 1: "predictive", 2: "stored"}
ICONOCLASM, PREDICTIVE, STORED = METHODS

#: Symbols in a block at the most: what a reader allocates for a block's header.
BLOCK_MAX = 1 << 20
AXES_MAX = 32


@dataclass(frozen=True)
class Header:
    """What a container says of itself before its first block."""

    element: int
    fingerprint: bytes


@dataclass(frozen=True)
class Block:
    """One block: its data, or, when salvaging, why it cannot be trusted."""

    index: int
    n_symbols: int
    method: int
    data: bytes
    error: CorruptError | None = None


class ContainerWriter:
    """Writes a container, front to back, to a binary file."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self._index = 0
        record = HEADER.pack(CONTAINER, VERSION, header.element, 0, header.fingerprint)
        write_full(file, record + CRC.pack(zlib.crc32(record)))

    def write(self, n_symbols: int, method: int, data: bytes) -> None:
        """Append a block of 1 to `BLOCK_MAX` symbols: a message, or elements."""
        record = uvarint(n_symbols) + bytes([method]) + uvarint(len(data)) + data
        write_full(self._file, checked(self._index, record))
        self._index += 1

    def finish(self, shape: tuple[int, ...]) -> None:
        """Write the end record with the shape of the whole."""
        record = b"\0" + uvarint(len(shape)) + b"".join(map(uvarint, shape))
        write_full(self._file, checked(self._index, record))


class ContainerReader:
    """Reads a container, front to back, from a binary file.

    Raises
    ------
    FormatError
        If the file is no container.
    VersionError, TruncatedError, CorruptError
        If it cannot be read whole; the text names the part.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._reader = reader = RecordReader(file, "container")
        where = "its header"
        reader.magic(CONTAINER)
        record = CONTAINER + reader.read(HEADER.size - len(CONTAINER), where)
        _, version, element, reserved, fingerprint = HEADER.unpack(record)
        if version != VERSION:
            raise VersionError(
                f"container has format version {version}, this release reads {VERSION}"
            )
        if not reader.matches(where):
            raise CorruptError("header is damaged: its checksum does not match")
        if element not in ELEMENTS or reserved != 0:
            raise VersionError("header has codes that this release does not know")
        self.header = Header(element, fingerprint)
        self.shape: tuple[int, ...] | None = None
        """Shape of the whole; known after the last block."""
        self.n_data = 0
        """Bytes of the blocks' data so far."""

    @property
    def n_read(self) -> int:
        """Bytes that have been read."""
        return self._reader.at

    def blocks(self, salvage: bool = False, data: bool = True) -> Iterator[Block]:
        """Yield the blocks, each checked; then set `shape`.

        Parameters
        ----------
        salvage : bool
            Yield damaged blocks too, with their error, as long as their lengths
            lead to the next block.
        data : bool
            Otherwise only check the blocks' data, and yield blocks without them.
        """
        reader, index, total = self._reader, 0, 0
        while True:
            name = f"block {index}"
            reader.begin(index)
            n_symbols = reader.uvarint(name)
            if n_symbols == 0:
                break
            method = reader.read(1, name)[0]
            n_bytes = reader.uvarint(name)
            # A symbol takes at most two words, and a message eight more.
            if n_symbols > BLOCK_MAX or n_bytes > 8 * n_symbols + 32:
                raise CorruptError(f"{name} is damaged: its lengths are impossible")
            content = b""
            if data:
                content = reader.read(n_bytes, name)
            else:
                reader.skip(n_bytes, name)
            error = None
            if not reader.matches(name):
                error = CorruptError(
                    f"{name} is damaged: its checksum does not match "
                    f"(symbols {total} to {total + n_symbols - 1})"
                )
                if not salvage:
                    raise error
            elif method not in METHODS:
                raise VersionError(f"{name} has a method that this release lacks")
            yield Block(index, n_symbols, method, content, error)
            index += 1
            total += n_symbols
            self.n_data += n_bytes
        where = "its end record"
        n_axes = reader.uvarint(where)
        if n_axes > AXES_MAX:
            raise CorruptError("end record is damaged: it has too many axes")
        shape = tuple(reader.uvarint(where) for _ in range(n_axes))
        if not reader.matches(where):
            raise CorruptError("end record is damaged: its checksum does not match")
        if math.prod(shape) != total:
            raise CorruptError(f"shape {shape} does not hold {total} symbols")
        element = self.header.element
        if element in ITEM_BYTES:
            check_shape(shape, ITEM_BYTES[element])
        elif n_axes != 1:
            raise CorruptError(f"text and bytes have one axis, not {n_axes}")
        reader.end()
        self.shape = shape
