"""Particle filters: what they cost over the information content, start-up, and speed.

Finite models, whose information content is known; a poor proposal with several samples
within the step; stochastic volatility and a tracker, against many particles; particles
per second. Data are drawn from the models (--data has no effect).
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
from clock import compiled, seconds
from engine import Engine
from report import Report, parser, use_isa

from bbans import HMM, check_model, default_model
from bbans._lib import ffi, lib
from bbans.codecs.metered import random_bits
from bbans.distributions import Weighted
from bbans.frozen.alphabet import Rows
from bbans.frozen.engine import EngineModel
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
            symbols = frozen.alphabet.encode(x[:800])
            startup = [
                check_model(part, coder).startup for part in np.split(symbols, 8)
            ]
            what = f"{name}, {method}, n=64: start-up of 8 sequences"
            most = 5.0 if method == "adapted" else 0.0
            rows.add(f"{what}, mean", np.mean(startup), "bits", at_most=most)
            rows.add(f"{what}, most", max(startup), "bits")


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


# Stochastic volatility in C: what examples/volatility.py says.
HEADER = Path(__file__).parents[1] / "csrc/bbans.h"
DECLARED = """
void use(uintptr_t init, uintptr_t drawn, uintptr_t seen);
uintptr_t address_of_prior(void);
uintptr_t address_of_likelihood(void);
"""
SOURCE = f"""
#include "{HEADER}"
static bbans_status (*init)(bbans_distribution *, const bbans_family *, bbans_array,
                            bbans_array);
static const bbans_family *drawn, *seen;

void use(uintptr_t init_, uintptr_t drawn_, uintptr_t seen_)
{{
    init = (bbans_status (*)(bbans_distribution *, const bbans_family *, bbans_array,
                             bbans_array))init_;
    drawn = (const bbans_family *)drawn_;
    seen = (const bbans_family *)seen_;
}}
static bbans_status law_of(const bbans_family *family, void *work, size_t n,
                           bbans_distribution *law)
{{
    return init(law, family, bbans_array_of(work, BBANS_I64),
                bbans_array_of((int64_t *)work + n, BBANS_I32));
}}
static bbans_status prior(void *user, size_t t, const int64_t *z, size_t n,
                          void *work, bbans_distribution *law)
{{
    int64_t *location = (int64_t *)work;
    int32_t *scale = (int32_t *)(location + n);
    size_t i;
    (void)user;
    for (i = 0; i < n; i++) {{
        location[i] = t > 0 ? 63570 * z[i] : 0;
        scale[i] = t > 0 ? 1670 : 2192;
    }}
    return law_of(drawn, work, n, law);
}}
static bbans_status likelihood(void *user, size_t t, const int64_t *z, size_t n,
                               void *work, bbans_distribution *law)
{{
    int64_t *location = (int64_t *)work;
    int32_t *scale = (int32_t *)(location + n);
    size_t i;
    (void)user, (void)t;
    for (i = 0; i < n; i++) {{
        const int64_t s = 768 + z[i];
        location[i] = 0;
        scale[i] = (int32_t)(s < -3072 ? -3072 : s > 12031 ? 12031 : s);
    }}
    return law_of(seen, work, n, law);
}}
uintptr_t address_of_prior(void) {{ return (uintptr_t)prior; }}
uintptr_t address_of_likelihood(void) {{ return (uintptr_t)likelihood; }}
"""


class InC(EngineModel):
    """Stochastic volatility, its laws in C."""

    _DTYPE = np.int64
    alphabet = Rows(1)

    def __init__(self, n: int) -> None:
        made = compiled(DECLARED, SOURCE)
        self._families = ffi.new("bbans_family[2]")
        drawn, seen = self._families + 0, self._families + 1
        for family in (drawn, seen):
            lib.bbans_family_init(family, lib.BBANS_GAUSSIAN)
        drawn.leakless = 1
        init = ffi.addressof(lib, "bbans_distribution_init_location_scale")
        made.use(*(int(ffi.cast("uintptr_t", part)) for part in (init, drawn, seen)))
        model, c = ffi.new("bbans_particle_model *"), ffi.new("bbans_particles *")
        model.latents, model.observed, model.work_bytes = 1, 1, 12 * n
        law = "bbans_particle_law"
        model.prior = ffi.cast(law, made.address_of_prior())
        model.likelihood = ffi.cast(law, made.address_of_likelihood())
        assert lib.bbans_particles_init(c, model, n, 0, 64) == 0
        super().__init__(c, "predictive")

    def _observations(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x, np.int64).ravel()

    def state_space(self) -> NoReturn:
        raise NotImplementedError


def gaussian_in_c(rows: Report, repeats: int) -> None:
    if rows.program("cc", "Gaussian particles in C") is None:
        return
    T = 1000 if rows.quick else 5000
    x, coder = sample(StochasticVolatility(), T), InC(64)
    expected = ParticleFilter(StochasticVolatility(), 64).encode(x)
    assert coder.encode_message(x).to_bytes() == expected
    times = Engine(coder, x).timed(seconds, repeats)
    for verb, taken in zip(("encode", "decode"), times, strict=True):
        rows.add(f"stochastic volatility in C, n=64: {verb}", 64 / taken / 1e6,
                 "M particles/s", at_least=1.0)  # fmt: skip


def speed(rows: Report) -> None:
    repeats = 3 if rows.quick else 7
    isa = use_isa()
    gaussian_in_c(rows, repeats)
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
