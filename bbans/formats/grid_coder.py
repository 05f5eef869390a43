"""The coder of images, video, volumes and maps; and what codes an array by default."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bbans._records import Buffer
from bbans.errors import SymbolError
from bbans.formats.axes import (
    Axes,
    Layout,
    as_axes,
    axes_text,
    default_axes,
    kinds_of,
    laid,
)
from bbans.formats.coders import LEVEL_DEFAULT, ByteCoder, Coder, SignalCoder
from bbans.formats.container import BLOCK_BYTES_MAX, FIRST_EXTENSION, GRID, Header

if TYPE_CHECKING:  # loaded when used, as the coders of other blocks are
    from bbans.formats.grids import Grid

__all__ = ["GridCoder", "axes_coder", "default_coder", "is_grid"]

# Elements of a block, unless a frame has more; from which level on as many as it may
# have.
_BLOCK, _SMALL_LEVEL = 1 << 22, 8
# Frames of a block of several axes of frames, in periods, so that most have one before.
_PERIODS = 4
# Rows and columns of what is a grid by default, and columns of what may be a series.
_SIDE_MIN, _COLUMNS_MAX = 8, 64
# Columns of a grid at the most: more its blocks only store.
_SIDE_MAX = 1 << 18
# Elements and rows of what is tried as a grid and as a series.
_SAMPLE_MIN, _SAMPLE_MAX, _SAMPLE_ROWS = 1 << 13, 1 << 16, 16


class GridCoder(Coder):
    """Codes arrays whose values have neighbours in several directions: images, video,
    microscope stacks, volumes, maps, masks.

    Each value is predicted from its neighbours in its image, from the bands of the same
    place that come before, and from what is around it in the frame before. Integers,
    booleans, dates, durations and floats come back exactly.

    Parameters
    ----------
    axes : str or sequence of str, optional
        What the axes of an array are: a string of one letter per axis, such as "tyx" or
        "yxc", or a sequence of names, such as the dims of xarray.

        - *rows and columns*: y and x, h and w, or height and width, row and column, lat
          and lon, latitude and longitude, northing and easting; without
          such a pair, the last two axes that are not bands.
        - *bands*, values of the same pixel: c, s, band, channel, wavelength, rgb,
          sample. After rows and columns, a pixel's values are predicted from each
          other; before them, each band is an image.
        - *frames*: all others, such as time, depth or number. With several, the last
          varies fastest; a frame is predicted from the frame before it and from the
          one before it along the other axes.

        By default, the last of three or more axes holds bands if its length is at most
        4; the two before the bands, or the last two, are rows and columns, and all
        others are frames.
    level : int
        From 1, fast, to 9, small.

    Raises
    ------
    ModelError
        If one of these is none.

    Notes
    -----
    Frames come first, then rows and columns, then bands. If one axis is out of place,
    as in "yxt", `compress` moves it and `decompress` moves it back; if more are, the
    error gives the transpose to use.

    A block holds whole frames: by default about 2**22 elements, at levels 8 and 9 about
    2**24 bytes, and at least one frame. Blocks are independent, so a part of a video
    can be decoded and threads can share the work, but the first frame of each block has
    none before it. A single image, and frames of more than 2**24 bytes, are split
    between rows.

    Examples
    --------
    >>> import numpy as np
    >>> from bbans import compress, decompress
    >>> y, x = np.mgrid[:64, :64]
    >>> video = np.array([(y - 32 + t) ** 2 + x * 40 for t in range(20)])
    >>> blob = compress(video, GridCoder("tyx"))
    >>> bool((decompress(blob) == video).all())
    True
    >>> len(blob) < video.nbytes // 50
    True
    """

    method = GRID
    file_element = None
    _plan: _Plan | None = None

    def __init__(
        self, axes: str | Sequence[str] | None = None, level: int = LEVEL_DEFAULT
    ) -> None:
        super().__init__(level)
        self.axes = as_axes(axes)

    def __repr__(self) -> str:
        axes = "" if self.axes is None else f"{axes_text(self.axes)!r}, "
        return f"GridCoder({axes}level={self.level})"

    def laid_out(self, shape: tuple[int, ...], itemsize: int) -> GridCoder:
        coder = copy(self)
        block = _BLOCK if self.level < _SMALL_LEVEL else BLOCK_BYTES_MAX // itemsize
        coder._plan = _Plan(laid(shape, self.axes), itemsize, block)
        return coder

    def axis_of(self, shape: tuple[int, ...]) -> int:
        return laid(shape, self.axes).axis

    def width(self, shape: tuple[int, ...]) -> int:
        return self._planned.width

    def block_size(self, itemsize: int, width: int) -> int:
        return self._planned.block_size

    def elements(self, data: str | Buffer) -> tuple[int, NDArray[Any]]:
        raise SymbolError(
            f"a grid is an array, not {type(data).__name__}: pass "
            "np.frombuffer(data, dtype).reshape(shape), or compress it with a ByteCoder"
        )

    def encode(self, steps: NDArray[Any]) -> Buffer:
        return self._coded(steps, self._planned.grid(steps.size))

    def _coded(self, steps: NDArray[Any], grid: Grid) -> Buffer:
        if self._is_float:
            return self._floats(steps, grid=grid)
        from bbans.formats.grids import encode_grid

        return encode_grid(steps, grid, self.level)

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        from bbans.formats.grids import decode_grid

        decode_grid(data, out)

    def shortest(self, steps: NDArray[Any], start: int = 0) -> tuple[int, Buffer]:
        return self._chosen(steps)

    @property
    def _planned(self) -> _Plan:
        assert self._plan is not None, "laid_out says how the array lies"
        return self._plan


class _Plan:
    """How an array is cut into blocks, and what grid each is.

    Parameters
    ----------
    layout : Layout
    itemsize : int
        Bytes of an element.
    block : int
        Elements that a block should have.

    Raises
    ------
    SymbolError
        If a block would have too many bytes; the text says what to do.
    """

    def __init__(self, layout: Layout, itemsize: int, block: int) -> None:
        self.layout, self._block = layout, block
        self.row = max(layout.row, 1)
        self.frame = max(layout.rows, 1) * self.row
        most = BLOCK_BYTES_MAX // itemsize
        self.by_frames = layout.n_frames > 1 and self.frame <= most
        self.width = self.frame if self.by_frames else self.row
        what, advice = "a row", "SignalCoder() codes it as a series"
        if layout.axis:  # blocks have whole parts along the axis that has moved
            self.width = max(layout.step, 1)
            what = "what lies at one place of the axis that moves to the front"
            advice = "pass the array with that axis first, as np.moveaxis makes it"
        if self.width > most:
            raise SymbolError(
                f"{what} has {self.width} elements, {self.width * itemsize} bytes, and "
                f"a block at most {BLOCK_BYTES_MAX}: {advice}"
            )
        self.block_size = self._by_frames(most) if self.by_frames else self._by_rows()

    def _by_frames(self, most: int) -> int:
        n, period = self.layout.n_frames, self.layout.period
        frames = max(self._block // self.frame, _PERIODS * period)
        frames = max(min(frames, most // self.frame), 1)
        blocks = -(-n // frames)
        frames = -(-n // blocks)  # of about the same length
        if period and frames > period:
            frames = min(-(-frames // period), most // self.frame // period) * period
        return frames * self.frame

    def _by_rows(self) -> int:
        """Blocks of about the same number of rows; of several frames such that end
        where a frame does, if there are."""
        rows = max(self.layout.rows, 1)
        parts = -(-rows // max(self._block // self.row, 1))
        if self.layout.n_frames > 1:
            even = (n for n in range(parts, 2 * parts) if rows % n == 0)
            parts = next(even, parts)
        return -(-rows // parts) * self.row

    def grid(self, size: int) -> Grid:
        """The grid of a block of so many elements.

        Where frames are divided, a block is one frame: rows that follow each other,
        even if one image ends among them.
        """
        from bbans.formats.grids import Grid

        layout = self.layout
        if not self.by_frames:
            return Grid(size // self.row, layout.columns, layout.bands)
        period = layout.period if layout.period < size // self.frame else 0
        return Grid(layout.rows, layout.columns, layout.bands, period)


def is_grid(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape is a grid if nothing is said.

    Its rows and columns are 8 or more each, and if it has two axes, there are more than
    64 columns: fewer are the channels of a series.
    """
    axes = default_axes(shape)
    if axes is None or (len(shape) == 2 and shape[1] <= _COLUMNS_MAX):
        return False
    layout = laid(shape, axes)
    return layout.rows >= _SIDE_MIN and _SIDE_MIN <= layout.columns <= _SIDE_MAX


def axes_coder(axes: Axes, shape: tuple[int, ...], level: int) -> Coder | None:
    """The coder of a part of an array of these axes, as a chunk of a store is.

    Parts of few rows or columns are series along the longest axis of frames, whose
    channels are all other places, if there are at most 64. None: that of the shape.

    Raises
    ------
    SymbolError
        If a grid of these axes cannot be coded; the text says what to do.
    """
    layout = laid(shape, axes)
    if min(layout.rows, layout.columns) >= _SIDE_MIN:
        return GridCoder(axes, level)
    frames = [i for i, kind in enumerate(kinds_of(axes)) if kind == "frame"]
    if frames:
        axis = max(frames, key=lambda i: shape[i])
        if math.prod(shape) <= _COLUMNS_MAX * shape[axis]:
            return SignalCoder(level, axis)
    return None


def default_coder(
    header: Header, shape: tuple[int, ...], array: NDArray[Any] | None = None
) -> type[Coder]:
    """What codes an array of this header and shape if nothing is said.

    Parameters
    ----------
    header : Header
    shape : tuple of int
    array : ndarray, optional
        Its elements as integers, by which an array whose shape is that of a grid may
        turn out to be series, as images are that lie flat in the rows of a table.
    """
    if header.element >= FIRST_EXTENSION:
        return ByteCoder  # weights, which follow no order
    if not is_grid(shape):
        return SignalCoder
    if array is not None and array.size and _is_shorter_as_series(array, header):
        return SignalCoder
    return GridCoder


def _is_shorter_as_series(array: NDArray[Any], header: Header) -> bool:
    """Whether a sample of the elements is shorter one after the other, by more than it
    may err."""
    from bbans.formats.grids import Grid

    sample, layout = _sample(array, laid(array.shape, None))
    sample = np.ascontiguousarray(sample, header.dtype).reshape(-1, 1)
    as_grid, as_series = GridCoder(level=1), SignalCoder(level=1)
    as_grid._element = as_series._element = header.element
    grid = Grid(layout.rows, layout.columns, layout.bands)
    return 20 * len(as_series.encode(sample)) < 19 * len(as_grid._coded(sample, grid))


def _sample(array: NDArray[Any], layout: Layout) -> tuple[NDArray[Any], Layout]:
    """Some frames, or rows, from the middle of an array, and how they lie."""
    size = min(max(array.size // 8, _SAMPLE_MIN), _SAMPLE_MAX)
    for _ in layout.frames:
        n = min(max(size * len(array) // array.size, 1), len(array))
        start = (len(array) - n) // 2
        array = array[start : start + n]
        if n > 1:
            return array, layout
        array = array[0]
    rows = min(max(size // layout.row, _SAMPLE_ROWS), layout.rows)
    columns = min(max(size // (rows * layout.bands), 1), layout.columns)
    start = (layout.rows - rows) // 2
    array = array[start : start + rows, :columns]
    return array, replace(layout, rows=rows, columns=columns)
