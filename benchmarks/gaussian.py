"""Integers under Gaussians with a mean and a scale each, against constriction.

    pip install constriction scipy
    taskset -c 0 python benchmarks/gaussian.py [--values N]

Prints a Markdown table: process time in ns a value, medians of interleaved runs in
one thread, and bits over -log2 of the Gaussian's mass. Both coders get the same arrays;
in the first row ours gets what `fixed_locations` and `fixed_scales` made of them, as a
network would that computes in integers.
"""

from __future__ import annotations

import argparse

import constriction
import numpy as np
from message import LANES, seconds
from scipy import stats

from bbans import Message, Shape, fixed_locations, fixed_scales


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=1_000_000)
    n = parser.parse_args().values
    rng = np.random.default_rng(0)
    means = rng.normal(0, 50, n)
    scales = np.exp(rng.normal(1.5, 0.5, n))
    x = np.rint(rng.normal(means, scales)).astype(np.int32)
    mass = stats.norm.cdf(x + 0.5, means, scales) - stats.norm.cdf(
        x - 0.5, means, scales
    )
    entropy = -np.log2(mass).sum()
    shape = Shape.gaussian()
    # Its support must be bounded; wide enough for every value.
    peer = constriction.stream.model.QuantizedGaussian(-(1 << 12), 1 << 12)
    inputs = {
        "fixed point, int64 and int32": (fixed_locations(means), fixed_scales(scales)),
        "float64": (means, scales),
        "float32": (means.astype(np.float32), scales.astype(np.float32)),
    }
    print("| parameters | encode | peer | ratio | decode | peer | ratio | bits over |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, (at, by) in inputs.items():
        out = np.empty_like(x)
        state = {"message": Message(LANES)}

        def push(at=at, by=by, state=state) -> None:
            state["message"] = Message(LANES)
            state["message"].push_located(shape, at, by, x)

        def pop(at=at, by=by, state=state, out=out) -> None:
            state["message"].pop_located(shape, at, by, out=out)

        def encode() -> np.ndarray:
            coder = constriction.stream.stack.AnsCoder()
            coder.encode_reverse(x, peer, means, scales)
            return coder.get_compressed()

        code = encode()

        def decode(code=code) -> np.ndarray:
            coder = constriction.stream.stack.AnsCoder(code)
            return coder.decode(peer, means, scales)

        push()
        over = (state["message"].bits - Message(LANES).bits - entropy) / n
        pop()
        assert (out == x).all()
        assert (decode() == x).all()
        ours, theirs, back, peer_back = (
            1e9 / n * s for s in seconds(push, encode, pop, decode)
        )
        print(
            f"| {name} | {ours:.1f} | {theirs:.1f} | {theirs / ours:.1f} | {back:.1f} "
            f"| {peer_back:.1f} | {peer_back / back:.1f} | {over:.1e} |"
        )


if __name__ == "__main__":
    main()
