"""Intervals of slots, and which integers decode to which symbol."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.patches import Rectangle

from bbans import Message
from bbans.distributions import Categorical, Table

from . import style

SYMBOLS = "abcd"
MASSES = [0.5, 0.2, 0.25, 0.05]
PREC = 4
N_INTEGERS = 48
PUSHED = ("b", 7)  # a symbol, and the integer that it is pushed onto


class Data(NamedTuple):
    """A table, and what the first integers decode to."""

    edges: np.ndarray  # of the intervals, in slots
    symbols: list[str]  # that integer x decodes to, from x = 0
    results: list[int]  # what pushing PUSHED's symbol onto j gives, from j = 0


def as_message(integer: int) -> Message:
    """The message that is this integer."""
    return Message.from_bytes(integer.to_bytes(-(-integer.bit_length() // 8), "little"))


def as_integer(message: Message) -> int:
    """The integer that a message is."""
    return int.from_bytes(message.to_bytes(), "little")


def data() -> Data:
    """Pop from each small integer, and push onto some."""
    table = Table.from_masses(MASSES, PREC)
    law, edges = Categorical(table), table.cdf[0].astype(int)
    # The least message is 1; slot 0 of it would be 0.
    symbols = [SYMBOLS[int(np.searchsorted(edges, 0, side="right")) - 1]]
    symbols += [SYMBOLS[int(law.pop(as_message(x)))] for x in range(1, N_INTEGERS)]
    results = []
    for j in range(1, symbols.count(PUSHED[0])):
        message = as_message(j)
        law.push(message, SYMBOLS.index(PUSHED[0]))
        results.append(as_integer(message))
    return Data(edges, symbols, [int(edges[SYMBOLS.index(PUSHED[0])]), *results])


def draw(shown: Data) -> str:
    """The interval above, integers in rows of 16 below, and one push."""
    figure, axes = style.figure(3.1)
    colour = dict(zip(SYMBOLS, style.COLOURS, strict=True))
    total = 1 << PREC
    for symbol, left, right in zip(
        SYMBOLS, shown.edges[:-1], shown.edges[1:], strict=True
    ):
        axes.add_patch(
            Rectangle((left, 0), right - left, 0.8, facecolor=colour[symbol])
        )
        axes.text(
            (left + right) / 2, 0.4, f"{symbol}: {right - left}", ha="center",
            va="center", color=style.BACK, weight="bold",
        )  # fmt: skip
    counts = dict.fromkeys(SYMBOLS, 0)
    places = {}
    for x, symbol in enumerate(shown.symbols):
        row, column = divmod(x, total)
        at = (column, 1.35 + row * 1.05)
        places[x] = at
        own = symbol == PUSHED[0]
        axes.add_patch(
            Rectangle(
                at, 0.94, 0.94, facecolor=colour[symbol], linewidth=0,
                alpha=1 if own else 0.3,
            )
        )  # fmt: skip
        axes.text(
            at[0] + 0.47, at[1] + 0.32, str(x), ha="center", va="center",
            color=style.BACK if own else style.INK,
        )  # fmt: skip
        if own:
            axes.text(
                at[0] + 0.47, at[1] + 0.7, f"{counts[symbol]}", ha="center",
                va="center", color=style.BACK, size=8, style="italic",
            )  # fmt: skip
        counts[symbol] += 1
    result = shown.results[PUSHED[1]]
    column, row = places[result]
    axes.add_patch(
        Rectangle(
            (column, row), 0.94, 0.94, facecolor="none", edgecolor=style.INK,
            linewidth=2,
        )
    )  # fmt: skip
    axes.text(
        total, row + 1.6, f"push {PUSHED[0]} onto {PUSHED[1]}: {result}", ha="right",
        va="center",
    )  # fmt: skip
    axes.text(-0.3, 0.4, "slots", ha="right", va="center")
    for row in range(N_INTEGERS // total):
        first = f"{row * total} + slot"
        axes.text(-0.3, 1.82 + row * 1.05, first, ha="right", va="center")
    axes.set(xlim=(-2.2, total + 0.1), ylim=(5.2, -0.1))
    axes.axis("off")
    return style.svg(figure, "Slots of a table, and the integers that hold them")
