"""Cycles of the core that this process runs on, by a chain of dependent multiplies."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
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


def _build() -> Any:
    ffi = FFI()
    ffi.cdef("uint64_t chain(uint64_t x, uint64_t n);")
    ffi.set_source("_bench_chain", SOURCE, extra_compile_args=["-O2"])
    folder = tempfile.mkdtemp()
    path = ffi.compile(tmpdir=folder)
    spec = importlib.util.spec_from_file_location("_bench_chain", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lib


_lib = _build()


def hertz() -> float:
    """Cycles per second of process time, now."""
    start = time.process_time()
    _lib.chain(3, STEPS)
    return CYCLES * STEPS / (time.process_time() - start)


def machine() -> dict[str, str]:
    """What ran: processor, compiler, commit."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [s for s in cpuinfo.read_text().splitlines() if "model name" in s]
        model = names[0].split(":", 1)[1].strip() if names else model

    def first_line(*command: str) -> str:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return "unknown"
        return done.stdout.splitlines()[0]

    return {
        "cpu": model,
        "compiler": first_line("cc", "--version"),
        "python": sys.version.split()[0],
        "commit": first_line("git", "rev-parse", "HEAD"),
    }
