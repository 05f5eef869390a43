"""The HMM engine: cycles per symbol by instruction set, states, length and threads.

Process time against a clock calibrated beside each measurement; medians. Models and
data are made (--data has no effect). Pin it to a core (taskset -c 0) on a shared
machine, except for the rows of threads, which are of wall time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from clock import cycles, peak_bytes, seconds
from report import ISAS, Report, parser, use_isa

import bbans
from bbans import HMM, Message, records
from bbans.frozen import FrozenHMM

# Cycles per symbol that AVX2 must need at most: of one stream, and of batches; and of
# predictive decoding, times those of encoding.
ONE, BATCH, PREDICTIVE = {"avx2": 400}, {"avx2": 340}, {"avx2": 1.3}

ENCODE = """
import sys, numpy as np, bbans
m = bbans.HMM.random(64, 64, seed=1).freeze()
x = np.random.default_rng(0).integers(0, 64, int(sys.argv[1]), np.uint32)
bbans.codecs.encode_sequence(x[: int(sys.argv[2])], m)
"""


def add(
    rows: Report,
    what: str,
    total: int,
    repeats: int,
    at_most: float | None = None,
    **runs: Callable,
) -> list[float]:
    """Rows of cycles per symbol, which are returned: each run takes `total` symbols."""
    calls = -(-(20_000 if rows.quick else 100_000) // total)

    def often(run: Callable) -> None:
        for _ in range(calls):
            run()

    taken = cycles(*(partial(often, run) for run in runs.values()), repeats=repeats)
    counts = [count / calls / total for count in taken]
    for verb, count in zip(runs, counts, strict=True):
        rows.add(f"{what}: {verb}", count, "cycles/symbol", at_most=at_most)
    return counts


def add_sequence(
    rows: Report,
    what: str,
    model: FrozenHMM,
    x: np.ndarray,
    repeats: int,
    at_most: float | None = None,
) -> list[float]:
    data = bbans.codecs.encode_sequence(x, model).to_bytes()

    def decode() -> np.ndarray:
        return bbans.codecs.decode_sequence(Message.from_bytes(data), model, x.size)

    assert np.array_equal(decode(), x)
    encode = partial(bbans.codecs.encode_sequence, x, model)
    return add(rows, what, x.size, repeats, at_most, encode=encode, decode=decode)


def batch(
    model: FrozenHMM, sequences: list[np.ndarray], threads: int = 1
) -> tuple[Callable, Callable]:
    """Calls that encode and decode the sequences."""
    data, offsets = records.encode_batch(sequences, model)
    lengths = [x.size for x in sequences]
    return (
        partial(records.encode_batch, sequences, model, threads=threads),
        partial(records.decode_batch, data, offsets, lengths, model, threads=threads),
    )


def sample(
    n_states: int, length: int, *, predictive: bool = False
) -> tuple[FrozenHMM, np.ndarray]:
    hmm = HMM.random(n_states, 64, seed=1)
    return hmm.freeze(predictive=predictive), hmm.sample(length, seed=2)[0]


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        length, repeats = (20_000, 3) if rows.quick else (100_000, 9)
        model, x = sample(64, length)
        predictive, _ = sample(64, length, predictive=True)
        for isa in ISAS.values():
            if use_isa(isa) is None:
                rows.skip(isa, "not on this machine")
                continue
            add_sequence(rows, f"K=M=64, one stream, {isa}", model, x, repeats,
                         ONE.get(isa))  # fmt: skip
            encode, decode = batch(model, np.array_split(x, 16))
            add(rows, f"K=M=64, batch of 16, {isa}", x.size, repeats, BATCH.get(isa),
                encode=encode, decode=decode)  # fmt: skip
            name = f"K=M=64, predictive, {isa}"
            there, back = add_sequence(rows, name, predictive, x, repeats)
            rows.add(f"{name}: decode to encode", back / there, "times",
                     at_most=PREDICTIVE.get(isa))  # fmt: skip
        isa = use_isa()
        for n_states in (16, 64, 256, 1024):
            T = max(length * 64 // n_states // 4, 200)
            name = f"K={n_states}, M=64, T={T}, {isa}"
            wide, y = sample(n_states, T)
            add_sequence(rows, name, wide, y, repeats)
            if n_states > 64:
                encode, decode = batch(wide, [y, y])
                add(rows, f"{name}, batch of 2", 2 * T, repeats, encode=encode,
                    decode=decode)  # fmt: skip
        lengths = [1000, 10**5] if rows.quick else [1000, 10**4, 10**5, 10**6, 10**7]
        for T in lengths:
            name = f"K=M=64, T={T}, {isa}"
            add_sequence(rows, name, model, np.resize(x, T), repeats)
        sequences = [np.resize(x, 2000)] * (length // 500)
        for threads in (1, 2):
            name = f"batch of {len(sequences)} x 2000, {threads} threads, {isa}"
            runs = batch(model, sequences, threads)
            times = seconds(*runs, repeats=repeats, timer=time.perf_counter)
            for verb, taken in zip(("encode", "decode"), times, strict=True):
                rate = 2000 * len(sequences) / taken / 1e6
                rows.add(f"{name}: {verb}", rate, "M symbols/s")
        for T in lengths[-1:] if rows.quick else lengths[2:]:
            whole, start = (peak_bytes(ENCODE, str(T), str(n))[0] for n in (T, 1000))
            rows.add(f"encoder memory, K=M=64, T={T}", (whole - start) / T,
                     "bytes/symbol")  # fmt: skip


if __name__ == "__main__":
    main()
