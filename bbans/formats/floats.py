"""The block of floats, which are integers in one of several exact forms.

docs/format.md, Floats, byte by byte; all of it is in C.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bbans._lib import check, ffi, lib, pointer
from bbans._records import Buffer
from bbans.errors import CorruptError, SymbolError
from bbans.formats.container import BLOCK_BYTES_MAX, FLOAT_NAMES
from bbans.formats.signals import workspace

if TYPE_CHECKING:  # loaded when used
    from bbans.formats.grids import Grid

__all__ = ["decode_floats", "encode_floats"]


def encode_floats(
    elements: NDArray[Any],
    element: int,
    level: int,
    channels: int = 0,
    grid: Grid | None = None,
) -> Buffer:
    """Code a block of floats.

    Parameters
    ----------
    elements : ndarray of unsigned integers
        The bits of at least one float, in C order; of 2**24 bytes at most.
    element : int
        What they are, as in a header.
    level : int
        From 1, fast, to 9, small.
    channels : int
        The floats are a series of so many channels; 0: they are none.
    grid : Grid, optional
        The floats are the pixels of frames; not with channels.

    Returns
    -------
    bytes-like
        The block, which has at most a byte more than the floats. Where they are neither
        a series nor a grid, they are coded by the bytes that they have in common.

    Raises
    ------
    SymbolError
        If they are not of as many bits, or too many.
    """
    dtype = elements.dtype
    if dtype.kind != "u" or element not in FLOAT_NAMES:
        raise SymbolError(f"a block of floats is of their bits, not of {dtype}")
    if not 0 < elements.nbytes <= BLOCK_BYTES_MAX:
        raise SymbolError(f"a block of {elements.nbytes} bytes is none of floats")
    native = np.ascontiguousarray(elements, dtype.newbyteorder("="))
    lies = ffi.NULL if grid is None else ffi.new("bbans_grid *", astuple(grid))
    out = np.empty(lib.bbans_float_bound(element, native.size), np.uint8)
    work = workspace(
        lib.bbans_float_encoder_bytes(element, channels, lies, native.size, level)
    )
    size = ffi.new("size_t *")
    check(
        lib.bbans_float_compress(
            element, channels, lies, ffi.from_buffer(native), native.size, level,
            pointer(out, "uint8_t[]"), out.size, size,
            ffi.from_buffer(work), work.nbytes,
        )
    )  # fmt: skip
    return out.data[: size[0]]


def decode_floats(block: Buffer, out: NDArray[Any], element: int) -> None:
    """Restore floats.

    Parameters
    ----------
    block : bytes-like
        What `encode_floats` returned.
    out : ndarray of unsigned integers, of one axis
        Where their bits go.
    element : int

    Raises
    ------
    CorruptError
        If it is no block of as many floats of this type.
    """
    native = out if out.dtype.isnative else np.empty(out.size, out.dtype.newbyteorder())
    data = np.frombuffer(block, np.uint8)
    form = int(data[0]) if data.size else 0
    work = workspace(max(lib.bbans_float_form_bytes(element, form, out.size), 8))
    status = lib.bbans_float_decompress(
        element, pointer(data, "uint8_t[]"), data.size,
        ffi.from_buffer(native, require_writable=True), out.size,
        ffi.from_buffer(work), work.nbytes,
    )  # fmt: skip
    if status == lib.BBANS_ERR_CORRUPT:
        raise CorruptError(f"it is no block of {out.size} {FLOAT_NAMES[element]}")
    check(status)
    if native is not out:
        out[:] = native
