"""Hidden Markov models of vectors: bits over the float model, sizes, and time.

Models are drawn at random, and data from them. `over` is whole bytes over the float
model's information content, for each integer. With --data, DIR/sensors/*.npy of two
axes are coded as they are and as differences, beside `SignalCoder` and an LGSSM that is
trained on the first 5000 rows; 4 or 16 states. hmmlearn starts 10 times and is trained
by 10 updates, as we are. Cycles are of the C engine, one stream, process time; pin it
to a core (taskset -c 0) on a shared machine. Needs the test dependencies: tests/ draws
the models.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
from clock import cycles
from engine import Engine
from report import Report, parser, use_isa

import bbans
from bbans import LGSSM, MultivariateGaussianHMM
from bbans.formats import SignalCoder

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from shared import random_vectors

CODINGS = {"IconoCLaSM": "iconoclasm", "predictive": "predictive"}


def add_drawn(rows: Report, isa: str | None) -> None:
    """Bits over the float model, and cycles of a vector."""
    length, repeats = (5000, 3) if rows.quick else (100_000, 9)
    for K, D, full in ((2, 1, False), (4, 6, False), (4, 6, True), (16, 6, True)):
        model = random_vectors(K, D, seed=K + D, full=full)
        x, _ = model.sample(length, seed=1)
        ideal, frozen = model.information_content(x), model.freeze()
        name = f"{K} states, {D} channels, {'full' if full else 'diagonal'}"
        for coding, mode in CODINGS.items():
            coded = frozen.with_mode(mode)
            over = (8 * len(coded.encode(x)) - ideal) / x.size
            rows.add(f"{name}, {coding}: over", over, "bits/value", at_most=0.01)
            times = Engine(coded, x).timed(cycles, repeats)
            for verb, count in zip(("encode", "decode"), times, strict=True):
                rows.add(f"{name}, {coding}: {verb}, {isa}", count, "cycles/vector")


def add_file(rows: Report, path: Path) -> None:
    """Bits of an integer of real data."""
    x = np.load(path)
    if x.ndim != 2 or x.dtype.kind not in "iu" or x.shape[1] > 64:
        return
    if rows.quick:
        x = x[:4000]
    size = len(bbans.compress(x, SignalCoder(x.shape[1])))
    rows.add(f"{path.stem}: SignalCoder", 8 * size / x.size, "bits/value")
    x = x.astype(np.int64)
    linear = LGSSM.fit(x[:5000], min(6, x.shape[1]), n_iter=10).freeze()
    size = len(linear.encode(x))
    rows.add(f"{path.stem}: LGSSM", 8 * size / x.size, "bits/value")
    for what, y in (("", x), (", differences", np.diff(x, axis=0, prepend=x[:1]))):
        for K in (4,) if rows.quick else (4, 16):
            model = MultivariateGaussianHMM.fit(y, K, n_iter=30)
            size = len(model.freeze().encode(y))
            rows.add(f"{path.stem}{what}: {K} states", 8 * size / x.size, "bits/value")


def add_starts(rows: Report) -> None:
    """ln of densities after 10 updates from 10 seeds, beside hmmlearn."""
    hmm: Any = rows.peer("hmmlearn.hmm", "starts beside hmmlearn")
    if hmm is None:
        return
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)
    rng = np.random.default_rng(0)
    z = np.repeat(rng.integers(0, 4, 60), 25)
    bursts = rng.normal(0, np.array([1, 5, 20, 80])[z][:, None], (len(z), 3))
    apart = random_vectors(4, 3, seed=5).sample(1500, seed=6)[0]
    for name, x in (("bursts", bursts), ("clusters", apart)):
        ours, theirs = [], []
        for seed in range(10):
            model = MultivariateGaussianHMM.fit(x, 4, seed=seed, n_iter=10)
            ours.append(model.score(x) / len(x))
            other = hmm.GaussianHMM(4, "full", n_iter=10, tol=0, random_state=seed)
            theirs.append(other.fit(x).score(x) / len(x))
        rows.add(f"{name}, hmmlearn: mean score", np.mean(theirs), "nats/vector")
        rows.add(
            f"{name}: mean score", np.mean(ours), "nats/vector",
            at_least=float(np.mean(theirs)),
        )  # fmt: skip


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        add_drawn(rows, use_isa())
        for path in rows.files("sensors/*.npy", "real data"):
            add_file(rows, path)
        add_starts(rows)


if __name__ == "__main__":
    main()
