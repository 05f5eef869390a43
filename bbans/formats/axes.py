"""The axes of arrays with neighbours in several directions, by their names or lengths.

An axis is of rows, columns, bands or frames. In a file the array has its frames first,
then rows and columns, next to each other in either order, then bands: what is not so
becomes it where one axis moves to the front, which the header of a file can say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bbans.errors import ModelError, SymbolError
from bbans.formats.container import AXES_MAX

__all__ = [
    "Axes",
    "Layout",
    "as_axes",
    "axes_text",
    "default_axes",
    "kinds_of",
    "laid",
    "says_space",
]

#: The names of axes: as given, or none.
Axes = tuple[str, ...]

_ROWS = "y lat latitude row rows height h northing rlat south_north yc j"
_COLUMNS = "x lon longitude column columns col width w easting rlon west_east xc i"
_BANDS = "c s band bands channel channels wavelength rgb rgba sample samples"
_KINDS = {
    name: kind
    for kind, names in (("row", _ROWS), ("column", _COLUMNS), ("band", _BANDS))
    for name in names.split()
}
# Values of a pixel at the most, if nothing is said.
_BANDS_MAX = 4


@dataclass(frozen=True)
class Layout:
    """How an array lies in a file.

    Attributes
    ----------
    axis : int
        Of the array, which is moved to the front.
    frames : tuple of int
        Lengths of the axes of frames, in the file.
    rows, columns, bands : int
    """

    axis: int
    frames: tuple[int, ...]
    rows: int
    columns: int
    bands: int

    @property
    def n_frames(self) -> int:
        return math.prod(self.frames)

    @property
    def row(self) -> int:
        """Elements of a row."""
        return self.columns * self.bands

    @property
    def step(self) -> int:
        """Elements at one place of the first axis of the file."""
        if not self.frames:
            return self.row
        return math.prod(self.frames[1:]) * self.rows * self.row

    @property
    def period(self) -> int:
        """How many frames before a frame is the one of the axis before: 0, or > 1."""
        *before, last = 1, *self.frames
        return last if last > 1 and math.prod(before) > 1 else 0


def as_axes(axes: Any) -> Axes | None:
    """The names of axes that a user gives, one each.

    Raises
    ------
    ModelError
        If they are none.
    """
    if axes is None:
        return None
    what = (
        "axes must be a letter for each axis, as 'tyx', or a sequence of names, as "
        "('time', 'lat', 'lon')"
    )
    if isinstance(axes, str):
        if not axes.isalpha():
            raise ModelError(f"{what}, not {axes!r}")
    elif not isinstance(axes, Sequence) and not _is_listed(axes):
        raise ModelError(f"{what}, not {axes!r}")
    names = tuple(axes)
    if not all(isinstance(name, str) and name for name in names):
        raise ModelError(f"{what}, not {axes!r}")
    if len(set(names)) < len(names):
        raise ModelError(f"{what}: {axes!r} has a name twice")
    if not 2 <= len(names) <= AXES_MAX:
        raise ModelError(
            f"{what}, of 2 to {AXES_MAX} axes, not {axes!r}: SignalCoder() codes one"
        )
    kinds_of(names)
    return names


def _is_listed(axes: Any) -> bool:
    return isinstance(axes, Iterable) and hasattr(axes, "__len__")


def axes_text(axes: Axes) -> str | list[str]:
    """Names as a user writes them, and JSON has them."""
    return "".join(axes) if all(len(name) == 1 for name in axes) else list(axes)


def kinds_of(axes: Axes) -> tuple[str, ...]:
    """Which axes are rows and columns, "space", which bands, and which frames.

    Raises
    ------
    ModelError
        If all but one are bands.
    """
    known = _known(axes)
    if says_space(axes):
        space = [known.index("row"), known.index("column")]
    else:
        space = [i for i, kind in enumerate(known) if kind != "band"][-2:]
    if len(space) < 2:
        raise ModelError(
            f"axes {axes_text(axes)!r} have no rows and columns, only bands: "
            "SignalCoder(axis=..) codes channels that are sampled together"
        )
    return tuple(
        "space" if i in space else "band" if kind == "band" else "frame"
        for i, kind in enumerate(known)
    )


def says_space(axes: Axes) -> bool:
    """Whether the names say which axes are rows and columns."""
    known = _known(axes)
    return known.count("row") == known.count("column") == 1


def _known(axes: Axes) -> list[str]:
    return [_KINDS.get(name.lower(), "frame") for name in axes]


def default_axes(shape: tuple[int, ...]) -> Axes | None:
    """Names for the axes of an array of which only the lengths are known.

    The last of three or more is of bands, if there are at most 4 of them. What precedes
    are frames, rows and columns. None if there are no two.
    """
    if len(shape) < 2:
        return None
    with_bands = len(shape) > 2 and shape[-1] <= _BANDS_MAX
    names = ("y", "x", "c") if with_bands else ("y", "x")
    frames = len(shape) - len(names)
    return (*(f"frame{i}" for i in range(frames)), *names)


def laid(shape: tuple[int, ...], axes: Axes | None) -> Layout:
    """How an array of this shape, and of these axes, lies in a file.

    Raises
    ------
    SymbolError
        If it has other axes, or cannot lie so; the text says what to do.
    """
    names = default_axes(shape) if axes is None else axes
    if names is None:
        raise SymbolError(
            f"an array of shape {shape} has no rows and columns: SignalCoder() codes "
            "series"
        )
    if len(names) != len(shape):
        raise SymbolError(
            f"axes {axes_text(names)!r} name {len(names)} axes, but an array of shape "
            f"{shape} has {len(shape)}: name each of them"
        )
    kinds = kinds_of(names)
    for axis in range(len(shape)):
        order = [axis, *(i for i in range(len(shape)) if i != axis)]
        first = next(i for i, at in enumerate(order) if kinds[at] == "space")
        if kinds[order[first + 1]] == "space" and all(
            kinds[at] == "band" for at in order[first + 2 :]
        ):
            lengths = [shape[at] for at in order]
            frames, bands = tuple(lengths[:first]), math.prod(lengths[first + 2 :])
            rows, columns = lengths[first : first + 2]
            return Layout(axis, frames, rows, columns, bands)
    groups = ("frame", "space", "band")
    order = sorted(range(len(names)), key=lambda i: groups.index(kinds[i]))
    wanted = axes_text(tuple(names[i] for i in order))
    raise SymbolError(
        f"axes {axes_text(names)!r} have frames behind rows and columns, of which only "
        f"one axis could move to the front: pass x.transpose{tuple(order)} with axes "
        f"{wanted!r}"
    )
