"""Integers under Gaussians with a mean and a scale each, against constriction.

    pip install constriction

Process time in ns per value, medians of interleaved runs in one thread, and bits over
-log2 of the Gaussian's mass. Both coders get the same arrays, which are made (--data
has no effect); in the first rows ours gets what `fixed_locations` and `fixed_scales`
made of them, as a network would that computes in integers. Pin it to a core
(taskset -c 0) on a shared machine. The targets are for AVX2 (BBANS_CPU=avx2).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from message import LANES, add_speeds, constriction_stack
from report import Report, parser

from bbans import Message
from bbans.distributions import Gaussian, fixed_locations, fixed_scales

_erf = np.vectorize(math.erf, otypes=[float])


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        constriction = rows.peer("constriction", "constriction's rows")
        n = 200_000 if rows.quick else 1_000_000
        rng = np.random.default_rng(0)
        means = rng.normal(0, 50, n)
        scales = np.exp(rng.normal(1.5, 0.5, n))
        x = np.rint(rng.normal(means, scales)).astype(np.int32)
        edges = (x + np.array([[-0.5], [0.5]]) - means) / scales
        information = -np.log2(np.diff(_erf(edges / math.sqrt(2)), axis=0) / 2).sum()
        peer = None
        if constriction:
            # Its support must be bounded; wide enough for every value.
            law = constriction.stream.model.QuantizedGaussian(-(1 << 12), 1 << 12)
            peer = (
                "constriction",
                *constriction_stack(constriction, law, x, means, scales),
            )
        inputs: dict[str, tuple[Any, Any]] = {
            "fixed point": (fixed_locations(means), fixed_scales(scales)),
            "float64": (means, scales),
            "float32": (means.astype(np.float32), scales.astype(np.float32)),
        }
        for name, (at, by) in inputs.items():
            out = np.empty_like(x)

            def push(message: Message, at: Any = at, by: Any = by) -> None:
                message.push(Gaussian(at, by, copy=False), x)

            def pop(
                message: Message, at: Any = at, by: Any = by, out: Any = out
            ) -> Any:
                message.pop(Gaussian(at, by, copy=False), out=out)
                return out

            message = Message(LANES)
            push(message)
            over = (message.bits - Message(LANES).bits - information) / n
            add_speeds(rows, name, "value", x, push, pop, peer, targets=(7, 14))
            rows.add(f"{name}: over", over, "bits/value", at_most=1e-4)


if __name__ == "__main__":
    main()
