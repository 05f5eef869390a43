"""Transitions with a structure, against those between all states: cycles per symbol.

Process time against a clock calibrated beside each measurement; medians. Models and
data are made (--data has no effect). Pin it to a core (taskset -c 0) on a shared
machine.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from clock import cycles
from report import Report, parser, use_isa

from bbans import HMM, FactorialHMM, Message, codecs
from bbans.frozen import FrozenModel
from bbans.models import Topology

SYMBOLS = 64


def rates(model: FrozenModel, T: int, repeats: int) -> tuple[float, float]:
    """Cycles per symbol to encode, and to decode."""
    x = np.random.default_rng(0).integers(0, SYMBOLS, T, np.uint32)
    data = codecs.encode_sequence(x, model).to_bytes()

    def decode() -> np.ndarray:
        return codecs.decode_sequence(Message.from_bytes(data), model, T)

    assert np.array_equal(decode(), x)
    encode = partial(codecs.encode_sequence, x, model)
    counts = cycles(encode, decode, repeats=repeats)
    return counts[0] / T, counts[1] / T


def masked(K: int, topology: Topology | None) -> FrozenModel:
    """An HMM that has these transitions alone."""
    model = HMM.random(K, SYMBOLS, seed=1)
    if topology is not None:
        first, transition = topology.mask(model.initial, model.transition)
        model = HMM(first, transition, model.emission)
    return model.freeze()


def bands(rows: Report, isa: str, repeats: int) -> None:
    linear: dict[int, tuple[float, float]] = {}
    for K in (64, 256, 1024) if rows.quick else (64, 256, 1024, 4096):
        T = max(200, (20_000 if rows.quick else 100_000) * 16 // K)
        full = rates(masked(K, None), min(T, 40_000_000 // K**2 + 200), repeats)
        for verb, count in zip(("encode", "decode"), full, strict=True):
            rows.add(f"all of K={K}, {isa}: {verb}", count, "cycles/symbol")
        for name, topology in (
            ("left to right, 1 at most", Topology.left_to_right(K, 1)),
            ("banded, 1 either way", Topology.banded(K, 1)),
            ("banded, 8 either way", Topology.banded(K, 8)),
        ):
            found = rates(masked(K, topology), T, repeats)
            if "8" in name:
                linear[K] = found
            for verb, count, of in zip(("encode", "decode"), found, full, strict=True):
                what = f"{name}, K={K}, {isa}: {verb}"
                rows.add(what, count, "cycles/symbol")
                rows.add(f"{what}, to that of all", of / count, "times")
    *_, few, many = linear
    for verb, a, b in zip(("encode", "decode"), linear[few], linear[many], strict=True):
        rows.add(f"banded, K={few} to {many}: {verb}", b / a, "times",
                 at_most=1.5 * many / few)  # fmt: skip


def chains(rows: Report, isa: str, repeats: int) -> None:
    for sizes in ([8, 8], [16, 16], [2] * 8, [8, 8, 8]):
        model = FactorialHMM.random(sizes, SYMBOLS, seed=1)
        joint = HMM(model.initial, model.transition, model.emission)
        T = 5000 if rows.quick else 20_000
        both = [rates(made.freeze(), T, repeats) for made in (model, joint)]
        name = " x ".join(map(str, sizes))
        for verb, apart, together in zip(("encode", "decode"), *both, strict=True):
            what = f"chains of {name}, {isa}: {verb}"
            rows.add(what, apart, "cycles/symbol")
            rows.add(f"{what}, joint states to it", together / apart, "times",
                     at_least=2 if joint.n_states >= 256 else None)  # fmt: skip


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        repeats = 3 if rows.quick else 9
        for isa in ("avx2", "avx512"):
            if use_isa(isa) is None:
                rows.skip(isa, "not on this machine")
                continue
            bands(rows, isa, repeats)
            chains(rows, isa, repeats)


if __name__ == "__main__":
    main()
