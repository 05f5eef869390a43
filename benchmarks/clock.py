"""Times: medians of runs that take turns, and cycles of the core that ran them."""

from __future__ import annotations

import functools
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from cffi import FFI

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
Run = Callable[[], object]
Timer = Callable[[], float]


@functools.cache
def compiled(declarations: str, source: str) -> Any:
    """A library of C functions, from their source."""
    build = FFI()
    build.cdef(declarations)
    name = f"_bench_{abs(hash(source))}"
    build.set_source(name, source, extra_compile_args=["-O2"])
    with tempfile.TemporaryDirectory() as folder:
        path = build.compile(tmpdir=folder)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module.lib


def hertz() -> float:
    """Cycles per second of process time, now."""
    chain = compiled("uint64_t chain(uint64_t x, uint64_t n);", SOURCE).chain
    start = time.process_time()
    chain(3, STEPS)
    return CYCLES * STEPS / (time.process_time() - start)


def _medians(
    runs: tuple[Run, ...], repeats: int, timer: Timer, rate: Timer
) -> list[float]:
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for mine, run in zip(times, runs, strict=True):
            per_second = rate()
            start = timer()
            run()
            mine.append((timer() - start) * per_second)
    return [statistics.median(mine) for mine in times]


def seconds(
    *runs: Run, repeats: int = REPEATS, timer: Timer = time.process_time
) -> list[float]:
    """Median time of each run, by default of the process; the runs take turns."""
    return _medians(runs, repeats, timer, lambda: 1.0)


def cycles(*runs: Run, repeats: int = REPEATS) -> list[float]:
    """Median cycles of each run, by a clock calibrated before it, each time."""
    return _medians(runs, repeats, time.process_time, hertz)


PEAK = """
import resource, sys
try:
    with open("/proc/self/status") as file:
        print(1024 * int(file.read().split("VmHWM:")[1].split()[0]))
except FileNotFoundError:  # then ru_maxrss, which counts KiB but on macOS
    unit = 1 if sys.platform == "darwin" else 1024
    print(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_bytes(code: str, *arguments: str) -> tuple[int, list[str]]:
    """Run Python code in a process of its own: its peak memory, and what it printed.

    On Linux ru_maxrss would not do: it may be that of the parent, from before the
    child became this program.
    """
    command = [sys.executable, "-I", "-c", f"{code}\n{PEAK}", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    *lines, peak = done.stdout.splitlines()
    return int(peak), lines
