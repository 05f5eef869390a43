"""The C library: its status codes become exceptions here, and only here."""

from __future__ import annotations

import os
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_array, as_integer, not_integers
from bbans.errors import (
    BbansError,
    CorruptError,
    FormatError,
    MessageError,
    ModelError,
    SymbolError,
    TruncatedError,
    VersionError,
    WrongModelError,
)

try:
    from bbans._core import ffi, lib
except ModuleNotFoundError as error:
    if error.name != "bbans._core":  # of another package, which it names
        raise
    raise ImportError(
        f"bbans is not built here ({os.path.dirname(__file__)}): install it with pip, "
        "and run Python from another folder than that of the sources"
    ) from error
except ImportError as error:  # as in a subinterpreter, which cffi does not support
    raise ImportError(f"bbans cannot be loaded here: {error}") from error

lib.bbans_isa_use(lib.BBANS_ISA_BEST)  # before any thread codes

__all__ = [
    "as_uint32",
    "blame",
    "check",
    "crc32",
    "empty_symbols",
    "ffi",
    "lib",
    "pointer",
]

RAISES: dict[int, type[BbansError]] = {
    lib.BBANS_ERR_PRECISION: ModelError,
    lib.BBANS_ERR_INTERVAL: ModelError,
    lib.BBANS_ERR_CAPACITY: MessageError,
    lib.BBANS_ERR_UNDERFLOW: MessageError,
    lib.BBANS_ERR_TOTAL: ModelError,
    lib.BBANS_ERR_STATE: MessageError,
    lib.BBANS_ERR_TABLE: ModelError,
    lib.BBANS_ERR_SYMBOL: SymbolError,
    lib.BBANS_ERR_CORRUPT: CorruptError,
    lib.BBANS_ERR_SIZE: ModelError,
    lib.BBANS_ERR_TRUNCATED: TruncatedError,
    lib.BBANS_ERR_FORMAT: FormatError,
    lib.BBANS_ERR_VERSION: VersionError,
    lib.BBANS_ERR_WRONG_MODEL: WrongModelError,
    lib.BBANS_ERR_TYPE: SymbolError,
}


def check(status: int) -> None:
    """Raise the exception that belongs to a status code, if it is an error."""
    if status != lib.BBANS_OK:
        text = ffi.string(lib.bbans_status_text(status)).decode("ascii")
        raise RAISES.get(status, BbansError)(text, status)


def pointer(array: NDArray[Any], ctype: str = "uint32_t[]") -> Any:
    """A C view of a contiguous array; the array must outlive it."""
    return ffi.from_buffer(ctype, array)


# From as many bytes on a call of C, which has kernels for it here, pays.
_MANY = 1 << 13
_HAS_CRC32 = lib.bbans_isa_in_use() in (lib.BBANS_ISA_AVX2, lib.BBANS_ISA_AVX512)


def crc32(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """The CRC-32 of bytes that follow those of another."""
    if _HAS_CRC32 and len(data) >= _MANY:
        return int(lib.bbans_crc32(crc, ffi.from_buffer("uint8_t[]", data), len(data)))
    return zlib.crc32(data, crc)


def empty_symbols(length: int) -> NDArray[np.uint32]:
    """An array to decode to; `length` may come from outside."""
    length = as_integer(length, "length", 0)
    try:
        return np.empty(length, np.uint32)
    except (ValueError, OverflowError, MemoryError):
        raise ModelError(
            f"there is no memory for a sequence of length {length}"
        ) from None


def as_uint32(values: Any, what: str) -> NDArray[np.uint32]:
    """Values as a contiguous uint32 array of the same shape, nothing lost.

    Raises
    ------
    SymbolError
        If `values` are no integers, or one is negative or 2**32 or more.
    """
    array = as_array(values, f"{what}s")
    if array.dtype == np.uint32:
        return np.require(array, requirements=["C", "A"])
    if array.size == 0:
        return np.zeros(array.shape, np.uint32)
    if array.dtype.kind not in "iu":
        raise not_integers(f"{what}s", array)
    outside = (array < 0) | (array > 0xFFFFFFFF)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise SymbolError(f"{what} {array.flat[at]} at position {at} is out of range")
    return np.ascontiguousarray(array, np.uint32).reshape(array.shape)


def blame(values: Any, what: str, limit: int) -> None:
    """Name the first of some integers that is not in 0 .. limit - 1, if one is."""
    if values is None:
        return
    array = np.asarray(values)
    outside = (array < 0) | (array >= limit)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise SymbolError(
            f"{what} {array.flat[at]} at position {at} is not below {limit}",
            lib.BBANS_ERR_SYMBOL,
        )
