"""Linear Gaussian models: bits over the information content, and cycles per step.

Models are drawn at random, and data from them (--data has no effect). `model` is the
information content under the float model, `frozen` that under the integers, estimated
from samples of the posterior, for one latent dimension also by the exact sum over the
latent grid. `noise` is its shape, on data with outliers and without. Cycles and
steps per second are of the C engine, one stream, process time; pin it to a core
(taskset -c 0) on a shared machine. Targets are for AVX2 (BBANS_CPU=avx2).
Needs the test dependencies: tests/ draws the models, and has the exact sum.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from clock import cycles, seconds
from engine import Engine
from report import Report, parser, use_isa

import bbans
from bbans.frozen.lgssm import NOISES

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from shared import random_lgssm
from test_frozen_lgssm import exact_bits

CODINGS = {"IconoCLaSM": "iconoclasm", "predictive": "predictive"}


def frozen_bits(frozen: bbans.frozen.FrozenLGSSM, x: np.ndarray, samples: int) -> float:
    """The information content under the integers, from samples of the posterior: of a
    sample z bits back costs b = -log2 P(x, z) / Q(z | x), and P(x) is the mean of
    2^-b. Q is near the posterior, b near normal: -log2 P(x) = E b - Var b ln2 / 2."""
    costs = []
    for seed in range(samples):
        rng = np.random.default_rng(seed)
        other = rng.bytes(1000 + 8 * len(x) * frozen.n_latents)
        message = bbans.Message.from_bytes(other + b"\1")
        start = message.bits
        frozen.push(message, x)
        costs.append(message.bits - start)
    return float(np.mean(costs) - np.var(costs, ddof=1) * np.log(2) / 2)


def add_excess(
    rows: Report,
    name: str,
    frozen: bbans.frozen.FrozenLGSSM,
    x: np.ndarray,
    ideal: float,
) -> None:
    """Bits of whole bytes over `ideal`."""
    for coding, mode in CODINGS.items():
        bits = 8 * len(bbans.encode(x, frozen.with_mode(mode))) - ideal
        rows.add(f"{name}, {coding}: over", bits, "bits")


def add_noises(rows: Report, n: int, length: int, rng: np.random.Generator) -> None:
    """Bits per step by the shape of the noise, without and with outliers."""
    model = random_lgssm(n, 1, seed=50 + n)
    x, _ = model.sample(length, seed=6)
    hit = rng.random(len(x)) < 0.01
    far = np.where(hit, x + rng.integers(-300, 301, len(x)), x)
    for noise in NOISES:
        frozen = model.freeze(noise=noise)
        for data, y in (("as drawn", x), ("with outliers", far)):
            for coding, mode in CODINGS.items():
                bits = 8 * len(bbans.encode(y, frozen.with_mode(mode)))
                rows.add(f"{n} latent, noise {noise}, {data}, {coding}",
                         bits / len(x), "bits/step")  # fmt: skip


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        isa, rng = use_isa(), np.random.default_rng(0)
        samples, repeats = (4, 3) if rows.quick else (24, 9)
        sizes = [(1, 1), (2, 1), (4, 1), (8, 1), (2, 2), (4, 3)]
        lengths = (1000,) if rows.quick else (10_000, 100_000)
        for n, p in sizes[::2] if rows.quick else sizes:
            model = random_lgssm(n, p, seed=50 + n)
            frozen = model.freeze()
            shape = f"{n} latent, {p} observed"
            for length in lengths:
                x, _ = model.sample(length, seed=6)
                name = f"{shape}, T={length}"
                ideal = model.information_content(x)
                add_excess(rows, f"{name}, model", frozen, x, ideal)
                ideal = frozen_bits(frozen, x, samples)
                add_excess(rows, f"{name}, frozen", frozen, x, ideal)
                if n == 1 and length == lengths[0]:
                    ideal = exact_bits(frozen, x)
                    add_excess(rows, f"{name}, frozen, exactly", frozen, x, ideal)
            for coding, mode in CODINGS.items():
                engine = Engine(frozen.with_mode(mode), x)
                encode, decode = engine.timed(cycles, repeats)
                for verb, count in (("encode", encode), ("decode", decode)):
                    rows.add(f"{shape}, {coding}: {verb}, {isa}", count, "cycles/step")
                speeds = engine.timed(seconds, repeats)
                least = 3.5 if (n, p, mode) == (4, 1, "iconoclasm") else None
                for verb, each in zip(("encode", "decode"), speeds, strict=True):
                    rows.add(f"{shape}, {coding}: {verb}, {isa}, speed", 1e-6 / each,
                             "M steps/s", at_least=least)  # fmt: skip
        for n in (1, 4):
            add_noises(rows, n, lengths[0], rng)


if __name__ == "__main__":
    main()
