"""Pictures of files: the blocks of a container, records, the tables of a model."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_bytes
from bbans._kinds import CONTAINER, MODEL, RECORDS, START_BYTES, wrong_kind
from bbans.errors import CorruptError, ModelError
from bbans.formats.container import METHODS, ContainerReader
from bbans.frozen.base import FrozenModel, as_model
from bbans.plot.figures import (
    COLOURS,
    axes_of,
    figure_of,
    heat_map,
    legend_above,
    name_states,
    neutral,
    new_figure,
    symbol_names,
)
from bbans.records.groups import RecordBytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["blocks", "picture", "tables"]


_BARS = 500  # that are drawn apart


class _Run(NamedTuple):
    """Elements that were coded together."""

    start: int
    n: int
    n_bytes: int
    kind: str


def blocks(source: str | os.PathLike[str] | bytes, *, ax: Axes | None = None) -> Axes:
    """Draw the rate of a container by block, or of a file of records by group.

    Parameters
    ----------
    source : path-like or bytes
        A file, or the bytes of one. Blocks are checked, but not decoded.
    ax : Axes, optional

    Returns
    -------
    Axes
        A bar for each block, or for several if there are hundreds: as wide as their
        elements, as high as the bits that one of them takes, in the colour of what has
        coded them. A line at the rate of the file,
        all its bytes counted.

    Raises
    ------
    FormatError, VersionError, TruncatedError, CorruptError
        If it is no such file, or damaged.
    ModelError
        If it is empty.
    ImportError
        If there is no matplotlib.
    """
    data = _bytes_of(source)
    start = data[:START_BYTES]
    if start.startswith(RECORDS):
        unit, of, runs = "record", "group", list(_groups(data))
    elif start.startswith(CONTAINER):
        unit, of, runs = "element", "block", list(_blocks(data))
    else:
        raise wrong_kind(start, "a bbans container or record file")
    if not runs:
        raise ModelError("the file is empty: nothing to draw")
    ax = axes_of(ax)
    n = sum(run.n for run in runs)
    from matplotlib.collections import PolyCollection

    kinds = dict.fromkeys(run.kind for run in runs)
    for kind, colour in zip(kinds, cycle(COLOURS), strict=False):
        of_kind = [run for run in runs if run.kind == kind]
        size = sum(run.n_bytes for run in of_kind)
        drawn = list(_joined(of_kind, n // _BARS))
        bars = PolyCollection(
            [_corners(run) for run in drawn],
            facecolor=colour, edgecolor=neutral(),
            linewidth=0.4 if len(drawn) == len(of_kind) else 0,
            label=f"{kind}: {_count(len(of_kind), of)}, {_size(size)}",
        )  # fmt: skip
        ax.add_collection(bars)
    rate = 8 * len(data) / n
    ax.axhline(
        rate, color=neutral(), linewidth=1.4, linestyle="--",
        label=f"file: {rate:.4g} bits per {unit}, {_size(len(data))}",
    )  # fmt: skip
    ax.autoscale_view()
    ax.set_xlim(0, n)
    ax.set_ylim(0)
    ax.set_xlabel(unit)
    ax.set_ylabel(f"bits per {unit}")
    legend_above(ax)
    return ax


def _joined(runs: list[_Run], least: int) -> Iterator[_Run]:
    """Neighbours as one, until it has `least` elements: so there are few, if they are
    many."""
    held = runs[0]
    for run in runs[1:]:
        if held.n < least and held.start + held.n == run.start:
            both = held.n + run.n, held.n_bytes + run.n_bytes
            held = _Run(held.start, *both, held.kind)
        else:
            yield held
            held = run
    yield held


def _corners(run: _Run) -> list[tuple[float, float]]:
    height, end = 8 * run.n_bytes / run.n, run.start + run.n
    return [(run.start, 0), (run.start, height), (end, height), (end, 0)]


def _bytes_of(source: Any) -> bytes:
    if isinstance(source, str | os.PathLike):
        return Path(source).read_bytes()
    return as_bytes(source, "source")


def _blocks(data: bytes) -> Iterator[_Run]:
    start = 0
    for part in ContainerReader(memoryview(data)).parts():
        for block in part.blocks():
            block.check()
            yield _Run(
                start + block.start, block.n, block.n_bytes, METHODS[block.method]
            )
        start += part.n_elements


def _groups(data: bytes) -> Iterator[_Run]:
    held = RecordBytes(data, "record file")
    for group in range(held.n_groups):
        if not held.matches(group):
            raise CorruptError(
                f"record file is damaged: group {group} does not match its checksum"
            )
        numbers = held.numbers(group)
        yield _Run(numbers.start, len(numbers), held.message_bytes(group), "messages")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + "s" * (n > 1)


def _size(n: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if n < 1000:
            return f"{n:.4g} {unit}"
        n /= 1000
    return f"{n:.4g} GB"


# ---- models

# What the integers of a table stand for, if they are no masses.
_VALUES = {
    "location": lambda table: table / 2.0**16,
    "scale": lambda table: 2.0 ** (table / 256),
}
_NAMED, _TICKS = 64, 24  # symbols that are named: all, or so many of them
_RARE = 1e-4  # symbols at either end that no state emits more often are not drawn


def tables(model: Any, *, figure: Figure | None = None) -> Figure:
    """Draw the tables of a model: where it starts, how it moves, what it emits.

    Parameters
    ----------
    model : FrozenModel
        A hidden Markov model of any kind.
    figure : Figure, optional

    Returns
    -------
    Figure
        Axes for each table of ``model.tables()``: a row of a matrix is a distribution,
        in colours that show small probabilities as well; locations and scales are those
        of an observation's integers.

    Raises
    ------
    ModelError
        If it is no frozen model, or has no tables to look at.
    ImportError
        If there is no matplotlib.
    """
    made = as_model(model)
    named = made.tables()
    if not named:
        raise ModelError(f"a {type(made).__name__} has no tables to draw")
    figure = figure_of(figure, 3.4 * len(named), 3.4)
    widths = [0.35 if table.ndim == 1 else 1 for table in named.values()]
    all_axes = figure.subplots(
        1, len(named), squeeze=False, gridspec_kw={"width_ratios": widths}
    )[0]
    for ax, (name, table) in zip(all_axes, named.items(), strict=True):
        _draw_table(ax, name, table, made)
    return figure


def _draw_table(ax: Axes, name: str, table: NDArray[Any], model: FrozenModel) -> None:
    rows = np.atleast_2d(table).reshape(-1, table.shape[-1]).astype(np.float64)
    ax.set_title(name, fontsize="medium")
    if name in _VALUES:
        heat_map(ax, _VALUES[name](rows), name)
        ax.set_xlabel("channel")
        name_states(ax)
        return
    rows /= rows.sum(axis=1, keepdims=True)
    if table.ndim == 1:
        ax.barh(np.arange(table.size), rows[0], color=COLOURS[0])
        ax.set_ylim(-0.5, table.size - 0.5)
        ax.set_xlabel("probability")
        name_states(ax)
        return
    from matplotlib.colors import PowerNorm

    heat_map(ax, rows, "probability", norm=PowerNorm(0.5, 0, rows.max()))
    name_states(ax, "state" if table.ndim == 2 else "states, and those above")
    if name != "emission":
        ax.set_xlabel("next state")
        return
    ax.set_xlabel("symbol")
    drawn = np.flatnonzero(rows.max(axis=0) > _RARE)
    ax.set_xlim(drawn[0] - 0.5, drawn[-1] + 0.5)
    numbers = np.arange(drawn[0], min(drawn[-1] + 1, rows.shape[1] - model.ends))
    numbers = numbers[:: 1 if numbers.size <= _NAMED else -(-numbers.size // _TICKS)]
    ax.set_xticks(numbers, symbol_names(model, numbers) or [], fontsize="x-small")


# ---- of any file


def picture(data: bytes, form: str) -> bytes:
    """Draw a container, a file of records or a model file; for the command line.

    Parameters
    ----------
    data : bytes
        The file.
    form : {"png", "svg", "pdf"}

    Returns
    -------
    bytes
        The picture's file.
    """
    if data[: len(MODEL)] == MODEL:
        figure = new_figure(11, 3.4)
        tables(FrozenModel.from_bytes(data), figure=figure)
    else:
        figure = new_figure(9, 3.6)
        blocks(data, ax=figure.add_subplot())
    out = io.BytesIO()
    figure.savefig(out, format=form, dpi=150)
    return out.getvalue()
