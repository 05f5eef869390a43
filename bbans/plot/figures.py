"""What all pictures share: axes, colours, and how symbols are called below them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_instance
from bbans.frozen.engine import EngineModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "axes_of",
    "figure_of",
    "heat_map",
    "legend_above",
    "name_states",
    "name_steps",
    "neutral",
    "new_figure",
    "shown_figure",
    "symbol_names",
]

#: Of Okabe and Ito's hues, which the colour-blind tell apart.
COLOURS = ("#0072b2", "#d55e00", "#00805e", "#a8518a", "#e69f00", "#56b4e9")
_CELLS = 5000  # of a heat map, up to which they are drawn as shapes
_NAMED = 100  # steps below which each has its symbol


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, which no window shows: to be saved.

    Raises
    ------
    ImportError
        If there is no matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise _no_matplotlib() from None
    return Figure(figsize=(width, height), layout="constrained")


def shown_figure(width: float, height: float) -> Figure:
    """An empty figure, which notebooks and `pyplot.show` show.

    Raises
    ------
    ImportError
        If there is no matplotlib.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        raise _no_matplotlib() from None
    return pyplot.figure(figsize=(width, height), layout="constrained")


def axes_of(ax: Axes | None, width: float = 8, height: float = 3.2) -> Axes:
    """The axes that were given, or those of a new figure.

    Raises
    ------
    ModelError
        If they are none of matplotlib's.
    ImportError
        If there is no matplotlib.
    """
    if ax is None:
        return shown_figure(width, height).add_subplot()
    made: Axes = _checked(ax, "axes", "Axes", "ax", "axes of matplotlib")
    return made


def figure_of(figure: Figure | None, width: float, height: float) -> Figure:
    """The figure that was given, or a new one.

    Raises
    ------
    ModelError
        If it is none of matplotlib's.
    ImportError
        If there is no matplotlib.
    """
    if figure is None:
        return shown_figure(width, height)
    made: Figure = _checked(
        figure, "figure", "FigureBase", "figure", "a figure of matplotlib"
    )
    return made


def _checked(value: Any, module: str, kind: str, name: str, what: str) -> Any:
    """An argument that is to be of a class of matplotlib's."""
    try:
        found = getattr(import_module(f"matplotlib.{module}"), kind)
    except ImportError:
        raise _no_matplotlib() from None
    return as_instance(value, found, name, what)


def _no_matplotlib() -> ImportError:
    return ImportError("bbans.plot needs matplotlib: pip install 'bbans[plot]'")


def neutral() -> Any:
    """The colour of what is no data, in the style that is in use."""
    import matplotlib as mpl

    return mpl.rcParams["axes.edgecolor"]


def heat_map(
    ax: Axes, values: NDArray[Any], what: str, *, step: int = 1, **options: Any
) -> None:
    """Draw a matrix, its first row lowest, with the scale of its values: from nothing
    to the first colour, so that it is at home on any background. A column is as wide as
    `step`."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    red, green, blue = to_rgb(COLOURS[0])
    ends = [(red, green, blue, 0.0), (red, green, blue, 1.0)]
    colours = LinearSegmentedColormap.from_list("bbans", ends)
    rows, columns = values.shape
    if values.size <= _CELLS:
        image: Any = ax.pcolormesh(
            np.arange(columns + 1) * step - 0.5, np.arange(rows + 1) - 0.5, values,
            cmap=colours, **options,
        )  # fmt: skip
    else:
        image = ax.imshow(
            values, origin="lower", aspect="auto", interpolation="nearest",
            extent=(-0.5, columns * step - 0.5, -0.5, rows - 0.5), cmap=colours,
            **options,
        )  # fmt: skip
    ax.figure.colorbar(image, ax=ax, label=what, pad=0.01)


def symbol_names(model: EngineModel, values: NDArray[Any]) -> list[str] | None:
    """How symbol numbers are shown; None for rows of integers."""
    if model.width > 1:
        return None
    units = model.alphabet.units.decode(values)
    if model.kind == "integers":
        return [str(value) for value in units.tolist()]
    return [_shown(int(value), model.kind == "text") for value in units.tolist()]


def _shown(value: int, is_text: bool) -> str:
    """A character or a byte, one that prints if there is such."""
    if chr(value) in " \n":
        return "\N{OPEN BOX}" if value == ord(" ") else "\N{RETURN SYMBOL}"
    if value < 127 or is_text:
        character = chr(value)
        if character.isprintable():
            return character.replace("$", r"\$")  # matplotlib's mathematics
    return f"{value:02x}"


def legend_above(ax: Axes) -> None:
    """Put the legend where it hides nothing."""
    ax.legend(
        fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2,
        frameon=False,
    )  # fmt: skip


def name_states(ax: Axes, label: str = "state") -> None:
    """Write the numbers of states at the side."""
    from matplotlib.ticker import MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel(label)


def name_steps(ax: Axes, model: EngineModel, values: NDArray[Any]) -> None:
    """Write the symbols below the steps, if they are few; else their positions."""
    names = symbol_names(model, values) if len(values) <= _NAMED else None
    if names is None:
        ax.set_xlabel("position")
        return
    ax.set_xticks(np.arange(len(names)), names)
    ax.tick_params(axis="x", length=0)
