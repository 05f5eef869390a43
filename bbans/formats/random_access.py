"""Containers as arrays, bytes or text in a file: only what is asked for is decoded."""

from __future__ import annotations

import math
import operator
import os
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import check_file
from bbans.errors import FormatError
from bbans.formats.arrays import restored
from bbans.formats.coders import Coder, coders_of, decode_block, restored_text
from bbans.formats.container import BYTES, CODE_POINTS, UTF8, read_index

__all__ = ["ContainerFile"]


class ContainerFile:
    """A container that is read by its index; `bbans.open` makes one.

    ``file[a:b]`` is that part of the bytes, the text or the array along its first axis,
    ``file[i]`` one element or row, and ``file[:, a:b]`` indexes other axes of an array,
    as in numpy. Text that is coded as UTF-8 is bytes here, whose positions are known.
    What is read are the blocks that are needed along `axis`.

    Parameters
    ----------
    file : path or binary file
        It can seek. A path is opened, and closed by `close`.
    coder : Coder or None

    Attributes
    ----------
    shape : tuple of int
        Of the whole; one axis for bytes and text.
    dtype : dtype or None
        Of an array.
    axis : int
        Along which blocks follow each other: of time, if the coder had it.

    Raises
    ------
    WrongModelError, VersionError, TruncatedError, CorruptError, FormatError
        As of `bbans.open`.

    Notes
    -----
    Not safe for use by several threads at once: they share the position in the file.
    """

    def __init__(
        self, file: str | os.PathLike[str] | BinaryIO, coder: Coder | None
    ) -> None:
        self._owned = isinstance(file, str | os.PathLike)
        if isinstance(file, str | os.PathLike):
            self._file: BinaryIO = open(file, "rb")  # noqa: SIM115
        else:
            check_file(file, "file", "seek")
            self._file = file
        try:
            self._parts, shape = read_index(self._file)
            self._coders = [coders_of(part.header, coder) for part in self._parts]
        except BaseException:
            self.close()
            raise
        header = self._parts[0].header
        elements = {part.header.element for part in self._parts}
        if elements == {BYTES, UTF8}:  # together they are bytes
            header, elements = header._replace(element=BYTES), {BYTES}
        self._header = header
        if len(elements) > 1:
            self.close()
            raise FormatError(
                "container holds text in two forms, whose positions differ: decompress "
                "reads it"
            )
        # Of each part its first element, and last the number of all.
        sizes = (part.n_elements for part in self._parts)
        self._starts = [*accumulate(sizes, initial=0)]
        if shape is None:
            shape = (self._starts[-1],)
        self.axis = header.axis
        self.shape = header.shape_of(shape)
        self.dtype = header.array_dtype if header.is_array else None
        self._inner = shape[1:]  # of a row, along the axis
        self._row = math.prod(self._inner)
        self._last: tuple[Any, NDArray[Any]] = None, np.empty(0, header.dtype)

    def __repr__(self) -> str:
        n_blocks = sum(part.n_blocks for part in self._parts)
        kind, shape = self._header.kind, self.shape
        return f"<ContainerFile: {kind}, shape {shape}, {n_blocks} blocks>"

    def __enter__(self) -> ContainerFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a ContainerFile is an open file: open it again instead")

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            self._file.close()

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("this array has no axes, and no length")
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Decode a part.

        Parameters
        ----------
        key : slice, int or tuple of these
            Along the first axes; an ``...`` stands for those that are left out.

        Raises
        ------
        IndexError, TypeError
            If there is no such part.
        CorruptError, TruncatedError
            If a block of it is damaged.
        """
        given = key if isinstance(key, tuple) else (key,)
        if not self.shape and given not in ((), (...,)):
            raise TypeError("this array has no axes: its only key is ()")
        keys = self._keys(given)
        if not keys:
            return self._result(self._read(0, 1).reshape(()))
        along = keys.pop(self.axis)
        n = self.shape[self.axis]
        if isinstance(along, slice):
            rows = range(n)[along]
        else:
            row = range(n)[along]
            rows = range(row, row + 1)
        low, last = sorted((rows[0], rows[-1])) if rows else (0, -1)
        part = self._rows(low, last + 1, keys)[:: rows.step]
        # Keys that are numbers take their axes away.
        place = sum(isinstance(key, slice) for key in keys[: self.axis])
        if not isinstance(along, slice):
            part = part[0]
            if self._header.element == BYTES or self._header.element == UTF8:
                return int(part)
        elif place:
            part = np.moveaxis(part, 0, place)
        return self._result(part)

    def __iter__(self) -> Iterator[Any]:
        """Yield parts of about a block, one after the other along `axis`."""
        len(self)  # or there are none
        step = max(self._parts[0].block_size // max(self._row, 1), 1)
        for start in range(0, self.shape[self.axis], step):
            yield self[(slice(None),) * self.axis + (slice(start, start + step),)]

    def _keys(self, keys: tuple[Any, ...]) -> list[slice | int]:
        """A key for each axis."""
        n_all = sum(key is ... for key in keys)
        if n_all > 1 or len(keys) - n_all > len(self.shape):
            raise IndexError(
                f"{len(keys)} keys for an array of shape {self.shape}, which has "
                f"{len(self.shape)} axes"
            )
        found: list[slice | int] = []
        for key in keys if n_all else (*keys, ...):
            if key is ...:
                n_left = len(self.shape) - len(keys) + n_all
                found += [slice(None)] * n_left
            else:
                found.append(key if isinstance(key, slice) else operator.index(key))
        for axis, (key, n) in enumerate(zip(found, self.shape, strict=True)):
            if not isinstance(key, slice) and not -n <= key < n:
                raise IndexError(f"index {key} is out of range for axis {axis}, of {n}")
        return found

    def _rows(self, low: int, high: int, keys: list[slice | int]) -> NDArray[Any]:
        """Of the rows from `low` to `high`, along the axis, what the keys leave."""
        if all(key == slice(None) for key in keys):
            part = self._read(low * self._row, high * self._row)
            return part.reshape(high - low, *self._inner)
        # Piece by piece, in the memory of what is left.
        index = (slice(None), *keys)
        none = np.empty((0, *self._inner), self._header.dtype)[index]
        left = np.empty((high - low, *none.shape[1:]), none.dtype)
        step = max(self._parts[0].block_size // max(self._row, 1), 1)
        for start in range(low, high, step):
            end = min(start + step, high)
            piece = self._read(start * self._row, end * self._row)
            piece = piece.reshape(end - start, *self._inner)
            left[start - low : end - low] = piece[index]
        return left

    def _result(self, elements: NDArray[Any]) -> Any:
        """Elements as what they are of."""
        if self._header.is_array:
            return restored(elements, self._header)[()]
        elements = np.ascontiguousarray(elements)
        if self._header.element == CODE_POINTS:
            return restored_text(elements, self._header)
        return elements.tobytes()

    def _read(self, first: int, end: int) -> NDArray[Any]:
        """Decode the elements from `first` to `end`."""
        out = np.empty(end - first, self._header.dtype)
        at = first
        while at < end:
            number = bisect_right(self._starts, at) - 1
            part, before = self._parts[number], self._starts[number]
            index = (at - before) // part.block_size
            start = before + index * part.block_size
            stop = min(start + part.block_size, self._starts[number + 1])
            if first <= start and stop <= end:
                self._decode(number, index, out[start - first : stop - first])
            else:
                if self._last[0] != (number, index):
                    block = np.empty(stop - start, self._header.dtype)
                    self._decode(number, index, block)
                    self._last = (number, index), block
                stop = min(stop, end)
                out[at - first : stop - first] = self._last[1][
                    at - start : stop - start
                ]
            at = stop
        return out

    def _decode(self, number: int, index: int, out: NDArray[Any]) -> None:
        part = self._parts[number]
        decode_block(part.block(index), part.header, self._coders[number], out)
