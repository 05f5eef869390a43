"""Schedules over graphs: bits over the information content, start-up, speed; sets.

Discrete graphs of several kinds under several orders; hierarchies in time by number of
levels, and a two-level one on text and on lines of a log against one HMM; numbers
whose order does not matter. Rates are exact, of integers, on any machine; times are of
one thread. A few minutes without --quick.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
from clock import seconds
from engine import Engine
from report import ISAS, Report, parser, use_isa

from bbans import HMM, HierarchicalHMM
from bbans.models import information_content


def graphs(rows: Report) -> None:
    """Bits over the information content, by graph, order and length."""


def startup(rows: Report) -> None:
    """Start-up by number of levels, aligned and staircase."""


def texts(rows: Report) -> dict[str, tuple[list[str], list[str]]]:
    """Real data as training and test sequences, by name."""
    found = {}
    if book := rows.files("war_and_peace/war_and_peace_books*.txt", "War and Peace"):
        text = book[0].read_text(encoding="utf-8")
        parts = [text[at : at + 5000] for at in range(0, 250_000, 5000)]
        found["War and Peace"] = parts[:40], ["".join(parts[40:])]
    if log := rows.files("logs/HDFS_2k.log", "log lines"):
        lines = log[0].read_text(encoding="latin-1").splitlines(keepends=True)
        parts = ["".join(lines[at : at + 100]) for at in range(0, len(lines), 100)]
        found["HDFS log"] = parts[:15], ["".join(parts[15:])]
    return found


def train(
    sizes: list[int], sequences: list[str], characters: str, quick: bool
) -> HMM | HierarchicalHMM:
    """The best of some starts; states of one level make an HMM."""
    how: dict[str, Any] = {
        "alphabet": characters, "n_iter": 20 if quick else 100, "dtype": np.float32,
        "threads": 2, "progress": False,
    }  # fmt: skip
    fits = [
        HMM.fit(sequences, *sizes, seed=seed, **how)
        if len(sizes) == 1
        else HierarchicalHMM.fit(sequences, sizes, seed=seed, **how)
        for seed in range(1 if quick else 3)
    ]
    return min(fits, key=lambda fit: fit.history[-1].objective)


def masses(sizes: list[int], n_symbols: int) -> int:
    """In a model of levels of these states."""
    levels = zip(sizes, [*sizes[1:], 1], strict=True)
    return sizes[0] * n_symbols + sum(K * above * (1 + K) for K, above in levels)


def fill(above: list[int], most: int, n_symbols: int) -> list[int]:
    """Levels with as many states next to the data as so many masses have room for."""
    K = next(K for K in count(1) if masses([K + 1, *above], n_symbols) > most)
    return [K, *above]


def hierarchies(rows: Report) -> None:
    """Two levels against one of as many states, and of as many bytes; the engine."""
    for name, (training, test) in texts(rows).items():
        characters = "".join(sorted(set("".join(training + test))))
        M, symbols = len(characters), sum(map(len, test))
        small, large = [8, 8], [64]
        for sizes in (
            small,
            fill([], masses(small, M), M),
            large,
            fill([4], masses(large, M), M),
        ):
            frozen = train(sizes, training, characters, rows.quick).freeze()
            content = sum(information_content(x, frozen) for x in test)
            bits = sum(8 * len(frozen.encode(x)) for x in test)
            states = " x ".join(map(str, sizes))
            what = f"{name}, {states} states, {len(frozen.to_bytes())} bytes"
            rows.add(f"{what}: rate", bits / symbols, "bits/symbol")
            rows.add(f"{what}: over h", bits - content, "bits")
    hierarchy_engine(rows)


def hierarchy_engine(rows: Report) -> None:
    """Rates and speed of the C engine, on data of the model."""
    length = 20_000 if rows.quick else 200_000
    model = HierarchicalHMM.random([8, 8], 64, seed=1, concentration=0.5)
    x, _ = model.sample(length, seed=2)
    frozen = model.freeze()
    for T in (1, 10, 100, 1000, length):
        over = 8 * len(frozen.encode(x[:T])) - information_content(x[:T], frozen)
        rows.add(f"8 x 8 states, T = {T}: whole bytes over h", over, "bits",
                 at_most=10 if T <= 1000 else None)  # fmt: skip
    for isa in ISAS.values():
        if use_isa(isa) is None:
            rows.skip(isa, "not on this machine")
            continue
        timed = Engine(frozen, x).timed(seconds, repeats=3 if rows.quick else 9)
        for verb, taken in zip(("encode", "decode"), timed, strict=True):
            rows.add(f"8 x 8 states, {isa}: {verb}", 1e-6 / taken, "M steps/s",
                     at_least=3 if isa == "avx2" else None)  # fmt: skip
    use_isa()


def sets(rows: Report) -> None:
    """Numbers whose order does not matter."""


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        for section in (graphs, startup, hierarchies, sets):
            section(rows)


if __name__ == "__main__":
    main()
