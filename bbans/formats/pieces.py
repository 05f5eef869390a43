"""The block of a file in pieces: bytes, numbers and tables, one behind the other.

docs/format.md, Pieces, byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bbans._records import Buffer, RecordReader, uvarint
from bbans.errors import CorruptError
from bbans.formats.bytes import decode_bytes, encode_bytes, octets
from bbans.formats.container import FIRST_FLOAT, FIRST_INTEGER, FLOAT_NAMES, Header
from bbans.formats.floats import decode_floats, encode_floats
from bbans.formats.signals import decode_signal, encode_signal
from bbans.formats.tables import TABLE_BYTES_MAX, decode_table, encode_table

__all__ = [
    "INT24",
    "Layout",
    "Piece",
    "Run",
    "decode_pieces",
    "encode_pieces",
    "pieces_of",
    "start_of",
]

#: What a piece is, by its code: bytes as they are, a block of bytes, a table; 24-bit
#: integers; and from the container's first integer on its integers and floats.
PLAIN, CODED, TABLE, INT24 = 0, 1, 2, 8
_BIG_ENDIAN, _PLANAR = 0x80, 0x40
_START_BYTES_MAX = 1 << 16
# Below this level bytes are not tried where a piece takes three quarters of them.
_BYTES_LEVEL = 4
_NAMES = "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8"
_DTYPES = {FIRST_INTEGER + i: np.dtype(name) for i, name in enumerate(_NAMES)}
_DTYPES |= {element: Header(element).dtype for element in FLOAT_NAMES}


class Run(NamedTuple):
    """Bytes that follow each other in a block, and what they may be.

    Parameters
    ----------
    n_bytes : int
    element : int
        `PLAIN`, `TABLE`, `INT24`, or an element of the container: integers or floats.
    channels : int
        Of numbers, which are whole steps of as many. 0: floats that are no series.
    big_endian : bool
    planar : bool
        Channels lie one behind the other, and not the values of a step.
    delimiter : bytes
        Of a table: what stands between cells.
    """

    n_bytes: int
    element: int = PLAIN
    channels: int = 1
    big_endian: bool = False
    planar: bool = False
    delimiter: bytes = b""


class Layout(Protocol):
    """What a file holds, and where."""

    tries_bytes: ClassVar[bool]
    """Whether blocks may be shorter as bytes than piece by piece."""

    @property
    def block_bytes(self) -> int:
        """Bytes of a block by default."""

    def runs(self, start: int, data: NDArray[np.uint8]) -> Sequence[Run]:
        """The runs of a block that begins at byte `start` of the file."""


def encode_pieces(
    data: NDArray[np.uint8], runs: Sequence[Run], level: int
) -> bytes | None:
    """Code a block by its runs; None if bytes alone are as good."""
    pieces, at = [], 0
    for run in runs:
        part = data[at : at + run.n_bytes]
        at += run.n_bytes
        if part.size:
            pieces.append(_encode_run(part, run, level))
    if all(piece[0] in (PLAIN, CODED) for piece in pieces):
        return None
    return b"".join(pieces)


def _encode_run(part: NDArray[np.uint8], run: Run, level: int) -> bytes:
    ways = []
    if run.element == TABLE:
        table = encode_table(part, run.delimiter, level)
        if table is not None:
            ways.append(_piece(TABLE, part.size, table))
    elif run.element != PLAIN:
        code = run.element | _BIG_ENDIAN * run.big_endian | _PLANAR * run.planar
        values = _integers(part, run.element, run.big_endian)
        head, steps = b"", values.reshape(-1, run.channels or 1)
        if run.planar:
            head, steps = uvarint(run.channels), values.reshape(run.channels, -1).T
        if run.element >= FIRST_FLOAT:  # by their bytes too, where these are shorter
            block = encode_floats(steps, run.element, level, run.channels)
            floats = _piece(code, values.size, head + bytes(block))
            return min(floats, _piece(PLAIN, part.size, part.tobytes()), key=len)
        signal = head + encode_signal(steps, level)
        ways.append(_piece(code, values.size, signal))
    if not ways or level >= _BYTES_LEVEL or 4 * len(ways[0]) > 3 * part.size:
        block = bytes(encode_bytes(part, 1))
        ways.append(_piece(CODED, part.size, block))
        ways.append(_piece(PLAIN, part.size, part.tobytes()))
    return min(ways, key=len)


def _piece(code: int, n: int, data: bytes) -> bytes:
    return bytes([code]) + uvarint(n) + uvarint(len(data)) + data


def _integers(part: NDArray[np.uint8], element: int, big_endian: bool) -> NDArray[Any]:
    """The integers of bytes."""
    if element == INT24:
        wide = np.zeros((part.size // 3, 4), np.uint8)
        wide[:, 1:] = part.reshape(-1, 3)[:, :: -1 if big_endian else 1]
        return (wide.view("<i4").ravel() >> 8).astype(np.int32)
    dtype = _DTYPES[element]
    values = part.copy().view(dtype.newbyteorder(">") if big_endian else dtype)
    return values.astype(dtype)


# ---- and back


class Piece(NamedTuple):
    """A piece that is not decoded.

    Attributes
    ----------
    code : int
        With its flags.
    n_bytes : int
        How many it restores.
    data : bytes-like
    """

    code: int
    n_bytes: int
    data: Buffer

    @property
    def element(self) -> int:
        return self.code & ~(_BIG_ENDIAN | _PLANAR)

    @property
    def name(self) -> str:
        """What it holds, in a word."""
        if self.element in (PLAIN, CODED):
            return "bytes"
        if self.element == TABLE:
            return "tables"
        if self.element == INT24:
            return "int24"
        return FLOAT_NAMES.get(self.element) or _DTYPES[self.element].name


def pieces_of(data: Buffer) -> Iterator[Piece]:
    """Yield the pieces of a block.

    Raises
    ------
    CorruptError, TruncatedError
        If they are none.
    """
    view = memoryview(data)
    reader, where = RecordReader(view, "block"), "a piece"
    while reader.at < len(view):
        code = reader.read(1, where)[0]
        n, size = reader.uvarint(where), reader.uvarint(where)
        element = code & ~(_BIG_ENDIAN | _PLANAR)
        if element >= FIRST_INTEGER and element in _DTYPES:
            width = _DTYPES[element].itemsize
        elif element == INT24:
            width = 3
        elif code in (PLAIN, CODED, TABLE):
            width = 1
        else:
            raise CorruptError("a piece has a code that is not known")
        yield Piece(code, n * width, reader.take(size, where))


def start_of(data: Buffer) -> bytes:
    """The first bytes of a block, if they are such, and not too many."""
    for piece in pieces_of(data):
        if piece.element not in (PLAIN, CODED) or piece.n_bytes > _START_BYTES_MAX:
            break
        start = np.empty(piece.n_bytes, np.uint8)
        _decode_piece(piece, start)
        return start.tobytes()
    return b""


def decode_pieces(data: Buffer, out: NDArray[np.uint8]) -> None:
    """Restore the bytes of a block.

    Raises
    ------
    CorruptError, TruncatedError, SymbolError, MessageError
        If these are no pieces of as many bytes.
    """
    at = 0
    for piece in pieces_of(data):
        if not 0 < piece.n_bytes <= out.size - at:
            raise CorruptError("a piece is longer than its block")
        _decode_piece(piece, out[at : at + piece.n_bytes])
        at += piece.n_bytes
    if at != out.size:
        raise CorruptError("its pieces are shorter than the block")


def _decode_piece(piece: Piece, out: NDArray[np.uint8]) -> None:
    if piece.code == PLAIN:
        if len(piece.data) != out.size:
            raise CorruptError("a piece has an impossible length")
        out[:] = octets(piece.data)
    elif piece.code == CODED:
        decode_bytes(piece.data, out)
    elif piece.code == TABLE:
        if out.size > TABLE_BYTES_MAX:
            raise CorruptError("a table is too long")
        decode_table(piece.data, out)
    else:
        _decode_integers(piece, out)


def _decode_integers(piece: Piece, out: NDArray[np.uint8]) -> None:
    data, channels = memoryview(piece.data), 1
    wide = piece.element == INT24
    dtype = np.dtype("<i4") if wide else _DTYPES[piece.element]
    n = out.size // (3 if wide else dtype.itemsize)
    if piece.code & _PLANAR:
        reader = RecordReader(data, "piece")
        channels = reader.uvarint("a piece")
        if channels == 0 or n % channels:
            raise CorruptError("a piece has an impossible number of channels")
        data = data[reader.at :]
    values = np.empty(n, dtype)
    if piece.element >= FIRST_FLOAT:
        decode_floats(data, values, piece.element)
    else:
        decode_signal(data, values)
    if piece.code & _PLANAR:
        values = values.reshape(-1, channels).T.ravel()
    if wide:
        if ((values >= 1 << 23) | (values < -(1 << 23))).any():
            raise CorruptError("a value is beyond 24 bits")
        octs = values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]
        out[:] = octs[:, :: -1 if piece.code & _BIG_ENDIAN else 1].ravel()
    elif piece.code & _BIG_ENDIAN:
        out[:] = values.astype(dtype.newbyteorder(">")).view(np.uint8)
    else:
        out[:] = values.view(np.uint8)
