"""The start-up of a sequence: all latents first, or interleaved with time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bbans import HMM, Message
from bbans.codecs import Schedule

from . import style

N_STATES = N_SYMBOLS = 64  # as in Figure 1 of the paper
SHOWN = 32  # steps of the sequence on the left
LENGTHS = [2**k for k in range(1, 10)]
NAIVE, INTERLEAVED = "all states first", "IconoCLaSM"
ORDERS = {NAIVE: style.ORANGE, INTERLEAVED: style.BLUE}


class Data(NamedTuple):
    """Two orders of the same pops and pushes."""

    traces: dict[str, list[float]]  # bits on the message, less those at first
    content: float  # -log2 P(x_1 .. x_T) of the sequence that is traced
    startups: dict[str, list[float]]  # bits that must be there, for LENGTHS


def schedules(steps: Any, length: int) -> dict[str, Schedule]:
    """Both orders of a state space model."""
    interleaved = Schedule.iconoclasm(steps, length)
    backwards = range(length - 1, -1, -1)
    pops = [("pop", ("z", t)) for t in backwards]
    pushes = [("push", (name, t)) for t in backwards for name in "xz"]
    naive = Schedule(interleaved.model, pops + pushes)
    return {NAIVE: naive, INTERLEAVED: interleaved}


def trace(schedule: Schedule, value: dict[Any, int]) -> list[float]:
    """Bits on a message after each step, less those at first."""
    random = np.random.default_rng(0).bytes(4 * len(schedule.order))
    message = Message.seeded(random, lanes=1)
    bits = [message.bits]

    def pop(node: Any, make: Any) -> Any:
        z = make().pop(message)
        bits.append(message.bits)
        return z

    def push(node: Any, make: Any, value: Any) -> None:
        make().push(message, value)
        bits.append(message.bits)

    schedule.walk(value, pop, push)
    return [each - bits[0] for each in bits]


def data() -> Data:
    """Code a sample of a random HMM in both orders."""
    model = HMM.random(N_STATES, N_SYMBOLS, seed=0)
    x, _ = model.sample(LENGTHS[-1], seed=1)
    steps = model.freeze().state_space()
    traces, startups = {}, {name: [] for name in ORDERS}
    for length in LENGTHS:
        value = {("x", t): int(x[t]) for t in range(length)}
        for name, schedule in schedules(steps, length).items():
            bits = trace(schedule, value)
            startups[name].append(-min(bits))
            if length == SHOWN:
                traces[name] = bits
    return Data(traces, model.information_content(x[:SHOWN]), startups)


def draw(runs: Data) -> str:
    """Bits over the operations, and start-up over the length."""
    figure, (left, right) = style.figure(3.2, 1, 2, width_ratios=[3, 2])
    for name, bits in runs.traces.items():
        left.plot(bits, color=ORDERS[name], label=name)
        lowest = int(np.argmin(bits))
        left.plot(lowest, bits[lowest], "o", color=ORDERS[name], markersize=5)
    left.axhline(0, color=style.FAINT, linewidth=0.8, zorder=0)
    left.axhline(
        runs.content, color=style.INK, linewidth=1, linestyle=(0, (3, 2)), zorder=0
    )
    left.text(0, runs.content + 4, "h(x)", va="bottom")
    left.set(
        xlabel="pops and pushes, in order", ylabel="bits added to the message",
        title=f"{SHOWN} symbols",
    )  # fmt: skip
    left.margins(y=0.1)
    left.legend(loc="lower right")
    for name, bits in runs.startups.items():
        right.plot(LENGTHS, bits, "o-", markersize=4, color=ORDERS[name], label=name)
    right.set_xscale("log", base=2)
    right.set_yscale("log", base=10)
    right.set(xlabel="sequence length T", title="bits that must be there to start")
    right.set_xticks(LENGTHS[::2], [str(n) for n in LENGTHS[::2]])
    right.minorticks_off()
    right.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    right.grid(axis="y", linewidth=0.8)
    return style.svg(figure, "Start-up with and without interleaving")
