"""How cost grows with the work, against what each algorithm says.

Work is measured at several sizes of one thing: states, symbols, steps, order, channels,
latents, lanes, threads, sequences. A row gives the time per item at each size; another
the exponent b of time ~ size^b, fitted to the upper half of the sizes, where fixed
costs weigh least. Its target is the algorithm's exponent and a quarter: what is above
grows faster than it should. Memory is the peak of what Python's allocators, and
numpy with them, give out in a first run, per item. Data are made (--data has no
effect).

docs/pictures/growth.json has the rows of a run, from which the picture is drawn:

    python benchmarks/growth.py --json docs/pictures/growth.json
"""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from report import Report, parser

import bbans
from bbans import ARHMM, HMM, Message, records
from bbans.codecs import Iconoclasm
from bbans.distributions import (
    Binomial,
    Categorical,
    Family,
    Mixture,
    Poisson,
    Table,
    Weighted,
)

sys.path += [str(Path(__file__).parents[1] / name) for name in ("examples", "tests")]
from recurrent import COUNTS, Recurrent
from shared import random_lgssm

SLACK = 0.25
"""On an exponent: sizes of caches, and noise."""


class Call(NamedTuple):
    """What is measured, and what makes it ready for the next time."""

    run: Callable[[], Any]
    undo: Callable[[], Any] = lambda: None


class Work(NamedTuple):
    """What is measured at one size."""

    calls: dict[str, Call]
    items: float
    """Time and memory are per item."""
    wall: bool = False


class Growth(NamedTuple):
    """Works of one kind, by size."""

    kind: str
    axis: str
    sizes: tuple[int, ...]
    item: str
    exponent: float
    """That of the algorithm."""
    make: Callable[[int], Work]
    memory: bool = False


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# ---- models that code themselves


def of_model(model: Any, x: Any) -> Work:
    data, n = model.encode(x), len(x)
    calls = {
        "encode": Call(lambda: model.encode(x)),
        "decode": Call(lambda: model.decode(data, n)),
    }
    return Work(calls, n)


def hmm_states(K: int) -> Work:
    x = rng().integers(0, 64, max(200, 2**24 // K**2 // 8))
    return of_model(HMM.random(K, 64, seed=0).freeze(), x)


def hmm_symbols(M: int) -> Work:
    return of_model(HMM.random(16, M, seed=0).freeze(), rng().integers(0, M, 20_000))


def hmm_steps(T: int) -> Work:
    return of_model(HMM.random(16, 64, seed=0).freeze(), rng().integers(0, 64, T))


def hmm_threads(threads: int) -> Work:
    model = HMM.random(64, 64, seed=0).freeze()
    x = list(rng().integers(0, 64, (8 * cores(), 2000)))
    data, ends = records.encode_batch(x, model)
    lengths = [len(each) for each in x]
    return Work(
        {
            "encode": Call(lambda: records.encode_batch(x, model, threads=threads)),
            "decode": Call(
                lambda: records.decode_batch(
                    data, ends, lengths, model, threads=threads
                )
            ),
        },
        len(x) * 2000,
        wall=True,
    )


def lgssm_latents(n: int) -> Work:
    model = random_lgssm(n, 1, seed=50 + n)
    x, _ = model.sample(max(200, 20_000 // n), seed=6)
    return of_model(model.freeze(), x)


def text(n: int) -> bytes:
    return bytes(HMM.from_frozen(bbans.default_model()).sample(n, seed=0)[0])


def arhmm_order(order: int) -> Work:
    data = text(20_000)
    pieces = [data[i : i + 500] for i in range(0, len(data), 500)]
    return of_model(ARHMM.fit(pieces, 4, order=order, n_iter=2).freeze(), data)


# ---- training


def of_fit(call: Callable[[], Any], items: int) -> Work:
    """Symbols, counted at each iteration."""
    return Work({"fit": Call(call)}, items)


def fit_states(K: int) -> Work:
    n = max(500, 2**22 // K**2)
    x = list(rng().integers(0, 64, (10, n // 10)))
    return of_fit(lambda: HMM.fit(x, K, n_iter=2, tol=0, alphabet=64, threads=1), 2 * n)


def fit_steps(T: int) -> Work:
    x = list(rng().integers(0, 64, (10, T // 10)))
    return of_fit(
        lambda: HMM.fit(x, 16, n_iter=2, tol=0, alphabet=64, threads=1), 2 * T
    )


def arhmm_steps(T: int) -> Work:
    data = text(T)
    pieces = [data[i : i + 500] for i in range(0, T, 500)]
    return of_fit(lambda: ARHMM.fit(pieces, 4, order=4, n_iter=2, threads=1), T)


# ---- containers and records


def of_container(x: Any, items: int) -> Work:
    data = bbans.compress(x)
    calls = {
        "compress": Call(lambda: bbans.compress(x)),
        "decompress": Call(lambda: bbans.decompress(data)),
    }
    return Work(calls, items)


def bytes_long(n: int) -> Work:
    return of_container(text(n), n)


def signal_channels(channels: int) -> Work:
    walk = np.cumsum(rng().integers(-30, 31, (16_384 // channels, channels)), 0)
    return of_container(walk.astype(np.int16), walk.size)


# ---- distributions


def of_law(law: Any, values: np.ndarray, lanes: int = 64) -> Work:
    """Pushed and popped, each undone by the other."""
    low, high = (Message.seeded(rng().bytes(8 * lanes), lanes) for _ in range(2))
    high.push(law, values)
    push = Call(lambda: low.push(law, values), undo=lambda: low.pop(law, values.shape))
    pop = Call(lambda: high.pop(law, values.shape), undo=lambda: high.push(law, values))
    return Work({"push": push, "pop": pop}, values.size)


def table_lanes(lanes: int) -> Work:
    law = Categorical(Table.from_masses(rng().dirichlet(np.ones(64))))
    return of_law(law, rng().integers(0, 64, 1 << 16).astype(np.uint32), lanes)


def table_symbols(symbols: int) -> Work:
    law = Categorical(Table.from_masses(rng().dirichlet(np.ones(symbols))))
    return of_law(law, rng().integers(0, symbols, 1 << 16).astype(np.uint32))


def row_symbols(symbols: int) -> Work:
    rows = rng().dirichlet(np.ones(symbols), 1 << 18 - symbols.bit_length())
    law = Weighted(rows.astype(np.float32), copy=False)
    return of_law(law, rng().integers(0, symbols, len(rows)).astype(np.uint32))


def poisson_mean(mean: int) -> Work:
    means = rng().uniform(0.9, 1.1, 1000) * mean
    return of_law(Poisson(means), rng().poisson(means))


def binomial_trials(trials: int) -> Work:
    chances = rng().uniform(0.2, 0.8, 1000)
    return of_law(Binomial(trials, chances), rng().binomial(trials, chances))


def mixture(k: int) -> Work:
    weights = rng().dirichlet(np.ones(k), 1000)
    means, scales = rng().uniform(0, 255, (1000, k)), rng().uniform(2, 9, (1000, k))
    law = Mixture(Family.logistic(), weights, means, scales, 0, 255)
    return of_law(law, rng().integers(0, 256, 1000))


# ---- a model in Python


def own_model(n: int) -> Work:
    x = rng().integers(0, COUNTS, (20, n))
    codec = Iconoclasm(Recurrent(), *x.shape)
    message = Message.seeded(rng().bytes(8 * (64 + n)), 64)
    push = Call(lambda: codec.push(message, x), undo=lambda: codec.pop(message))
    return Work({"push": push}, x.size)


def powers(low: int, high: int, step: int = 1) -> tuple[int, ...]:
    return tuple(1 << e for e in range(low, high + 1, step))


def growths(quick: bool) -> list[Growth]:
    """All that is measured; a quick run ends at smaller sizes."""
    less = 2 if quick else 0
    threads = powers(0, min(3, cores().bit_length() - 1))
    return [
        Growth("HMM", "states", powers(4, 10 - less), "symbol", 2, hmm_states),
        Growth("HMM", "symbols", powers(4, 14 - less, 2), "symbol", 0, hmm_symbols),
        Growth("HMM", "steps", powers(8, 18 - less, 2), "symbol", 0, hmm_steps, True),
        Growth("HMM batch", "threads", threads, "symbol", -1, hmm_threads),
        Growth("LGSSM", "latents", powers(0, 5 - less), "step", 2, lgssm_latents),
        Growth("ARHMM", "order", powers(0, 3), "symbol", 1, arhmm_order),
        Growth("EM", "states", powers(3, 9 - less), "symbol", 2, fit_states),
        Growth("EM", "steps", powers(10, 18 - less, 2), "symbol", 0, fit_steps, True),
        Growth("EM", "text", powers(12, 16, 2), "symbol", 0, arhmm_steps, True),
        Growth("bytes", "length", powers(12, 20, 2), "byte", 0, bytes_long, True),
        Growth("signal", "channels", powers(0, 4), "value", 1, signal_channels),
        Growth("one table", "lanes", powers(0, 12, 2), "symbol", 0, table_lanes),
        Growth("one table", "symbols", powers(2, 14, 2), "symbol", 0, table_symbols),
        Growth("rows", "symbols", powers(2, 12, 2), "symbol", 1, row_symbols),
        Growth("Poisson", "mean", powers(0, 12, 2), "value", 0, poisson_mean),
        Growth("binomial", "trials", powers(4, 16, 2), "value", 0, binomial_trials),
        Growth("mixture", "components", powers(0, 6), "value", 1, mixture),
        Growth("own model", "sequences", powers(0, 12 - less, 2), "step", 0, own_model),
    ]


def least(call: Call, wall: bool, budget: float) -> float:
    """The least time of a run, of as many as fit into the budget, and 2 at least."""
    clock = time.perf_counter if wall else time.process_time
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < 2 or time.perf_counter() < end:
        start = clock()
        call.run()
        times.append(clock() - start)
        call.undo()
    return min(times)


def peak(make: Callable[[int], Work], size: int) -> tuple[Work, int]:
    """The work, once run, and the bytes that this had at once: what it keeps for the
    next time counts too."""
    tracemalloc.start()
    try:
        work = make(size)
        for call in work.calls.values():
            call.run()
            call.undo()
        return work, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def exponent(sizes: tuple[int, ...], values: list[float]) -> float:
    """Of the upper half of the sizes, and of 3 at least."""
    part = min(-max(3, (len(sizes) + 1) // 2), 0)
    logs = np.log(sizes[part:]), np.log(values[part:])
    return float(np.polyfit(*logs, 1)[0])


def measure(rows: Report, growth: Growth, budget: float) -> None:
    """A row for each size, and one for each exponent."""
    found: dict[str, list[float]] = {}
    for size in growth.sizes:
        work, most = peak(growth.make, size)
        each = {
            f"{growth.kind}, {verb}": (
                1e9 * least(call, work.wall, budget) / work.items,
                f"ns/{growth.item}",
            )
            for verb, call in work.calls.items()
        }
        if growth.memory:
            name = f"{growth.kind}, memory"
            each[name] = most / work.items, f"bytes/{growth.item}"
        for name, (value, unit) in each.items():
            found.setdefault(name, []).append(value)
            rows.add(f"{name}, {growth.axis} {size}", value, unit)
    if len(growth.sizes) < 2:
        rows.skip(f"{growth.kind} over {growth.axis}", "there is one core")
        return
    for name, values in found.items():
        rows.add(
            f"{name}: exponent over {growth.axis}",
            exponent(growth.sizes, values),
            "",
            at_most=growth.exponent + SLACK,
        )


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        for growth in growths(rows.quick):
            measure(rows, growth, 0.02 if rows.quick else 0.2)


if __name__ == "__main__":
    main()
