"""The block of a series of integers, which carries the model that was fitted to it.

docs/format.md, Signal, byte by byte; all of it is in C.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._lib import check, ffi, lib, pointer
from bbans._records import Buffer
from bbans.errors import CorruptError, SymbolError
from bbans.formats.container import BLOCK_BYTES_MAX, Line, array_header

__all__ = ["decode_signal", "encode_signal", "line_of", "workspace"]

_WORDS = 1 << 64


def encode_signal(series: NDArray[Any], level: int, line: Line | None = None) -> Buffer:
    """Code a series under a model fitted to it.

    Parameters
    ----------
    series : ndarray of integers, shape (T, channels)
        At least one step of one channel, of 2**24 bytes at most.
    level : int
        From 1, fast, to 9, small.
    line : tuple of int, optional
        A start and a step, which the reader knows too.

    Returns
    -------
    bytes-like
        The block, which has at most a byte more than the series.

    Raises
    ------
    SymbolError
        If the series is not of integers, or too long.
    """
    element = _element(series.dtype)
    steps, channels = series.shape
    if not 0 < series.nbytes <= BLOCK_BYTES_MAX:
        raise SymbolError(f"a block of {series.nbytes} bytes is no signal")
    native = np.ascontiguousarray(series, series.dtype.newbyteorder("="))
    out = np.empty(lib.bbans_signal_bound(element, native.size), np.uint8)
    work = workspace(lib.bbans_signal_encoder_bytes(element, steps, channels, level))
    size = ffi.new("size_t *")
    check(
        lib.bbans_signal_compress(
            element, _words(line), ffi.from_buffer(native), steps, channels, level,
            pointer(out, "uint8_t[]"), out.size, size,
            ffi.from_buffer(work), work.nbytes,
        )
    )  # fmt: skip
    return out.data[: size[0]]


def decode_signal(block: Buffer, out: NDArray[Any], line: Line | None = None) -> None:
    """Restore a series.

    Parameters
    ----------
    block : bytes-like
        What `encode_signal` returned.
    out : ndarray, shape (T * channels,)
        Where its values go.
    line : tuple of int, optional
        What `encode_signal` was given.

    Raises
    ------
    CorruptError
        If it is no block of as many values of this type.
    """
    element = _element(out.dtype)
    native = out if out.dtype.isnative else np.empty(out.size, out.dtype.newbyteorder())
    data = np.frombuffer(block, np.uint8)
    work = workspace(lib.bbans_signal_decoder_bytes(out.size))
    status = lib.bbans_signal_decompress(
        element, _words(line), pointer(data, "uint8_t[]"), data.size,
        ffi.from_buffer(native, require_writable=True), out.size,
        ffi.from_buffer(work), work.nbytes,
    )  # fmt: skip
    if status == lib.BBANS_ERR_CORRUPT:
        raise CorruptError(f"it is no signal of {out.size} {out.dtype.name}")
    check(status)
    if native is not out:
        out[:] = native


def line_of(series: NDArray[Any]) -> Line | None:
    """The line that the first column's elements lie on, if they are regular."""
    column = series[:, 0]
    if len(column) < 3:
        return None
    first, second, third = (int(x) for x in column[:3])
    if second - first != third - second or first == second:
        return None
    return first % _WORDS, (second - first) % _WORDS


def _element(dtype: np.dtype[Any]) -> int:
    if dtype.kind not in "iu":
        raise SymbolError(f"a signal is of integers, not of {dtype}")
    return array_header(dtype).element


def _words(line: Line | None) -> Any:
    return ffi.NULL if line is None else ffi.new("uint64_t[2]", line)


_local = threading.local()
_WORDS_KEPT = 1 << 22


def workspace(size: int) -> NDArray[np.uint64]:
    """Memory for a block, which each thread keeps for the next one if it is little."""
    words = (size + 7) // 8
    if words > _WORDS_KEPT:
        return np.empty(words, np.uint64)
    work: NDArray[np.uint64] | None = getattr(_local, "work", None)
    if work is None or not words <= work.size <= 4 * words + 4096:
        work = _local.work = np.empty(words, np.uint64)
    return work
