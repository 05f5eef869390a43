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
from bbans.formats.coders import Coder, coders_of, decode_block, restored_text
from bbans.formats.container import BYTES, CODE_POINTS, UTF8, read_index

__all__ = ["ContainerFile"]


class ContainerFile:
    """A container that is read by its index; `bbans.open` makes one.

    ``file[a:b]`` is that part of the array along its first axis, or of the bytes or the
    text; ``file[i]`` is one row or element. Text that is coded as UTF-8 is bytes here,
    whose positions are known. Iteration yields about a block after the other.

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
        self._header = header = self._parts[0].header
        if any(part.header.element != header.element for part in self._parts):
            self.close()
            raise FormatError(
                "container holds text in two forms, whose positions differ: decompress "
                "reads it"
            )
        # Of each part its first element, and last the number of all.
        sizes = (part.n_elements for part in self._parts)
        self._starts = [*accumulate(sizes, initial=0)]
        self.shape = (self._starts[-1],) if shape is None else shape
        self.dtype = header.array_dtype if header.is_array else None
        self._row = math.prod(self.shape[1:])
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
        key : slice or int
            Along the first axis, or ``()`` for an array without axes.

        Raises
        ------
        IndexError, TypeError
            If there is no such part.
        CorruptError, TruncatedError
            If a block of it is damaged.
        """
        if isinstance(key, tuple) and key == () == self.shape:
            return self._result(self._read(0, 1), ())
        n = len(self)
        if isinstance(key, slice):
            rows = range(n)[key]
            low, last = sorted((rows[0], rows[-1])) if rows else (0, -1)
            high = last + 1
            part = self._read(low * self._row, high * self._row)
            part = part.reshape(high - low, *self.shape[1:])[:: rows.step]
            return self._result(part, part.shape)
        row = range(n)[operator.index(key)]
        part = self._read(row * self._row, (row + 1) * self._row)
        if self._header.element == BYTES or self._header.element == UTF8:
            return int(part[0])
        return self._result(part, self.shape[1:])

    def __iter__(self) -> Iterator[Any]:
        """Yield parts of about a block, one after the other."""
        step = max(self._parts[0].block_size // max(self._row, 1), 1)
        for start in range(0, len(self), step):
            yield self[start : start + step]

    def _result(self, elements: NDArray[Any], shape: tuple[int, ...]) -> Any:
        """Elements as what they are of."""
        if self._header.is_array:
            return elements.reshape(shape).astype(self._header.array_dtype)
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
        decode_block(self._parts[number].block(index), self._coders[number], out)
