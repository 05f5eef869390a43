"""Times: medians of runs that take turns, and cycles of the core that ran them."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

from report import compiled

# A 64-bit multiply takes 3 cycles on every x86-64 core since 2008 and on current
# Arm cores; the or, which depends on it, takes 1.
CYCLES = 4
STEPS = 20_000_000
SOURCE = """
#include <stdint.h>
uint64_t chain(uint64_t x, uint64_t n)
{
    while (n-- > 0) {
        x *= x;
        __asm__ volatile("" : "+r"(x)); /* keep each step */
        x |= 1;
    }
    return x;
}
"""
REPEATS = 9


@functools.cache
def _lib() -> Any:
    return compiled(
        "_bench_chain", "uint64_t chain(uint64_t x, uint64_t n);", SOURCE
    ).lib


def hertz() -> float:
    """Cycles per second of process time, now."""
    chain = _lib().chain
    start = time.process_time()
    chain(3, STEPS)
    return CYCLES * STEPS / (time.process_time() - start)


def seconds(*runs: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Median process time of each run; the runs take turns."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for mine, run in zip(times, runs, strict=True):
            start = time.process_time()
            run()
            mine.append(time.process_time() - start)
    return [statistics.median(mine) for mine in times]


def cycles(*runs: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Median cycles of each run, by a clock calibrated beside it."""
    counts: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for mine, run in zip(counts, runs, strict=True):
            rate = hertz()
            start = time.process_time()
            run()
            mine.append((time.process_time() - start) * rate)
    return [statistics.median(mine) for mine in counts]
