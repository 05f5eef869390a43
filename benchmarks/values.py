"""Integers under mixtures, counts and ranges: time, and bits over the true law.

    pip install scipy
    taskset -c 0 python benchmarks/values.py [--values N]

Prints a Markdown table: process time in ns a value, medians of interleaved runs in one
thread, parameters as float64 arrays, values as int32; and how many bits a value takes
over -log2 of its true probability, for values drawn from the law.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from message import LANES, seconds
from numpy.typing import NDArray
from scipy import stats

import bbans
from bbans import Message

Floats = NDArray[np.float64]
Row = tuple[str, str, tuple[Any, ...], dict[str, int], NDArray[np.int64], Floats]


def mixture(n: int, K: int, width: float, low: int, high: int, rng: Any) -> Row:
    """Logistic components, as of a neural image codec."""
    weights = rng.dirichlet(np.ones(K), n)
    at = rng.uniform(low, high, (n, K))
    by = 2.0 ** (bbans.fixed_scales(rng.uniform(width / 4, width, (n, K))) / 256)
    pick = (weights.cumsum(1) < rng.random((n, 1))).sum(1)
    each = np.arange(n)
    x = np.rint(rng.logistic(at[each, pick], by[each, pick])).clip(low, high)
    below = stats.logistic.cdf((x[:, None] - 0.5 - at) / by) * (x > low)[:, None]
    above = stats.logistic.sf((x[:, None] + 0.5 - at) / by) * (x < high)[:, None]
    bits = -np.log2((weights * (1 - below - above)).sum(1))
    given = bbans.Shape.logistic(), weights, at, by
    name = f"mixture of {K} logistics on {low} .. {high}, scales to {width:g}"
    return name, "mixture", given, {"low": low, "high": high}, x, bits


def geometric(n: int, mean: float, rng: Any) -> Row:
    scale = 2.0 ** (bbans.fixed_scales(mean * rng.uniform(0.5, 1.5, n)) / 256)
    p = -np.expm1(-1 / scale)
    x = rng.geometric(p) - 1
    bits = (x / scale - np.log(p)) / np.log(2)
    return f"geometric, mean {mean:g}", "geometric", (scale,), {}, x, bits


def counts(n: int, name: str, given: tuple[Any, ...], law: Any, rng: Any) -> Row:
    x = law.rvs(size=n, random_state=rng)
    method = name.split(",")[0].replace("-", "_").lower()
    bits = -law.logpmf(x) / np.log(2)
    return name, method, given, {}, x, bits


def rows(n: int, rng: Any) -> Iterator[Row]:
    yield mixture(n, 1, 10, 0, 255, rng)
    yield mixture(n, 10, 10, 0, 255, rng)
    yield mixture(n, 10, 400, -(1 << 15), (1 << 15) - 1, rng)
    yield geometric(n, 3, rng)
    yield geometric(n, 1e4, rng)
    m, full = n // 10, np.ones(n // 10)
    for mean in (0.5, 20.0, 1000.0):
        means = mean * rng.uniform(0.5, 1.5, m)
        yield counts(m, f"Poisson, mean {mean:g}", (means,), stats.poisson(means), rng)
    yield counts(
        n, "Poisson, mean 20 for all", (np.full(n, 20.0),), stats.poisson(20), rng
    )
    for trials in (10, 255, 10**5):
        p = rng.uniform(0.01, 0.99, m)
        given = np.full(m, trials), p
        name = f"binomial, {trials} trials"
        yield counts(m, name, given, stats.binom(trials, p), rng)
    a, b = rng.uniform(0.5, 20, (2, m))
    given = (255 * full).astype(int), a, b
    law = stats.betabinom(255, a, b)
    yield counts(m, "beta-binomial, 255 trials", given, law, rng)
    for high in (999, 10**12):
        x = rng.integers(0, high + 1, n)
        name = f"uniform on 0 .. {high}"
        yield name, "range", (0, high), {}, x, np.full(n, np.log2(high + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=200_000)
    n = parser.parse_args().values
    print("| | push | pop | bits | over |")
    print("|---|---:|---:|---:|---:|")
    for name, method, given, ends, x, bits in rows(n, np.random.default_rng(0)):
        values = x.astype(np.int64 if x.max() >= 1 << 31 else np.int32)
        message = Message(LANES)
        empty = message.bits
        push = getattr(message, f"push_{method}")
        pop = getattr(message, f"pop_{method}")
        back = np.empty_like(values)

        def run_push(
            push: Any = push, given: Any = given, v: Any = values, ends: Any = ends
        ) -> None:
            push(*given, v, **ends)

        def run_pop(
            pop: Any = pop, given: Any = given, back: Any = back, ends: Any = ends
        ) -> None:
            pop(*given, out=back, **ends)

        run_push()
        over = (message.bits - empty - bits.sum()) / x.size
        run_pop()
        assert (back == values).all()
        there, here = (t * 1e9 / x.size for t in seconds(run_push, run_pop))
        print(f"| {name} | {there:.1f} | {here:.1f} | {bits.mean():.3f} | {over:.1e} |")


if __name__ == "__main__":
    main()
