"""Two orders for a hierarchy in time: which latents are where, and what it costs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.patches import Patch, Rectangle

from bbans.codecs import FiniteGraph, Schedule, aligned, staircase

from . import style
from .schedule import trace

ORDERS = {"aligned": aligned, "staircase": staircase}
LEVELS, LENGTH = 4, 8  # of the grids
PUSHED = 3  # observations that are pushed in the grids
TRACED_LEVELS, TRACED_LENGTH = 8, 24
SHOWN = 100  # steps of the trace
STATES, SYMBOLS = 2, 32  # of a latent, of an observation


class Data(NamedTuple):
    """Both orders, by their names."""

    grids: dict[str, np.ndarray]  # (L, T): 0 not popped, 1 outstanding, 2 pushed
    waves: dict[str, np.ndarray]  # (L, T): observations pushed when a latent is
    traces: dict[str, list[float]]  # bits added to a message, after each step


def grid(order: list[tuple[str, tuple]]) -> tuple[np.ndarray, np.ndarray]:
    """States after `PUSHED` observations and their latents, and waves."""
    state = np.zeros((LEVELS, LENGTH), int)
    waves = np.zeros((LEVELS, LENGTH), int)
    wave = 0
    for action, (name, *place) in order:
        if name == "x":
            wave += 1
            continue
        level, t = place
        if action == "push":
            waves[level - 1, t - 1] = wave
        if wave <= PUSHED:
            state[level - 1, t - 1] = 1 if action == "pop" else 2
    return state, waves


def hierarchy() -> FiniteGraph:
    """Levels whose latents depend weakly on each other."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(300, 700, shape)

    emission = rng.integers(1, 100, (STATES, SYMBOLS))
    nodes = {}
    for t in range(1, TRACED_LENGTH + 1):
        for level in range(1, TRACED_LEVELS + 1):
            above = [("z", level + 1, t)] if level < TRACED_LEVELS else []
            before = [("z", level, t - 1)] if t > 1 else []
            parents = above + before
            nodes["z", level, t] = parents, weights(*[STATES] * (len(parents) + 1))
        nodes["x", t] = [("z", 1, t)], emission
    return FiniteGraph(nodes)


def data() -> Data:
    """Code a sequence under a hierarchy of eight levels in both orders."""
    graph, rng = hierarchy(), np.random.default_rng(1)
    value = {("x", t): int(rng.integers(SYMBOLS)) for t in range(1, TRACED_LENGTH + 1)}
    grids, waves, traces = {}, {}, {}
    for name, order in ORDERS.items():
        grids[name], waves[name] = grid(order(LEVELS, LENGTH))
        schedule = Schedule(graph, order(TRACED_LEVELS, TRACED_LENGTH))
        traces[name] = trace(schedule, value)
    return Data(grids, waves, traces)


def draw(shown: Data) -> str:
    """Grids of both orders after some steps, and the bits of both."""
    figure, axes = style.figure(4.6, 2, 2, height_ratios=[3, 4])
    gridspec = axes[1, 0].get_gridspec()
    for each in axes[1]:
        each.remove()
    curve = figure.add_subplot(gridspec[1, :])
    looks = [(style.BACK, "not popped yet"), (style.ORANGE, "popped, not pushed")]
    looks.append((style.BLUE, "pushed"))
    for panel, name in zip(axes[0], ORDERS, strict=True):
        for (level, t), state in np.ndenumerate(shown.grids[name]):
            panel.add_patch(
                Rectangle(
                    (t + 0.53, level + 0.53), 0.94, 0.94, facecolor=looks[state][0],
                    edgecolor=style.FAINT, linewidth=0.6,
                )
            )  # fmt: skip
            panel.text(
                t + 1, level + 1, str(shown.waves[name][level, t]), ha="center",
                va="center", color=style.BACK if state else style.INK,
            )  # fmt: skip
        panel.set(
            xlim=(0.4, LENGTH + 0.6), ylim=(0.4, LEVELS + 0.6), title=name,
            xticks=range(1, LENGTH + 1), yticks=range(1, LEVELS + 1),
            xlabel="time t",
        )  # fmt: skip
        panel.tick_params(length=0)
        panel.spines[["left", "bottom"]].set_visible(False)
    axes[0, 0].set_ylabel("level")
    handles = [
        Patch(facecolor=c, edgecolor=style.FAINT, linewidth=0.6, label=label)
        for c, label in looks
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    for (name, bits), colour in zip(
        shown.traces.items(), (style.ORANGE, style.BLUE), strict=True
    ):
        lowest = int(np.argmin(bits))
        label = f"{name}: {-bits[lowest]:.1f} bits to start from"
        curve.plot(bits[:SHOWN], color=colour, label=label)
        curve.plot(lowest, bits[lowest], "o", color=colour, markersize=5)
    curve.axhline(0, color=style.FAINT, linewidth=0.8, zorder=0)
    curve.set(
        xlabel=f"the first pops and pushes, in order, of {TRACED_LEVELS} levels",
        ylabel="bits added to the message",
    )  # fmt: skip
    curve.margins(y=0.12)
    curve.legend(loc="upper left")
    return style.svg(figure, "Two orders for a hierarchy in time")
