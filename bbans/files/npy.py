"""Arrays of numpy in their own files (.npy)."""

from __future__ import annotations

import io
import math
from typing import Any, NamedTuple

import numpy as np

from bbans.files.samples import Samples, element_of
from bbans.formats.container import float_element

__all__ = ["MAGIC", "npy_description", "npy_layout"]

MAGIC = b"\x93NUMPY"
# The last axes of an array are channels, up to so many in all.
_CHANNELS_MAX = 64
# Few rows are channels if they fit in a block, of so many bytes, which has all of them.
_PLANAR_BYTES = 1 << 22


class Description(NamedTuple):
    """What the file of an array says of it, and where its elements start."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int


def npy_description(head: bytes) -> Description | None:
    """What the first bytes of a file say of its array; None if it has none."""
    if not head.startswith(MAGIC):
        return None
    file, lib = io.BytesIO(head), np.lib.format
    try:
        version = lib.read_magic(file)
        read = lib.read_array_header_1_0
        if version != (1, 0):  # the third differs in the names of fields only
            read = lib.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except Exception:  # of a strange header numpy raises half a dozen types
        return None
    return Description(shape, fortran, dtype, file.tell())


def npy_layout(head: bytes) -> Samples | None:
    """Where the numbers of an array are, by the first bytes of its file; None if it
    has none."""
    described = npy_description(head)
    if described is None:
        return None
    shape, fortran, dtype, start = described
    big_endian = dtype.str[0] == ">"
    element, width = None, dtype.itemsize
    if dtype.kind in "iubmM":  # times are integers too
        element = element_of(width, signed=dtype.kind in "imM")
    elif dtype.kind == "f":
        element = float_element(dtype)
    elif dtype.kind == "c":  # a real and an imaginary part
        width //= 2
        element = float_element(f"float{8 * width}")
    size = math.prod(shape) * dtype.itemsize
    if element is None or min(shape, default=1) < 1:
        return None
    axes = shape[::-1] if fortran else shape  # as in the file
    if dtype.kind == "c":
        axes = (*(axes or (1,)), 2)
    channels = 1
    for n in axes[:0:-1]:
        if channels * n > _CHANNELS_MAX:
            break
        channels *= n
    planar = (
        channels == 1
        and len(axes) == 2
        and 1 < axes[0] <= _CHANNELS_MAX
        and start + size <= _PLANAR_BYTES
    )
    if planar:
        channels = axes[0]
    return Samples(start, start + size, element, width, channels, big_endian, planar)
