"""Weights of models in the files of safetensors (.safetensors)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans.files.samples import element_of
from bbans.formats.container import AXES_MAX, BYTES, FIRST_FLOAT, float_element
from bbans.formats.pieces import Run

__all__ = ["Extent", "Tensors", "header_bytes", "safetensors_layout"]

_LENGTH_BYTES, _HEADER_MAX = 8, 1 << 24
_BLOCK_BYTES = 1 << 21
# Neighbours of one type are coded together if one has fewer bytes: their frequencies
# are not worth a table of their own.
_SMALL_BYTES = 1 << 16
_FLOATS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
# Of a byte they are what networks in integers have for weights: no series.
_INTEGERS = {"I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2}
_BYTES = ("BOOL", "I8", "U8")


class Extent(NamedTuple):
    """Elements of one type in a file, from byte `start` to `stop`."""

    start: int
    stop: int
    element: int
    width: int


@dataclass(frozen=True)
class Tensors:
    """Tensors one behind the other, and other bytes around them.

    Parameters
    ----------
    extents : sequence of Extent
        In their order, none of which overlap.
    """

    tries_bytes: ClassVar[bool] = False  # planes are these, but apart

    extents: Sequence[Extent]

    def __repr__(self) -> str:
        return f"Tensors({len(self.extents)} extents)"

    @property
    def block_bytes(self) -> int:
        return _BLOCK_BYTES

    def runs(self, start: int, data: NDArray[np.uint8]) -> list[Run]:
        """Whole elements of each extent, and the bytes between them."""
        runs, at, end = [], start, start + data.size
        first = bisect_right(self.extents, start, key=lambda extent: extent.stop)
        for extent in self.extents[first:]:
            if extent.start >= end:
                break
            skipped = -(-max(start - extent.start, 0) // extent.width)
            whole = (min(end, extent.stop) - extent.start) // extent.width
            low = extent.start + skipped * extent.width
            high = extent.start + whole * extent.width
            if low >= high:
                continue
            if low > at:
                runs.append(Run(low - at, BYTES))
            channels = int(extent.element < FIRST_FLOAT)
            runs.append(Run(high - low, extent.element, channels))
            at = high
        if at < end:
            runs.append(Run(end - at, BYTES))
        return runs


def header_bytes(head: bytes) -> int:
    """How many bytes at the start of a file tell what it holds, by its first few; 0 if
    it is none of this kind."""
    size = int.from_bytes(head[:_LENGTH_BYTES], "little")
    starts = head[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{"
    return _LENGTH_BYTES + size if starts and 2 <= size <= _HEADER_MAX else 0


def safetensors_layout(head: bytes) -> Tensors | None:
    """Where the tensors of a file are, by its first bytes; None if these are no header
    of such a file, or it has no numbers to gain by."""
    size = header_bytes(head)
    if not 0 < size <= len(head):
        return None
    try:
        import json  # when there is such a file

        header = json.loads(head[_LENGTH_BYTES:size].decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict):
        return None
    found = []
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        extent = _extent(tensor, size)
        if extent is None:
            return None
        found.append(extent)
    found.sort()
    before = size
    for extent in found:
        if extent.start < before:
            return None
        before = extent.stop
    extents = [*_joined(e for e in found if e.element and e.start < e.stop)]
    return Tensors(extents) if extents else None


def _extent(tensor: Any, header_size: int) -> Extent | None:
    """Where a tensor lies, of element 0 if it is coded by its bytes; None if what the
    header says of it cannot be."""
    if not isinstance(tensor, dict):
        return None
    shape, offsets = _counts(tensor.get("shape")), _counts(tensor.get("data_offsets"))
    if shape is None or offsets is None or len(offsets) != 2:
        return None
    begin, end = offsets
    element, width = _element(tensor.get("dtype"))
    if not begin <= end or (width and math.prod(shape) * width != end - begin):
        return None
    return Extent(header_size + begin, header_size + end, element, width)


def _element(dtype: Any) -> tuple[int, int]:
    """The element of a type, or 0, and its bytes, or 0 if it is not known."""
    if not isinstance(dtype, str):
        return 0, 0
    if dtype in _FLOATS:
        bits = 8 if dtype.startswith("F8") else int(dtype.lstrip("BF"))
        return float_element(_FLOATS[dtype]) or 0, bits // 8
    if dtype in _INTEGERS:
        width = _INTEGERS[dtype]
        return element_of(width, signed=dtype[0] == "I") or 0, width
    return 0, int(dtype in _BYTES)


def _counts(values: Any) -> list[int] | None:
    """These, if they are a list of a few integers below 2**63."""
    if not isinstance(values, list) or len(values) > AXES_MAX:
        return None
    fit = all(type(value) is int and 0 <= value < 1 << 63 for value in values)
    return values if fit else None


def _joined(extents: Iterable[Extent]) -> Iterator[Extent]:
    """The extents, those together that are better coded so."""
    last: Extent | None = None
    for extent in extents:
        if last is None:
            last = extent
            continue
        small = min(last.stop - last.start, extent.stop - extent.start) < _SMALL_BYTES
        if small and (last.stop, last.element) == (extent.start, extent.element):
            last = last._replace(stop=extent.stop)
        else:
            yield last
            last = extent
    if last is not None:
        yield last
