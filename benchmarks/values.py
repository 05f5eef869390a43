"""Integers under mixtures, counts and ranges: time, and bits over the true law.

Cycles and nanoseconds per value, parameters as float64 arrays, values as int32, one
thread, with targets for AVX2 (BBANS_CPU=avx2 on a machine with more); and how many bits
a value takes over -log2 of its true probability. The values are drawn from the law
(--data has no effect). Pin it to a core (taskset -c 0) on a shared machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from clock import cycles, seconds
from numpy.typing import NDArray
from report import Report, parser, use_isa

from bbans import Message
from bbans.distributions import (
    BetaBinomial,
    Binomial,
    Distribution,
    Family,
    Geometric,
    Mixture,
    Poisson,
    UniformRange,
    fixed_scales,
)

Floats = NDArray[np.float64]
Row = tuple[str, Callable[[], Distribution], NDArray[np.int64], Floats]
LANES = 64
# Nanoseconds on AVX2, push and pop.
TARGETS = {
    "mixture of 10 logistics, 0 .. 255, scales to 10": (100, 200),
    "Poisson, mean 20": (120, 120),
    "binomial, 255 trials": (120, 120),
    "binomial, 100000 trials": (120, 120),
}

_lgamma = np.vectorize(math.lgamma, otypes=[float])


def log_choose(n: Any, k: Any) -> Floats:
    return _lgamma(n + 1.0) - _lgamma(k + 1.0) - _lgamma(n - k + 1.0)


def log_beta(a: Any, b: Any) -> Floats:
    return _lgamma(a) + _lgamma(b) - _lgamma(a + b)


def mixture(n: int, K: int, width: float, low: int, high: int, rng: Any) -> Row:
    """Logistic components, as of a neural image codec."""
    weights = rng.dirichlet(np.ones(K), n)
    at = rng.uniform(low, high, (n, K))
    by = 2.0 ** (fixed_scales(rng.uniform(width / 4, width, (n, K))) / 256)
    pick = (weights.cumsum(1) < rng.random((n, 1))).sum(1)
    each = np.arange(n)
    x = np.rint(rng.logistic(at[each, pick], by[each, pick])).clip(low, high)

    def logistic(z: Floats) -> Floats:
        return np.exp(-np.logaddexp(0, -z))

    below = logistic((x[:, None] - 0.5 - at) / by) * (x > low)[:, None]
    above = logistic((at - x[:, None] - 0.5) / by) * (x < high)[:, None]
    bits = -np.log2((weights * (1 - below - above)).sum(1))
    given = Family.logistic(), weights, at, by
    name = f"mixture of {K} logistics, {low} .. {high}, scales to {width:g}"
    law = partial(Mixture, *given, low, high, copy=False)
    return name, law, x, bits


def geometric(n: int, mean: float, rng: Any) -> Row:
    scale = 2.0 ** (fixed_scales(mean * rng.uniform(0.5, 1.5, n)) / 256)
    p = -np.expm1(-1 / scale)
    x = rng.geometric(p) - 1
    bits = (x / scale - np.log(p)) / np.log(2)
    law = partial(Geometric, scale, copy=False)
    return f"geometric, mean {mean:g}", law, x, bits


def poisson(name: str, means: Floats, rng: Any) -> Row:
    x = rng.poisson(means)
    bits = (means - x * np.log(means) + _lgamma(x + 1.0)) / np.log(2)
    return f"Poisson, mean {name}", partial(Poisson, means, copy=False), x, bits


def rows_of(n: int, rng: Any) -> Iterator[Row]:
    yield mixture(n, 1, 10, 0, 255, rng)
    yield mixture(n, 10, 10, 0, 255, rng)
    yield mixture(n, 10, 400, -(1 << 15), (1 << 15) - 1, rng)
    yield geometric(n, 3, rng)
    yield geometric(n, 1e4, rng)
    m = n // 10
    for mean in (0.5, 20.0, 1000.0):
        yield poisson(f"{mean:g}", mean * rng.uniform(0.5, 1.5, m), rng)
    yield poisson("20 for all", np.full(n, 20.0), rng)
    for trials in (10, 255, 10**5):
        p = rng.uniform(0.01, 0.99, m)
        x = rng.binomial(trials, p)
        log_mass = log_choose(trials, x) + x * np.log(p) + (trials - x) * np.log1p(-p)
        law = partial(Binomial, np.full(m, trials), p, copy=False)
        yield f"binomial, {trials} trials", law, x, -log_mass / np.log(2)
    a, b = rng.uniform(0.5, 20, (2, m))
    x = rng.binomial(255, rng.beta(a, b))
    log_mass = log_choose(255, x) + log_beta(x + a, 255 - x + b) - log_beta(a, b)
    law = partial(BetaBinomial, np.full(m, 255), a, b, copy=False)
    yield "beta-binomial, 255 trials", law, x, -log_mass / np.log(2)
    for high in (999, 10**12):
        x = rng.integers(0, high + 1, n)
        law = partial(UniformRange, 0, high)
        yield f"uniform on 0 .. {high}", law, x, np.full(n, np.log2(high + 1))


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        isa = use_isa()
        n, repeats = 200_000, 3 if rows.quick else 9
        for name, law, x, bits in rows_of(n, np.random.default_rng(0)):
            values = x.astype(np.int64 if x.max() >= 1 << 31 else np.int32)
            message = Message(LANES)
            empty = message.bits
            back = np.empty_like(values)

            def push(message: Any = message, law: Any = law, x: Any = values) -> None:
                message.push(law(), x)

            def pop(message: Any = message, law: Any = law, back: Any = back) -> None:
                message.pop(law(), out=back)

            push()
            over = (message.bits - empty - bits.sum()) / x.size
            pop()
            assert (back == values).all()
            there, here = (c / x.size for c in cycles(push, pop, repeats=repeats))
            rows.add(f"{name}: push, {isa}", there, "cycles/value")
            rows.add(f"{name}: pop, {isa}", here, "cycles/value")
            there, here = (s / x.size for s in seconds(push, pop, repeats=repeats))
            wanted = TARGETS.get(name, (None, None)) if isa == "avx2" else (None, None)
            for verb, taken, most in zip(
                ("push", "pop"), (there, here), wanted, strict=True
            ):
                rows.add(f"{name}: time to {verb}, {isa}", 1e9 * taken, "ns/value",
                         at_most=most)  # fmt: skip
            rows.add(f"{name}: information", bits.mean(), "bits/value")
            rows.add(f"{name}: over", over, "bits/value", at_most=1e-4)


if __name__ == "__main__":
    main()
