"""Seconds for one EM iteration, and hmmlearn's in the same run.

    python benchmarks/em.py RESULT.json [--repeats 9] [--states 64 256]

47 sequences of 1000 characters, 101 symbols. Each case is a process of its own,
pinned to as many CPUs as it has threads, with BLAS held to one thread. Times are
medians: for bbans of the intervals between callbacks of `HMM.fit`, which are an E and
an M step each; for hmmlearn of `fit` with one iteration. Peak memory is ru_maxrss of
the process, interpreter and libraries included.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

SEQUENCES, LENGTH, SYMBOLS = 47, 1000, 101
PEER = "hmmlearn scaling"


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
    """Inside the process of one case: time it and print the result."""
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cpus[-case["threads"] :])
    if case["library"] == "bbans":
        seconds = time_bbans(
            case["states"], case["dtype"], case["threads"], case["repeats"]
        )
    else:
        seconds = time_hmmlearn(case["states"], case["repeats"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    print(json.dumps({**case, "seconds": seconds, "peak_bytes": peak}))


def start_case(**case: Any) -> dict[str, Any]:
    """Run a case in a process of its own."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    output = subprocess.run(
        [sys.executable, __file__, "--case", json.dumps(case)],
        env={**os.environ, **one},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    result = json.loads(output)
    result["median"] = statistics.median(result["seconds"])
    return result


def cpu() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--states", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        run_case(options.case)
        return
    if options.result is None or options.repeats < 3:
        parser.error("RESULT.json, and at least 3 repeats, are needed")
    peer = importlib.util.find_spec("hmmlearn") is not None
    machine = {
        "cpu": cpu(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("bbans", "numpy", "hmmlearn")},
    }
    print("| states | | threads | ms | times hmmlearn | peak MB |")
    print("|---:|---|---:|---:|---:|---:|")
    results = []
    for K in options.states:
        cases = [("bbans", d, n) for d in ("float64", "float32") for n in (1, 2)]
        if peer:
            cases.insert(0, (PEER, "float64", 1))
        slow = 3 if K > 64 else options.repeats
        base = None
        for library, dtype, threads in cases:
            result = start_case(
                library=library,
                states=K,
                dtype=dtype,
                threads=threads,
                repeats=slow if library == PEER else options.repeats,
            )
            base = result["median"] if library == PEER else base
            ratio = None if base is None else base / result["median"]
            results.append({**result, "ratio": ratio})
            print(
                f"| {K} | {library} {dtype} | {threads} | {result['median'] * 1e3:.1f} "
                f"| {'' if ratio is None else f'{ratio:.1f}'} "
                f"| {result['peak_bytes'] / 1e6:.0f} |",
                flush=True,
            )
    print()
    print(", ".join(f"{name}: {value}" for name, value in machine.items()))
    if not peer:
        print("hmmlearn is not installed: nothing to compare with")
    shape = {"sequences": SEQUENCES, "length": LENGTH, "symbols": SYMBOLS}
    text = json.dumps({"machine": machine, "data": shape, "results": results}, indent=1)
    options.result.write_text(text + "\n")


if __name__ == "__main__":
    main()
