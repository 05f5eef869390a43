"""Bits on a message while symbols are coded by bits back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.patches import Patch

from bbans import Message
from bbans.codecs import BitsBack
from bbans.distributions import Weighted

from . import style

PRIOR = np.array([6, 7, 3])  # of three latents
LIKELIHOOD = np.array([[9, 5, 2], [4, 8, 4], [1, 4, 11]])  # of three symbols
X = [0, 1, 1, 2, 1]
START = 40  # bits that are on the message before, of other data
ACTIONS = {
    "pop z": ("pop z with Q(z | x)", style.ORANGE),
    "push x": ("push x with P(x | z)", style.BLUE),
    "push z": ("push z with P(z)", style.GREEN),
}


class Step(NamedTuple):
    """One operation on the message."""

    action: str  # a key of ACTIONS
    value: int
    bits: float  # of the message afterwards


class Data(NamedTuple):
    """A run of bits back."""

    start: float  # bits
    steps: list[Step]  # three for each symbol
    contents: list[float]  # -log2 P(x) of each symbol
    is_restored: bool  # by the receiver: the message that was there before


class _Noted:
    """A codec that notes what it does to the message."""

    def __init__(self, codec: Weighted, name: str, steps: list[Step]) -> None:
        self._codec, self._name, self._steps = codec, name, steps

    def push(self, message: Message, value: int) -> None:
        self._codec.push(message, value)
        self._steps.append(Step(f"push {self._name}", value, message.bits))

    def pop(self, message: Message) -> int:
        value = int(self._codec.pop(message))
        self._steps.append(Step(f"pop {self._name}", value, message.bits))
        return value


def data() -> Data:
    """Push symbols by bits back, and pop them again."""
    joint = PRIOR[:, None] * LIKELIHOOD  # rows of LIKELIHOOD have equal sums
    steps: list[Step] = []
    codec = BitsBack(
        _Noted(Weighted(PRIOR), "z", steps),
        lambda z: _Noted(Weighted(LIKELIHOOD[z]), "x", steps),
        lambda x: _Noted(Weighted(joint[:, x]), "z", steps),
    )
    other = np.random.default_rng(8).bytes(START // 8)
    message = Message.from_bytes(other)
    start = message.bits
    for x in X:
        codec.push(message, x)
    sent = steps[:]
    received = [codec.pop(message) for _ in X]
    restored = received == X[::-1] and message == Message.from_bytes(other)
    marginal = joint.sum(axis=0) / joint.sum()
    return Data(start, sent, [-np.log2(marginal[x]) for x in X], restored)


def draw(run: Data) -> str:
    """Each operation as a bar between the bits before and after."""
    figure, axes = style.figure(3.4)
    before = run.start
    for i, step in enumerate(run.steps):
        colour = ACTIONS[step.action][1]
        low, high = sorted((before, step.bits))
        axes.bar(i, high - low, bottom=low, width=0.8, color=colour, linewidth=0)
        name = step.action.split()[1]
        axes.text(
            i, high + 0.12, f"{name}={step.value}", ha="center", va="bottom", size=9
        )
        axes.plot([i - 0.4, i + 1.4], [step.bits] * 2, color=style.INK, linewidth=0.8)
        before = step.bits
    ideal = run.start
    for k, content in enumerate(run.contents):
        axes.plot(
            [3 * k - 0.5, 3 * k + 2.5], [ideal + content] * 2, color=style.INK,
            linestyle=(0, (3, 2)), linewidth=1,
        )  # fmt: skip
        axes.axvline(3 * k + 2.5, color=style.GRID, linewidth=1, zorder=0)
        ideal += content
    axes.axhline(run.start, color=style.FAINT, linewidth=0.8, zorder=0)
    axes.use_sticky_edges = False
    axes.margins(y=0.08)
    axes.set(xlim=(-0.6, len(run.steps) - 0.4), ylabel="bits on the message")
    labels = [
        f"x = {x}\nh(x) = {content:.2f}"
        for x, content in zip(X, run.contents, strict=True)
    ]
    axes.set_xticks(np.arange(len(X)) * 3 + 1, labels)
    axes.tick_params(axis="x", length=0)
    handles = [Patch(color=colour, label=label) for label, colour in ACTIONS.values()]
    axes.legend(handles=handles, loc="upper left")
    return style.svg(figure, "Bits on a message while symbols are coded by bits back")
