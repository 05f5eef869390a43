"""Linear Gaussian models: bits over the information content, and samples a second.

    python benchmarks/lgssm.py [--quick] [--noise]

Models are drawn at random, and data from them. `model` is the information content under
the float model, `frozen` that under the integers, estimated from samples of the
posterior, for one latent dimension also by the exact sum over the latent grid. --noise
prints what the noise's shape does on data with outliers. Process time, best of the
repeats; pin it to a core (taskset -c 0) on a shared machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from report import machine

import bbans
from bbans._lib import ffi, lib, pointer
from bbans.lgssm import NOISES

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from test_frozen_lgssm import exact_bits
from test_lgssm import random_model

MODELS = [(1, 1), (2, 1), (4, 1), (8, 1), (2, 2), (4, 3)]
REPEATS, SAMPLES = 9, 24


def best(run: Callable[[], Any]) -> float:
    """Least seconds of process time."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


class Engine:
    """The C functions on memory that is there already."""

    def __init__(self, frozen: bbans.FrozenLGSSM, x: np.ndarray) -> None:
        self.c, self.length = frozen.c, len(x)
        self.x = frozen.observations(x)
        self.again = np.zeros_like(self.x)
        self.work = np.zeros_like(frozen.workspace(self.length, 1 << 40))
        self.tail = np.zeros(2 * frozen.tail_words(self.length), np.uint32)
        self.head = np.zeros(1, np.uint64)
        self.message = ffi.new("bbans_message *")

    def _memory(self) -> tuple[Any, int]:
        return pointer(self.work, "uint64_t[]"), self.work.nbytes

    def encode(self, predictive: bool) -> None:
        lib.bbans_message_init(
            self.message, pointer(self.head, "uint64_t[]"), 1, pointer(self.tail),
            self.tail.size,
        )  # fmt: skip
        status = lib.bbans_lgssm_encode(
            self.c, pointer(self.x, "int64_t[]"), self.length, predictive,
            *self._memory(), self.message,
        )  # fmt: skip
        assert status == 0

    def decode(self, predictive: bool) -> None:
        """What is left of the message is kept by the caller."""
        status = lib.bbans_lgssm_decode(
            self.c, self.message, pointer(self.again, "int64_t[]"), self.length,
            predictive, *self._memory(),
        )  # fmt: skip
        assert status == 0

    def rates(self, predictive: bool) -> tuple[float, float]:
        """Million observations a second, to encode and to decode."""
        self.encode(predictive)
        kept = self.message.tail_len, self.head.copy(), self.tail.copy()

        def restored() -> None:
            self.message.tail_len = kept[0]
            self.head[:], self.tail[: kept[0]] = kept[1], kept[2][: kept[0]]
            self.decode(predictive)

        decoding = best(restored)
        assert (self.again == self.x).all()
        encoding = best(lambda: self.encode(predictive))
        return self.length / encoding / 1e6, self.length / decoding / 1e6


def frozen_bits(frozen: bbans.FrozenLGSSM, x: np.ndarray) -> float:
    """The information content under the integers, from samples of the posterior: of a
    sample z bits back costs b = -log2 P(x, z) / Q(z | x), and P(x) is the mean of
    2^-b. Q is near the posterior, b near normal: -log2 P(x) = E b - Var b ln2 / 2."""
    costs = []
    for seed in range(SAMPLES):
        rng = np.random.default_rng(seed)
        other = rng.bytes(1000 + 8 * len(x) * frozen.n_states)
        message = bbans.Message.from_bytes(other + b"\1")
        start = message.bits
        message.push_sequence(frozen, x)
        costs.append(message.bits - start)
    return float(np.mean(costs) - np.var(costs, ddof=1) * np.log(2) / 2)


def excess(frozen: bbans.FrozenLGSSM, x: np.ndarray, ideal: float) -> list[float]:
    """Bits of whole bytes over `ideal`."""
    return [
        8 * len(bbans.encode(x, frozen, predictive=predictive)) - ideal
        for predictive in (False, True)
    ]


def noises() -> None:
    """Bits a step by the shape of the noise, without and with outliers."""
    rng = np.random.default_rng(0)
    print("| latent | noise | as drawn | with outliers |\n|---:|---|---:|---:|")
    for n in (1, 4):
        model = random_model(n, 1, seed=50 + n)
        x, _ = model.sample(10_000, seed=6)
        hit = rng.random(len(x)) < 0.01
        far = np.where(hit, x + rng.integers(-300, 301, len(x)), x)
        for noise in NOISES:
            frozen = model.freeze(noise=noise)
            cells = [
                " / ".join(f"{bits / len(x):.3f}" for bits in excess(frozen, y, 0.0))
                for y in (x, far)
            ]
            print(f"| {n} | {noise} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter sequences")
    parser.add_argument("--noise", action="store_true", help="the noise's shape")
    options = parser.parse_args()
    if options.noise:
        noises()
        return
    T = 2000 if options.quick else 10_000
    print(machine())
    print("\nBits over the information content:\n")
    print("| latent | observed | T | of | IconoCLaSM | a step | predictive | a step |")
    print("|---:|---:|---:|---|---:|---:|---:|---:|")

    def report(n: int, p: int, T: int, of: str, bits: list[float]) -> None:
        cells = " | ".join(f"{b:.1f} | {b / T:.1e}" for b in bits)
        print(f"| {n} | {p} | {T} | {of} | {cells} |", flush=True)

    for n, p in MODELS:
        model = random_model(n, p, seed=50 + n)
        frozen = model.freeze()
        for length in (T, 10 * T):
            x, _ = model.sample(length, seed=6)
            ideal = model.information_content(x)
            report(n, p, length, "model", excess(frozen, x, ideal))
            ideal = frozen_bits(frozen, x)
            report(n, p, length, "frozen", excess(frozen, x, ideal))
            if n == 1 and length == T:
                ideal = exact_bits(frozen, x)
                report(n, p, length, "frozen, exactly", excess(frozen, x, ideal))
    print("\nMillion steps a second, the C engine, one stream:\n")
    print("| latent | observed | encode | decode | predictive: encode | decode |")
    print("|---:|---:|---:|---:|---:|---:|")
    for n, p in MODELS:
        model = random_model(n, p, seed=50 + n)
        frozen = model.freeze()
        engine = Engine(frozen, model.sample(10 * T, seed=6)[0])
        rates = [*engine.rates(False), *engine.rates(True)]
        print(f"| {n} | {p} | {' | '.join(f'{r:.2f}' for r in rates)} |", flush=True)


if __name__ == "__main__":
    main()
