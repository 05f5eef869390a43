"""The HMM engine: cycles per symbol by instruction set, states, length and threads.

    python benchmarks/hmm.py [--json FILE] [--quick]

Process time against a clock calibrated beside each measurement; the median of
repeats. Pin it to a core (taskset -c 0) on a shared machine, except for threads.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from clock import hertz
from report import machine

import bbans
from bbans import HMM, Message
from bbans._lib import lib

ISAS = {"portable": 0, "avx2": 1, "avx512": 2, "neon": 3}
REPEATS = 7
LEAST = 100_000  # symbols a measurement


def cycles(run: Callable[[], object], n_symbols: int) -> float:
    """Median cycles per symbol."""
    results = []
    calls = -(-LEAST // n_symbols)
    for _ in range(REPEATS):
        rate = hertz()
        start = time.process_time()
        for _ in range(calls):
            run()
        results.append((time.process_time() - start) * rate / n_symbols / calls)
    return statistics.median(results)


def both_ways(model: bbans.FrozenHMM, x: np.ndarray) -> tuple[float, float]:
    """Cycles per symbol to encode and to decode one stream."""
    data = bbans.encode_sequence(model, x).to_bytes()

    def decode() -> np.ndarray:
        return bbans.decode_sequence(model, Message.from_bytes(data), x.size)

    assert np.array_equal(decode(), x)
    return (
        cycles(lambda: bbans.encode_sequence(model, x), x.size),
        cycles(decode, x.size),
    )


def batch_both_ways(
    model: bbans.FrozenHMM, sequences: list[np.ndarray]
) -> tuple[float, float]:
    lengths = [x.size for x in sequences]
    data, offsets = bbans.encode_batch(sequences, model)
    total = sum(lengths)
    return (
        cycles(lambda: bbans.encode_batch(sequences, model), total),
        cycles(lambda: bbans.decode_batch(data, offsets, lengths, model), total),
    )


def wall(run: Callable[[], object], n_symbols: int) -> float:
    """Median million symbols per second of wall time."""
    results = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        results.append(n_symbols / (time.perf_counter() - start) / 1e6)
    return statistics.median(results)


def sample(n_states: int, n_symbols: int, length: int) -> tuple[bbans.FrozenHMM, ...]:
    hmm = HMM.random(n_states, n_symbols, seed=1)
    return hmm.freeze(), hmm.sample(length, seed=2)[0]


def encoder_memory(length: int) -> float:
    """Bytes per symbol that encoding adds to the peak of a fresh process."""
    code = (
        "import sys, numpy as np, bbans\n"
        "m = bbans.HMM.random(64, 64, seed=1).freeze()\n"
        "n = int(sys.argv[1])\n"
        "x = np.random.default_rng(0).integers(0, 64, n, np.uint32)\n"
        "bbans.encode_sequence(m, x[:1000])\n"
        "def peak():\n"
        "    with open('/proc/self/status') as f:\n"
        "        return 1024 * int(f.read().split('VmHWM:')[1].split()[0])\n"
        "before = peak(); bbans.encode_sequence(m, x); print((peak() - before) / n)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(length)], capture_output=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="shorter sequences")
    options = parser.parse_args()
    length = 20_000 if options.quick else 100_000
    rows: list[dict[str, object]] = []

    def report(what: str, unit: str, *values: float) -> None:
        rows.append({"what": what, "unit": unit, "values": values})
        print(f"| {what} | {' | '.join(f'{v:.4g}' for v in values)} | {unit} |")

    print("| what | encode | decode | unit |\n|---|---:|---:|---|")
    model, x = sample(64, 64, length)
    for name, isa in ISAS.items():
        if lib.bbans_isa_use(isa) != isa:
            print(f"| {name} is not on this machine | | | |")
            continue
        report(f"K=M=64, one stream, {name}", "cycles/symbol", *both_ways(model, x))
        parts = np.array_split(x, 16)
        report(f"K=M=64, batch of 16, {name}", "cycles/symbol",
               *batch_both_ways(model, parts))  # fmt: skip
    best = lib.bbans_isa_use(lib.BBANS_ISA_BEST)
    print(f"| below: {list(ISAS)[best]} | | | |")
    for n_states in (16, 64, 256, 1024):
        T = max(length * 64 // n_states // 4, 200)
        report(f"K={n_states}, M=64, T={T}", "cycles/symbol",
               *both_ways(*sample(n_states, 64, T)))  # fmt: skip
    for T in (10**3, 10**4, 10**5, 10**6, 10**7):
        if length * (10 if options.quick else 100) < T:
            break
        report(f"K=M=64, T={T}", "cycles/symbol", *both_ways(model, np.resize(x, T)))
    sequences = [np.resize(x, 2000)] * (length // 500)
    total = sum(map(len, sequences))
    data, offsets = bbans.encode_batch(sequences, model)
    lengths = [len(s) for s in sequences]
    for threads in (1, 2):
        report(
            f"batch of {len(sequences)} x 2000, {threads} thread(s)",
            "M symbols/s, wall",
            wall(
                lambda t=threads: bbans.encode_batch(sequences, model, threads=t), total
            ),
            wall(
                lambda t=threads: bbans.decode_batch(
                    data, offsets, lengths, model, threads=t
                ),
                total,
            ),
        )
    for T in (10**5, 10**6, 10**7):
        report(f"encoder memory, K=M=64, T={T}", "bytes/symbol", encoder_memory(T))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {"machine": machine(), "rows": rows, "peak_kib": peak}
    print("\n" + ", ".join(f"{k} {v}" for k, v in machine().items()))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
