"""Arrays of numpy in their own files (.npy)."""

from __future__ import annotations

import io
import math

import numpy as np

from bbans.files.samples import Samples
from bbans.formats.container import CHANNELS_MAX, integer_element

__all__ = ["MAGIC", "npy_layout"]

MAGIC = b"\x93NUMPY"
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
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    elif dtype.kind in "mM":
        dtype = np.dtype(np.int64)
    element = integer_element(dtype)
    size = math.prod(shape) * dtype.itemsize
    if element is None or size == 0:
        return None
    start = file.tell()
    channels, planar = 1, False
    if len(shape) == 2:
        steps, channels = shape[::-1] if fortran and shape[1] > shape[0] else shape
        planar = fortran and (steps, channels) == shape
        if channels > CHANNELS_MAX or (planar and start + size > _PLANAR_BYTES):
            channels, planar = 1, False
    return Samples(
        start, start + size, element, dtype.itemsize, channels, big_endian, planar
    )
