"""Milliseconds for one EM iteration, and hmmlearn's in the same run.

47 made sequences of 1000 characters, 101 symbols (--data has no effect), with the
kernels for AVX2, hmmlearn's BLAS held to AVX2, and on machines that have it with
AVX-512 on both sides. BLAS has one thread. A process is pinned to as many CPUs as its
threads, and runs all that is compared in turn, some rounds: a ratio is the median of
those of the rounds. Medians of process time, but of wall time where two threads are
compared with one: for bbans of the intervals between callbacks of `HMM.fit`, which are
an E and an M step each; for hmmlearn of `fit` with one iteration. Peak memory is that
of a whole process, interpreter and libraries included.

Then nanoseconds of CPU per symbol or step, and iteration, of what else EM trains: an
AR-HMM, of many sequences and of one long one, and linear Gaussian models.
"""

from __future__ import annotations

import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from clock import peak_bytes
from report import Report, parser, use_isa

SEQUENCES, LENGTH, SYMBOLS = 47, 1000, 101
DTYPES = ("float64", "float32")
CORES = {"avx2": "Haswell", "avx512": "SkylakeX"}  # as OpenBLAS calls them
TARGETS = {"float64": 30.0, "float32": 48.0, "threads": 1.6}  # of AVX2, 64 states


def data(K: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw the sequences and the parameters that training starts from."""
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(SYMBOLS, 0.3))
    x = rng.choice(SYMBOLS, (SEQUENCES, LENGTH), p=weights)
    start = [
        rng.dirichlet(np.ones(K)),
        rng.dirichlet(np.ones(K), K),
        rng.dirichlet(np.ones(SYMBOLS), K),
    ]
    return list(x), start


def time_bbans(K: int, dtype: str, threads: int, clock: Callable[[], float]) -> float:
    from bbans import HMM

    x, start = data(K)
    ticks = []
    HMM.fit(
        x,
        K,
        init=HMM(*start),
        n_iter=4,
        tol=0,
        dtype=dtype,
        threads=threads,
        callback=lambda model: ticks.append(clock()),
    )
    # The last interval lacks the counts, as nothing needs them.
    return statistics.median(np.diff(ticks)[:-1].tolist())


def time_hmmlearn(K: int, clock: Callable[[], float]) -> float:
    import logging

    from hmmlearn.hmm import CategoricalHMM

    warnings.simplefilter("ignore")
    logging.disable()
    x, start = data(K)
    model = CategoricalHMM(K, implementation="scaling", n_iter=1, init_params="")
    model.n_features = SYMBOLS
    model.startprob_, model.transmat_, model.emissionprob_ = start
    begin = clock()
    model.fit(np.concatenate(x)[:, np.newaxis], [LENGTH] * SEQUENCES)
    return clock() - begin


def run_case(K: int, runs: list[list[Any]], rounds: int) -> None:
    """Inside the process of a case: time the runs in turn and print the seconds.

    A run is a dtype, None for hmmlearn, and its number of threads.
    """
    threads = max(threads for _, threads in runs)
    clock = time.process_time if threads == 1 else time.perf_counter
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    seconds = []
    for _ in range(rounds):
        for dtype, threads in runs:
            if dtype:
                seconds.append(time_bbans(K, dtype, threads, clock))
            else:
                seconds.append(time_hmmlearn(K, clock))
    print(json.dumps(seconds))


def start_case(
    isa: str, K: int, runs: list[list[Any]], rounds: int
) -> tuple[np.ndarray, int]:
    """Run a case in a process of its own: milliseconds of (round, run), and bytes."""
    code = (
        "import json, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import em\n"
        "em.run_case(*json.loads(sys.argv[2]))"
    )
    held = {"BBANS_CPU": isa, "OPENBLAS_CORETYPE": CORES[isa]}
    before = dict(os.environ)
    os.environ.update(held)
    try:
        case = json.dumps([K, runs, rounds])
        peak, lines = peak_bytes(code, str(Path(__file__).parent), case)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return 1e3 * np.reshape(json.loads(lines[0]), (rounds, len(runs))), peak


def hmm(rows: Report, isa: str, K: int, peer: bool) -> None:
    """Rows of one number of states."""
    rounds = 3 if rows.quick or K > 64 else 9
    name = f"{K} states, {isa}"
    goals = TARGETS if (isa, K) == ("avx2", 64) else {}
    runs = [[dtype, 1] for dtype in (*DTYPES, *[None] * peer)]
    took, _ = start_case(isa, K, runs, rounds)
    for (dtype, _), ours in zip(runs, took.T, strict=True):
        rows.add(f"{name}, {dtype or 'hmmlearn'}", np.median(ours), "ms/iteration")
        if peer and dtype:
            ratio = np.median(took[:, -1] / ours)
            rows.add(
                f"{name}, {dtype}, to hmmlearn", ratio, "times as fast",
                at_least=goals.get(dtype),
            )  # fmt: skip
    if (os.cpu_count() or 1) < 2:
        return rows.skip(f"{name}, 2 threads", "there is one CPU")
    for dtype in DTYPES:
        took, _ = start_case(isa, K, [[dtype, 1], [dtype, 2]], rounds)
        ratio = np.median(took[:, 0] / took[:, 1])
        rows.add(
            f"{name}, {dtype}, 2 threads to 1", ratio, "times as fast",
            at_least=goals.get("threads"),
        )  # fmt: skip


def memory(rows: Report, K: int, peer: bool) -> None:
    """Rows of the peak of each."""
    for dtype in (*DTYPES, *[None] * peer):
        _, peak = start_case("avx2", K, [[dtype, 1]], 1)
        rows.add(f"{K} states, {dtype or 'hmmlearn'}, peak", peak / 1e6, "MB")


def others(rows: Report) -> None:
    """Rows of an AR-HMM and of linear Gaussian models, with the best kernels."""
    from bbans import ARHMM, LGSSM

    sequences, _ = data(16)
    model = ARHMM.fit(sequences[:8], 16, order=2, n_iter=2, threads=1)
    sample = [model.sample(LENGTH, seed=n)[0] for n in range(SEQUENCES)]
    for texts in (sample, [np.concatenate(sample)]):
        taken = []
        for n_iter in (2, 12):
            begin = time.process_time()
            trained = ARHMM.fit(
                texts, 16, order=2, init=model.states, n_iter=n_iter, tol=0, threads=1
            )
            taken.append((time.process_time() - begin, len(trained.history)))
        (few, less), (many, more) = taken  # what is not EM takes as long in both
        per = (many - few) / (more - less) / (SEQUENCES * LENGTH)
        rows.add(f"AR-HMM, 16 states, {len(texts)} sequences", 1e9 * per, "ns/symbol")
    for n, p in ((2, 2), (4, 1), (8, 2)):
        transition = np.diag(np.linspace(0.5, 0.97, n))
        observation = 10 * np.random.default_rng(0).normal(size=(p, n))
        truth = LGSSM(transition, observation, np.eye(n), 4 * np.eye(p))
        for count, length in ((1, 20000), (100, 200)):
            x = [truth.sample(length, seed=n)[0] for n in range(count)]
            first = LGSSM.fit(x, n, n_iter=1)
            begin = time.process_time()
            LGSSM.fit(x, init=first, n_iter=9, tol=-1)
            per = (time.process_time() - begin) / 10 / (count * length)
            rows.add(f"LGSSM, {n} latents, {count} x {length}", 1e9 * per, "ns/step")


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        peer = rows.peer("hmmlearn", "hmmlearn's rows") is not None
        for isa in CORES:
            if use_isa(isa) is None:
                rows.skip(f"kernels for {isa}", "this machine lacks them")
                continue
            for K in (64,) if rows.quick else (16, 64, 256):
                hmm(rows, isa, K, peer)
        use_isa()
        memory(rows, 64, peer)
        others(rows)


if __name__ == "__main__":
    main()
