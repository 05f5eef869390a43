"""The container: parts of checked blocks, with what a reader must know and an index.

docs/format.md, Container, byte by byte. This file knows bytes, not coders; and numpy
only where types are asked for, so that `bbans --list` starts without it.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from array import array
from collections.abc import Collection, Iterator
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeAlias

from bbans._files import read_full, write_full
from bbans._kinds import CONTAINER
from bbans._records import (
    CRC,
    INDEX,
    UVARINT_BYTES,
    Buffer,
    RecordReader,
    check_shape,
    uvarint,
    with_checksum,
)
from bbans.errors import CorruptError, SymbolError, VersionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "AXES_MAX",
    "BLOCK_BYTES_MAX",
    "BOOL",
    "BYTES",
    "BYTE_BLOCK",
    "CHANNELS_MAX",
    "CODEC",
    "CODE_POINTS",
    "FINGERPRINT_BYTES",
    "FIRST_EXTENSION",
    "FLOATS",
    "FLOAT_NAMES",
    "GRID",
    "METHODS",
    "MIXING",
    "MODEL",
    "NAME_MAX",
    "PIECES",
    "SIGNAL",
    "STORED",
    "UTF8",
    "Block",
    "ContainerReader",
    "ContainerWriter",
    "Header",
    "IndexedPart",
    "Line",
    "Part",
    "array_header",
    "float_element",
    "read_index",
]

VERSION = 3
#: Elements: bytes and text, and from `FIRST_INTEGER` on those of arrays: integers,
#: and what is coded as such.
BYTES, UTF8, CODE_POINTS, FIRST_INTEGER = 0, 1, 2, 16
BOOL, DATETIME, TIMEDELTA = 24, 25, 26
_INTEGERS = "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "u1", "<i8", "<i8"
#: Floats, as the unsigned integers of their bits. The first of these are numpy's, which
#: have a byte order; the others are those of ml_dtypes, by their names there.
FIRST_FLOAT, FIRST_EXTENSION = 27, 30
FLOAT_NAMES = {
    27: "float16",
    28: "float32",
    29: "float64",
    30: "bfloat16",
    31: "float8_e4m3fn",
    32: "float8_e5m2",
}
_FLOATS = {name: element for element, name in FLOAT_NAMES.items()}
_FLOAT_BITS = "<u2", "<u4", "<u8", "<u2", "u1", "u1"
#: Of elements that have a unit, by their kind in numpy.
_WITH_UNIT = {"M": DATETIME, "m": TIMEDELTA}
_KINDS = {element: kind for kind, element in _WITH_UNIT.items()}
#: Units by their codes. Only these have a multiplier, up to the most.
_UNITS = (
    "generic",
    "Y",
    "M",
    "W",
    "D",
    "h",
    "m",
    "s",
    "ms",
    "us",
    "ns",
    "ps",
    "fs",
    "as",
)
_UNIT = struct.Struct("<BI")
_MULTIPLIER_MAX = (1 << 31) - 1
#: The integers that elements are in the file, as numpy spells their types.
_TYPES = {BYTES: "u1", UTF8: "u1", CODE_POINTS: "<u4"}
_TYPES |= {FIRST_INTEGER + i: name for i, name in enumerate(_INTEGERS + _FLOAT_BITS)}
_BIG_ENDIAN = 0x80
#: How a block was coded, by the code before its data.
STORED, MODEL, BYTE_BLOCK, SIGNAL, CODEC, PIECES, GRID, FLOATS, MIXING = range(9)
METHODS = {
    STORED: "stored",
    MODEL: "model",
    BYTE_BLOCK: "bytes",
    SIGNAL: "signal",
    CODEC: "codec",
    PIECES: "pieces",
    GRID: "grid",
    FLOATS: "floats",
    MIXING: "mixing",
}
#: What a header names, in the lower bits of a byte; above is the axis.
NO_CODER, NAMES_MODEL, NAMES_CODEC, HAS_LINE = range(4)
#: The start and the step of a line, modulo 2**64.
Line: TypeAlias = tuple[int, int]
_LINE = struct.Struct("<QQ")
_AXIS_SHIFT = 2
FINGERPRINT_BYTES = 8
NAME_MAX = 255

#: Bytes of a block's elements at the most: what a reader allocates for a block.
BLOCK_BYTES_MAX = 1 << 24
AXES_MAX = 32
#: Of a signal.
CHANNELS_MAX = BLOCK_BYTES_MAX


class Header(NamedTuple):
    """What a part says of itself before its first block.

    Parameters
    ----------
    element : int
        `BYTES`, `UTF8`, `CODE_POINTS`, or the element of an array.
    big_endian : bool
        Of the array that was compressed; in the file elements are little-endian.
    fingerprint : bytes
        Of the model or the codec that is named; empty if none is.
    name : str
        Of the codec that is named; empty for a model.
    unit, multiplier : int
        Of dates and durations: the code of the unit, and how many of it; else 0.
    axis : int
        Where the array that was compressed has the axis that is first in the file.
    line : tuple of int, optional
        A start and a step, which blocks of signals may refer to.
    """

    element: int
    big_endian: bool = False
    fingerprint: bytes = b""
    name: str = ""
    unit: int = 0
    multiplier: int = 0
    axis: int = 0
    line: Line | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements in the file: integers, of whatever they are."""
        return _dtype(_TYPES[self.element])

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return int(_TYPES[self.element][-1])

    @property
    def is_float(self) -> bool:
        """Whether the elements are floats, whose bits the integers are."""
        return self.element >= FIRST_FLOAT

    @property
    def is_array(self) -> bool:
        return self.element >= FIRST_INTEGER

    @property
    def is_text(self) -> bool:
        return self.element in (UTF8, CODE_POINTS)

    @property
    def type(self) -> type:
        """Type of what was compressed."""
        if self.is_array:
            import numpy as np

            return np.ndarray
        return str if self.is_text else bytes

    @property
    def array_dtype(self) -> np.dtype[Any]:
        """Type of the array that was compressed; of floats that neither numpy nor an
        installed ml_dtypes has, the unsigned integers of their bits."""
        order = ">" if self.big_endian else "<"
        if self.element == BOOL:
            return _dtype("?")
        if self.element >= FIRST_EXTENSION:
            return _extension_dtype(self.element)
        if self.is_float:
            return _dtype(f"{order}f{self.itemsize}")
        if self.element in _KINDS:
            return _dtype(f"{order}{_KINDS[self.element]}8{self._unit_name}")
        return self.memory_dtype

    @property
    def type_name(self) -> str:
        """What the type of an array is called, without its byte order; for others what
        they are."""
        if not self.is_array:
            return "text" if self.is_text else "bytes"
        if self.element in _KINDS:
            word = {DATETIME: "datetime64", TIMEDELTA: "timedelta64"}[self.element]
            return word + self._unit_name
        if self.element == BOOL:
            return "bool"
        sign = "u" * ("u" in _TYPES[self.element])
        return FLOAT_NAMES.get(self.element) or f"{sign}int{8 * self.itemsize}"

    @property
    def _unit_name(self) -> str:
        if not self.unit:
            return ""
        number = "" if self.multiplier == 1 else self.multiplier
        return f"[{number}{_UNITS[self.unit]}]"

    @property
    def memory_dtype(self) -> np.dtype[Any]:
        """Type of the integers that the elements of the array are in memory."""
        if self.element >= FIRST_EXTENSION:
            return self.dtype.newbyteorder("=")  # these types have no other order
        return self.dtype.newbyteorder(">") if self.big_endian else self.dtype

    @property
    def kind(self) -> str:
        """Names what parts have in common that can be joined."""
        if self.is_array:
            order = "big-endian " if self.big_endian else ""
            along = f", axis {self.axis} first" if self.axis else ""
            return f"an array of {order}{self.type_name}{along}"
        return self.type_name

    def moved(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array as it is in the file, as it was; a view."""
        import numpy as np

        return np.moveaxis(array, 0, self.axis) if self.axis else array

    def shape_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that an array of this shape in the file had."""
        return (*shape[1 : self.axis + 1], *shape[:1], *shape[self.axis + 1 :])

    def to_bytes(self) -> bytes:
        """The header's bytes."""
        coder = bytes([NO_CODER])
        if self.name:
            name = self.name.encode("utf-8")
            coder = bytes([NAMES_CODEC, len(name)]) + name
            coder += self.fingerprint.ljust(FINGERPRINT_BYTES, b"\0")
        elif self.fingerprint:
            coder = bytes([NAMES_MODEL]) + self.fingerprint
        elif self.line is not None:
            coder = bytes([HAS_LINE]) + _LINE.pack(*self.line)
        element = self.element | self.big_endian * _BIG_ENDIAN
        first = coder[0] | self.axis << _AXIS_SHIFT
        record = CONTAINER + bytes([VERSION, element, first])
        if self.element in _KINDS:
            record += _UNIT.pack(self.unit, self.multiplier)
        record += coder[1:]
        return record + CRC.pack(zlib.crc32(record))


@cache
def _dtype(name: Any) -> np.dtype[Any]:
    import numpy as np

    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def _extension_dtype(element: int) -> np.dtype[Any]:
    """The type of ml_dtypes, or else of the bits."""
    try:
        import ml_dtypes  # when there is such an array
    except ImportError:
        return _dtype(_TYPES[element]).newbyteorder("=")
    return _dtype(getattr(ml_dtypes, FLOAT_NAMES[element]))


def float_element(dtype: Any) -> int | None:
    """The element of a type of floats, or of its name; None if it is of none."""
    import numpy as np

    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    return _FLOATS.get(name)


def array_header(
    dtype: np.dtype[Any], fingerprint: bytes = b"", name: str = "", axis: int = 0
) -> Header:
    """The header of an array of this type.

    Raises
    ------
    SymbolError
        If it is none that can be compressed.
    """
    import numpy as np

    size, kind, unit, multiplier = dtype.itemsize, dtype.kind, 0, 0
    if kind in "iu" and size <= 8:
        element = FIRST_INTEGER + 2 * (size.bit_length() - 1) + (kind == "i")
    elif kind == "b":
        element = BOOL
    elif kind in _WITH_UNIT:
        element = _WITH_UNIT[kind]
        word, multiplier = np.datetime_data(dtype)
        unit = _UNITS.index(word)
        multiplier = multiplier if unit else 1  # there are no two of nothing
    elif (found := float_element(dtype)) is not None:
        element = found
    else:
        raise SymbolError(
            "can compress integers, floats, bool, datetime64 and timedelta64, not "
            f"{dtype}"
        )
    big_endian = dtype.str[0] == ">" and element < FIRST_EXTENSION
    return Header(element, big_endian, fingerprint, name, unit, multiplier, axis)


def _has_order(element: int) -> bool:
    """Whether elements may be of either byte order."""
    is_array = FIRST_INTEGER <= element < FIRST_EXTENSION
    return is_array and Header(element).itemsize > 1


def _read_header(reader: RecordReader) -> Header:
    """Read what follows the magic."""
    where = "its header"
    version = reader.read(1, where)[0]
    if version != VERSION:
        raise VersionError(
            f"container has format version {version}, this release reads {VERSION}"
        )
    element, coder = reader.read(2, where)
    element, big_endian = element & ~_BIG_ENDIAN, element >= _BIG_ENDIAN
    coder, axis = coder & (1 << _AXIS_SHIFT) - 1, coder >> _AXIS_SHIFT
    name, fingerprint, unit, multiplier = b"", b"", 0, 0
    if element in _KINDS:
        unit, multiplier = _UNIT.unpack(reader.read(_UNIT.size, where))
    if coder == NAMES_CODEC:
        name = reader.read(reader.read(1, where)[0], where)
    if coder in (NAMES_MODEL, NAMES_CODEC):
        fingerprint = reader.read(FINGERPRINT_BYTES, where)
    line = None
    if coder == HAS_LINE:
        line = _LINE.unpack(reader.read(_LINE.size, where))
    if not reader.matches(where):
        raise CorruptError("header is damaged: its checksum does not match")
    is_array = element >= FIRST_INTEGER
    if (
        element not in _TYPES
        or (big_endian and not _has_order(element))
        or axis >= (AXES_MAX if is_array else 1)
        or unit >= len(_UNITS)
        or (line is not None and not FIRST_INTEGER <= element < FIRST_FLOAT)
    ):
        raise VersionError("header has codes that this release does not know")
    most = 0 if element not in _KINDS else _MULTIPLIER_MAX if unit else 1
    if not min(most, 1) <= multiplier <= most:
        raise CorruptError(
            f"header is damaged: there is no unit of {multiplier} {_UNITS[unit]}"
        )
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        raise CorruptError("header is damaged: the codec's name is no UTF-8") from None
    if coder == NAMES_CODEC and not name:
        raise CorruptError("header is damaged: the codec has no name")
    return Header(element, big_endian, fingerprint, text, unit, multiplier, axis, line)


class Block(NamedTuple):
    """One block, whose data are to be trusted after `check` only.

    Attributes
    ----------
    name : str
        Names the block in errors.
    start, n : int
        Its elements are those from `start` on of its part, `n` of them.
    method : int
    n_bytes : int
        Of its data.
    data : bytes-like
        Empty if it was read to be checked alone.
    crc, claim : int
        The checksum of what precedes the data, if there are any, and that of the block.
    """

    name: str
    start: int
    n: int
    method: int
    n_bytes: int
    data: Buffer
    crc: int
    claim: int

    def check(self) -> None:
        """That the block is as it was written.

        Raises
        ------
        CorruptError
            If its checksum does not match.
        VersionError
            If it does, and this release lacks its method.
        """
        from bbans._lib import crc32  # with numpy, which headers do without

        if crc32(self.data, self.crc) != self.claim:
            raise CorruptError(
                f"{self.name} is damaged: its checksum does not match "
                f"(elements {self.start} to {self.start + self.n - 1})"
            )
        if self.method not in METHODS:
            raise VersionError(f"{self.name} has a method that this release lacks")


def _read_block(
    reader: RecordReader,
    itemsize: int,
    index: int,
    name: str,
    start: int,
    keep: Collection[int] | None = None,
) -> Block | None:
    """Read a block, or the zero in its place; `keep`: methods whose data are kept,
    None: all."""
    reader.begin(index)
    n = reader.uvarint(name)
    if n == 0:
        return None
    method = reader.read(1, name)[0]
    n_bytes = reader.uvarint(name)
    if n * itemsize > BLOCK_BYTES_MAX or n_bytes > n * itemsize:
        raise CorruptError(f"{name} is damaged: its lengths are impossible")
    data: Buffer = b""
    if keep is None or method in keep:
        data = reader.take(n_bytes, name)
    else:
        reader.skip(n_bytes, name)
    (claim,) = CRC.unpack(reader.take(CRC.size, name))
    return Block(name, start, n, method, n_bytes, data, reader.crc, claim)


class ContainerWriter:
    """Writes a part of a container, front to back, to a binary file."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file, self._is_array = file, header.is_array
        self._sizes = array("Q")
        record = header.to_bytes()
        self._n_bytes = len(record)
        self.n_elements = 0
        """Elements of the blocks so far."""
        write_full(file, record)

    def write(self, n: int, method: int, data: Buffer) -> None:
        """Append a block of n elements, as many as the first has, or the last."""
        from bbans._lib import crc32

        data = memoryview(data).cast("B")
        head = uvarint(n) + bytes([method]) + uvarint(len(data))
        crc = zlib.crc32(head, zlib.crc32(INDEX.pack(len(self._sizes))))
        for part in (head, data, CRC.pack(crc32(data, crc))):
            write_full(self._file, part)
        self._sizes.append(len(head) + len(data) + CRC.size)
        self.n_elements += n

    def finish(self, shape: tuple[int, ...] = ()) -> None:
        """Write the end record, with the shape of an array."""
        record = b"\0"
        if self._is_array:
            record += uvarint(len(shape)) + b"".join(map(uvarint, shape))
        record += uvarint(len(self._sizes)) + b"".join(map(uvarint, self._sizes[:-1]))
        record = with_checksum(len(self._sizes), record)
        record += uvarint(len(record))[::-1]
        n_bytes = self._n_bytes + sum(self._sizes) + len(record)
        write_full(self._file, record + uvarint(n_bytes)[::-1])


# ---- in one pass


class Part:
    """A part that is being read, from behind its magic on."""

    def __init__(self, reader: RecordReader, number: int) -> None:
        self._reader, self._number = reader, number
        self._start = reader.at - len(CONTAINER)
        self.header = _read_header(reader)
        self.n_elements = 0
        """Elements of the blocks so far."""
        self.shape: tuple[int, ...] | None = None
        """Of an array; known after the last block."""

    def blocks(self, keep: Collection[int] | None = None) -> Iterator[Block]:
        """Yield the blocks, to be checked by the caller; then check the end record.

        Parameters
        ----------
        keep : collection of int, optional
            Methods: other blocks come without their data, which take no memory. By
            default all have them.

        Raises
        ------
        CorruptError, TruncatedError
            If there is no way to the next block, or the end record is damaged.
        """
        reader, sizes = self._reader, array("Q")
        itemsize, first, last = self.header.itemsize, 0, 0
        while True:
            start, name = reader.at, block_name(len(sizes), self._number)
            block = _read_block(
                reader, itemsize, len(sizes), name, self.n_elements, keep
            )
            if block is None:
                break
            first = first or block.n
            if sizes and not block.n <= first == last:
                raise CorruptError(
                    f"{name} is damaged: it has {block.n} elements, and the blocks "
                    f"before it {last} and {first}"
                )
            last = block.n
            sizes.append(reader.at - start)
            self.n_elements += block.n
            yield block
        self.shape = _read_axes(reader, self.header)
        where = "its end record"
        index = reader.uvarint(where) == len(sizes) and all(
            reader.uvarint(where) == size for size in sizes[:-1]
        )
        if not index:
            raise CorruptError("end record is damaged: its index is of other blocks")
        if not reader.matches(where):
            raise CorruptError("end record is damaged: its checksum does not match")
        _check_axes(self.shape, self.header, self.n_elements, first)
        for begin in (start, self._start):
            length = uvarint(reader.at - begin)[::-1]
            if reader.take(len(length), where) != length:
                raise CorruptError("end record is damaged: a length does not fit")


class ContainerReader:
    """Reads a container, front to back.

    Parameters
    ----------
    source : binary file or memoryview

    Attributes
    ----------
    header : Header
        Of the first part.
    kind : str
        Of the parts so far, joined.
    shape : tuple of int or None
        Of the parts so far, if they are arrays: as it is in the file.

    Raises
    ------
    FormatError
        If it is no container.
    VersionError, TruncatedError, CorruptError
        If it cannot be read whole; the text names what is wrong.
    """

    def __init__(self, source: BinaryIO | memoryview) -> None:
        self._reader = RecordReader(source, "container")
        self._reader.magic(CONTAINER)
        self._first = Part(self._reader, 0)
        self.header = self._first.header
        self.kind = self.header.kind
        self.shape: tuple[int, ...] | None = None

    @property
    def n_read(self) -> int:
        """Bytes that have been read."""
        return self._reader.at

    def parts(self) -> Iterator[Part]:
        """Yield the parts; the blocks of each are to be read before the next."""
        part = self._first
        for number in count(1):
            yield part
            self.shape = join_shapes(self.shape, part, number - 1)
            if not self._reader.magic(CONTAINER, again=True):
                return
            part = Part(self._reader, number)
            self.kind = join_kinds(self.kind, part.header.kind, number)

    def blocks(self) -> Iterator[tuple[Header, Block]]:
        """Yield the blocks of all parts, each with the header of its part."""
        for part in self.parts():
            for block in part.blocks():
                yield part.header, block


def block_name(index: int, part: int) -> str:
    return f"block {index}" + (f" of part {part}" if part else "")


def join_kinds(before: str, kind: str, number: int) -> str:
    """The kind of what parts hold, and one more of this number behind them: bytes and
    text are bytes together."""
    if {before, kind} == {"bytes", "text"}:
        return "bytes"
    if before != kind:
        raise CorruptError(
            f"part {number} is {kind}, which cannot be joined to {before}"
        )
    return kind


def join_shapes(
    before: tuple[int, ...] | None, part: Part | IndexedPart, number: int
) -> tuple[int, ...] | None:
    """The shape in the file of arrays one after the other, along their first axis."""
    shape = part.shape
    if number == 0 or before is None or shape is None:
        return shape
    if not shape or not before or shape[1:] != before[1:]:
        shapes = part.header.shape_of(shape), part.header.shape_of(before)
        raise CorruptError(
            "part {} is an array of shape {}, which cannot be joined to one of shape "
            "{}".format(number, *shapes)
        )
    joined = before[0] + shape[0], *shape[1:]
    check_shape(joined, part.header.itemsize)
    return joined


def _read_axes(reader: RecordReader, header: Header) -> tuple[int, ...] | None:
    if not header.is_array:
        return None
    where = "its end record"
    n_axes = reader.uvarint(where)
    if n_axes > AXES_MAX:
        raise CorruptError("end record is damaged: it has too many axes")
    return tuple(reader.uvarint(where) for _ in range(n_axes))


def _check_axes(
    shape: tuple[int, ...] | None, header: Header, n_elements: int, block_size: int
) -> None:
    if shape is None:
        return
    if math.prod(shape) != n_elements:
        raise CorruptError(f"shape {shape} does not hold {n_elements} elements")
    check_shape(shape, header.itemsize)
    if header.axis == 0:
        return
    if header.axis >= len(shape):
        raise CorruptError(f"an array of {len(shape)} axes has no axis {header.axis}")
    if block_size % max(math.prod(shape[1:]), 1):
        raise CorruptError(
            f"blocks of {block_size} elements are no steps of {math.prod(shape[1:])}"
        )


# ---- from the end


class IndexedPart:
    """A part that was found from its end, whose blocks are read one by one.

    Parameters
    ----------
    file : binary file
        It can seek.
    number : int
        Of the part.
    start, end : int
        Where it begins, and where the record of its length does.

    Attributes
    ----------
    header : Header
    shape : tuple of int or None
    n_elements, block_size : int
        Of the part, and of all its blocks but the last.
    """

    def __init__(self, file: BinaryIO, number: int, start: int, end: int) -> None:
        self._file, self._number = file, number
        reader = _reader_at(file, start)
        reader.magic(CONTAINER)
        self.header = _read_header(reader)
        first, (length, width) = start + reader.at, _read_backwards(file, end)
        begin = end - width - length
        if begin < first:
            raise CorruptError("end record is damaged: a length does not fit")
        record = bytes(_reader_at(file, begin).take(length, "its end record"))
        reader = RecordReader(memoryview(record), "container")
        zero = reader.uvarint("its end record")
        self.shape = _read_axes(reader, self.header)
        n_blocks = reader.uvarint("its end record")
        #: Where each block begins, and the last one ends.
        self._bounds, at = array("Q"), first
        for index in range(n_blocks):
            self._bounds.append(at)
            if index < n_blocks - 1:
                at += reader.uvarint("its end record")
            if at >= begin:
                raise CorruptError("end record is damaged: its index does not fit")
        if zero or with_checksum(n_blocks, record[: reader.at]) != record:
            raise CorruptError("end record is damaged: its checksum does not match")
        self._bounds.append(begin)
        self.block_size = self._claim(0) if n_blocks else 1
        last = self._claim(n_blocks - 1) if n_blocks else 0
        self.n_elements = max(n_blocks - 1, 0) * self.block_size + last
        _check_axes(
            self.shape, self.header, self.n_elements, self.block_size * (n_blocks > 0)
        )

    @property
    def n_blocks(self) -> int:
        return len(self._bounds) - 1

    def block(self, index: int) -> Block:
        """Read the block of this number, and check it."""
        name, start = block_name(index, self._number), index * self.block_size
        reader = _reader_at(self._file, self._bounds[index])
        block = _read_block(reader, self.header.itemsize, index, name, start)
        if block is not None:
            block.check()
        if block is None or (block.n, self._bounds[index] + reader.at) != (
            min(self.block_size, self.n_elements - start), self._bounds[index + 1]
        ):  # fmt: skip
            raise CorruptError(f"{name} is damaged: it is not what the index has there")
        return block

    def method(self, index: int) -> int:
        """How the block of this number was coded, as it says."""
        name = block_name(index, self._number)
        reader = _reader_at(self._file, self._bounds[index])
        reader.uvarint(name)
        return reader.read(1, name)[0]

    def _claim(self, index: int) -> int:
        """The number of elements that a block says it has."""
        name = block_name(index, self._number)
        n = _reader_at(self._file, self._bounds[index]).uvarint(name)
        if not 0 < n * self.header.itemsize <= BLOCK_BYTES_MAX:
            raise CorruptError(f"{name} is damaged: its lengths are impossible")
        return n


def read_index(file: BinaryIO) -> tuple[list[IndexedPart], tuple[int, ...] | None]:
    """Find the parts of a file that can seek, and check that they can be joined.

    Returns
    -------
    parts : list of IndexedPart
    shape : tuple of int or None
        Of all of them, if they are arrays.

    Raises
    ------
    FormatError
        If it is no container.
    VersionError, TruncatedError, CorruptError
        If it is not whole; the text names what is wrong.
    """
    _reader_at(file, 0).magic(CONTAINER)
    end, bounds = file.seek(0, os.SEEK_END), []
    while end > 0:
        length, width = _read_backwards(file, end)
        if length > end - width or length == 0:
            raise CorruptError(
                "container does not end as one: it is cut, or followed by other data"
            )
        bounds.append((end - width - length, end - width))
        end -= width + length
    parts: list[IndexedPart] = []
    kind, shape = "", None
    for number, (start, end) in enumerate(reversed(bounds)):
        parts.append(IndexedPart(file, number, start, end))
        found = parts[-1].header.kind
        kind = join_kinds(kind, found, number) if number else found
        shape = join_shapes(shape, parts[-1], number)
    return parts, shape


def _reader_at(file: BinaryIO, start: int) -> RecordReader:
    file.seek(start)
    return RecordReader(file, "container")


def _read_backwards(file: BinaryIO, end: int) -> tuple[int, int]:
    """The number whose bytes end there, in reverse order, and how many they are."""
    start = max(end - UVARINT_BYTES, 0)
    file.seek(start)
    reader = RecordReader(memoryview(read_full(file, end - start)[::-1]), "container")
    return reader.uvarint("its end record"), reader.at
