"""What a table of integers costs over the probabilities that it stands for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bbans.distributions.table import PREC_DEFAULT, quantise

from . import style

PRECISIONS = range(8, 27)
SIZES = {16: style.GREEN, 256: style.BLUE}  # symbols of a law, for those that hold them


class Data(NamedTuple):
    """For each number of symbols, by precision."""

    cost: dict[int, list[float]]  # bits per symbol over the entropy
    bound: dict[int, list[float]]  # of docs/maths.md


def law(n_symbols: int) -> np.ndarray:
    """Few frequent symbols and many rare ones: p_k as k^-2."""
    p = 1.0 / np.arange(1, n_symbols + 1) ** 2
    return p / p.sum()


def data() -> Data:
    """Quantise laws to tables of each precision."""
    cost, bound = {}, {}
    for n in SIZES:
        p = law(n)
        cost[n], bound[n] = [], []
        for r in PRECISIONS:
            q = quantise(p, r) / 2.0**r
            cost[n].append(float((p * np.log2(p / q)).sum()))
            free = 2**r - n
            limit = np.inf if free <= 0 else -np.log2(free / 2**r) + 1.09 * n / free
            bound[n].append(float(limit))
    return Data(cost, bound)


def draw(measured: Data) -> str:
    """Costs and their bounds over the precision."""
    figure, axes = style.figure(2.9)
    for n, colour in SIZES.items():
        axes.semilogy(
            PRECISIONS, measured.cost[n], "o-", markersize=4, color=colour,
            label=f"{n} symbols",
        )  # fmt: skip
        axes.semilogy(
            PRECISIONS, measured.bound[n], color=colour, linewidth=1,
            linestyle=(0, (3, 2)), label="bound",
        )  # fmt: skip
    axes.axvline(PREC_DEFAULT, color=style.FAINT, linewidth=0.8, zorder=0)
    axes.text(PREC_DEFAULT - 0.15, 10, "default", ha="right", va="top")
    axes.set(
        xlabel="precision r: a table has $2^r$ slots", ylim=(None, 20),
        ylabel="bits per symbol\nover the entropy", xticks=PRECISIONS[::2],
    )  # fmt: skip
    axes.set_yticks(
        [1e-12, 1e-9, 1e-6, 1e-3, 1], ["1e-12", "1e-9", "1e-6", "1e-3", "1"]
    )
    axes.minorticks_off()
    axes.grid(axis="y", linewidth=0.8)
    axes.legend(loc="lower left", ncols=2)
    return style.svg(figure, "Cost of quantising by precision")
