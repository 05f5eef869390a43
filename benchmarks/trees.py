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
from pathlib import Path
from typing import Any

import numpy as np
from clock import seconds
from engine import Engine
from numpy.typing import NDArray
from report import ISAS, Report, parser, use_isa
from vae import PIXELS, TEST_SET, digits

from bbans import LatentTree, Message
from bbans.frozen import FrozenTree
from bbans.frozen.base import MODES

TRAIN_SET = "images/mnist_train-images-idx3-ubyte.gz"
WEATHER = "sensors/beijing_pm25_hourly.csv"
STATES, EPOCHS, LEAST, STRETCH = 64, 16, 0.185, 0.175
QUICK_STATES, QUICK_EPOCHS, QUICK_IMAGES = 16, 2, 12_000
CHAINS, PASSES, TIMED = [1, 10, 100], 3, 64
CLASSES = 32  # of a column of the table


def images_of(rows: Report) -> tuple[str, NDArray[np.uint8], NDArray[np.uint8]]:
    """What they are, those to train on, and others; made ones if there are none."""
    train = digits(rows, "digits", TRAIN_SET)
    if not len(train):
        made = discs(4000)
        return "discs", made[500:], made[:500]
    test = digits(rows, "digits", TEST_SET)
    if rows.quick:
        train, test = train[:QUICK_IMAGES], test[:500]
    return "digits", (train >= 128).astype(np.uint8), (test >= 128).astype(np.uint8)


def discs(n: int) -> NDArray[np.uint8]:
    """Images of some discs each."""
    rng, side = np.random.default_rng(0), np.arange(28)
    centre = rng.uniform(4, 24, (n, 4, 2, 1))
    radius = rng.uniform(0, 6, (n, 4, 1, 1))
    square = (side - centre) ** 2
    inside = square[:, :, 0, :, None] + square[:, :, 1, None, :] < radius**2
    return inside.any(axis=1).astype(np.uint8).reshape(n, PIXELS)


def images(rows: Report, threads: int, given: Path | None) -> None:
    name, train, test = images_of(rows)
    K, epochs = (QUICK_STATES, QUICK_EPOCHS) if rows.quick else (STATES, EPOCHS)
    what = f"{name}, {K} states"
    if given is None:
        begin = time.perf_counter()
        model = LatentTree.fit(
            train, K, sizes=2, epochs=epochs, threads=threads, progress=False
        )
        rows.add(
            f"{what}: training, {epochs} passes over {len(train)}, {threads} threads",
            time.perf_counter() - begin, "s",
        )  # fmt: skip
    else:
        model = LatentTree.load(given)
    real = name == "digits" and not rows.quick
    frozen = model.freeze()
    bits = LatentTree.from_frozen(frozen).row_bits(test)  # h, by the integers' masses
    seen = f"{what}: {len(test)} images"
    rows.add(
        f"{seen}, -log2 P in floats", per_pixel(model.row_bits(test)), "bits/pixel"
    )
    rows.add(
        f"{seen}, h", per_pixel(bits), "bits/pixel", at_most=LEAST if real else None
    )
    data = frozen.encode(test)
    assert (frozen.decode(data, len(test)) == test).all()
    coded = 8 * len(data) / test.size
    rows.add(
        f"{seen}, whole bytes", coded, "bits/pixel", at_most=LEAST if real else None
    )
    if real:
        rows.add(f"{seen}, whole bytes: stretch", coded, "bits/pixel", at_most=STRETCH)
    rows.add(f"{what}: model file", len(frozen.to_bytes()), "bytes")
    rows.add(f"{what}: images that start a message", frozen.start_length, "images")
    rows.add(f"{what}: bits that bits back starts from", frozen.start_bits, "bits")
    chains(rows, what, frozen, test, bits)
    parts(rows, what, model, test)
    times(rows, what, frozen, test)


def per_pixel(bits: NDArray[np.float64]) -> float:
    return float(bits.mean()) / PIXELS


def chains(
    rows: Report, what: str, frozen: FrozenTree, x: NDArray[Any], h: NDArray[Any]
) -> None:
    """What coding takes beyond h."""
    for n in CHAINS:
        over = []
        for seed in range(PASSES):
            lent = np.random.default_rng(seed).bytes(40 * n + 4000)
            message = Message.from_bytes(lent + b"\1")
            before = message.bits
            frozen.push(message, x[:n])
            over.append(message.bits - before - h[:n].sum())
            assert (frozen.pop(message, n) == x[:n]).all()
        rows.add(
            f"{what}: {n} rows by bits back over h, mean of {PASSES} messages",
            float(np.mean(over)), "bits", at_most=1.0,
        )  # fmt: skip
    for mode in MODES:
        model = frozen.with_mode(mode)
        for n in CHAINS:
            data = model.encode(x[:n])
            assert (model.decode(data, n) == x[:n]).all()
            over_h = 8 * len(data) - h[:n].sum()
            rows.add(f"{what}: {n} rows, {mode}: message over h", over_h, "bits")


def parts(rows: Report, what: str, model: LatentTree, x: NDArray[np.uint8]) -> None:
    """The upper half of the images by itself."""
    half = x[:, : PIXELS // 2]
    upper = model.marginal(range(PIXELS // 2)).freeze()
    h = LatentTree.from_frozen(upper).row_bits(half)
    data = upper.encode(half)
    assert (upper.decode(data, len(half)) == half).all()
    rows.add(f"{what}: upper halves, h", float(h.mean()), "bits/image")
    rows.add(
        f"{what}: upper halves, {len(x)} in a message, over h",
        8 * len(data) - h.sum(), "bits",
    )  # fmt: skip


def times(rows: Report, what: str, frozen: FrozenTree, x: NDArray[Any]) -> None:
    best = use_isa()
    for isa in ISAS.values():
        if use_isa(isa) is None:
            continue
        limit = 200.0 if isa == best and not rows.quick else None
        for mode in MODES:
            engine = Engine(frozen.with_mode(mode), x[:TIMED])
            for verb, time_ in zip(
                ("encode", "decode"), engine.timed(seconds, repeats=5), strict=True
            ):
                rows.add(
                    f"{what}: {verb}, {mode}, {isa}", 1e6 * time_, "us/image",
                    at_most=limit,
                )  # fmt: skip
    use_isa()


# ---- a table


def categories(text: list[str]) -> NDArray[np.uint8]:
    """Numbers of the values of a column, in their order; of many, ranges of them."""
    try:
        values: Any = np.array([float(cell) if cell != "NA" else -1e9 for cell in text])
    except ValueError:
        values = np.array(text)
    distinct, number = np.unique(values, return_inverse=True)
    if len(distinct) > CLASSES:
        edges = np.quantile(number, np.arange(1, CLASSES) / CLASSES)
        number = np.searchsorted(np.unique(edges), number, side="right")
    return number.astype(np.uint8)


def weather(rows: Report) -> NDArray[np.uint8]:
    """Hours as rows of categories, in random order."""
    found = rows.files(WEATHER, "table")
    if not found:
        return np.empty((0, 0), np.uint8)
    with found[0].open(encoding="ascii", newline="") as file:
        _, *lines = csv.reader(file)
    columns = list(zip(*lines, strict=True))[1:]  # without the number of the row
    table = np.stack([categories(list(column)) for column in columns], axis=1)
    return table[np.random.default_rng(0).permutation(len(table))]


def tables(rows: Report, threads: int) -> None:
    table = weather(rows)
    if not len(table):
        return
    sizes = table.max(axis=0) + 1
    test, train = np.split(table, [len(table) // 5])
    n = len(test)
    masses = [
        np.bincount(x, minlength=M) + 0.5 for x, M in zip(train.T, sizes, strict=True)
    ]
    alone = sum(
        float(-np.log2(mass[x] / mass.sum()).sum())
        for mass, x in zip(masses, test.T, strict=True)
    )
    rows.add(f"table: {n} rows, independent columns", alone / n, "bits/row")
    columns = test.T.tobytes()
    rows.add(
        "table: xz, of columns",
        8 * len(lzma.compress(columns, preset=9)) / n,
        "bits/row",
    )
    zstd = rows.peer("zstandard", "zstd")
    if zstd is not None:
        packed = zstd.ZstdCompressor(level=19).compress(columns)
        rows.add("table: zstd, of columns", 8 * len(packed) / n, "bits/row")
    for K, epochs in ((8, 10),) if rows.quick else ((8, 40), (32, 40), (128, 40)):
        begin = time.perf_counter()
        model = LatentTree.fit(
            train, K, sizes=sizes, epochs=epochs, threads=threads, progress=False
        )
        spent = time.perf_counter() - begin
        frozen = model.freeze(kind="bytes")
        data = frozen.encode(test.tobytes())
        assert frozen.decode(data, n) == test.tobytes()
        what = f"table: tree of {K} states"
        rows.add(f"{what}, whole bytes", 8 * len(data) / n, "bits/row")
        rows.add(f"{what}: model file", len(frozen.to_bytes()), "bytes")
        rows.add(f"{what}: training, {epochs} passes", spent, "s")


def main() -> None:
    made = parser(__doc__ or "")
    made.add_argument("--threads", type=int, default=1, help="of training")
    made.add_argument(
        "--tree", metavar="NPZ", type=Path,
        help="a LatentTree of images that was saved: nothing is trained on them",
    )  # fmt: skip
    options = made.parse_args()
    with Report(options) as rows:
        images(rows, options.threads, options.tree)
        tables(rows, options.threads)


if __name__ == "__main__":
    main()
