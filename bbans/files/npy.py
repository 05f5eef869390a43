"""Arrays of numpy in their own files (.npy)."""

from __future__ import annotations

import io
import math

import numpy as np

from bbans.files.samples import Samples, element_of

__all__ = ["MAGIC", "npy_layout"]

MAGIC = b"\x93NUMPY"
# Columns that are channels at the most; more are rather those of a picture.
_COLUMNS_MAX = 64
# An array in Fortran's order is transposed in one block, if it fits in so many bytes.
_PLANAR_BYTES = 1 << 22


def npy_layout(head: bytes) -> Samples | None:
    """Where the integers of an array are, by the first bytes of its file; None if it
    has none."""
    if not head.startswith(MAGIC):
        return None
    file, lib = io.BytesIO(head), np.lib.format
    try:
        version = lib.read_magic(file)
        read = lib.read_array_header_1_0
        if version != (1, 0):  # the third differs in the names of fields only
            read = lib.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, EOFError, SyntaxError, TypeError):
        return None
    big_endian = dtype.str[0] == ">"
    element = None
    if dtype.kind in "iubmM":  # times are integers too
        element = element_of(dtype.itemsize, signed=dtype.kind in "imM")
    size = math.prod(shape) * dtype.itemsize
    if element is None or min(shape, default=1) < 1:
        return None
    start = file.tell()
    channels, planar = 1, False
    if len(shape) == 2:
        steps, channels = shape[::-1] if fortran and shape[1] > shape[0] else shape
        planar = fortran and (steps, channels) == shape
        if channels > _COLUMNS_MAX or (planar and start + size > _PLANAR_BYTES):
            channels, planar = 1, False
    return Samples(
        start, start + size, element, dtype.itemsize, channels, big_endian, planar
    )
