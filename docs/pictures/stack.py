"""A message as a stack: what each push adds, each pop takes off again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bbans import Message
from bbans.distributions import Weighted

from . import style

WORD = "abracadabra"
COUNTS = {"a": 5, "b": 2, "c": 1, "d": 1, "r": 2}  # the letters of WORD
N_FLIPS = 6


class Step(NamedTuple):
    """One operation on the message."""

    action: str  # "push" or "pop"
    what: str  # "letter" or "coin"
    value: str
    content: float  # -log2 of the probability of the value
    bits: float  # of the message afterwards


def data() -> list[Step]:
    """Push a word, pop coins, push them back, pop the word."""
    letters = Weighted([*COUNTS.values()])
    coin = Weighted([1, 1])
    message, steps = Message(), []

    def note(action: str, what: str, value: str, probability: float) -> None:
        step = Step(action, what, value, -np.log2(probability), message.bits)
        steps.append(step)

    symbols = [*COUNTS]
    for letter in reversed(WORD):
        letters.push(message, symbols.index(letter))
        note("push", "letter", letter, COUNTS[letter] / len(WORD))
    flips = []
    for _ in range(N_FLIPS):
        flips.append(int(coin.pop(message)))
        note("pop", "coin", str(flips[-1]), 1 / 2)
    for flip in reversed(flips):
        coin.push(message, flip)
        note("push", "coin", str(flip), 1 / 2)
    for _ in WORD:
        letter = symbols[int(letters.pop(message))]
        note("pop", "letter", letter, COUNTS[letter] / len(WORD))
    return steps


def draw(steps: list[Step]) -> str:
    """Bits of the message after each operation."""
    figure, axes = style.figure(3.0)
    ideal = np.cumsum([(1 if s.action == "push" else -1) * s.content for s in steps])
    top = np.maximum(ideal, np.roll(ideal, 1) * [s.action == "pop" for s in steps])
    for i, step in enumerate(steps):
        colour = style.BLUE if step.what == "letter" else style.ORANGE
        filled = step.action == "push"
        axes.bar(
            i, step.bits, width=0.82, facecolor=colour, edgecolor=colour,
            alpha=0.9 if filled else 0.35, linewidth=0,
        )  # fmt: skip
        axes.text(i, top[i] + 0.5, step.value, ha="center")
    axes.step(
        np.arange(len(steps)), ideal, where="mid", color=style.INK, linewidth=1,
        linestyle=(0, (3, 2)),
    )  # fmt: skip
    phases = ["push the word,\nlast letter first", "pop coins", "push them\nback"]
    phases += ["pop the word,\nfirst letter first"]
    edges = np.cumsum([0, len(WORD), N_FLIPS, N_FLIPS, len(WORD)])
    for phase, left, right in zip(phases, edges[:-1], edges[1:], strict=True):
        axes.text((left + right - 1) / 2, 29.5, phase, ha="center", va="top")
        if right < edges[-1]:
            axes.axvline(right - 0.5, color=style.GRID, linewidth=1, zorder=0)
    axes.set(
        xlim=(-0.7, len(steps) - 0.3), ylim=(0, 30), xticks=[],
        ylabel="bits on the message", xlabel="operations, in order",
    )  # fmt: skip
    return style.svg(figure, "Bits on a message over pushes and pops")
