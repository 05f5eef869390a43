"""Arrays coded by their differences from another, which readers have too.

docs/format.md, Differences from a base, byte by byte.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array
from bbans._records import Buffer, RecordReader, uvarint
from bbans.errors import CorruptError, ModelError, SymbolError
from bbans.formats.coders import LEVEL_DEFAULT, Coder
from bbans.formats.container import CODEC, FINGERPRINT_BYTES, FLOAT_NAMES, Header
from bbans.formats.floats import decode_floats, encode_floats

__all__ = ["BaseCoder"]

# By their bytes the floats whose planes differences have, whatever they are of.
_PLANES = {Header(element).dtype.itemsize: element for element in FLOAT_NAMES}


class BaseCoder(Coder):
    """Codes an array by its differences from another, such as fine-tuned weights by
    their differences from those that training started from.

    Parameters
    ----------
    base : array_like
        Elements of the same width, in the same order: integers, floats, or the bits of
        floats. It may have any shape, and must have at least as many elements.
    level : int
        From 4 on, bytes of differences are coded given the one before, where that is
        shorter: slower, and sometimes smaller.

    Raises
    ------
    ModelError
        If `base` is no array of elements of 1, 2, 4 or 8 bytes, or `level` is none.

    Notes
    -----
    A container names the base by the first 8 bytes of the SHA-256 of its elements.
    Readers pass a `BaseCoder` of the same base to `decompress` or `open`; any other
    raises WrongModelError.

    Examples
    --------
    >>> import numpy as np
    >>> from bbans import compress, decompress
    >>> before = np.random.default_rng(0).normal(size=10_000).astype("f4")
    >>> after = before * np.float32(1.0001)
    >>> blob = compress(after, BaseCoder(before))
    >>> len(blob) < 0.5 * len(compress(after))
    True
    >>> np.array_equal(decompress(blob, BaseCoder(before)), after)
    True
    """

    method = CODEC
    name = "base"
    file_element = None

    def __init__(self, base: ArrayLike, level: int = LEVEL_DEFAULT) -> None:
        super().__init__(level)
        array = as_array(base, "base")
        kind, width = array.dtype.kind, array.itemsize
        if kind not in "iubfmMV" or array.dtype.names or width not in _PLANES:
            raise ModelError(
                f"base must have elements of 1, 2, 4 or 8 bytes, not {array.dtype}"
            )
        plain = np.ascontiguousarray(array).reshape(-1)
        bits: NDArray[Any] = plain.view(f"u{array.itemsize}")
        if array.dtype.str[0] == ">":
            bits = bits.byteswap()
        self._base = bits.astype(f"<u{array.itemsize}", copy=False)
        digest = hashlib.sha256(self._base.data).digest()
        self.fingerprint = digest[:FINGERPRINT_BYTES]

    def __repr__(self) -> str:
        size, width = self._base.size, 8 * self._base.itemsize
        return f"BaseCoder(<{size} elements of {width} bits>, level={self.level})"

    def block_size(self, itemsize: int, width: int) -> int:
        return (1 << 20) // itemsize

    def of(self, header: Header) -> Coder:
        if header.dtype.itemsize != self._base.itemsize:
            raise SymbolError(
                f"elements have {8 * header.dtype.itemsize} bits, and those of "
                f"{self!r} {8 * self._base.itemsize}"
            )
        return super().of(header)

    def encode(self, steps: NDArray[Any], start: int = 0) -> Buffer:
        bits = np.ascontiguousarray(steps).reshape(-1).view(self._base.dtype)
        base = self._base[start : start + bits.size]
        if base.size < bits.size:
            raise SymbolError(f"{self!r} has no element {self._base.size}")
        block = encode_floats(_folded(bits - base), _PLANES[bits.itemsize], self.level)
        return uvarint(start) + bytes(block)

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        reader = RecordReader(memoryview(data), "block")
        bits = out.view(self._base.dtype)
        start = reader.uvarint("a block")
        base = self._base[start : start + bits.size]
        if base.size < bits.size:
            raise CorruptError(f"it differs from elements that {self!r} does not have")
        decode_floats(memoryview(data)[reader.at :], bits, _PLANES[bits.itemsize])
        bits[:] = _unfolded(bits) + base

    def shortest(self, steps: NDArray[Any], start: int = 0) -> tuple[int, Buffer]:
        data = self.encode(steps, start)
        if 4 * len(data) <= 3 * steps.nbytes:
            return self.method, data
        return min([(self.method, data), *self._without(steps)], key=_size)


def _size(way: tuple[int, Buffer]) -> int:
    return len(way[1])


def _folded(differences: NDArray[Any]) -> NDArray[Any]:
    """0, -1, 1, -2 .., modulo 2**bits, as 0, 1, 2, 3 .."""
    sign = differences >> (8 * differences.itemsize - 1)
    folded: NDArray[Any] = (differences << 1) ^ (0 - sign).astype(differences.dtype)
    return folded


def _unfolded(folded: NDArray[Any]) -> NDArray[Any]:
    differences: NDArray[Any] = (folded >> 1) ^ (0 - (folded & 1)).astype(folded.dtype)
    return differences
