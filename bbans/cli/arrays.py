"""What the command line knows of arrays: their types, shapes and files."""

from __future__ import annotations

import argparse
import io
import re
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bbans._files import read_all
from bbans.errors import FormatError, ModelError
from bbans.formats.container import FLOAT_NAMES

__all__ = [
    "FLOATS",
    "TYPES",
    "array_of",
    "axes_of",
    "dtype_of",
    "element_type",
    "is_array",
    "shape_of",
    "type_name",
]

TYPES = ["int", *(f"{sign}int{8 << i}" for i in range(4) for sign in ("u", ""))]
#: Those of floats: numpy has the first three, which may be big-endian.
FLOATS = [*FLOAT_NAMES.values()]


def is_array(name: str) -> bool:
    """Whether a file of this name holds an array with its header."""
    return name.endswith(".npy")


def array_of(source: BinaryIO) -> NDArray[Any]:
    """The array of a .npy file.

    Raises
    ------
    FormatError
        If it is none.
    """
    try:
        return np.lib.format.read_array(io.BytesIO(read_all(source)))
    except (ValueError, EOFError) as error:
        raise FormatError(f"no array (.npy): {error}") from error


def shape_of(text: str) -> tuple[int, ...]:
    """The shape of an array, divided by commas."""
    if re.fullmatch("(n|-1|[0-9]{1,18})(,[1-9][0-9]{0,17}){0,31}", text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no shape: say one such as 40,480,640, or n,480,640 for as "
            "many frames as there are; only the first may be n"
        )
    return tuple(-1 if number == "n" else int(number) for number in text.split(","))


def axes_of(text: str) -> str | tuple[str, ...]:
    """What axes are: a letter each, or names, divided by commas."""
    from bbans.formats.axes import as_axes  # when axes are given

    axes = tuple(text.split(",")) if "," in text else text
    try:
        as_axes(axes)
    except ModelError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return axes


def dtype_of(name: str) -> np.dtype[Any]:
    """The elements that --type names."""
    return np.dtype("int32" if name == "int" else name).newbyteorder("<")


def element_type(text: str) -> np.dtype[Any] | str:
    """The elements that compress --type names, of either byte order; a name where numpy
    has no such type."""
    name = text.removesuffix("be")
    dtype = None
    if name in FLOATS[3:] and name == text:
        return text
    if name in (*TYPES, *FLOATS[:3]):
        dtype = dtype_of(name)
    elif name == "bool" == text:
        dtype = np.dtype(bool)
    elif name.startswith(("datetime64", "timedelta64")):
        with suppress(TypeError, ValueError):
            dtype = np.dtype(name).newbyteorder("<")
    if dtype is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no type: say one of {', '.join(TYPES + FLOATS)}, bool, or "
            "one such as datetime64[ns]; a name that ends in be, as int16be, is "
            "big-endian"
        )
    return dtype if name == text else dtype.newbyteorder(">")


def type_name(dtype: np.dtype[Any]) -> str:
    """What --type calls a type of integers."""
    return dtype.name + "be" * (dtype.str[0] == ">")
