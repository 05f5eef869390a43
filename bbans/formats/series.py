"""Integers and strings within a table: many of a kind, in the shortest of a few forms.

docs/format.md, Tables, byte by byte.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bbans._records import Buffer, RecordReader, uvarint
from bbans.errors import CorruptError
from bbans.formats.bytes import decode_bytes, encode_bytes
from bbans.formats.cells import VALUE_MAX, Cells
from bbans.formats.signals import decode_signal, encode_signal

__all__ = [
    "SIGNAL",
    "coded",
    "encode_integers",
    "encode_strings",
    "read_coded",
    "read_integers",
    "read_strings",
]

#: How integers are coded.
SIGNAL, OCTETS, RUNS, PERIOD, LISTED, PLANES = range(6)
# Lists of numbers are for this many at the most; below it nothing else is tried.
_FEW, _LISTED_MAX = 4, 64
_PERIOD_MAX = 1 << 16
# Values that must repeat before the rest is looked at.
_SAMPLE = 64
_DEPTH = 3  # runs of periods of numbers


def coded(data: Buffer) -> bytes:
    """Bytes as they are, or as a block of bytes where that is shorter; how many they
    are is known to the reader."""
    plain = np.frombuffer(data, np.uint8)
    block = encode_bytes(plain, 1) if plain.size > 8 else data
    shorter = bytes(block if len(block) < plain.size else data)
    return uvarint(len(shorter)) + shorter


def read_coded(reader: RecordReader, n: int, where: str) -> NDArray[np.uint8]:
    """The n bytes that `coded` was given."""
    size = reader.uvarint(where)
    if size > n:
        raise CorruptError(f"{where} is longer than what it holds")
    data = reader.take(size, where)
    if size == n:
        return np.frombuffer(data, np.uint8)
    out = np.empty(n, np.uint8)
    decode_bytes(data, out)
    return out


# ---- strings


def encode_strings(flat: Buffer) -> bytes:
    """Strings that each end in a line feed, and have no other."""
    return uvarint(memoryview(flat).nbytes) + coded(flat)


def read_strings(reader: RecordReader, n: int, limit: int, where: str) -> Cells:
    """n strings, without the line feeds.

    Raises
    ------
    CorruptError
        If they are not as many, or take more than `limit` bytes.
    """
    size = reader.uvarint(where)
    if size > limit + n:
        raise CorruptError(f"{where} is longer than the table")
    flat = read_coded(reader, size, where)
    ends = np.flatnonzero(flat == 10)
    if ends.size != n or (n and ends[-1] != size - 1) or (n == 0 and size):
        raise CorruptError(f"{where} does not hold {n} strings")
    lengths = np.diff(ends, prepend=-1) - 1
    return Cells(flat[flat != 10], lengths)


# ---- integers


def encode_integers(
    values: NDArray[np.int64], level: int, depth: int = _DEPTH
) -> bytes:
    """Code integers below `VALUE_MAX`, of which the reader knows how many there are."""
    n = values.size
    if n == 0:
        return b""
    ways = []
    if n <= _LISTED_MAX:
        listed = bytes([LISTED]) + b"".join(map(_zigzag, values.tolist()))
        if n <= _FEW:
            return listed
        ways.append(listed)
    low, high = int(values.min()), int(values.max())
    if depth > 0:
        ways += _repeated(values, level, depth)
    if high - low <= 255:
        narrow = (values - low).astype(np.uint8)
        ways.append(bytes([OCTETS]) + _zigzag(low) + coded(narrow.data))
    # Nothing is gained on what is described in a few bytes.
    if not ways or len(min(ways, key=len)) > 24:
        block = encode_signal(values.reshape(-1, 1), level)
        if block is not None:
            ways.append(bytes([SIGNAL]) + uvarint(len(block)) + block)
    if not ways:  # too far apart
        planes = np.ascontiguousarray(values).view(np.uint8).reshape(n, 8).T
        ways.append(bytes([PLANES]) + coded(planes.tobytes()))
    return min(ways, key=len)


def _repeated(values: NDArray[np.int64], level: int, depth: int) -> list[bytes]:
    """The forms for values that repeat themselves, or each other."""
    ways = []
    starts = np.flatnonzero(np.diff(values)) + 1
    if starts.size < values.size // 3:
        starts = np.concatenate([[0], starts])
        lengths = np.diff(starts, append=values.size)
        ways.append(
            bytes([RUNS])
            + uvarint(starts.size)
            + encode_integers(values[starts], level, depth - 1)
            + encode_integers(lengths, level, depth - 1)
        )
    period = _period(values)
    if period:
        first = encode_integers(values[:period], level, depth - 1)
        ways.append(bytes([PERIOD]) + uvarint(period) + first)
    return ways


def _period(values: NDArray[np.int64]) -> int:
    """After how many values they repeat, all of them; 0 if they do not."""
    k = min(_SAMPLE, values.size // 2)
    most = min(_PERIOD_MAX, values.size // 2)
    candidates = np.flatnonzero(values[1 : most + 1] == values[0]) + 1
    for i in range(1, k):
        if candidates.size <= 1:
            break
        candidates = candidates[values[candidates + i] == values[i]]
    for period in candidates[:4].tolist():
        if period > 1 and np.array_equal(values[period:], values[:-period]):
            return int(period)
    return 0


def read_integers(
    reader: RecordReader, n: int, where: str, depth: int = _DEPTH
) -> NDArray[np.int64]:
    """The n integers that `encode_integers` was given.

    Raises
    ------
    CorruptError
        If they are not as many, or beyond `VALUE_MAX`.
    """
    if n == 0:
        return np.empty(0, np.int64)
    values = _read_integers(reader, n, where, depth)
    if int(values.max()) >= VALUE_MAX or int(values.min()) <= -VALUE_MAX:
        raise CorruptError(f"{where} has a number that is too large")
    return values


def _read_integers(
    reader: RecordReader, n: int, where: str, depth: int
) -> NDArray[np.int64]:
    form = reader.read(1, where)[0]
    if form == SIGNAL:
        values = np.empty(n, np.int64)
        size = reader.uvarint(where)
        decode_signal(bytes(reader.take(size, where)), values)
        return values
    if form == OCTETS:
        low = _unzigzag(reader.uvarint(where))
        return read_coded(reader, n, where).astype(np.int64) + low
    if form == PLANES:
        planes = read_coded(reader, 8 * n, where).reshape(8, n)
        return np.ascontiguousarray(planes.T).view("<i8").ravel().astype(np.int64)
    if form == LISTED and n <= _LISTED_MAX:
        numbers = [_unzigzag(reader.uvarint(where)) for _ in range(n)]
        return np.array(numbers, np.int64)
    if form == RUNS and depth > 0:
        k = reader.uvarint(where)
        if 1 <= k <= n:
            values = read_integers(reader, k, where, depth - 1)
            lengths = read_integers(reader, k, where, depth - 1)
            if lengths.min() >= 1 and lengths.max() <= n and lengths.sum() == n:
                return np.repeat(values, lengths)
        raise CorruptError(f"{where} has runs of impossible lengths")
    if form == PERIOD and depth > 0:
        period = reader.uvarint(where)
        if not 1 <= period < n:
            raise CorruptError(f"{where} has an impossible period")
        return np.resize(read_integers(reader, period, where, depth - 1), n)
    raise CorruptError(f"{where} has numbers in a form that is not known")


def _zigzag(value: int) -> bytes:
    return uvarint(value << 1 if value >= 0 else ~(value << 1))


def _unzigzag(code: int) -> int:
    return code >> 1 if code & 1 == 0 else ~(code >> 1)
