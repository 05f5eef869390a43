"""Arrays as the elements that containers hold, and back.

Elements are little-endian integers in C order, whatever the array is: bool is 0 and 1,
dates and durations count their unit, floats are their bits, and the axis of time may
come first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_array, not_integers
from bbans.errors import CorruptError, SymbolError
from bbans.formats.container import (
    AXES_MAX,
    BOOL,
    FIRST_EXTENSION,
    FLOAT_NAMES,
    Header,
    float_element,
)

__all__ = [
    "as_elements",
    "as_extension",
    "check_elements",
    "cut",
    "restored",
    "stored",
]

_WANTED = "integers or floats of at most 64 bits, booleans, datetime64 or timedelta64"
# By the kind of an array that is none of these.
_INSTEAD = {
    "f": "round them to 64 bits with .astype(np.float64), or compress "
    "np.ascontiguousarray(x)[..., None].view(np.uint8)",
    "O": "convert them to one type of numbers, as with .astype(np.float64); join text "
    "to one str; compress a table column by column",
    "c": "view them as floats, with np.ascontiguousarray(x)[..., None].view(x.real."
    "dtype), which has real and imaginary parts as an axis of 2",
}


def as_elements(data: Any) -> NDArray[Any]:
    """Data as an array that a container can hold, without copying arrays.

    Raises
    ------
    SymbolError
        If the elements are none of integers, floats, booleans, dates and durations, or
        the axes too many.
    """
    array = as_array(data, "elements")
    if array.size == 0 and not hasattr(data, "dtype") and array.dtype.kind == "f":
        return np.zeros(array.shape, dtype=np.int64)  # [] would be of floats
    if array.dtype.kind not in "iubMm" and float_element(array.dtype) is None:
        instead = _INSTEAD.get(array.dtype.kind)
        raise not_integers("elements", array, _WANTED, instead)
    if array.ndim > AXES_MAX:
        raise SymbolError(f"an array may have {AXES_MAX} axes, not {array.ndim}")
    return array


def as_extension(dtype: Any) -> int:
    """The element that the `dtype` of a caller says unsigned integers are.

    Raises
    ------
    SymbolError
        If it is of none of the types that numpy does not have.
    """
    try:
        element = float_element(dtype)
    except TypeError:  # what numpy does not know
        element = None
    if element is None or element < FIRST_EXTENSION:
        names = ", ".join(FLOAT_NAMES[e] for e in FLOAT_NAMES if e >= FIRST_EXTENSION)
        raise SymbolError(
            f"dtype is for floats that numpy does not have, {names}, not {dtype!r}: "
            "view the array as its type instead"
        )
    return element


def stored(array: NDArray[Any], axis: int) -> NDArray[Any]:
    """A view of an array as integers, in its own byte order, with this axis first."""
    dtype = array.dtype
    if dtype.kind in "bMm":
        kind = "u1" if dtype.kind == "b" else f"{dtype.str[0]}i8"
        array = array.view(kind)
    elif dtype.kind not in "iu":  # floats
        order = "=" if dtype.isnative else dtype.byteorder
        array = array.view(f"{order}u{dtype.itemsize}")
    return np.moveaxis(array, axis, 0) if axis else array


def cut(array: NDArray[Any], size: int, header: Header) -> Iterator[NDArray[Any]]:
    """Yield an array's elements in C order, in blocks of `size`.

    Parameters
    ----------
    array : ndarray
        Of `stored`. Where blocks are whole rows, or it is contiguous, no copy of more
        than a block is made.
    """
    row = math.prod(array.shape[1:])
    if array.flags.c_contiguous or array.ndim < 2 or row == 0 or size % row:
        array, row = array.reshape(-1), 1
    step = size // row
    for at in range(0, len(array), step):
        block = np.ascontiguousarray(array[at : at + step], header.dtype).reshape(-1)
        if header.element == BOOL and block.max() > 1:  # all but 0 is true
            block = (block != 0).view(np.uint8)
        yield block


def restored(elements: NDArray[Any], header: Header) -> NDArray[Any]:
    """A copy of elements in C order, as what they are of."""
    integers = np.array(elements, header.memory_dtype, order="C")
    array: NDArray[Any] = integers.view(header.array_dtype)
    return array  # astype would lose the byte order of dates without a unit


def check_elements(elements: NDArray[Any], header: Header) -> None:
    """That a block's integers are elements of its type.

    Raises
    ------
    CorruptError
        If they are not.
    """
    if header.element == BOOL and elements.size and elements.max() > 1:
        raise CorruptError("a value is beyond bool")
