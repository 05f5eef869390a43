"""Schedules over graphs: bits over the information content, start-up, speed; sets.

Discrete graphs of several kinds under several orders; hierarchies in time by number of
levels, and a two-level one on text and on lines of a log against one HMM; numbers
whose order does not matter. Rates are exact, of integers, on any machine; times are of
one thread. A few minutes without --quick.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from clock import seconds
from report import Report, parser

from bbans import Message
from bbans.codecs import Codec, Multiset, Permutation
from bbans.distributions import UniformRange


def graphs(rows: Report) -> None:
    """Bits over the information content, by graph, order and length."""


def startup(rows: Report) -> None:
    """Start-up by number of levels, aligned and staircase."""


def hierarchies(rows: Report) -> None:
    """Two levels against one of as many states, and of as many bytes; the engine."""


def sets(rows: Report) -> None:
    """Numbers whose order does not matter."""
    n = 10**5 if rows.quick else 10**6
    rng = np.random.default_rng(0)
    law = UniformRange(0, 2**32 - 1)
    uniform = rng.choice(2**32, n, replace=False)
    cases = {
        "drawn from all": uniform,
        "beside each other": np.arange(n) + 10**9,
        "all the same": np.full(n, 7),
    }
    codec = Multiset(law, n)
    for name, ids in cases.items():
        message = Message()
        codec.push(message, ids)
        what = f"{n} ids of 32 bits, {name}"
        if ids is uniform:
            ideal = 32 - math.lgamma(n + 1) / math.log(2) / n
            over = message.bits / n - ideal
            rows.add(f"{what}: over the ideal", over, "bits/id", at_most=1e-4)
        push, pop = both_ways(codec, message, ids)
        rows.add(f"{what}: push", n / push, "ids/s", at_least=1e6)
        rows.add(f"{what}: pop", n / pop, "ids/s", at_least=1e6)
    order, message = rng.permutation(n), Message()
    Permutation(n).push(message, order)
    push, pop = both_ways(Permutation(n), message, order)
    rows.add(f"permutation of {n}: push", n / push, "elements/s")
    rows.add(f"permutation of {n}: pop", n / pop, "elements/s")


def both_ways(codec: Codec[Any], message: Message, value: Any) -> list[float]:
    """Seconds to push a value to a new message, and to pop it from this one."""
    return seconds(
        lambda: codec.push(Message(), value),
        lambda: codec.pop(message.copy()),
        repeats=5,
    )


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        for section in (graphs, startup, hierarchies, sets):
            section(rows)


if __name__ == "__main__":
    main()
