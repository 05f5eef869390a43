"""Figure 1 of the paper: message length over information content, by length."""

from __future__ import annotations

from typing import NamedTuple

from bbans import HMM

from . import style
from .schedule import INTERLEAVED, N_STATES, N_SYMBOLS, NAIVE, ORDERS, schedules, trace

LENGTHS = [2**k for k in range(2, 15)]
STEPWISE = 1024  # longest sequence that is coded step by step here
START = "encode(x, model)"


class Data(NamedTuple):
    """Bits that are sent over information content, for LENGTHS or those to STEPWISE."""

    ratios: dict[str, list[float]]


def data() -> Data:
    """Code a sample of a random HMM, with 64 states and symbols as in the paper."""
    model = HMM.random(N_STATES, N_SYMBOLS, seed=0)
    x, _ = model.sample(LENGTHS[-1], seed=1)
    frozen = model.freeze()
    ratios: dict[str, list[float]] = {NAIVE: [], INTERLEAVED: [], START: []}
    for length in LENGTHS:
        content = model.information_content(x[:length])
        ratios[START].append(8 * len(frozen.encode(x[:length])) / content)
        if length > STEPWISE:
            continue
        value = {("x", t): int(x[t]) for t in range(length)}
        for name, schedule in schedules(frozen.state_space(), length).items():
            bits = trace(schedule, value)
            borrowed, grown = -min(bits), bits[-1]
            ratios[name].append((borrowed + grown) / content)
    return Data(ratios)


def draw(measured: Data) -> str:
    """All three ratios."""
    figure, axes = style.figure(3.0)
    colours = {**ORDERS, START: style.GREEN}
    labels = {
        NAIVE: "all states first, random bits to start from",
        INTERLEAVED: "IconoCLaSM, random bits to start from",
        START: "IconoCLaSM, started from the data: encode(x, model)",
    }
    for name, ratios in measured.ratios.items():
        axes.plot(
            LENGTHS[: len(ratios)], ratios, "o-", markersize=4, color=colours[name],
            label=labels[name],
        )  # fmt: skip
    axes.axhline(1, color=style.INK, linewidth=1, linestyle=(0, (3, 2)), zorder=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(LENGTHS[::2], [str(n) for n in LENGTHS[::2]])
    axes.minorticks_off()
    axes.set(xlabel="sequence length T", ylabel="bits sent over h(x)", ylim=(0.95, 2.2))
    axes.grid(axis="y", linewidth=0.8)
    axes.legend(loc="upper right")
    return style.svg(figure, "Bits sent over information content by sequence length")
