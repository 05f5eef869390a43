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

from bbans._files import read_full, write_full
from bbans._records import CRC, INDEX, checked, uvarint
from bbans.errors import CorruptError, FormatError, TruncatedError, VersionError
from bbans.frozen import MAGIC as MODEL_MAGIC

__all__ = [
    "BLOCK_MAX",
    "ELEMENTS",
    "METHODS",
    "Block",
    "ContainerReader",
    "ContainerWriter",
    "Header",
]

MAGIC = b"\x89bbz"
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
        record = HEADER.pack(MAGIC, VERSION, header.element, 0, header.fingerprint)
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
        self._file = file
        record = self._read(HEADER.size, "its header", magic=True)
        magic, version, element, reserved, fingerprint = HEADER.unpack(record)
        if magic == MODEL_MAGIC:
            raise FormatError("not a bbans container: this is a model file")
        if magic != MAGIC:
            raise FormatError("not a bbans container: it does not start with its magic")
        if version != VERSION:
            raise VersionError(
                f"container has format version {version}, this release reads {VERSION}"
            )
        if self._read_crc("its header") != zlib.crc32(record):
            raise CorruptError("header is damaged: its checksum does not match")
        if element not in ELEMENTS or reserved != 0:
            raise VersionError("header has codes that this release does not know")
        self.header = Header(element, fingerprint)
        self.shape: tuple[int, ...] | None = None
        """Shape of the whole; known after the last block."""

    def blocks(self, salvage: bool = False) -> Iterator[Block]:
        """Yield the blocks, each checked; then set `shape`.

        Parameters
        ----------
        salvage : bool
            Yield damaged blocks too, with their error, as long as their lengths
            lead to the next block.
        """
        index, total = 0, 0
        while True:
            name = f"block {index}"
            record = bytearray()
            n_symbols = self._read_uvarint(record, name)
            if n_symbols == 0:
                break
            record += self._read(1, name)
            method = record[-1]
            n_bytes = self._read_uvarint(record, name)
            # A symbol takes at most two words, and a message eight more.
            if n_symbols > BLOCK_MAX or n_bytes > 8 * n_symbols + 32:
                raise CorruptError(f"{name} is damaged: its lengths are impossible")
            data = self._read(n_bytes, name)
            record += data
            error = None
            if self._read_crc(name) != zlib.crc32(INDEX.pack(index) + record):
                error = CorruptError(
                    f"{name} is damaged: its checksum does not match "
                    f"(symbols {total} to {total + n_symbols - 1})"
                )
                if not salvage:
                    raise error
            elif method not in METHODS:
                raise VersionError(f"{name} has a method that this release lacks")
            yield Block(index, n_symbols, method, data, error)
            index += 1
            total += n_symbols
        n_axes = self._read_uvarint(record, "its end record")
        if n_axes > AXES_MAX:
            raise CorruptError("end record is damaged: it has too many axes")
        shape = tuple(
            self._read_uvarint(record, "its end record") for _ in range(n_axes)
        )
        if self._read_crc("its end record") != zlib.crc32(INDEX.pack(index) + record):
            raise CorruptError("end record is damaged: its checksum does not match")
        if math.prod(shape) != total:
            raise CorruptError(f"shape {shape} does not hold {total} symbols")
        if self.header.element < 16 and n_axes != 1:
            raise CorruptError(f"text and bytes have one axis, not {n_axes}")
        if read_full(self._file, 1):
            raise CorruptError("container is followed by other data")
        self.shape = shape

    def _read(self, n: int, where: str, magic: bool = False) -> bytes:
        data = read_full(self._file, n)
        if len(data) < n:
            if magic and data[: len(MAGIC)] != MAGIC[: len(data)]:
                raise FormatError("not a bbans container: too short, and no magic")
            raise TruncatedError(f"container ends early, in {where}")
        return data

    def _read_crc(self, where: str) -> int:
        return int(CRC.unpack(self._read(CRC.size, where))[0])

    def _read_uvarint(self, record: bytearray, where: str) -> int:
        value = 0
        for shift in range(0, 63, 7):
            byte = self._read(1, where)[0]
            record.append(byte)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift > 0:
                    break  # a shorter form exists: no writer made this
                return value
        raise CorruptError(f"{where} is damaged: a length is malformed")
