"""A model of one's own in Python: microseconds per step, alone and side by side.

The model of examples/recurrent.py, on data made here (--data has no effect). Process
times of `Iconoclasm`, medians of runs that take turns, per step and sequence. `its own
arithmetic` is what numpy takes for the model's `update` and `posterior` alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from clock import seconds
from report import Report, parser

import bbans
from bbans.codecs import Iconoclasm

sys.path.append(str(Path(__file__).parents[1] / "examples"))
from recurrent import COUNTS, LEVELS, Recurrent

LENGTH = 300
RUNS = 100


def data(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Counts near a level that walks along the first axis."""
    level = np.clip(3 + np.cumsum(rng.integers(-1, 2, shape), 0), 0, LEVELS - 1)
    return np.clip(level + rng.integers(-1, 2, shape), 0, COUNTS - 1)


def arithmetic(model: Recurrent, x: list[int]) -> None:
    """The floats of each step."""
    h = None
    for value in x:
        h = model.update(h, value)
        np.exp(h + model.near[3])


def side_by_side(model: Recurrent, x: np.ndarray, runs: int) -> list[float]:
    """Microseconds to push and to pop a step of a sequence."""
    codec = Iconoclasm(model, *x.shape)
    message = bbans.Message.seeded(bytes(range(256)) * (2 + x.shape[1] // 32), 64)
    times = seconds(
        lambda: codec.push(message, x), lambda: codec.pop(message), repeats=runs
    )
    return [1e6 * taken / x.size for taken in times]


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        runs = RUNS // 5 if rows.quick else RUNS
        rng = np.random.default_rng(0)
        model, x = Recurrent(), data(rng, LENGTH).tolist()
        codec = Iconoclasm(model, LENGTH)
        message = bbans.Message.from_bytes(rng.bytes(100) + b"\1")
        push, pop, own = seconds(
            lambda: codec.push(message, x),
            lambda: codec.pop(message),
            lambda: arithmetic(model, x),
            repeats=runs,
        )
        each = 1e6 / LENGTH
        rows.add("one sequence, push", each * push, "us/step", at_most=15)
        rows.add("one sequence, pop", each * pop, "us/step", at_most=15)
        rows.add("its own arithmetic", each * own, "us/step")
        for n in (1, 16, 64, 256, 1024):
            push, pop = side_by_side(model, data(rng, max(LENGTH // n, 20), n), runs)
            rows.add(f"{n} side by side, push", push, "us/step")
            rows.add(f"{n} side by side, pop", pop, "us/step")


if __name__ == "__main__":
    main()
