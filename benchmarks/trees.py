"""Latent trees: rates on images and on a table, times, and what a chain costs over h.

A tree of 64 states over the 784 pixels of MNIST, black and white, trained on 60,000
images of --data and tried on 5000 others; --quick trains 16 states on 12,000 images and
tries 500, and its rates are those of that. Without --data images are made, and only
costs and times are measured. h is the information content under the frozen model, by
its integers' masses.

Then a table: hours of weather and air in Beijing, 12 columns as categories, rows in
random order, a fifth of them held out; beside columns that are independent, and beside
zstd and xz, which are given the held-out rows column by column.

Times are medians of process time, one thread; training is in --threads.
"""

from __future__ import annotations

import csv
import lzma
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from clock import seconds
from numpy.typing import NDArray
from report import ISAS, Report, parser, use_isa
from vae import PIXELS, TEST_SET, digits

from bbans import LatentTree, Message
from bbans.frozen import FrozenTree

TRAIN_SET = "images/mnist_train-images-idx3-ubyte.gz"
WEATHER = "sensors/beijing_pm25_hourly.csv"
CHAINS = [1, 10, 100]
TIMED = 64  # images
PASSES = 3  # over start-up bits
CLASSES = 24  # of a column with more values


def fitted(
    rows: Report, what: str, x: NDArray[Any], K: int, epochs: int, threads: int
) -> LatentTree:
    begin = time.perf_counter()
    model = LatentTree.fit(x, K, epochs=epochs, threads=threads, progress=False)
    rows.add(
        f"{what}: training, {epochs} passes over {len(x)} rows, {threads} threads",
        time.perf_counter() - begin, "s",
    )  # fmt: skip
    return model


def content(frozen: FrozenTree) -> LatentTree:
    """The model by whose `row_bits` h is measured."""
    return LatentTree.from_frozen(frozen)


def chains(rows: Report, what: str, frozen: FrozenTree, x: NDArray[Any]) -> None:
    """What coding takes beyond h."""
    bits = content(frozen).row_bits(x)
    for n in CHAINS:
        net = []
        for seed in range(PASSES):
            message = Message.from_bytes(
                np.random.default_rng(seed).bytes(4096) + b"\1"
            )
            before = message.bits
            frozen.push(message, x[:n])
            net.append(message.bits - before)
            assert (frozen.pop(message, n) == x[:n]).all()
        rows.add(
            f"{what}: net of h, {n} rows by bits back, mean of {PASSES}",
            float(np.mean(net)) - bits[:n].sum(), "bits", at_most=1.0,
        )  # fmt: skip
    for mode in ("iconoclasm", "predictive"):
        model = frozen.with_mode(mode)
        for n in (*CHAINS, len(x)):
            data = model.encode(x[:n])
            assert (model.decode(data, n) == x[:n]).all()
            rows.add(
                f"{what}: message over h, {n} rows, {mode}",
                8 * len(data) - bits[:n].sum(), "bits",
            )  # fmt: skip


def sizes(rows: Report, what: str, frozen: FrozenTree) -> None:
    rows.add(f"{what}: model file", len(frozen.to_bytes()), "bytes")
    rows.add(f"{what}: rows that start a message", frozen.start_length, "rows")
    rows.add(f"{what}: bits that the schedule starts from", frozen.start_bits, "bits")


def times(rows: Report, what: str, frozen: FrozenTree, x: NDArray[Any]) -> None:
    n = TIMED if not rows.quick else TIMED // 4
    for isa in ISAS.values():
        if use_isa(isa) is None:
            continue
        for mode in ("iconoclasm", "predictive"):
            model = frozen.with_mode(mode)
            data = model.encode(x[:n])
            both = seconds(
                partial(model.encode, x[:n]), partial(model.decode, data, n), repeats=5
            )
            best = isa == list(ISAS.values())[0]
            for verb, time_ in zip(("encode", "decode"), both, strict=True):
                rows.add(f"{what}: {verb}, {mode}, {isa}", 1e6 * time_ / n, "us/row")
    use_isa()
