"""Particle filters: what they cost over the information content, start-up, and speed.

Finite models, whose information content is known; a poor proposal with several samples
within the step; stochastic volatility and a tracker, against many particles; particles
per second. Data are drawn from the models (--data has no effect).
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
from clock import seconds
from report import Report, parser, use_isa

from bbans import HMM, check_model, default_model
from bbans.codecs.metered import random_bits
from bbans.distributions import Weighted
from bbans.particles import ParticleFilter, ProposalFilter

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from tracker import Tracker
from volatility import StochasticVolatility, sample

PERCENT = {1: 5.0, 4: 1.0, 16: 0.1, 64: 0.05}  # over the information content, at most
KEYS = (0, 1, 2)


def small() -> HMM:
    """8 states that stay what they are, and 8 symbols."""
    rng = np.random.default_rng(0)
    A, B = (
        rng.dirichlet(np.full(8, alpha), 8) * 0.98 + 0.02 / 8 for alpha in (0.2, 0.15)
    )
    return HMM(np.full(8, 1 / 8), A, B)


def finite(rows: Report) -> None:
    """The frozen models' own information content is the measure."""
    T = 10_000 if rows.quick else 100_000
    models = {
        "8 states": small().freeze(),
        "64 states at random": HMM.random(64, 64, seed=1).freeze(),
        "64 states of English": default_model(),
    }
    for name, frozen in models.items():
        hmm = HMM.from_frozen(frozen)
        x = hmm.sample(T, seed=2)[0]
        if frozen.kind == "bytes":
            x = x.astype(np.uint8).tobytes()
        h = hmm.information_content(x)
        for method in ("adapted", "bootstrap"):
            for n, most in PERCENT.items():
                over = []
                for key in KEYS:
                    coder = ParticleFilter(frozen, n, key, method=method)
                    data = coder.encode(x)
                    over.append(100 * (8 * len(data) / h - 1))
                assert np.array_equal(coder.decode(data, T), x)
                bound = most if method == "adapted" and "English" not in name else None
                what = f"{name}, {method}, n={n}, T={T}: over h"
                rows.add(what, np.mean(over), "%", at_most=bound)
            coder = ParticleFilter(frozen, 64, method=method)
            symbols = frozen.alphabet.encode(x[:300])
            rows.add(f"{name}, {method}, n=64: start-up",
                     check_model(symbols, coder).startup, "bits",
                     at_most=5.0 if method == "adapted" else 0.0)  # fmt: skip


class PoorlyGuessed:
    """An HMM as laws of weights, and a guess of the state that is blind to the past."""

    latents = observed = 1

    def __init__(self, frozen) -> None:
        self._initial, self._transition = frozen.initial, frozen.transition
        self._emission = frozen.emission

    def prior(self, z):
        return Weighted(self._initial if z is None else self._transition[z])

    def likelihood(self, z):
        return Weighted(self._emission[z])

    def proposal(self, z, x):
        return Weighted(self._emission[:, x[0]])


def proposals(rows: Report) -> None:
    T = 300 if rows.quick else 2000
    hmm = small()
    frozen = hmm.freeze(prec=24)
    x = hmm.sample(T, seed=2)[0]
    h = HMM.from_frozen(frozen).information_content(x)
    for coupled in (False, True):
        for M in (1, 4, 16):
            coder = ProposalFilter(
                PoorlyGuessed(frozen), 64, samples=M, coupled=coupled
            )
            message = random_bits(np.random.default_rng(0), T)
            before = message.bits
            coder.push(message, x)
            name = "coupled" if coupled else "independent"
            what = f"poor proposal, {M} {name} samples, n=64, T={T}"
            over = 100 * ((message.bits - before) / h - 1)
            bound = 0.3 if coupled and M == 16 else None
            rows.add(f"{what}: over h", over, "%", at_most=bound)
            rows.add(f"{what}: start-up", before - message.least, "bits")
            assert np.array_equal(coder.pop(message, T), x)


def nonlinear(rows: Report) -> None:
    T, most = (300, 1024) if rows.quick else (2000, 4096)
    for name, model in (
        ("stochastic volatility", StochasticVolatility()),
        ("tracker", Tracker()),
    ):
        x = sample(model, T)
        bits = {
            n: np.mean([8 * len(ParticleFilter(model, n, k).encode(x)) for k in KEYS])
            / T
            for n in (16, 64, 256)
        }
        best = 8 * len(ParticleFilter(model, most).encode(x)) / T
        rows.add(f"{name}, n={most}, T={T}", best, "bits/step")
        for n, rate in bits.items():
            rows.add(f"{name}, n={n}: over n={most}", 100 * (rate / best - 1), "%",
                     at_most=1.0 if n == 64 else None)  # fmt: skip


def speed(rows: Report) -> None:
    repeats = 3 if rows.quick else 7
    isa = use_isa()
    models = {"8 states": small(), "64 states": HMM.random(64, 64, seed=1)}
    for name, hmm in models.items():
        frozen, T = hmm.freeze(prec=24), 5000
        x = hmm.sample(T, seed=2)[0]
        for method in ("adapted", "bootstrap"):
            coder = ParticleFilter(frozen, 64, method=method)
            data = coder.encode(x)
            times = seconds(partial(coder.encode, x), partial(coder.decode, data, T),
                            repeats=repeats)  # fmt: skip
            for verb, taken in zip(("encode", "decode"), times, strict=True):
                rows.add(f"{name}, {method}, n=64, {isa}: {verb}", 64 * T / taken / 1e6,
                         "M particles/s", at_least=5.0)  # fmt: skip
    for name, model in (
        ("stochastic volatility", StochasticVolatility()),
        ("tracker", Tracker()),
    ):
        T = 300 if rows.quick else 1000
        x, coder = sample(model, T), ParticleFilter(model, 64)
        data = coder.encode(x)
        times = seconds(partial(coder.encode, x), partial(coder.decode, data, T),
                        repeats=repeats)  # fmt: skip
        for verb, taken in zip(("encode", "decode"), times, strict=True):
            rows.add(f"{name} in Python, n=64: {verb}", T / taken, "steps/s",
                     at_least=2000)  # fmt: skip


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        finite(rows)
        proposals(rows)
        nonlinear(rows)
        speed(rows)


if __name__ == "__main__":
    main()
