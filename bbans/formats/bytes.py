"""The block of bytes, which carries their frequencies.

docs/format.md, Bytes, byte by byte.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import exported
from bbans._lib import check, ffi, lib, pointer
from bbans._records import Buffer
from bbans.errors import CorruptError

__all__ = ["decode_bytes", "encode_bytes", "octets"]


def octets(data: Any) -> NDArray[np.uint8]:
    """The bytes of a contiguous buffer, in place.

    Raises
    ------
    TypeError
        If it is none.
    """
    data = exported(data, "data", TypeError)
    if isinstance(data, np.ndarray) and data.dtype.kind in "Mm":
        data = data.view(np.int64)  # what numpy has no buffers of
    elif isinstance(data, np.ndarray) and data.dtype.isbuiltin == 2:  # of ml_dtypes
        data = data.view(f"u{data.itemsize}")
    view = memoryview(data)
    if not view.c_contiguous:
        raise TypeError("the buffer must be contiguous")
    if "O" in view.format:
        raise TypeError("the buffer holds objects, not bytes")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)


_NOTHING = np.empty(0, np.uint8)
_local = threading.local()


def _workspace(n: int) -> NDArray[np.uint8]:
    """Memory for a block of n bytes, which each thread keeps for the next one."""
    size = lib.bbans_bytes_work_bytes(n)
    if getattr(_local, "work", _NOTHING).size < size:
        _local.work = np.empty(size, np.uint8)
    work: NDArray[np.uint8] = _local.work
    return work


def encode_bytes(data: NDArray[np.uint8], order: int) -> Buffer:
    out = np.empty(lib.bbans_bytes_bound(data.size), np.uint8)
    work, size = _workspace(data.size), ffi.new("size_t *")
    check(
        lib.bbans_bytes_compress(
            pointer(data, "uint8_t[]"), data.size, order,
            pointer(out, "uint8_t[]"), out.size, size,
            pointer(work, "uint8_t[]"), work.size,
        )
    )  # fmt: skip
    return out.data[: size[0]]


def decode_bytes(data: Buffer, out: NDArray[np.uint8]) -> None:
    block, size = octets(data), ffi.new("size_t *")
    if (
        lib.bbans_bytes_size(pointer(block, "uint8_t[]"), block.size, size)
        != lib.BBANS_OK
        or size[0] != out.size
    ):
        raise CorruptError(f"it is no block of {out.size} bytes")
    work = _workspace(out.size)
    check(
        lib.bbans_bytes_decompress(
            pointer(block, "uint8_t[]"), block.size,
            pointer(out, "uint8_t[]"), out.size, size,
            pointer(work, "uint8_t[]"), work.size,
        )
    )  # fmt: skip
