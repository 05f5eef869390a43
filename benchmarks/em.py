"""Milliseconds for one EM iteration, and hmmlearn's in the same run.

47 made sequences of 1000 characters, 101 symbols (--data has no effect). Each case is
a process of its own, pinned to as many CPUs as it has threads, with BLAS held to one
thread. Wall times, medians: for bbans of the intervals between callbacks of `HMM.fit`,
which are an E and an M step each; for hmmlearn of `fit` with one iteration. Peak memory
is that of the whole process, interpreter and libraries included.
"""

from __future__ import annotations

import json
import os
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from clock import peak_bytes
from report import Report, parser

SEQUENCES, LENGTH, SYMBOLS = 47, 1000, 101


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


def time_bbans(K: int, dtype: str, threads: int, repeats: int) -> list[float]:
    from bbans import HMM

    x, start = data(K)
    ticks = []
    HMM.fit(
        x,
        K,
        init=HMM(*start),
        n_iter=repeats + 1,
        tol=0,
        dtype=dtype,
        threads=threads,
        callback=lambda model: ticks.append(time.perf_counter()),
    )
    # The last interval lacks the counts, as nothing needs them.
    return np.diff(ticks)[:-1].tolist()


def time_hmmlearn(K: int, repeats: int) -> list[float]:
    import logging

    from hmmlearn.hmm import CategoricalHMM

    warnings.simplefilter("ignore")
    logging.disable()
    x, start = data(K)
    seconds = []
    for _ in range(repeats):
        model = CategoricalHMM(K, implementation="scaling", n_iter=1, init_params="")
        model.n_features = SYMBOLS
        model.startprob_, model.transmat_, model.emissionprob_ = start
        begin = time.perf_counter()
        model.fit(np.concatenate(x)[:, np.newaxis], [LENGTH] * SEQUENCES)
        seconds.append(time.perf_counter() - begin)
    return seconds


def run_case(case: dict[str, Any]) -> None:
    """Inside the process of one case: time it and print the seconds."""
    threads = case.pop("threads")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    dtype = case.pop("dtype")
    if dtype is None:
        print(json.dumps(time_hmmlearn(**case)))
    else:
        print(json.dumps(time_bbans(dtype=dtype, threads=threads, **case)))


def start_case(**case: Any) -> tuple[float, int]:
    """Run a case in a process of its own: median milliseconds, and bytes."""
    code = (
        "import json, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import em\n"
        "em.run_case(json.loads(sys.argv[2]))"
    )
    peak, lines = peak_bytes(code, str(Path(__file__).parent), json.dumps(case))
    return 1e3 * statistics.median(json.loads(lines[0])), peak


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        peer = rows.peer("hmmlearn", "hmmlearn's rows")
        for K in (64,) if rows.quick else (64, 256):
            repeats = 3 if rows.quick else 9
            base = None
            if peer:
                few = 3 if K > 64 else repeats
                base, peak = start_case(K=K, dtype=None, threads=1, repeats=few)
                rows.add(f"{K} states, hmmlearn scaling", base, "ms/iteration")
                rows.add(f"{K} states, hmmlearn scaling, peak", peak / 1e6, "MB")
            for dtype in ("float64", "float32"):
                for threads in (1, 2):
                    name = f"{K} states, {dtype}, {threads} threads"
                    took, peak = start_case(
                        K=K, dtype=dtype, threads=threads, repeats=repeats
                    )
                    rows.add(name, took, "ms/iteration")
                    if base is not None:
                        rows.add(f"{name}, to hmmlearn", base / took, "times as fast")
                    rows.add(f"{name}, peak", peak / 1e6, "MB")


if __name__ == "__main__":
    main()
