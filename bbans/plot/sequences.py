"""Pictures of a sequence under a model: its bits, and its states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans.api import compress, costs
from bbans.errors import ModelError, SymbolError
from bbans.frozen.engine import EngineModel, as_engine
from bbans.plot.figures import (
    COLOURS,
    axes_of,
    heat_map,
    legend_above,
    name_states,
    name_steps,
    neutral,
)
from bbans.plot.schedule import steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bbans.formats.coders import Coder

__all__ = ["bits", "posterior", "rate", "trellis"]

_WINDOWS = 200  # that a curve is made of
_COLUMNS = 2000  # of a heat map, beyond which one is the mean of several steps
_LEAST = 0.01  # of a probability that is drawn


# ---- bits


def rate(
    data: Any,
    coder: EngineModel | Coder | None = None,
    *,
    level: int | None = None,
    window: int | None = None,
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the bits per symbol over the position.

    Parameters
    ----------
    data : str, bytes or array_like of int
    coder : FrozenModel, ParticleFilter or MixingCoder, optional
        As `bbans.costs` takes it: by default what codes bytes and text without a model.
    level : int, optional
        Of the default coder.
    window : int, optional
        Symbols whose mean is a point; by default a 200th of all.
    label : str, optional
        What the legend calls the coder.
    ax : Axes, optional
        Draw again into the same axes to compare coders.

    Returns
    -------
    Axes
        A curve of the means of windows; and, dashed, what has been taken so far, with
        all that comes on top of the information content: start and end of a message,
        headers of a container. Where the two part at the left is the start-up.

    Raises
    ------
    SymbolError
        If the data cannot be coded.
    ModelError
        As `bbans.costs`. A model without an exact predictive distribution is drawn by
        `steps`.
    ImportError
        If there is no matplotlib.
    """
    each, total, name = _measured(data, coder, level)
    if each.size == 0:
        raise SymbolError("there are no symbols: nothing to draw")
    n = each.size
    width = -(-n // _WINDOWS) if window is None else as_integer(window, "window", 1)
    starts = np.arange(0, n, width)
    ends = np.minimum(starts + width, n)
    means = np.add.reduceat(each, starts) / (ends - starts)
    so_far = (np.cumsum(each)[ends - 1] + total - each.sum()) / ends
    ax = axes_of(ax)
    text = f"{name if label is None else label}: {total / n:.4g} bits per symbol in all"
    colour = COLOURS[len(ax.lines) // 2 % len(COLOURS)]
    ax.plot((starts + ends - 1) / 2, means, color=colour, label=text, linewidth=1.2)
    ax.plot(ends - 1, so_far, "--", color=colour, linewidth=1)
    # What the first few symbols pay for the start of a message says nothing of them.
    ax.set_ylim(0, max(ax.get_ylim()[1] if len(ax.lines) > 2 else 0, 1.6 * means.max()))
    ax.set_xlabel("position")
    ax.set_ylabel("bits per symbol")
    ax.legend()
    return ax


def _measured(
    data: Any, coder: EngineModel | Coder | None, level: int | None
) -> tuple[NDArray[np.float64], float, str]:
    """Bits of each symbol, those of the whole message, and what to call the coder."""
    if not isinstance(coder, EngineModel):
        each = costs(data, coder, level=level)
        name = "without a model" if coder is None else repr(coder)
        return each, 8.0 * len(compress(data, coder, level=level)), name
    name = type(coder).__name__
    if coder.exact_predictive or coder.mode == "predictive":
        return costs(data, coder), 8.0 * len(coder.encode(data)), name
    taken = steps(data, coder)
    n = taken.length - taken.grown.size
    start = np.full(n, (taken.start + taken.flag) / max(n, 1))
    return np.concatenate([taken.grown, start]), taken.bits, name


def bits(x: Any, model: Any, *, ax: Axes | None = None) -> Axes:
    """Draw by what the message grew at each step, against the information content.

    Parameters
    ----------
    x : str, bytes or array_like of int
        What ``model.encode`` takes.
    model : FrozenModel or ParticleFilter
        With an exact predictive distribution.
    ax : Axes, optional

    Returns
    -------
    Axes
        By step, or by a 200th of them: the bits by which the message grew, -log2 P(x_t
        | x_1 .. x_t-1), and the gap so far between the sums of the two. While steps
        last it is log2 P(z_t+1 | z_t) / P(z_t+1 | x_1 .. x_t): what z_t, which the
        message has lent, says of the next state beyond the data. The start is shaded;
        the gap at its end is what rounding costs, and the start of the message.

    Raises
    ------
    SymbolError
        If the model cannot code x, or x is empty.
    ModelError
        If it is no frozen model, or has no exact predictive distribution.
    ImportError
        If there is no matplotlib.
    """
    content, taken = costs(x, model), steps(x, model)
    n, T = taken.grown.size, taken.length
    if T == 0:
        raise SymbolError("the sequence is empty: nothing to draw")
    # The range coder codes the start by its content.
    grown = np.concatenate([taken.grown, content[n:]])
    gap = np.cumsum(grown - content)
    gap[-1] = taken.bits - content.sum()
    starts = np.arange(0, T, -(-T // _WINDOWS))
    sizes = np.diff(np.append(starts, T))
    at = starts + (sizes - 1) / 2
    each = "" if sizes[0] == 1 else f", means of {sizes[0]}"
    ax = axes_of(ax)
    for values, name, colour, style in (
        (grown, f"message grew by{each}", COLOURS[1], "-"),
        (content, f"information content{each}", COLOURS[0], "-"),
    ):
        means = np.add.reduceat(values, starts) / sizes
        ax.plot(at, means, style, color=colour, linewidth=1.1, label=name)
    ax.plot(
        starts + sizes - 1, gap[starts + sizes - 1], color=COLOURS[2], linewidth=1.6,
        label=f"gap so far; at the end {gap[-1]:.1f} bits of {taken.bits:.0f}",
    )  # fmt: skip
    ax.axhline(0, color=neutral(), linewidth=0.6)
    if n < T:
        ax.axvspan(
            n - 0.5,
            T - 0.5,
            color=neutral(),
            alpha=0.15,
            linewidth=0,
            label="range coded",
        )
    ax.set_ylabel("bits")
    legend_above(ax)
    engine = as_engine(model)
    name_steps(ax, engine, engine._symbols(x))
    return ax


# ---- states


def posterior(
    x: Any,
    model: Any,
    *,
    given: Literal["past", "all"] = "past",
    ax: Axes | None = None,
) -> Axes:
    """Draw the probabilities of the states over time, with the sequence below.

    Parameters
    ----------
    x : str, bytes or array_like of int
        What ``model.encode`` takes.
    model : FrozenModel
        A hidden Markov model of any kind.
    given : {"past", "all"}
        P(z_t | x_1 .. x_t), the forward messages that coding goes by; or P(z_t | x_1 ..
        x_T). The latter is not for models of several levels.
    ax : Axes, optional

    Returns
    -------
    Axes
        A heat map, a row for each state. Of more than 2000 steps a column is the mean
        of several.

    Raises
    ------
    SymbolError
        If the model cannot code x, or x is empty.
    ModelError
        If it has no finite states, or no table of transitions that `given` needs.
    ImportError
        If there is no matplotlib.
    """
    engine = as_engine(model)
    P = _posterior(x, engine, given)
    ax = axes_of(ax)
    of = "x_1 .. x_t" if given == "past" else "x"
    step = -(-len(P) // _COLUMNS)
    starts = np.arange(0, len(P), step)
    sizes = np.diff(np.append(starts, len(P)))
    means = np.add.reduceat(P, starts) / sizes[:, None]
    heat_map(ax, means.T, f"P(z_t | {of})", step=step, vmin=0, vmax=1)
    name_states(ax)
    name_steps(ax, engine, engine._symbols(x))
    return ax


def _posterior(x: Any, engine: EngineModel, given: str) -> NDArray[np.float64]:
    """Shape (T, K)."""
    if given not in ("past", "all"):
        raise ModelError(f'given must be "past" or "all", not {given!r}')
    weights = engine.forward(x).astype(np.float64)
    if not len(weights):
        raise SymbolError("the sequence is empty: nothing to draw")
    weights /= weights.sum(axis=1, keepdims=True)
    if given == "past":
        return weights
    A = _transition(engine)
    P = weights.copy()
    for t in range(len(P) - 2, -1, -1):
        P[t] = _before(weights[t], A) @ P[t + 1]
    return P


def _transition(engine: EngineModel) -> NDArray[np.float64]:
    """P(z_t+1 = j | z_t = i), shape (K, K)."""
    masses = engine.tables().get("transition")
    if masses is None:
        raise ModelError(
            f"a {type(engine).__name__} has no single table of transitions: only "
            'posterior(.., given="past") shows it'
        )
    A: NDArray[np.float64] = masses / masses.sum(axis=1, keepdims=True)
    return A


def _before(
    weights: NDArray[np.float64], A: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Q(z_t = i | x_1 .. x_t, z_t+1 = j), shape (K, K)."""
    joint = weights[:, None] * A
    joint /= joint.sum(axis=0)
    return joint


def trellis(x: Any, model: Any, *, length: int = 40, ax: Axes | None = None) -> Axes:
    """Draw the states over time, and the path through them that bits back has drawn.

    Parameters
    ----------
    x : str, bytes or array_like of int
        What ``model.encode`` takes: all of it is coded.
    model : FrozenModel
        A hidden Markov model of one level.
    length : int
        The steps that are drawn, from the first on.
    ax : Axes, optional

    Returns
    -------
    Axes
        A node's area is P(z_t | x_1 .. x_t). The edges into a state are as dark as the
        posterior from which its predecessor is popped, Q(z_t | x_1 .. x_t, z_t+1),
        times the probability of that state. The path is the latents of the message.

    Raises
    ------
    SymbolError
        If the model cannot code x, or x is empty.
    ModelError
        If it has no finite states, or states of several levels.
    ImportError
        If there is no matplotlib.
    """
    engine = as_engine(model)
    length = as_integer(length, "length", 1)
    symbols = engine._symbols(x)
    is_cut = isinstance(x, Sequence) or getattr(x, "ndim", 0) > 0
    weights = _posterior(x[:length] if is_cut else x, engine, "past")[:length]
    A = _transition(engine)
    taken = steps(x, model, most=length)
    T, K = weights.shape
    from_to, shade = [], []
    for t in range(T - 1):
        edges = _before(weights[t], A) * weights[t + 1]
        for i, j in zip(*np.nonzero(edges > _LEAST), strict=True):
            from_to.append([(t, i), (t + 1, j)])
            shade.append(edges[i, j])
    ax = axes_of(ax, 10, 1.2 + 0.28 * min(K, 24))
    from matplotlib.collections import LineCollection

    if from_to:  # there are two steps
        alpha = np.clip(shade, 0.08, 1)
        ax.add_collection(
            LineCollection(from_to, colors=neutral(), linewidths=1, alpha=alpha)
        )
    times, states = np.nonzero(weights > _LEAST)
    ax.scatter(
        times, states, s=130 * weights[times, states], color=COLOURS[0], zorder=2,
        label="P(z_t | x_1 .. x_t)",
    )  # fmt: skip
    path = np.array(taken.states, np.int64)
    ax.plot(
        np.arange(path.size), path, "o-", color=COLOURS[1], markersize=4, zorder=3,
        linewidth=1.8, label="path that bits back has drawn",
    )  # fmt: skip
    ax.set_xlim(-0.6, T - 0.4)
    ax.set_ylim(-0.8, K - 0.2)
    name_states(ax)
    legend_above(ax)
    name_steps(ax, engine, symbols[:T])
    return ax
