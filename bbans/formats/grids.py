"""The block of integers with neighbours in several directions: images, video, volumes.

docs/format.md, Grid, byte by byte; all of it is in C.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._lib import check, ffi, lib, pointer
from bbans._records import Buffer
from bbans.errors import CorruptError, SymbolError
from bbans.formats.container import BLOCK_BYTES_MAX, array_header
from bbans.formats.signals import workspace

__all__ = ["Grid", "decode_grid", "encode_grid"]


@dataclass(frozen=True)
class Grid:
    """How the elements of a block lie, in C order.

    Parameters
    ----------
    rows : int
        Of a frame; the last frame of a block may have fewer.
    columns : int
        Pixels of a row.
    bands : int
        Values of a pixel.
    period : int
        0, or more than 1: how many frames before a frame there is one that is like it,
        besides the frame just before.
    """

    rows: int
    columns: int
    bands: int = 1
    period: int = 0


def encode_grid(elements: NDArray[Any], grid: Grid, level: int) -> Buffer:
    """Code the elements of a grid under what is found in them.

    Parameters
    ----------
    elements : ndarray of integers
        Whole rows of pixels, at least one, of 2**24 bytes at most.
    grid : Grid
    level : int
        From 1, fast, to 9, small.

    Returns
    -------
    bytes-like
        The block, which says itself what its grid is.

    Raises
    ------
    SymbolError
        If the elements are no integers, or no such grid.
    """
    element = _element(elements.dtype)
    row = grid.columns * grid.bands
    if min(row, grid.rows) < 1 or grid.period < 0 or elements.size % row:
        raise SymbolError(f"{elements.size} elements are no {grid}")
    if not 0 < elements.nbytes <= BLOCK_BYTES_MAX:
        raise SymbolError(f"a block of {elements.nbytes} bytes is no grid")
    native = np.ascontiguousarray(elements, elements.dtype.newbyteorder("="))
    geometry = ffi.new("bbans_grid *", astuple(grid))
    out = np.empty(lib.bbans_grid_bound(element, native.size), np.uint8)
    work = workspace(
        lib.bbans_grid_encoder_bytes(element, geometry, native.size, level)
    )
    size = ffi.new("size_t *")
    check(
        lib.bbans_grid_compress(
            element, geometry, ffi.from_buffer(native), native.size, level,
            pointer(out, "uint8_t[]"), out.size, size,
            ffi.from_buffer(work), work.nbytes,
        )
    )  # fmt: skip
    return out.data[: size[0]]


def decode_grid(block: Buffer, out: NDArray[Any]) -> None:
    """Restore the elements of a grid.

    Parameters
    ----------
    block : bytes-like
        What `encode_grid` returned.
    out : ndarray of integers, one axis
        Where they go.

    Raises
    ------
    CorruptError
        If it is no block of as many elements of this type.
    """
    element = _element(out.dtype)
    native = out if out.dtype.isnative else np.empty(out.size, out.dtype.newbyteorder())
    data = np.frombuffer(block, np.uint8)
    work = workspace(lib.bbans_grid_decoder_bytes(element, out.size))
    status = lib.bbans_grid_decompress(
        element, pointer(data, "uint8_t[]"), data.size,
        ffi.from_buffer(native, require_writable=True), out.size,
        ffi.from_buffer(work), work.nbytes,
    )  # fmt: skip
    if status == lib.BBANS_ERR_CORRUPT:
        raise CorruptError(f"it is no grid of {out.size} {out.dtype.name}")
    check(status)
    if native is not out:
        out[:] = native


def _element(dtype: np.dtype[Any]) -> int:
    if dtype.kind not in "iu":
        raise SymbolError(f"a grid is of integers, not of {dtype}")
    return array_header(dtype).element
