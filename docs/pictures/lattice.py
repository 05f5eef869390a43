"""The lattice of a hidden Markov model: forward messages, and a path drawn from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bbans import HMM, Message
from bbans.codecs import Schedule

from . import style

LENGTH = 16
INITIAL = [0.4, 0.3, 0.2, 0.1]
TRANSITION = [
    [0.70, 0.20, 0.05, 0.05],
    [0.15, 0.60, 0.20, 0.05],
    [0.05, 0.20, 0.60, 0.15],
    [0.05, 0.05, 0.20, 0.70],
]
SYMBOLS = "abcd"
EMISSION = [
    [0.55, 0.25, 0.10, 0.10],
    [0.25, 0.45, 0.20, 0.10],
    [0.10, 0.20, 0.45, 0.25],
    [0.10, 0.10, 0.25, 0.55],
]


class Data(NamedTuple):
    """Forward messages of a sequence, and paths that two messages choose."""

    x: list[int]
    forward: np.ndarray  # (T, K): P(z_t | x_1 .. x_t)
    path: list[int]  # that one message chooses
    backward: np.ndarray  # (T, K): Q that z_t of this path was popped with
    other: list[int]  # that another message chooses
    grown: list[float]  # bits by which each message grew
    content: float  # -log2 P(x)


def data() -> Data:
    """Draw paths by coding a sequence onto two messages."""
    model = HMM(INITIAL, TRANSITION, EMISSION)
    x = model.sample(LENGTH, seed=4)[0].tolist()
    frozen = model.freeze()
    schedule = Schedule.iconoclasm(frozen.state_space(), LENGTH)
    filtered, _ = frozen.filter(x)
    paths, grown = [], []
    for seed in (3, 8):
        message = Message.from_bytes(np.random.default_rng(seed).bytes(20))
        before, path = message.bits, [0] * LENGTH

        def pop(node, make, message=message, path=path):
            path[node[1]] = z = int(make().pop(message))
            return z

        def push(node, make, value, message=message):
            make().push(message, value)

        schedule.walk({("x", t): x[t] for t in range(LENGTH)}, pop, push)
        paths.append(path)
        grown.append(message.bits - before)
    path = paths[0]
    backward = [
        frozen.posterior(filtered[t], path[t + 1] if t + 1 < LENGTH else None)
        for t in range(LENGTH)
    ]
    return Data(
        x, _shares(filtered), path, _shares(np.array(backward)), paths[1], grown,
        model.information_content(x),
    )  # fmt: skip


def _shares(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum(axis=1, keepdims=True)


def draw(run: Data) -> str:
    """States over time: their forward weights as areas, a path through them."""
    figure, axes = style.figure(3.0)
    times, states = np.arange(LENGTH), np.arange(len(INITIAL))
    for t in times[:-1]:
        for i in states:
            axes.plot(
                [t, t + 1], [i, run.path[t + 1]], color=style.FAINT, alpha=0.6,
                linewidth=5 * run.backward[t, i], solid_capstyle="round", zorder=1,
            )  # fmt: skip
    axes.plot(times, run.path, color=style.ORANGE, linewidth=2, zorder=2)
    axes.plot(
        times, run.other, color=style.GREEN, linewidth=1.6, linestyle=(0, (3, 2)),
        zorder=2,
    )  # fmt: skip
    axes.scatter(
        np.repeat(times, states.size), np.tile(states, LENGTH),
        s=420 * run.forward.ravel(), color=style.BLUE, linewidths=0, zorder=3,
    )  # fmt: skip
    axes.scatter(times, run.path, s=16, color=style.ORANGE, linewidths=0, zorder=4)
    for t in times:
        axes.text(
            t, len(states) - 0.25, SYMBOLS[run.x[t]], ha="center", va="center",
            weight="bold",
        )  # fmt: skip
    axes.set(
        xlim=(-0.6, LENGTH - 0.4), ylim=(len(states) + 0.05, -0.6),
        xticks=times, yticks=[*states, len(states) - 0.25],
        xlabel="time t; the sender draws from right to left",
    )  # fmt: skip
    axes.set_xticklabels([str(t + 1) for t in times])
    axes.set_yticklabels([f"state {i + 1}" for i in states] + ["$x_t$"])
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    return style.svg(figure, "Forward messages and sampled paths in the lattice")
